import { createServer, ServerResponse, type IncomingMessage } from 'node:http'
import { connect as connect2, createServer as createServer2 } from 'node:http2'
import { connect, type AddressInfo, type Server, type Socket } from 'node:net'
import t from 'tap'
import { whenOver } from '../../../lib/rate/when-over.ts'
import type { Test } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'

interface Watched { port: number, begun: number, over: number, warnings: string[] }

/** A server that counts what began and what is over. */
async function watched (t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void, server: Server = createServer()): Promise<Watched> {
  const seen: Watched = { port: 0, begun: 0, over: 0, warnings: [] }
  const warn = (warning: Error): void => { seen.warnings.push(warning.name) }
  process.on('warning', warn)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  t.teardown(() => {
    process.off('warning', warn)
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    seen.begun++
    whenOver(request, response, () => { seen.over++ })
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  seen.port = (server.address() as AddressInfo).port
  return seen
}

function dial (t: Test, { port }: Watched, text: string): Socket {
  const socket = connect(port, '127.0.0.1', () => socket.write(text))
  socket.on('error', () => {})
  socket.resume()
  t.teardown(() => socket.destroy())
  return socket
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

t.test('an answer that was sent, each of one connection', async t => {
  const seen = await watched(t, (_request, response) => response.end('ok'))
  dial(t, seen, GET.repeat(30))
  t.ok(await eventually(() => seen.over === 30))
  t.equal(seen.begun, 30)
})

t.test('a client that leaves before its answer', async t => {
  const seen = await watched(t, () => {})
  const socket = dial(t, seen, GET)
  await eventually(() => seen.begun === 1)
  t.equal(seen.over, 0)
  socket.destroy()
  t.ok(await eventually(() => seen.over === 1))
})

t.test('a client that leaves with many requests that wait behind each other, without a listener for each', async t => {
  const seen = await watched(t, () => {})
  const socket = dial(t, seen, GET.repeat(50))
  await eventually(() => seen.begun === 50)
  t.equal(seen.over, 0)
  socket.destroy()
  t.ok(await eventually(() => seen.over === 50))
  t.same(seen.warnings, [])
})

t.test('a response that waited and was answered is over once', async t => {
  const responses: ServerResponse[] = []
  const seen = await watched(t, (_request, response) => responses.push(response))
  const socket = dial(t, seen, GET.repeat(3))
  await eventually(() => seen.begun === 3)
  for (const response of responses) response.end('ok')
  t.ok(await eventually(() => seen.over === 3))
  socket.destroy()
  await eventually(() => socket.destroyed)
  const after = await watched(t, (_request, response) => response.end())
  dial(t, after, GET)
  await eventually(() => after.over === 1)
  t.equal(seen.over, 3)
})

t.test('a connection that became something else is over with it', async t => {
  const server = createServer()
  const seen = await watched(t, () => {}, server)
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    const response = new ServerResponse(request) // as who takes over a connection routes its request
    seen.begun++
    whenOver(request, response, () => { seen.over++ })
    socket.on('error', () => {}).on('end', () => socket.end()).resume()
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  })
  const socket = dial(t, seen, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  await new Promise(resolve => socket.once('data', resolve))
  t.equal(seen.over, 0)
  socket.destroy()
  t.ok(await eventually(() => seen.over === 1))
})

t.test('a request that only wishes for another protocol is over with its answer', async t => {
  const seen = await watched(t, (_request, response) => response.end('ok'))
  dial(t, seen, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
  t.ok(await eventually(() => seen.over === 1))
})

t.test('what is over already is told at once', async t => {
  let late = 0
  const seen = await watched(t, (request, response) => {
    response.once('close', () => whenOver(request, response, () => { late++ }))
  })
  const socket = dial(t, seen, GET)
  await eventually(() => seen.begun === 1)
  socket.destroy()
  t.ok(await eventually(() => late === 1))
})

t.test('over HTTP/2: an answer, a stream that is reset, and one that is closed already', async t => {
  let late = 0
  const server = createServer2()
  const seen = await watched(t, (request, response) => {
    response.once('close', () => whenOver(request, response, () => { late++ }))
    if (request.url === '/now') response.end('ok')
  }, server)
  const session = connect2(`http://127.0.0.1:${seen.port}`)
  t.teardown(() => session.destroy())
  session.request({ ':path': '/now' }).resume()
  t.ok(await eventually(() => seen.over === 1 && late === 1))
  const stream = session.request({ ':path': '/never' })
  stream.on('error', () => {})
  await eventually(() => seen.begun === 2)
  t.equal(seen.over, 1)
  stream.close(8)
  t.ok(await eventually(() => seen.over === 2 && late === 2))
})
