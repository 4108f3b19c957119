// The body of an answer on its way to a client: piped into an HTTP/1 response, or read as any stream.
import { request as ask, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import type { UpstreamResponse } from '../../../lib/upstream/message.ts'
import type { UpstreamBody } from '../../../lib/upstream/upstream-body.ts'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { get, open, type UpstreamInput } from './open-upstream.ts'

type Test = Parameters<typeof kit.origin>[0]

/** Sends on what an origin answers, as a proxy does; a body that fails ends the client's connection. */
async function front (t: Test, script: kit.Script, options: UpstreamInput = {}, send: (answer: UpstreamResponse, response: ServerResponse) => void = sendOn): Promise<{ port: number, behind: kit.RawOrigin }> {
  const behind = await kit.rawOrigin(t, script)
  const { upstream } = await open(t, behind.url, options)
  const { port } = await kit.origin(t, async (_request, response) => { send(await get(upstream), response) })
  return { port, behind }
}

function sendOn ({ status, headers, body }: UpstreamResponse, response: ServerResponse): void {
  response.writeHead(status, headers)
  if (Buffer.isBuffer(body)) { response.end(body); return }
  body.on('error', () => response.destroy())
  response.on('close', () => body.destroy())
  body.pipe(response)
}

async function asked (port: number): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => { ask({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject).end() })
}

t.test('bodies arrive byte for byte, whatever their size and framing', async t => {
  for (const framing of ['length', 'chunked', 'close'] as const) {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 20_000_000]) {
      const file = kit.content(size)
      const { port } = await front(t, kit.whole(file, framing))
      const { hash, error } = await kit.taken(await asked(port))
      t.same([hash, error], [file.hash, undefined], `${size} bytes, ${framing}`)
    }
  }
})

t.test('a body that is resumed is one body to the client', async t => {
  const file = kit.content(5_000_000)
  const { port } = await front(t, kit.file(file, { etag: '"a"', dies: [1_000_000, 3_000_000] }))
  t.equal((await kit.taken(await asked(port))).hash, file.hash)
})

t.test('trailer fields follow a chunked body', async t => {
  const { port } = await front(t, kit.trailers(kit.content(100_000).bytes().toString('latin1'), { 'X-Digest': 'abc', 'X-Two': ['1', '2'] }))
  const response = await asked(port)
  t.equal((await kit.taken(response)).hash, kit.content(100_000).hash)
  t.same(response.rawTrailers.map(each => each.toLowerCase()), ['x-digest', 'abc', 'x-two', '1', 'x-two', '2'])
})

t.test('a head whose body is late arrives at once', async t => {
  const { port } = await front(t, kit.stall(kit.content(10), 0))
  const response = await asked(port)
  t.equal(response.statusCode, 200)
  response.destroy()
})

t.test('a body that fails in the middle is seen to be cut: with a length, chunked, and to the end of an HTTP/1.0 connection', async t => {
  for (const framing of ['length', 'chunked'] as const) {
    const { port } = await front(t, kit.resetMidBody(kit.content(100_000), 70_000, framing))
    const { bytes, error } = await kit.taken(await asked(port))
    t.ok(bytes <= 70_000)
    t.equal(error?.code, 'ECONNRESET', framing)
  }
  let isRead = (): void => {}
  const read = new Promise<void>(resolve => { isRead = resolve })
  const { port } = await front(t, kit.resetMidBody(kit.content(100_000), 70_000, 'chunked', async () => await read))
  const socket = connect(port, '127.0.0.1')
  let bytes = 0
  let end = ''
  socket.on('data', piece => { if ((bytes += piece.length) > 70_000) isRead() })
  socket.on('end', () => { end = 'FIN' })
  socket.on('error', (error: NodeJS.ErrnoException) => { end = error.code ?? '' })
  socket.write('GET / HTTP/1.0\r\n\r\n')
  t.ok(await eventually(() => end !== ''))
  t.equal(end, 'ECONNRESET', 'an end would say that this was all')
})

t.test('a client that reads nothing stops the origin, and one that leaves ends it', async t => {
  const { port, behind } = await front(t, kit.endless())
  const socket = connect(port, '127.0.0.1')
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually(() => behind.written > 1_000_000)
  let before = -1
  while (before !== behind.written) {
    before = behind.written
    await wait(300)
  }
  t.ok(before < 16_000_000, `${before} bytes are written for a client who reads none`)
  let bytes = 0
  socket.on('data', piece => { bytes += piece.length })
  socket.resume()
  t.ok(await eventually(() => bytes > 30_000_000), 'and when it reads, it goes on')
  socket.destroy()
  t.ok(await eventually(() => behind.requests.every(({ closed }) => closed), 5000))
})

t.test('piped elsewhere, or without an end, it is a stream as any other', async t => {
  const file = kit.content(300_000)
  const { port } = await front(t, kit.whole(file, 'chunked'), {}, ({ body }, response) => {
    const stream = body as UpstreamBody
    stream.pipe(response, { end: false })
    stream.on('end', () => response.end('and more'))
  })
  t.equal((await kit.taken(await asked(port))).bytes, 300_008)

  const other = await front(t, kit.whole(file, 'chunked'), {}, ({ body }, response) => { (body as UpstreamBody).pipe(new PassThrough()).pipe(response) })
  t.equal((await kit.taken(await asked(other.port))).hash, file.hash)
})
