// A client may send a thousand requests in one packet and read nothing: what is opened for an
// answer whose turn has not come is memory that one packet costs.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { ask, oneMount, raw, scratch, serveMedia } from '../helpers/app.ts'
import { eventually, openBelow } from '../helpers/process.ts'

const LARGE = Buffer.alloc(8_000_000, 'abcdefghij')

t.test('a thousand pipelined requests open one file at a time', async t => {
  const root = await scratch(t, { 'large.bin': LARGE })
  const served = await serveMedia(t, oneMount(root, {}, {}, { largeFiles: { descriptorIdleMs: 50 } }))
  await ask(served, '/large.bin')
  const before = process.memoryUsage().arrayBuffers
  const sockets = Array.from({ length: 4 }, () => connect(served.port, '127.0.0.1'))
  for (const socket of sockets) {
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.pause()
    socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-131071\r\n\r\n'.repeat(1000))
  }
  await wait(1000)
  t.ok(process.memoryUsage().arrayBuffers - before < 50_000_000, 'a thousand copies would be 131 MB for each connection')
  for (const socket of sockets) socket.destroy()
  t.ok(await eventually(() => openBelow(root) === 0))
  t.equal((await ask(served, '/large.bin')).status, 200)
})

t.test('pipelined answers come whole and in order', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'large.bin': LARGE, 'a.txt': 'meow' })))
  const request = (path: string, close = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${close}\r\n`
  const text = await raw(served, request('/large.bin') + request('/a.txt') + request('/large.bin') + request('/none', 'Connection: close\r\n'), 20_000)
  const heads = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1])
  t.same(heads, ['200', '200', '200', '404'])
  t.equal(text.split(LARGE.toString('latin1')).length, 3, 'both large bodies are whole')
})

t.test('what cannot be parsed is answered after what was asked before it', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'large.bin': LARGE, 'a.txt': 'meow' })))
  for (const broken of ['GARBAGE\r\n\r\n', `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(40_000)}\r\n\r\n`]) {
    const text = await raw(served, `GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n${broken}`, 20_000)
    t.ok(text.includes(LARGE.toString('latin1')), 'the body is whole')
    t.same([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1]), ['200', '200', broken.startsWith('GET') ? '431' : '400'])
  }
})
