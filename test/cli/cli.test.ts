import { readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { freePort } from '../helpers/process.ts'
import { cli, endsWithin, refuses, root, run, serving, start } from './process.ts'

const empty = { code: 0, stderr: '' }

t.test('--help tells every command, and each command its own usage', async t => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    t.match(await run(t, args), { ...empty, stdout: /^Usage: fastify-media COMMAND\n[^]*serve \[DIRECTORY\][^]*check-config \[FILE\][^]*--version/ })
  }
  t.match(await run(t, ['serve', '--help']), { ...empty, stdout: /^Usage: fastify-media serve \[DIRECTORY\] \[--config FILE\] \[--host HOST\] \[--port PORT\]\n/ })
  t.match(await run(t, ['check-config', '-h']), { ...empty, stdout: /^Usage: fastify-media check-config \[FILE\]\n/ })
})

t.test('--version tells the version of the package', async t => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  t.match(await run(t, ['--version']), { ...empty, stdout: `${version}\n` })
  t.match(await run(t, ['-v']), { ...empty, stdout: `${version}\n` })
})

t.test('a command line that is not understood ends with 2 and the usage', async t => {
  for (const [args, message] of [
    [['sevre'], /^Expected a command but received sevre\. Did you mean serve\?\n\nUsage:/],
    [['toString'], /^Expected a command but received toString\n\nUsage:/],
    [['--port', '1'], /^Expected a command but received --port\n/],
    [['serve', '--prot', '1'], /^Unknown option '--prot'/],
    [['serve', '--port'], /^Option '--port <value>' argument missing/],
    [['serve', 'a', 'b'], /^Expected one argument but received a b\n/],
    [['serve', '.', '--config', 'x.yaml'], /^Expected either a directory or --config but received both\n/],
    [['serve', '--port', 'http'], /^Expected --port to be a number up to 65535 but received http\n/],
    [['serve', '--port', '65536'], /^Expected --port to be a number up to 65535 but received 65536\n/],
    [['check-config', 'a', 'b'], /^Expected one argument but received a b\n/],
    [['check-config', '--fix'], /^Unknown option '--fix'/]
  ] as const) {
    t.match(await run(t, [...args]), { code: 2, stdout: '', stderr: message }, args.join(' '))
  }
})

t.test('every mistake is printed, and the process ends with 1 before it listens', async t => {
  const cwd = await scratch(t, { 'media.config.yaml': 'mount: []\nserver: { prot: 1 }\nsources:\n  a: { driver: file, root: gone }\n' })
  const port = await freePort()
  const server = start(t, process.execPath, [cli, 'serve'], { cwd, env: { HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'loud' } })
  t.match(await endsWithin(server, 10_000), { code: 1 })
  t.equal(server.stdout(), '')
  t.equal(server.stderr(), `4 mistakes in ${join(cwd, 'media.config.yaml')}:
  mount: Unknown key. Did you mean mounts?
  server.prot: Unknown key. Did you mean port?
  log.level: Expected one of fatal, error, warn, info, debug, trace, silent but received "loud" (from LOG_LEVEL)
  sources.a.root: Expected a directory but received ${JSON.stringify(join(cwd, 'gone'))}, which does not exist
`)
  t.equal(await refuses({ port }), true)
})

t.test('check-config prints the configuration with every default, and no secret', async t => {
  const cwd = await scratch(t, {
    '.env': 'CDN_TOKEN=hunter2\nPORT=4000\nLOG_LEVEL=warn\n',
    'hunter2/a.txt': '',
    'site.yaml': 'sources:\n  a: { driver: file, root: "./${CDN_TOKEN}" }\nmounts:\n  - source: a\n'
  })
  const checked = await run(t, ['check-config', 'site.yaml'], { cwd, env: { LOG_LEVEL: 'error' } })
  t.match(checked, empty)
  t.notMatch(checked.stdout, /hunter2/)
  t.match(JSON.parse(checked.stdout), {
    server: { port: 4000, host: 'localhost' },
    log: { level: 'error' },
    sources: { a: { root: '[redacted]', symlinks: 'inside' } },
    mounts: [{ prefix: '/', source: 'a', cache: { default: 'no-cache', types: {} } }]
  }, 'the process\'s variables stand before those of .env')
})

