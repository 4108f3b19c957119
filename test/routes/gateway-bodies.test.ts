import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { ask } from '../helpers/app.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { bytes, chunk, content, earlyRefusal, endless, head as answerHead, noLength, origin, rawOrigin, taken, trailers } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { head, wire } from '../helpers/wire.ts'

const hashOf = (body: Buffer | undefined): string => createHash('sha256').update(body ?? '').digest('hex')

t.test('bodies arrive byte for byte, whatever type they say they are of', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(JSON.stringify([request.headers['content-type'], hashOf(body)])) }, { gather: true })
  const served = await serveGateway(t, backend.url)
  const noUtf8 = Buffer.from([0xff, 0xfe, 0x80, 0x00, 0x0a])
  const types = ['text/plain', 'text/plain; charset=iso-8859-1', 'application/json', 'application/json ; charset=utf-8', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/octet-stream', 'image/avif', 'nonsense', 'text/', ';', 'a/b/c', '*/*', '', 'text/plain; charset="']
  for (const type of types) {
    const answer = await ask(served, '/api/', { method: 'POST', headers: { 'content-type': type }, body: noUtf8 })
    t.equal(answer.status, 200, type)
    t.same(JSON.parse(answer.text), [type, hashOf(noUtf8)])
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET', 'PROPFIND', 'REPORT']) {
    const answer = await ask(served, '/api/', { method, body: noUtf8 })
    t.same(JSON.parse(answer.text), [null, hashOf(noUtf8)], `${method} without a type`)
  }
  t.equal((await ask(served, '/api/', { method: 'HEAD', body: noUtf8 })).status, 200)
  t.equal(hashOf(backend.requests.at(-1)?.body), hashOf(noUtf8), 'of HEAD too')
  const large = Buffer.alloc(2_000_000, 0xe4)
  t.same(JSON.parse((await ask(served, '/api/', { method: 'POST', body: large, headers: { 'content-type': 'text/plain' } })).text), ['text/plain', hashOf(large)], 'text has no limit')
  t.same(JSON.parse((await ask(served, '/api/', { method: 'POST', body: '{"broken"', headers: { 'content-type': 'application/json' } })).text), ['application/json', hashOf(Buffer.from('{"broken"'))], 'nothing is parsed')
})

t.test('bodies of any size and framing, both ways', async t => {
  const backend = await origin(t, (request, response) => {
    const { 'content-length': length } = request.headers
    response.writeHead(200, length === undefined ? {} : { 'content-length': length })
    request.pipe(response)
  })
  const served = await serveGateway(t, backend.url)
  for (const size of [0, 1, 65_535, 65_536, 65_537, 20_000_000]) {
    for (const isChunked of [false, true]) {
      const sent = content(size, 7)
      const request = httpRequest({ port: served.port, host: '127.0.0.1', path: '/api/', method: 'POST', agent: false, headers: isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': size } })
      Readable.from(sent.pieces()).pipe(request)
      const answer = await new Promise<Readable>((resolve, reject) => request.once('response', resolve).once('error', reject))
      t.match(await taken(answer), { bytes: size, hash: sent.hash, error: undefined }, `${size} ${isChunked ? 'chunked' : 'with a length'}`)
    }
  }
})

t.test('of an upload each byte leaves at once, and of an answer too', async t => {
  const backend = await origin(t, (request, response) => { request.on('data', chunk => response.write(`<${chunk}>`)).on('end', () => response.end('.')) })
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('POST /api/', ['Transfer-Encoding: chunked']))
  for (const text of ['a', 'b', 'c']) {
    client.send(chunk(text))
    t.ok(await client.until(`<${text}>`), 'before the rest was sent')
  }
  client.send('0\r\n\r\n')
  t.ok(await client.until('0\r\n\r\n'))
})

t.test('a head goes out before its body begins', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders() })
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('GET /api/'))
  t.match(await client.until('\r\n\r\n'), /HTTP\/1\.1 200 OK\r\n[^]*text\/event-stream/)
})

t.test('an upload that takes longer than an answer may take is no failure', async t => {
  const backend = await origin(t, (_request, response, { body }) => { response.end(String(body?.length)) }, { gather: true })
  const client = await wire(t, await serveGateway(t, backend.url, { config: { firstByteTimeoutMs: 500 } }))
  client.send(head('POST /api/', ['Content-Length: 20']))
  for (let sent = 0; sent < 20; sent++) {
    client.send('x')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  t.match(await client.until(/\r\n\r\n.+$/), /HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n20$/)
})

t.test('a refusal that comes before the body is whole reaches the client, and its connection stays', async t => {
  for (const after of ['stay', 'end'] as const) {
    const backend = await rawOrigin(t, earlyRefusal(413, after))
    const client = await wire(t, await serveGateway(t, backend.url))
    const body = Buffer.alloc(4_000_000)
    client.send(head('POST /api/', [`Content-Length: ${body.length}`]))
    client.send(body.subarray(0, 100_000))
    t.match(await client.until('too large'), /^HTTP\/1\.1 413 /)
    client.send(body.subarray(100_000))
    client.send(head('GET /api/'))
    t.ok(await client.until(/too large[^]*too large/), 'what is left of the body was thrown away')
  }
})

t.test('a failure that comes before the body is whole reaches the client', async t => {
  const backend = await rawOrigin(t, ({ socket }) => { socket.resetAndDestroy() })
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('POST /api/', ['Content-Length: 1000000']))
  client.send(Buffer.alloc(50_000))
  t.match(await client.until('"code":"upstream-reset"'), /^HTTP\/1\.1 502 /)
})

t.test('who goes on sending after the answer loses the connection in the end', async t => {
  const { readOn } = await import('../../lib/http/linger.ts')
  const { createServer } = await import('node:http')
  const server = createServer((request, response) => {
    readOn(request, response, 300)
    response.end('enough')
  })
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const client = await wire(t, server.address() as { port: number })
  client.send(head('POST /', ['Content-Length: 1000000000']))
  await client.until('enough')
  const sending = setInterval(() => client.send(Buffer.alloc(1000)), 20)
  t.teardown(() => clearInterval(sending))
  t.ok(await client.end())
})

t.test('an upload waits for an origin that reads slowly', async t => {
  let resume = (): void => {}
  const backend = await origin(t, (request, response) => {
    resume = () => request.resume()
    request.on('end', () => response.end('ok'))
  })
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  client.send(head('POST /api/', ['Content-Length: 100000000']))
  const all = Readable.from(content(100_000_000).pieces())
  all.pipe(client.socket, { end: false })
  await eventually(() => backend.requests.length === 1)
  let before = -1
  await eventually(async () => {
    const now = client.socket.bytesWritten - client.socket.writableLength
    const isStill = now === before
    before = now
    await new Promise(resolve => setTimeout(resolve, 300))
    return isStill
  })
  t.ok(before < 32_000_000, `${before} bytes are on their way`)
  resume()
  t.match(await client.until('\r\n\r\nok'), /^HTTP\/1\.1 200 /)
  await finished(all)
})

t.test('a client that reads nothing holds the origin', async t => {
  const backend = await rawOrigin(t, endless())
  const client = await wire(t, await serveGateway(t, backend.url))
  client.socket.pause()
  client.send(head('GET /api/'))
  let before = -1
  await eventually(async () => {
    const isStill = before > 0 && backend.written === before
    before = backend.written
    await new Promise(resolve => setTimeout(resolve, 300))
    return isStill
  })
  t.ok(before < 16_000_000, `${before} bytes are on their way`)
  client.socket.destroy()
  t.ok(await eventually(() => backend.requests[0]?.closed === true))
})

t.test('a silent stream is not cut where nothing says that it should be', async t => {
  const said: Array<() => void> = []
  const backend = await origin(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    said.push(() => response.write('data: 2\n\n'))
  })
  const served = await serveGateway(t, backend.url, { config: { idleTimeoutMs: 0 } })
  const limited = await serveGateway(t, backend.url, { config: { idleTimeoutMs: 400 } })
  const client = await wire(t, served)
  client.send(head('GET /api/'))
  await client.until('data: 1')
  const cut = await wire(t, limited)
  cut.send(head('GET /api/'))
  t.ok(await cut.end(), 'with a limit it is')
  t.notOk(client.ended)
  for (const say of said) say()
  t.ok(await client.until('data: 2'))
})

t.test('a body without a length, and one that is cut', async t => {
  const file = content(200_000, 3)
  const whole = await rawOrigin(t, noLength(file))
  t.match(await taken((await ask(await serveGateway(t, whole.url), '/api/')).body), { bytes: file.size, hash: file.hash })
  const broken = await rawOrigin(t, noLength(file, 'reset'))
  const client = await wire(t, await serveGateway(t, broken.url))
  client.send(head('GET /api/'))
  t.notMatch(await client.end(), /\r\n0\r\n\r\n$/, 'a reset is not made an end')
})

t.test('interim answers: 103 goes on, others are the connection\'s', async t => {
  const links = '</a.css>; rel=preload; as=style, </b,c.js>; rel="preload"; as=script'
  const backend = await rawOrigin(t, ({ socket }) => {
    socket.write(answerHead(102) + answerHead(103, { Link: links, 'Set-Cookie': 'a=1' }) + answerHead(103, { Link: 'no link' }) + answerHead(103) + answerHead(200, { 'Content-Length': 2 }) + 'ok')
  })
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  client.send(head('GET /api/'))
  const text = await client.until(/\r\n\r\nok$/)
  t.same([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1]), ['103', '200'])
  t.match(text, /103 Early Hints\r\nLink: <\/a\.css>; rel=preload; as=style, <\/b,c\.js>; rel="preload"; as=script\r\n\r\n/)
  t.notMatch(text, /Set-Cookie/i)
  const old = await wire(t, served)
  old.send(head('GET /api/ HTTP/1.0'))
  t.match(await old.end(), /^HTTP\/1\.1 200 OK/, 'HTTP/1.0 knows none')
})

t.test('trailer fields of an answer go on', async t => {
  const backend = await rawOrigin(t, trailers('body', { 'X-Sum': 'abc', 'X-Other': '1' }))
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  client.send(head('GET /api/', ['Connection: close']))
  const text = await client.end()
  t.match(text, /trailer: X-Sum/i)
  t.match(text, /4\r\nbody\r\n0\r\nx-sum: abc\r\nx-other: 1\r\n/)
  const old = await wire(t, served)
  old.send(head('GET /api/ HTTP/1.0'))
  t.match(await old.end(), /^HTTP\/1\.1 200 OK(?![^]*trailer)[^]*\r\n\r\nbody$/i, 'HTTP/1.0 has no place for them')
})

t.test('Trailer stays behind where nothing can trail', async t => {
  const backend = await rawOrigin(t, ({ socket, method }) => { socket.write(answerHead(200, { Trailer: 'X-Sum', 'Content-Length': 2 }) + (method === 'HEAD' ? '' : 'ok')) })
  const served = await serveGateway(t, backend.url)
  for (const method of ['GET', 'HEAD']) t.match(await ask(served, '/api/', { method }), { status: 200, headers: { trailer: undefined } })
  const empty = await rawOrigin(t, bytes(answerHead(304, { Trailer: 'X-Sum' })))
  t.match(await ask(await serveGateway(t, empty.url), '/api/'), { status: 304, headers: { trailer: undefined } })
})

t.test('trailer fields of a request go on where they are announced', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(JSON.stringify([body?.toString(), request.headers.trailer, request.trailers])) }, { gather: true })
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  const body = `${chunk('he').toString()}${chunk('llo').toString()}0\r\nX-Sum: abc\r\nCookie: a=1\r\nX-Sum: def\r\n\r\n`
  client.send(head('POST /api/', ['Trailer: X-Sum', 'Transfer-Encoding: chunked']) + body)
  t.match(await client.until(/\r\n\r\n\[.*\]/), /\["hello","X-Sum",\{"x-sum":"abc, def"\}\]/)
  client.send(head('POST /api/', ['Transfer-Encoding: chunked']) + body)
  t.match(await client.until(/\["hello",null,\{\}\]/), /200 OK/, 'and are dropped where they are not')
  t.ok(await eventually(() => served.connections.open === 0))
})
