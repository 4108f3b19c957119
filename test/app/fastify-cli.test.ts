import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import media from '../../app.ts'
import { endsWithin, refuses, root, start, type Running, type StartOptions } from '../cli/process.ts'
import { ask, scratch } from '../helpers/app.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { asWriter, form, put, readerKey, strategies } from '../helpers/writable.ts'

const program = join(root, 'node_modules/fastify-cli/cli.js')

/** `fastify start dist/app.js`, as one would call it. */
async function fastifyStart (t: Test, args: string[], options: StartOptions): Promise<Running & { port: number }> {
  const port = await freePort()
  const running = start(t, process.execPath, [program, 'start', join(root, 'dist/app.js'), '-p', String(port), '-a', '127.0.0.1', '-l', 'info', ...args], options)
  return { ...running, port }
}

const mount = (prefix: string): string => JSON.stringify({ sources: { a: { driver: 'file', root: '.' } }, mounts: [{ source: 'a', prefix }] })

t.test('the app takes what fastify-cli asks for: two parameters', t => {
  t.equal(media.length, 2)
  t.end()
})

t.test('the configuration file in the working directory is read', async t => {
  const cwd = await scratch(t, { 'a.txt': 'meow', 'media.config.json': mount('/x') })
  const server = await fastifyStart(t, [], { cwd })
  await server.says(/Server listening/)
  t.match(await ask(server, '/x/a.txt'), { status: 200, text: 'meow' })
  server.child.kill('SIGTERM')
  t.match(await endsWithin(server, 5000), { code: 0 })
})

t.test('without a file, MEDIA_ROOT of the environment or of .env is served', async t => {
  const cwd = await scratch(t, { 'pictures/a.txt': 'meow', '.env': 'MEDIA_ROOT=pictures\n' })
  const server = await fastifyStart(t, [], { cwd })
  await server.says(/Server listening/)
  t.match(await ask(server, '/a.txt'), { status: 200, text: 'meow' })
})

t.test('--options makes the server answer also what is no request as a problem', async t => {
  const server = await fastifyStart(t, ['--options'], { cwd: await scratch(t), env: { MEDIA_ROOT: '.' } })
  await server.says(/Server listening/)
  t.match(await ask(server, '/%E0%A4%A'), { status: 400, headers: { 'content-type': /^application\/problem\+json/ }, text: /"bad-path"/ })
  t.match(await ask(server, '/gone'), { status: 404, text: /"not-found"/ })
})

t.test('options for the app stand after --', async t => {
  const cwd = await scratch(t, { 'a.txt': 'meow', 'site.yaml': mount('/y'), 'media.config.json': mount('/x') })
  const server = await fastifyStart(t, ['--options', '--', '--config', 'site.yaml'], { cwd })
  await server.says(/Server listening/)
  t.match(await ask(server, '/y/a.txt'), { status: 200, text: 'meow' })
  t.match(await ask(server, '/x/a.txt'), { status: 404 })
})

t.test('--prefix mounts the app below a path', async t => {
  const cwd = await scratch(t, { 'a.txt': 'meow', 'media.config.json': mount('/x') })
  const server = await fastifyStart(t, ['--prefix', '/below'], { cwd })
  await server.says(/Server listening/)
  t.match(await ask(server, '/below/x/a.txt'), { status: 200, text: 'meow' })
})

t.test('files are written where a configuration says who may', async t => {
  const config = { sources: { files: { driver: 'file', root: 'files' } }, strategies, mounts: [{ prefix: '/files', source: 'files', permission: 'read-write', access: { read: 'public', write: ['keys'] } }] }
  const cwd = await scratch(t, { 'files/old.txt': 'old', 'media.config.json': JSON.stringify(config) })
  const server = await fastifyStart(t, ['--options'], { cwd })
  await server.says(/Server listening/)
  t.match(await put(server, '/files/a/new.txt', 'meow'), { status: 201, headers: { location: '/files/a/new.txt' } })
  t.match(await ask(server, '/files/a/new.txt'), { status: 200, text: 'meow' })
  t.equal(readFileSync(join(cwd, 'files/a/new.txt'), 'utf8'), 'meow')
  t.match(await put(server, '/files/old.txt', 'new'), { status: 204 })
  t.match(await ask(server, '/files/old.txt'), { status: 200, text: 'new' })
  const { body, headers } = form([{ filename: 'one.txt', body: '1' }, { filename: 'two.txt', body: '2' }])
  t.match(await ask(server, '/files/in/', { method: 'POST', body, headers: { ...headers, ...asWriter } }), { status: 201 })
  t.match(await ask(server, '/files/in/two.txt'), { status: 200, text: '2' })
  t.match(await ask(server, '/files/a/new.txt', { method: 'DELETE', headers: asWriter }), { status: 204 })
  t.match(await ask(server, '/files/a/new.txt'), { status: 404 })
  t.match(await ask(server, '/files/b.txt', { method: 'PUT', body: 'x' }), { status: 401 })
  t.match(await ask(server, '/files/b.txt', { method: 'PUT', body: 'x', headers: { 'x-api-key': readerKey } }), { status: 403 })
  t.match(await put(server, '/files/b.html', '<script>'), { status: 415, text: /"unsupported-media-type"/ })
  server.child.kill('SIGTERM')
  t.match(await endsWithin(server, 5000), { code: 0 })
})

t.test('a mistake in the configuration ends it before it listens', async t => {
  const server = await fastifyStart(t, [], { cwd: await scratch(t, { 'media.config.yaml': 'mount: []\n' }) })
  const { code } = await endsWithin(server, 10_000)
  t.not(code, 0)
  t.match(server.stderr() + server.stdout(), /1 mistake in .*media\.config\.yaml:\s+mount: Unknown key\. Did you mean mounts\?/)
})

t.test('in watch mode an edit of the configuration restarts it', async t => {
  const cwd = await scratch(t, { 'a.txt': 'meow', 'media.config.json': mount('/before') })
  const server = await fastifyStart(t, ['-w'], { cwd })
  await eventually(async () => !await refuses(server))
  t.match(await ask(server, '/before/a.txt'), { status: 200 })
  let edited = 0
  await eventually(async () => {
    if (Date.now() - edited > 4000) { // the first edit may come before it watches
      edited = Date.now()
      await writeFile(join(cwd, 'media.config.json'), mount('/after'))
    }
    return await ask(server, '/after/a.txt').then(({ status }) => status === 200, () => false)
  }, 40_000)
  t.match(await ask(server, '/before/a.txt'), { status: 404 })
})