t.test('check-config without a file looks for one, and without any tells what serve would do', async t => {
  const cwd = await scratch(t, { 'media.config.json': '{"server": {"port": 81}}' })
  t.equal((JSON.parse((await run(t, ['check-config'], { cwd })).stdout) as { server: { port: number } }).server.port, 81)
  const pictures = await scratch(t)
  t.match(JSON.parse((await run(t, ['check-config'], { cwd: pictures, env: { MEDIA_ROOT: '.' } })).stdout), { sources: { files: { root: pictures } }, mounts: [{ listing: true }] })
})

t.test('check-config ends with 1 where there is a mistake, or no such file', async t => {
  const cwd = await scratch(t, { 'bad.json': '{"mounts": 5}' })
  t.match(await run(t, ['check-config', 'bad.json'], { cwd }), { code: 1, stdout: '', stderr: /^1 mistake in .*bad\.json:\n {2}mounts: Expected a list but received 5\n$/ })
  t.match(await run(t, ['check-config', 'gone.yaml'], { cwd }), { code: 1, stdout: '', stderr: /gone\.yaml:\n {2}It cannot be read: ENOENT/ })
})

t.test('a .env file that cannot be read is a mistake', async t => {
  const cwd = await scratch(t, { '.env/a': '' })
  t.match(await run(t, ['check-config'], { cwd }), { code: 1, stderr: /^1 mistake in \.env:\n {2}It cannot be read: EISDIR/ })
})

t.test('a port that is in use is told in one sentence', async t => {
  const taken = createServer()
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { taken.close() })
  const { port } = taken.address() as AddressInfo
  t.match(await run(t, ['serve', '--host', '127.0.0.1', '--port', String(port)]), {
    code: 1,
    stderr: `1 mistake in the configuration:\n  server.port: Expected a free port but ${port} is in use on 127.0.0.1\n`
  })
})

t.test('a host that is not this machine is told in one sentence', async t => {
  t.match(await run(t, ['serve', '--host', '203.0.113.1', '--port', '0']), { code: 1, stderr: /^1 mistake in the configuration:\n {2}server\.host: Expected an address of this machine but received 203\.0\.113\.1\n$/ })
})

t.test('a log file that cannot be written is told before it listens', async t => {
  const cwd = await scratch(t, { 'a.txt': '' })
  t.match(await run(t, ['serve', '.', '--port', '0'], { cwd, env: { LOG_FILE: 'a.txt/media.log' } }), { code: 1, stderr: /^1 mistake in the configuration:\n {2}log\.file: Expected a file that can be written: E/ })
})

t.test('flags stand before variables, and a directory before a configuration file', async t => {
  const cwd = await scratch(t, { 'a.txt': 'a', 'media.config.json': '{"mounts": 5}' })
  const port = await freePort()
  const server = start(t, process.execPath, [cli, 'serve', '.', '--host', '127.0.0.1', '--port', String(port)], { cwd, env: { HOST: '203.0.113.1', PORT: '1' } })
  await server.says(/^Serving /m)
  t.equal((await ask({ port }, '/a.txt')).text, 'a')
  t.equal(server.stderr(), `Serving ${cwd} on http://127.0.0.1:${port}/\n`)
})

t.test('a directory\'s name is taken as it is', async t => {
  const cwd = await scratch(t, { '${HOME}/a.txt': 'a' })
  const server = await serving(t, ['${HOME}'], { cwd })
  t.equal((await ask(server, '/a.txt')).text, 'a')
})

t.test('the start line names every mount', async t => {
  const cwd = await scratch(t, {
    'files/a.txt': '',
    'site.json': JSON.stringify({ sources: { a: { driver: 'file', root: 'files' }, all: { driver: 'tree', branches: [{ source: 'a' }] } }, mounts: [{ source: 'a', prefix: '/files' }, { source: 'all' }] })
  })
  const server = await serving(t, ['--config', 'site.json'], { cwd, env: { HOST: '0.0.0.0' } })
  const url = `http://localhost:${server.port}`
  t.equal(server.stderr(), `Serving 2 mounts on ${url}\n  ${join(cwd, 'files')} on ${url}/files\n  all on ${url}/\n`)
})

t.test('a configuration without mounts serves nothing, and says so', async t => {
  const server = await serving(t, ['--config', 'site.json'], { cwd: await scratch(t, { 'site.json': '{}' }) })
  t.equal(server.stderr(), `Serving 0 mounts on ${server.url}\n`)
})

t.test('the address of an IPv6 host stands in brackets', async t => {
  const server = await serving(t, ['.'], { cwd: await scratch(t), env: { HOST: '::1' } })
  t.match(server.stderr(), new RegExp(`on http://\\[::1\\]:${server.port}/\n$`))
})
