// What origins and clients can send that ended the whole process, because it was thrown in
// nobody's hands. tap fails a test in which anything is thrown so.
import { once } from 'node:events'
import { request, type IncomingMessage, type Server } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { exchangeAlone } from '../../lib/upstream/gateway/lone-exchange.ts'
import { serveGateway, upstreamTo } from '../helpers/gateway.ts'
import { aMoment, content, head as answerHead, origin, rawOrigin, taken } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { head, wire } from '../helpers/wire.ts'

const chunkedBody = '5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n'

t.test('trailer fields of a request whose method has no body as a rule', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(JSON.stringify([body?.toString(), request.trailers['x-sum']])) }, { gather: true })
  const served = await serveGateway(t, backend.url)
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST']) {
    const client = await wire(t, served)
    client.send(head(`${method} /api/`, ['Trailer: X-Sum', 'Transfer-Encoding: chunked', 'Connection: close']) + chunkedBody)
    const text = await client.end()
    t.match(text, /^HTTP\/1\.1 200 /, method)
    if (method !== 'HEAD') t.match(text, '["hello","abc"]', method)
    t.match(backend.requests.at(-1), { method, body: Buffer.from('hello') })
  }
})

t.test('a length that a hook of the app puts on such a request', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(JSON.stringify([body?.toString(), request.trailers['x-sum']])) }, { gather: true })
  const rewriteRequest = ({ headers }: { headers: object }) => ({ headers: { ...headers, 'content-length': '3' } })
  const client = await wire(t, await serveGateway(t, backend.url, { mount: { hooks: { rewriteRequest } } as never }))
  client.send(head('GET /api/', ['Trailer: X-Sum', 'Transfer-Encoding: chunked', 'Connection: close']) + chunkedBody)
  t.match(await client.end(), '["hello","abc"]')
})

t.test('trailer fields that Node.js does not write', async t => {
  const backend = await origin(t, (_request, response) => { response.end('ok') }, { gather: true })
  const { connections } = await upstreamTo(t, [backend.url])
  const sent = exchangeAlone(connections, { method: 'GET', path: '/', headers: { trailer: 'X-Sum' }, body: Readable.from([Buffer.from('hello')]), trailers: () => ({ 'x-sum': 'a\x7fc' }) })
  await t.rejects(sent, { code: 'bad-request' })
  t.equal(connections.open, 0)
})

t.test('an origin ends its connection while the client does not read', async t => {
  const whole = content(5_000_000)
  for (const fields of [{}, { 'Content-Length': whole.size, Connection: 'close' }]) {
    const backend = await rawOrigin(t, ({ socket }) => {
      socket.write(answerHead(200, { 'Content-Type': 'text/plain', ...fields }))
      socket.end(whole.bytes())
    })
    const served = await serveGateway(t, backend.url)
    const client = request({ port: served.port, host: '127.0.0.1', path: '/api/', agent: false }).end()
    const [answer] = await once(client, 'response') as [IncomingMessage]
    await aMoment()
    t.match(await taken(answer), { bytes: whole.size, hash: whole.hash, error: undefined }, Object.keys(fields).join(' '))
  }
})

t.test('an answer that is slowly read, and a handshake pipelined behind it', async t => {
  const whole = content(8_000_000)
  const backend = await origin(t, (_request, response) => { Readable.from(whole.pieces()).pipe(response.writeHead(200, { 'content-length': whole.size })) })
  const served = await serveGateway(t, backend.url)
  const handshake = head('GET /api/', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='])
  for (const [behind, lines] of [['a handshake', handshake], ['a wish for HTTP/2', head('GET /api/', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'])]] as const) {
    for (const leaves of [false, true]) {
      const client = await wire(t, served)
      client.socket.pause()
      client.send(head('GET /api/') + lines)
      await eventually(() => backend.requests.length > 0)
      await aMoment()
      if (leaves) client.socket.destroy()
      else {
        client.socket.resume()
        await eventually(() => client.text.length > whole.size)
        client.socket.destroy()
      }
      t.ok(await eventually(async () => await connectionsOf(served.app.server) === 0), `${behind}, ${leaves ? 'and the client leaves' : 'and all is read'}`)
    }
  }
})

async function connectionsOf (server: Server): Promise<number> {
  return await new Promise((resolve, reject) => server.getConnections((error, count) => error === null ? resolve(count) : reject(error)))
}
