import { Readable } from 'node:stream'
import t from 'tap'
import { ask } from '../helpers/app.ts'
import { certificate, noOpenssl } from '../helpers/certificates.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { answer, bytes, content, finBeforeHead, finMidBody, head as answerHead, inTurn, largeHeader, nonsense, origin, rawOrigin, resetBeforeHead, resetMidBody, silent, slowHeader, stall, tlsOrigin, unaskedUpgrade, wrongLength } from '../helpers/origin.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { head, wire } from '../helpers/wire.ts'

type Test = Parameters<typeof rawOrigin>[0] & { match: (found: unknown, pattern: object) => unknown, notMatch: (found: unknown, pattern: RegExp) => unknown }

/** A problem of its own code, of which no address and nothing of the origin is told. */
async function fails (t: Test, served: { port: number }, problem: { status: number, code: string }, request: Parameters<typeof ask>[2] = {}): Promise<void> {
  const { status, headers, text } = await ask(served, '/api/x', request)
  t.match({ status, mediaType: headers['content-type'], cache: headers['cache-control'], ...JSON.parse(text) as object }, { ...problem, mediaType: 'application/problem+json', cache: 'no-store' })
  t.notMatch(text, /127\.0\.0\.1|localhost|stack/)
}

t.test('an origin that refuses, has no name, or takes no connection', async t => {
  await fails(t, await serveGateway(t, `http://127.0.0.1:${await freePort()}`), { status: 502, code: 'upstream-refused' })
  await fails(t, await serveGateway(t, 'http://nowhere.invalid'), { status: 502, code: 'upstream-unresolved' })
  await fails(t, await serveGateway(t, 'http://slow.example', { config: { connectTimeoutMs: 300 }, lookup: () => {} }), { status: 504, code: 'upstream-connect-timeout' })
})

t.test('an origin that ends the connection instead of an answer, or answers what is no HTTP', async t => {
  for (const script of [resetBeforeHead(), finBeforeHead()]) {
    for (const method of ['GET', 'POST']) await fails(t, await serveGateway(t, (await rawOrigin(t, script)).url), { status: 502, code: 'upstream-reset' }, { method })
  }
  for (const [name, text] of Object.entries(nonsense)) {
    const backend = await rawOrigin(t, bytes(text, 'end'))
    t.comment(name)
    await fails(t, await serveGateway(t, backend.url), { status: 502, code: 'upstream-' })
  }
  await fails(t, await serveGateway(t, (await rawOrigin(t, unaskedUpgrade())).url), { status: 502, code: 'upstream-malformed' })
})

t.test('a status that is none is a failure of the origin', async t => {
  for (const status of [600, 999]) await fails(t, await serveGateway(t, (await rawOrigin(t, answer('ok', {}, status))).url), { status: 502, code: 'upstream-malformed' })
  t.equal((await ask(await serveGateway(t, (await rawOrigin(t, answer('ok', {}, 599))).url), '/api/')).status, 599)
  const own = { name: 'own', send: async () => ({ status: 700, headers: {}, body: Readable.from(['x']), trailers: () => undefined }) }
  await fails(t, await serveGateway(t, 'http://127.0.0.1:1', { mount: { hooks: { resolve: () => own } } }), { status: 502, code: 'upstream-malformed' })
  const handshake = await wire(t, await serveGateway(t, (await rawOrigin(t, answer('ok', {}, 999))).url))
  handshake.send(head('GET /api/', ['Connection: Upgrade', 'Upgrade: websocket']))
  await handshake.until(/^HTTP\/1\.1 502 [^]*upstream-malformed/)
})

t.test('a head that is larger than it may be', async t => {
  await fails(t, await serveGateway(t, (await rawOrigin(t, largeHeader(70_000))).url), { status: 502, code: 'upstream-malformed' })
})

t.test('an origin that is too slow', async t => {
  for (const script of [silent(), slowHeader({ everyMs: 20 })]) {
    await fails(t, await serveGateway(t, (await rawOrigin(t, script)).url, { config: { firstByteTimeoutMs: 700 } }), { status: 504, code: 'upstream-timeout' })
  }
  const stalled = await wire(t, await serveGateway(t, (await rawOrigin(t, stall(content(100_000), 70_000))).url, { config: { idleTimeoutMs: 700 } }))
  stalled.send(head('GET /api/'))
  t.ok((await stalled.end()).length < 100_000, 'a body that pauses too long is cut')
})

