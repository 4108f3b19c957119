import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { directory, LARGE, slowDownload } from '../cli/download.ts'
import { endsWithin, logLines, refuses, root, serving, signalGroup, sleep, start } from '../cli/process.ts'
import { ask, scratch } from '../helpers/app.ts'
import { eventually, freePort } from '../helpers/process.ts'

// npm start builds first, which takes its time on a busy machine.
t.setTimeout(180_000)

t.test('serve DIRECTORY serves the files of a directory, with a listing', async t => {
  const path = await directory(t)
  const server = await serving(t, [path])
  t.match(await ask(server, '/a.txt'), { status: 200, text: 'meow', headers: { 'content-type': 'text/plain; charset=utf-8' } })
  const listing = await ask(server, '/', { headers: { accept: 'text/html' } })
  t.match(listing, { status: 200, text: /large\.bin/ })
  t.equal(server.stderr(), `Serving ${path} on ${server.url}/\n`)
})

t.test('without a directory, the bundled pictures are served', async t => {
  const server = await serving(t, [], { cwd: await scratch(t) })
  const listing = await ask(server, '/', { headers: { accept: 'application/json' } })
  t.equal(listing.status, 200)
  t.ok((JSON.parse(listing.text) as { entries: unknown[] }).entries.length > 0)
})

const isFree = await new Promise<boolean>(resolve => {
  const server = createServer().once('error', () => resolve(false)).listen(3000, '127.0.0.1', () => server.close(() => resolve(true)))
})

t.test('without anything, the URL is http://localhost:3000', { skip: isFree ? false : 'something of this machine listens on port 3000' }, async t => {
  const server = start(t, process.execPath, [join(root, 'dist/cli/main.js')], { cwd: await scratch(t) })
  t.match(await server.says(/^Serving .*\n/m), /Serving .*examples\/media on http:\/\/localhost:3000\/\n/)
  t.equal((await ask({ port: 3000 }, '/health/live')).status, 200)
})

t.test('log lines go to standard output as JSON, all of them', async t => {
  const server = await serving(t, [await directory(t)])
  for (let i = 0; i < 20; i++) await ask(server, `/a.txt?i=${i}&signature=secret`)
  server.child.kill('SIGINT')
  t.match(await endsWithin(server, 5000), { code: 0 })
  const requests = logLines(server.stdout()).filter(({ msg }) => msg === 'request')
  t.equal(requests.length, 20)
  t.match(requests[0], { level: 30, method: 'GET', path: '/a.txt', status: 200, bytes: 4 })
  t.notMatch(server.stdout(), /secret/)
})

t.test('a log that cannot be written does not stop the server', async t => {
  const server = await serving(t, [await directory(t)], { env: { LOG_FILE: '/dev/full' } })
  for (let i = 0; i < 5; i++) t.equal((await ask(server, '/a.txt')).status, 200)
  await server.says(/The log cannot be written: ENOSPC/)
  t.equal((await ask(server, '/a.txt')).status, 200)
  server.child.kill('SIGINT')
  t.match(await endsWithin(server, 5000), { code: 0 })
})

t.test('a reader of the log that goes away does not stop the server', async t => {
  const server = await serving(t, [await directory(t)])
  server.child.stdout?.destroy()
  for (let i = 0; i < 3; i++) {
    t.equal((await ask(server, '/a.txt')).status, 200)
    await sleep(1100)
  }
  t.equal((await ask(server, '/a.txt')).status, 200)
})

t.test('npm start -- DIRECTORY serves it, and hands signals on', async t => {
  const port = await freePort()
  const npm = start(t, 'env', ['-u', 'NODE_OPTIONS', 'npm', 'start', '--', await directory(t)], { env: { HOST: '127.0.0.1', PORT: String(port) } })
  await npm.says(/^Serving .* on http:\/\/127\.0\.0\.1:\d+\/$/m, 40_000)
  t.equal((await ask({ port }, '/a.txt')).text, 'meow')
  const download = await slowDownload({ port })

  // A terminal signals the whole group, and npm hands the signal on: the server has it twice.
  signalGroup(npm.child, 'SIGINT')
  await eventually(async () => await refuses({ port }))
  t.equal(await download.finish(), LARGE.length)
  await npm.ended
  t.notMatch(npm.stdout(), /second signal/)
})

t.test('SIGTERM to npm start reaches the server', async t => {
  const port = await freePort()
  const npm = start(t, 'env', ['-u', 'NODE_OPTIONS', 'npm', 'start', '--', await directory(t)], { env: { HOST: '127.0.0.1', PORT: String(port) } })
  await npm.says(/^Serving /m, 40_000)
  npm.child.kill('SIGTERM')
  await eventually(async () => (await ask({ port }, '/health/ready')).status === 503)
  await npm.ended
  t.equal(await refuses({ port }), true)
})
