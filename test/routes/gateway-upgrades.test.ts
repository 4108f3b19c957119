import { once } from 'node:events'
import { Agent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { certificate, noOpenssl } from '../helpers/certificates.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { chunk, origin } from '../helpers/origin.ts'
import { head, wire } from '../helpers/wire.ts'

const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']

t.test('a wish for another protocol is left unheard: requests of Java and curl are plain ones', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(`<${request.method} ${body?.length} ${request.headers.upgrade} ${String(request.headers['http2-settings'])}>`) }, { gather: true })
  const served = await serveGateway(t, backend.url, {
    root: app => app.get('/host', function tellHost (request, reply) { reply.send(`host ${request.headers.upgrade}`) })
  })
  const client = await wire(t, served)
  for (let n = 1; n <= 20; n++) {
    client.send(head('GET /api/', h2c))
    await client.until(new RegExp(`(?:<GET 0 undefined undefined>[^]*){${n}}`))
  }
  client.send(head('POST /api/', [...h2c, 'Content-Length: 5']))
  client.send('hello')
  await client.until('<POST 5 undefined undefined>')
  client.send(head('PUT /api/', [...h2c, 'Transfer-Encoding: chunked']))
  client.send(Buffer.concat([chunk('hello'), chunk('x'.repeat(100_000)), chunk('')]))
  await client.until('<PUT 100005 undefined undefined>')
  client.send(head('GET /host', h2c))
  await client.until(/host (?:undefined|h2c)/) // where Node.js leaves it plain itself, the wish is there to read
  t.notOk(client.ended, 'all over one connection')
  client.send(head('GET /host', ['Connection: Upgrade, close', 'Upgrade: h2c']))
  t.match(await client.end(), /connection: close/i, 'and what else Connection says is heard')
})

t.test('pipelined, they wait for their turn', async t => {
  const backend = await origin(t, (request, response) => { setTimeout(() => response.end(`<${request.url}>`), 30) })
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('GET /api/1') + head('GET /api/2', h2c) + head('GET /api/3', h2c) + head('GET /api/4'))
  const text = await client.until('</4>')
  t.same([...text.matchAll(/<\/(\d)>/g)].map(match => match[1]), ['1', '2', '3', '4'])
})

t.test('a handshake behind other requests waits for their answers', async t => {
  const backend = await origin(t, (request, response) => { setTimeout(() => response.end(`<${request.url} ${request.headers.upgrade}>`), 50) })
  backend.events.on('opened', (socket: Socket) => socket.on('error', () => {}))
  const client = await wire(t, await serveGateway(t, backend.url))
  const websocket = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
  client.send(head('GET /api/1') + head('GET /api/2') + head('GET /api/3', websocket))
  const text = await client.end()
  t.same([...text.matchAll(/<\/(\d) /g)].map(match => match[1]), ['1', '2', '3'])
  t.match(text, /<\/3 websocket>/)
})

t.test('handshakes elsewhere, or with a body, or by another method, are plain requests', async t => {
  const backend = await origin(t, (request, response) => { response.end(`<${request.method} ${request.headers.upgrade}>`) })
  const served = await serveGateway(t, backend.url, {
    root: app => app.get('/apis', function tellHost (request, reply) { reply.send(`host ${request.headers.upgrade}`) })
  })
  const client = await wire(t, served)
  const websocket = ['Connection: Upgrade', 'Upgrade: websocket']
  client.send(head('GET /apis', websocket))
  await client.until(/host (?:undefined|h2c)/) // where Node.js leaves it plain itself, the wish is there to read
  client.send(head('POST /api/', websocket))
  await client.until('<POST undefined>')
  client.send(`${head('GET /api/', [...websocket, 'Content-Length: 5'])}hello`)
  await client.until('<GET undefined>')
  client.send(head('GET /none', websocket))
  await client.until('404 ')
  t.notOk(client.ended)
})

t.test('what another listener of the host is there for is left to it', async t => {
  const backend = await origin(t, (request, response) => { response.end(`<${request.headers.upgrade}>`) })
  const served = await serveGateway(t, backend.url, {
    root: app => app.server.on('upgrade', (request, socket: Socket) => { if (request.url === '/host') socket.end('HTTP/1.1 101 Mine\r\n\r\n') })
  })
  const client = await wire(t, served)
  client.send(head('GET /host', ['Connection: Upgrade', 'Upgrade: websocket']))
  t.match(await client.end(), /101 Mine/)
  const own = await wire(t, served)
  own.send(head('GET /api/', ['Connection: Upgrade', 'Upgrade: websocket']))
  await own.until('<websocket>')
})

t.test('two gateways share one server', async t => {
  const backend = await origin(t, (request, response) => { response.end(`<${request.url} ${request.headers.upgrade}>`) })
  const { default: gateway } = await import('../../routes/gateway.ts')
  const served = await serveGateway(t, backend.url, {
    scope: async scope => {
      await scope.register(async function inner (deeper) {
        await deeper.register(gateway, { gatewayAt: prefix => ({ prefix, upstream: { name: 'other', send: async () => ({ status: 200, headers: {}, body: Buffer.from('other'), trailers: () => undefined }) } }) })
      }, { prefix: '/other' })
    }
  })
  const client = await wire(t, served)
  client.send(head('GET /api/other/x'))
  await client.until('other')
  client.send(head('GET /api/x'))
  await client.until('</x undefined>')
  client.send(head('GET /api/x', ['Connection: Upgrade', 'Upgrade: websocket']))
  t.match(await client.end(), /<\/x websocket>/)
})

t.test('a client that is gone while its handshake waits is no fault', async t => {
  const backend = await origin(t, (_request, response) => { setTimeout(() => response.end('late'), 100) })
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  client.send(head('GET /api/1') + head('GET /api/2', ['Connection: Upgrade', 'Upgrade: websocket']))
  await once(backend.events, 'request')
  client.socket.resetAndDestroy()
  const next = await wire(t, served)
  next.send(head('GET /api/3'))
  t.ok(await next.until('late'))
  t.equal(backend.requests.filter(request => request.url === '/2').length, 0)
})

t.test('over TLS, and where the server also speaks HTTP/2', { skip: noOpenssl ?? false }, async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(`<${request.method} ${body?.length} ${request.headers.upgrade}>`) }, { gather: true })
  const { cert, key } = certificate('good')
  const ca = certificate('ca').cert
  for (const server of [{ https: { cert, key } }, { http2: true, https: { cert, key, allowHTTP1: true } }]) {
    const served = await serveGateway(t, backend.url, { server })
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca })
    t.teardown(() => agent.destroy())
    for (let n = 0; n < 3; n++) {
      const request = httpsRequest({ port: served.port, host: '127.0.0.1', path: '/api/', method: 'POST', agent, headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AA', 'content-length': '5' } })
      request.end('hello')
      const [response] = await once(request, 'response') as [NodeJS.ReadableStream]
      let text = ''
      for await (const piece of response) text += String(piece)
      t.equal(text, '<POST 5 undefined>')
    }
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    t.teardown(() => sockets.close())
    sockets.on('connection', socket => { socket.on('message', said => socket.send(said)) })
    await once(sockets, 'listening')
    const tunnelling = await serveGateway(t, `http://127.0.0.1:${(sockets.address() as { port: number }).port}`, { server })
    const client = new WebSocket(`wss://127.0.0.1:${tunnelling.port}/api/`, { ca })
    t.teardown(() => client.terminate())
    await once(client, 'open')
    client.send('hello')
    t.equal(String((await once(client, 'message') as [Buffer])[0]), 'hello')
  }
})