t.test('certificates are verified', { skip: noOpenssl ?? false }, async t => {
  const ca = certificate('ca').cert
  for (const name of ['self-signed', 'wrong-name', 'expired'] as const) {
    const backend = await tlsOrigin(t, (_request, response) => response.end('ok'), { certificate: name })
    await fails(t, await serveGateway(t, backend.url, { tls: { ca } }), { status: 502, code: 'upstream-tls' })
  }
  const good = await tlsOrigin(t, (_request, response) => response.end('ok'))
  await fails(t, await serveGateway(t, good.url), { status: 502, code: 'upstream-tls' })
  t.equal((await ask(await serveGateway(t, good.url, { tls: { ca } }), '/api/')).text, 'ok')
})

t.test('an origin that dies in mid-body shows', async t => {
  const file = content(300_000)
  for (const framing of ['length', 'chunked'] as const) {
    for (const script of [resetMidBody(file, 100_000, framing), finMidBody(file, 100_000, framing)]) {
      const backend = await rawOrigin(t, script)
      const client = await wire(t, await serveGateway(t, backend.url))
      client.send(head('POST /api/', ['Content-Length: 0']))
      const text = await client.end()
      t.match(text, /^HTTP\/1\.1 200 /)
      t.notMatch(text, /\r\n0\r\n\r\n$/)
      t.ok(text.length < 300_000)
    }
  }
  const short = await wire(t, await serveGateway(t, (await rawOrigin(t, wrongLength(200_000, 100_000))).url))
  short.send(head('GET /api/'))
  t.ok((await short.end()).length < 200_000)
})

t.test('503 is one question and one answer, with its Retry-After', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(503, { 'retry-after': '120' }).end('x'.repeat(100_000)) })
  const served = await serveGateway(t, backend.url)
  const answers = await Promise.all(Array.from({ length: 16 }, async () => await ask(served, '/api/')))
  for (const { status, headers, body } of answers) t.match({ status, retry: headers['retry-after'], length: body.length }, { status: 503, retry: '120', length: 100_000 })
  t.equal(backend.requests.length, 16)
  t.ok(backend.opened <= 16)
})

t.test('what may be sent again is, once, and nothing else', async t => {
  const again = await rawOrigin(t, inTurn(resetBeforeHead(), answer('second')))
  t.equal((await ask(await serveGateway(t, again.url), '/api/')).text, 'second')
  for (const [method, body] of [['POST', undefined], ['PATCH', undefined], ['PUT', 'x']] as const) {
    const once = await rawOrigin(t, inTurn(resetBeforeHead(), answer('second')))
    await fails(t, await serveGateway(t, once.url), { status: 502, code: 'upstream-reset' }, { method, ...(body === undefined ? {} : { body }) })
    t.equal(once.requests.length, 1)
  }
})

t.test('an origin that is down is left out where there is another', async t => {
  const backend = await origin(t, (_request, response) => { response.end('ok') })
  const served = await serveGateway(t, [`http://127.0.0.1:${await freePort()}`, backend.url])
  for (let n = 0; n < 20; n++) t.equal((await ask(served, '/api/')).status, 200)
})

t.test('a fault of the origin is in the log, with its cause', async t => {
  const port = await freePort()
  const served = await serveGateway(t, `http://127.0.0.1:${port}`)
  await ask(served, '/api/')
  t.ok(await eventually(() => served.logs.some(line => line['code'] === 'upstream-refused' && JSON.stringify(line['err']).includes(String(port)))))
})

t.test('a client that pipelines gets its answers in order, one origin request at a time', async t => {
  let most = 0
  let now = 0
  const backend = await origin(t, (request, response) => {
    most = Math.max(most, ++now)
    setTimeout(() => {
      now--
      response.end(`<${request.url}>`)
    }, 20)
  })
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(Array.from({ length: 20 }, (_, n) => head(`GET /api/${n}`)).join(''))
  const text = await client.until('</19>')
  t.same([...text.matchAll(/<\/(\d+)>/g)].map(match => Number(match[1])), Array.from({ length: 20 }, (_, n) => n))
  t.equal(most, 1)
})

t.test('a server that closes lets answers under way end', async t => {
  const backend = await rawOrigin(t, async ({ socket }) => {
    socket.write(`${answerHead(200, { 'Content-Length': 6 })}be`)
    await new Promise(resolve => setTimeout(resolve, 300))
    socket.write('fore')
  })
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  client.send(head('GET /api/'))
  await client.until(/\r\n\r\nbe/)
  const closing = served.app.close()
  t.match(await client.until('before'), /200 OK/)
  client.socket.destroy()
  await closing
})
