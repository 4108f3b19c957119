// Clients who ask for much, or take little: bounded memory, no descriptor left behind.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { ask, oneMount, raw, scratch, serveMedia } from '../helpers/app.ts'
import { eventually, openBelow } from '../helpers/process.ts'

const LARGE = Buffer.alloc(24_000_000, 'a')

t.test('ten thousand ranges are one whole file, or too large a header; never a part each', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'x'.repeat(50_000) })))
  const many = await raw(served, `GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=${Array.from({ length: 10_000 }, (_, n) => `${n * 2}-${n * 2}`).join(',')}\r\n\r\n`)
  t.match(many, /^HTTP\/1\.1 431 /)
  for (const set of [Array.from({ length: 1500 }, (_, n) => `${n * 2}-${n * 2}`), Array.from({ length: 3000 }, () => '0-'), Array.from({ length: 65 }, (_, n) => `${n * 2}-${n * 2}`)]) {
    const answer = await ask(served, '/a.txt', { headers: { range: `bytes=${set.join(',')}` } })
    t.equal(answer.status, 200)
    t.equal(answer.body.length, 50_000)
  }
  t.equal((await ask(served, '/a.txt', { headers: { range: `bytes=${Array.from({ length: 64 }, (_, n) => `${n * 2}-${n * 2}`).join(',')}` } })).status, 206)
})

t.test('64 KB of headers are refused with a problem, and the server goes on', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'a' })))
  t.match(await raw(served, `GET /a.txt HTTP/1.1\r\nHost: x\r\n${'X-H: y\r\n'.repeat(9000)}\r\n`), /^HTTP\/1\.1 431 /)
  t.equal((await ask(served, '/a.txt')).status, 200)
})

async function slowClients (t: { teardown (action: () => unknown): void }, port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ port, host: '127.0.0.1' }))
  t.teardown(() => sockets.forEach(socket => socket.destroy()))
  await Promise.all(sockets.map(async socket => {
    await once(socket, 'connect')
    socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'readable')
    socket.read(1) // and then nothing: the rest stays in the kernel and with the server
  }))
  return sockets
}

t.test('clients who read a byte a second hold little memory and starve nobody', async t => {
  const root = await scratch(t, { 'large.bin': LARGE, 'other.bin': LARGE.subarray(0, 5_000_000) })
  const served = await serveMedia(t, oneMount(root, {}, {}, { largeFiles: { poolBytes: 4 * 524_288, maxDescriptors: 4, descriptorIdleMs: 50 } }))
  await ask(served, '/other.bin')
  const before = process.memoryUsage()
  const sockets = await slowClients(t, served.port, 60)
  await wait(200)
  const after = process.memoryUsage()
  t.ok(after.arrayBuffers + after.external - before.arrayBuffers - before.external < 60 * 400_000, 'no more than a few buffers a client')
  t.equal((await ask(served, '/other.bin')).body.length, 5_000_000, 'another client is served meanwhile')
  t.equal(openBelow(join(root, 'large.bin')), 1, 'one descriptor for all of them')
  for (const socket of sockets) socket.destroy()
  t.ok(await eventually(() => openBelow(root) === 0), 'and none when they are gone')
})

t.test('clients who leave midway, pipelined or not, leave no descriptor', async t => {
  const root = await scratch(t, { 'large.bin': LARGE })
  const served = await serveMedia(t, oneMount(root, {}, {}, { largeFiles: { descriptorIdleMs: 50 } }))
  const request = 'GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n'
  const multipart = 'GET /large.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9999999,12000000-20000000\r\n\r\n'
  for (const bytes of [request, request.repeat(5), multipart, `HEAD /large.bin HTTP/1.1\r\nHost: x\r\n\r\n${request}`]) {
    for (let n = 0; n < 8; n++) {
      const socket = connect(served.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(bytes)
      await once(socket, 'data')
      socket.destroy()
    }
  }
  t.ok(await eventually(() => openBelow(root) === 0))
  t.equal((await ask(served, '/large.bin')).body.length, LARGE.length)
})

t.test('a connection that makes no progress is closed after its time', async t => {
  const { serve } = await import('../helpers/app.ts')
  const { default: media } = await import('../../app.ts')
  const root = await scratch(t, { 'large.bin': LARGE })
  const served = await serve(t, app => { app.register(media, oneMount(root)) }, { connectionTimeout: 200 })
  const [socket] = await slowClients(t, served.port, 1)
  t.ok(await eventually(() => socket?.destroyed === true || served.logs.some(line => line.aborted === true), 8000))
})
