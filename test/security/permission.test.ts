// A file the server may not read is 403 for every method and condition, and the log says whose it is.
import { spawn } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'

t.test('EACCES is 403, and logged as a permission fault with owner and mode', async t => {
  const root = await scratch(t, { 'ok.txt': 'ok', 'closed.txt': 'closed', 'closed/a.txt': 'a', 'closed/index.html': 'i', 'a.css': 'x'.repeat(99), 'a.css.gz': 'z' })
  await chmod(root, 0o755)
  await chmod(join(root, 'closed.txt'), 0o600)
  await chmod(join(root, 'a.css.gz'), 0o600)
  await chmod(join(root, 'closed'), 0o700)
  await mkdir(join(root, 'unlisted'), { mode: 0o711 })
  await chmod(join(root, 'unlisted'), 0o711)
  const isRoot = process.getuid?.() === 0
  if (!isRoot) for (const [name, mode] of [['closed.txt', 0], ['a.css.gz', 0], ['closed', 0], ['unlisted', 0o111]] as const) await chmod(join(root, name), mode)
  const config = join(root, 'media.config.json')
  await writeFile(config, JSON.stringify({ sources: { files: { driver: 'file', root } }, mounts: [{ source: 'files', listing: true }] }))
  const server = spawn(process.execPath, ['test/helpers/unprivileged.mjs', config], { env: { ...process.env, PORT: '0', HOST: '127.0.0.1', NODE_OPTIONS: '' } })
  t.teardown(async () => {
    if (!isRoot) for (const name of ['closed', 'unlisted']) await chmod(join(root, name), 0o700)
    server.kill('SIGKILL')
  })
  let output = ''
  server.stdout.on('data', (chunk: Buffer) => { output += chunk.toString() })
  server.stderr.on('data', (chunk: Buffer) => { output += chunk.toString() })
  const port = (): number => Number(/127\.0\.0\.1:(\d+)/.exec(output)?.[1])
  t.ok(await eventually(() => port() > 0, 10_000), output)
  const served = { port: port() }
  t.equal((await ask(served, '/ok.txt')).status, 200)
  for (const [path, method, headers] of [['/closed.txt', 'GET', {}], ['/closed.txt', 'HEAD', {}], ['/closed.txt', 'GET', { 'if-none-match': '*' }], ['/closed/a.txt', 'GET', {}], ['/closed/', 'GET', {}], ['/unlisted/', 'GET', {}]] as const) {
    const answer = await ask(served, path, { method, headers })
    t.equal(answer.status, 403, `${method} ${path}`)
    if (method === 'GET') t.match(JSON.parse(answer.text), { code: 'forbidden' })
    t.notOk(answer.text.includes(root))
  }
  t.match(await ask(served, '/a.css', { headers: { 'accept-encoding': 'gzip' } }), { status: 200, headers: { 'content-encoding': undefined } }, 'a sibling that is closed does not close the file')
  const listed = JSON.parse((await ask(served, '/', { headers: { accept: 'application/json' } })).text) as { entries: Array<{ name: string }> }
  t.notOk(listed.entries.some(entry => entry.name === 'closed.txt'), 'nor is it listed')
  const fault = new RegExp(`"code":"forbidden","fault":"permission","errno":"EACCES","path":"${root}/closed.txt","uid":\\d+,"gid":\\d+,"mode":"0[0-7]{3}"`)
  t.ok(await eventually(() => fault.test(output)), 'the log line names the path, its owner and its mode')
})
