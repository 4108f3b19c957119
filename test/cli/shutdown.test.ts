import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ask, scratch } from '../helpers/app.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { directory, LARGE, slowDownload } from './download.ts'
import { cli, endsWithin, logLines, refuses, serving, sleep, start } from './process.ts'

/** A connection that is read from, and how it ends. */
async function hold (port: number, bytes?: string): Promise<{ socket: Socket, closed: Promise<void> }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined).resume()
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  await new Promise<void>(resolve => socket.once('connect', resolve))
  if (bytes !== undefined) socket.write(bytes)
  return { socket, closed }
}

t.test('on SIGTERM readiness fails first, files still come, requests in flight finish, and the exit is clean', async t => {
  const logFile = join(await scratch(t), 'logs/media.log')
  const config = { server: { shutdownDelayMs: 3000 }, sources: { a: { driver: 'file', root: await directory(t) } }, mounts: [{ source: 'a' }] }
  const server = await serving(t, [], { cwd: await scratch(t, { 'media.config.json': JSON.stringify(config) }), env: { LOG_FILE: logFile } })
  t.equal((await ask(server, '/health/ready')).status, 200)
  const download = await slowDownload(server)

  server.child.kill('SIGTERM')
  await eventually(async () => (await ask(server, '/health/ready')).status === 503)
  const ready = await ask(server, '/health/ready')
  t.match(ready, { status: 503, headers: { 'retry-after': '1', 'content-type': /problem\+json/ } })
  t.match(JSON.parse(ready.text), { code: 'unavailable', detail: 'Not ready: SIGTERM' })
  t.equal((await ask(server, '/health/live')).status, 200)
  t.equal((await ask(server, '/a.txt')).text, 'meow')

  await eventually(async () => await refuses(server))
  t.equal(server.child.exitCode, null, 'the download holds the process')
  t.equal(await download.finish(), LARGE.length)
  t.match(await endsWithin(server, 5000), { code: 0 })

  const lines = logLines(await readFile(logFile, 'utf8'))
  t.match(lines.find(({ path }) => path === '/large.bin'), { status: 200, bytes: LARGE.length, msg: 'request' }, 'the last line is in the log too')
  t.equal(lines.filter(({ path }) => path === '/health/live').length, 1)
  t.equal(server.stdout(), '', 'with a log file nothing is written to standard output')
})

t.test('SIGINT lets requests in flight finish at once, without the wait for a load balancer', async t => {
  const server = await serving(t, [await directory(t)])
  const download = await slowDownload(server)
  server.child.kill('SIGINT')
  await eventually(async () => await refuses(server), 900)
  t.equal(await download.finish(), LARGE.length)
  t.match(await endsWithin(server, 2000), { code: 0 })
})

t.test('connections that only wait do not delay the exit', async t => {
  const server = await serving(t, [await directory(t)])
  const request = 'GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n'
  const silent = await hold(server.port)
  const partial = await hold(server.port, 'GET /a.txt HTTP/1.1\r\nHo')
  const idle = await hold(server.port, request)
  const busy = await hold(server.port, 'GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n')
  busy.socket.pause()
  await sleep(300)
  server.child.kill('SIGINT')
  await Promise.all([silent.closed, partial.closed, idle.closed])
  await sleep(300)
  t.equal(server.child.exitCode, null)
  busy.socket.resume()
  const { code, ms } = await endsWithin(server, 5000)
  t.equal(code, 0)
  t.ok(ms < 3000, `the connection that became idle last was not waited for: ${ms} ms`)
  t.ok(busy.socket.bytesRead > LARGE.length)
})

t.test('a second signal ends it at once', async t => {
  const server = await serving(t, [await directory(t)])
  const download = await slowDownload(server)
  server.child.kill('SIGTERM')
  await eventually(async () => await refuses(server))
  t.equal(server.child.exitCode, null)
  server.child.kill('SIGTERM')
  t.match(await endsWithin(server, 3000), { code: 1 })
  await t.rejects(download.finish(), { code: 'ECONNRESET' })
  t.match(server.stdout(), /second signal SIGTERM, exiting/)
})

t.test('another signal ends it at once, however soon', async t => {
  const server = await serving(t, [await directory(t)])
  await slowDownload(server)
  server.child.kill('SIGTERM')
  await eventually(async () => (await ask(server, '/health/ready')).status === 503)
  server.child.kill('SIGINT')
  t.match(await endsWithin(server, 3000), { code: 1 })
})

t.test('the deadline ends it', async t => {
  const path = await directory(t)
  const cwd = await scratch(t, { 'media.config.json': JSON.stringify({ server: { shutdownDelayMs: 200, shutdownDeadlineMs: 800 }, sources: { a: { driver: 'file', root: path } }, mounts: [{ source: 'a' }] }) })
  const server = await serving(t, [], { cwd })
  const download = await slowDownload(server)
  server.child.kill('SIGTERM')
  const { code, ms } = await endsWithin(server, 5000)
  t.equal(code, 1)
  t.ok(ms >= 900 && ms < 4000, `${ms} ms`)
  await t.rejects(download.finish(), { code: 'ECONNRESET' })
  t.match(server.stdout(), /killed by timeout \(1000ms\)/)
})

t.test('an error that nobody caught is logged, and ends it with 1', async t => {
  const boom = 'data:text/javascript,process.on("SIGUSR1",()=>{throw new Error("boom")})'
  const server = await serving(t, [await directory(t)], { node: ['--import', boom] })
  server.child.kill('SIGUSR1')
  t.match(await endsWithin(server, 10_000), { code: 1 })
  t.match(logLines(server.stdout()).find(({ level }) => level === 60), { msg: 'the server failed', err: { message: 'boom' } })
})

const noIPv6 = Object.values(networkInterfaces()).flat().some(address => address?.address === '::1') ? false : 'no IPv6 loopback address'

t.test('both addresses of localhost serve, and both finish what is in flight', { skip: noIPv6 }, async t => {
  const lookup = 'import dns from "node:dns";const before=dns.lookup;dns.lookup=(name,...rest)=>{if(name!=="localhost")return before(name,...rest);const done=rest.pop();process.nextTick(()=>rest[0]?.all?done(null,[{address:"127.0.0.1",family:4},{address:"::1",family:6}]):done(null,"127.0.0.1",4))}'
  const server = await serving(t, [await directory(t)], { node: ['--import', `data:text/javascript,${encodeURIComponent(lookup)}`], env: { HOST: 'localhost' } })
  const downloads = [await slowDownload(server), await slowDownload(server, '::1')]
  server.child.kill('SIGINT')
  await sleep(500) // until both have stopped
  for (const download of downloads) t.equal(await download.finish(), LARGE.length)
  t.match(await endsWithin(server, 2000), { code: 0 })
})

t.test('an error while it starts ends it with 1', async t => {
  const boom = 'data:text/javascript,import net from "node:net";net.Server.prototype.listen=()=>{throw new Error("boom")}'
  const port = await freePort()
  const server = start(t, process.execPath, ['--import', boom, cli, 'serve', await directory(t)], { env: { HOST: '127.0.0.1', PORT: String(port) } })
  t.match(await endsWithin(server, 10_000), { code: 1 })
  t.match(server.stderr(), /Error: boom/)
})
