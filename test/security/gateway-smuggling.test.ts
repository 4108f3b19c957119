// A connection that is believed to have changed hands when it has not is a hole in every rule:
// a client that gets a proxy to tunnel to an origin which still speaks HTTP can ask it for
// anything ("h2c smuggling", "websocket smuggling").
import t from 'tap'
import { serveGateway } from '../helpers/gateway.ts'
import { bytes, extraAnswer, head as answerHead, inTurn, answer, origin, rawOrigin, unaskedBody } from '../helpers/origin.ts'
import { head, wire } from '../helpers/wire.ts'

const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n'

t.test('what follows a handshake that was refused never reaches the origin', async t => {
  const backend = await rawOrigin(t, ({ socket }) => { socket.write(`${answerHead(426, { 'Content-Length': 2, 'Sec-WebSocket-Version': '13' })}no`) })
  const served = await serveGateway(t, backend.url)
  for (const version of ['777', '13']) {
    const client = await wire(t, served)
    client.send(head('GET /api/', ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Version: ${version}`, 'Sec-WebSocket-Key: x']) + hidden)
    t.match(await client.end(), /^HTTP\/1\.1 426 (?![^]*HTTP\/1\.1)/)
  }
  t.same(backend.requests.map(request => request.target), ['/', '/'])
})

t.test('an origin cannot switch where nobody asked it to', async t => {
  for (const [name, fields] of Object.entries({ plain: [], h2c: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA'], 'with trailer fields': ['Trailer: X', 'Transfer-Encoding: chunked'] })) {
    const backend = await rawOrigin(t, bytes(`${answerHead(101, { Connection: 'Upgrade', Upgrade: 'h2c' })}tunnelled`))
    const client = await wire(t, await serveGateway(t, backend.url))
    client.send(head('POST /api/', ['Connection: close', ...fields]) + (fields.length === 2 ? '0\r\n\r\n' : ''))
    const text = name === 'h2c' ? await client.until('upstream-malformed') : await client.end()
    t.match(text, /^HTTP\/1\.1 502 /, name)
    t.notMatch(text, /tunnelled/)
  }
})

t.test('h2c is never spoken through', async t => {
  const backend = await rawOrigin(t, bytes(`${answerHead(200, { 'Content-Length': 2 })}ok`))
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('GET /api/', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA']))
  client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  await client.until('400 ')
  t.equal(backend.requests.length, 1)
  t.notMatch(backend.requests[0]?.head ?? '', /upgrade|http2/i)
})

t.test('a request that is put back is the one that came', async t => {
  const backend = await origin(t, (request, response) => { response.end(`<${request.url}>`) })
  const served = await serveGateway(t, backend.url)
  const h2c = ['Connection: Upgrade', 'Upgrade: h2c']
  const many = await wire(t, served)
  many.send(`GET /api/ HTTP/1.1\r\nHost: x\r\n${h2c.join('\r\n')}\r\n${'a:\r\n'.repeat(2100)}Content-Length: ${hidden.length}\r\n\r\n${hidden}`)
  t.notMatch(await many.end(), /hidden/, 'fields beyond those that Node.js keeps cannot make a body a request')
  const framed = await wire(t, served)
  framed.send(head('POST /api/one', [...h2c, `Content-Length: ${hidden.length}`]) + hidden)
  await framed.until('</one>')
  framed.send(head('GET /api/two', ['Connection: close']))
  t.same([...(await framed.end()).matchAll(/<(.*)>/g)].map(match => match[1]), ['/one', '/two'])
  t.same(backend.requests.map(request => request.url).filter(url => url.includes('hidden')), [])
})

t.test('one client never gets what an origin sent to another', async t => {
  for (const script of [inTurn(extraAnswer('first', 'stolen'), answer('second')), inTurn(unaskedBody(304), answer('second')), inTurn(unaskedBody(204), answer('second'))]) {
    const served = await serveGateway(t, (await rawOrigin(t, script)).url, { config: { connections: 1 } })
    const first = await wire(t, served)
    first.send(head('GET /api/'))
    await first.until('\r\n\r\n')
    const next = await wire(t, served)
    next.send(head('GET /api/', ['Connection: close']))
    t.notMatch(await next.end(), /stolen/i)
  }
})

t.test('two lengths, a length beside the chunked coding, and odd codings are refused', async t => {
  const backend = await origin(t, (_request, response) => { response.end('reached') })
  const served = await serveGateway(t, backend.url)
  const framings = [['Content-Length: 5', 'Content-Length: 6'], ['Content-Length: 5', 'Transfer-Encoding: chunked'], ['Transfer-Encoding: identity'], ['Transfer-Encoding: chunked, gzip'], ['Content-Length: +5'], ['Content-Length: 0x5'], ['Content-Length: -1']]
  for (const fields of framings) {
    const client = await wire(t, served)
    client.send(head('POST /api/', [...fields, 'Connection: close']) + hidden)
    t.match(await client.end(), /^HTTP\/1\.1 400 /, fields.join())
  }
  t.equal(backend.requests.length, 0)
})

t.test('a body that breaks off or is no chunked body ends its request', async t => {
  const backend = await rawOrigin(t, () => {})
  const served = await serveGateway(t, backend.url)
  for (const broken of ['xyz\r\n', '5\r\nhelloXX', 'ffffffffffffffffff\r\n', '0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n']) {
    const before = backend.requests.length
    const client = await wire(t, served)
    client.send(head('POST /api/', ['Transfer-Encoding: chunked']) + '5\r\nhello\r\n')
    while (backend.requests.length === before) await new Promise(resolve => setTimeout(resolve, 5))
    client.send(broken)
    t.match(await client.end(), /^(?:HTTP\/1\.1 400 |$)/, JSON.stringify(broken))
    while (backend.requests[before]?.closed === false) await new Promise(resolve => setTimeout(resolve, 5))
  }
})
