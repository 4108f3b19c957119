// What goes to an origin and what comes from it, over HTTP/1.1, TLS and HTTP/2.
import t from 'tap'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import type { Fields, UpstreamResponse } from '../../../lib/upstream/message.ts'
import { drop, failureOf, get, open } from './open-upstream.ts'

async function textOf ({ body }: UpstreamResponse): Promise<string> {
  return Buffer.isBuffer(body) ? body.toString() : Buffer.concat(await body.toArray() as Buffer[]).toString()
}

t.test('a request goes to the path below the base path, with its fields and the origin\'s own host', async t => {
  const origin = await kit.origin(t, (_request, response) => { response.end() })
  for (const [base, path, expected] of [['', '/a', '/a'], ['/', '/a', '/a'], ['/base', '/a?b=%2F&c', '/base/a?b=%2F&c'], ['/base/', '/', '/base/'], ['/b%20c/d/', '/%2F/..name', '/b%20c/d/%2F/..name']] as const) {
    const { upstream } = await open(t, origin.url + base)
    await get(upstream, path, { headers: { 'x-a': 'ä', 'x-many': ['1', '2'], via: '1.1 here' } })
    const { url, headers, rawHeaders } = origin.requests.at(-1) as kit.OriginRequest
    t.equal(url, expected)
    t.same([headers.host, headers['x-a'], headers['x-many'], headers.via], [`127.0.0.1:${origin.port}`, 'ä', '1, 2', '1.1 here'])
    t.same(rawHeaders.filter(name => /^(accept|user-agent|content-length|transfer-encoding)/i.test(name)), [], 'and nothing that nobody asked for')
  }
})

t.test('another host is sent where one is given', async t => {
  const origin = await kit.origin(t, (_request, response) => { response.end() })
  const { upstream } = await open(t, origin.url)
  await get(upstream, '/', { headers: { host: 'media.example.com' } })
  t.equal(origin.requests[0]?.headers.host, 'media.example.com')
})

t.test('fields of the connection stay behind; all others come, several of a name as a list', async t => {
  const origin = await kit.rawOrigin(t, kit.hopByHop('ok'))
  const { upstream } = await open(t, origin.url)
  const answer = await get(upstream)
  t.same(answer.headers, { 'x-end-to-end': 'stays', 'content-length': '2' })
  t.equal(await textOf(answer), 'ok')

  const other = await kit.rawOrigin(t, kit.answer('', { 'Set-Cookie': ['a=1', 'b=2', 'c=3'], 'X-Bytes': 'ä', ETag: '"a"', ['__proto__']: 'x', constructor: 'y' }))
  const { headers } = await get((await open(t, other.url)).upstream)
  t.same(headers['set-cookie'], ['a=1', 'b=2', 'c=3'])
  t.same([headers['x-bytes'], headers['etag'], headers['constructor']], ['Ã¤', '"a"', 'y'], 'a byte of a field is a character')
  t.equal(Object.getPrototypeOf(headers), Object.prototype)
})

t.test('fields that an origin names in Connection do not take the framing or the caching with them', async t => {
  const origin = await kit.rawOrigin(t, kit.bytes(`${kit.head(200, { Connection: 'Content-Length, Cache-Control, Content-Type, X-Gone', 'Content-Type': 'a/b', 'Cache-Control': 'private', 'X-Gone': '1', 'Content-Length': 2 })}ok`))
  const { headers } = await get((await open(t, origin.url)).upstream)
  t.same(headers, { 'content-type': 'a/b', 'cache-control': 'private', 'content-length': '2' })
})

t.test('interim answers are told before the final one, in their order', async t => {
  const link = '</a.css>; rel=preload'
  const origin = await kit.rawOrigin(t, kit.interim([{ status: 102 }, { status: 103, fields: { Link: [link, '</b.js>; rel=preload'], Connection: 'X-Gone', 'X-Gone': '1' } }, { status: 103, fields: { Link: link } }]))
  const { upstream } = await open(t, origin.url)
  const told: Array<[number, Fields]> = []
  const { status, headers } = await get(upstream, '/', { onInformation: (...interim) => { told.push(interim) } })
  t.same(told, [[102, {}], [103, { link: [link, '</b.js>; rel=preload'] }], [103, { link }]])
  t.same([status, headers['link']], [200, undefined])
  t.equal((await get(upstream)).status, 200, 'nobody has to listen')
})

t.test('many interim answers are one too many, a few are not', async t => {
  const few = await kit.rawOrigin(t, kit.interim(Array.from({ length: 20 }, () => ({ status: 102 }))))
  t.equal((await get((await open(t, few.url)).upstream)).status, 200)
  const many = await kit.rawOrigin(t, kit.endlessInterim())
  const { upstream } = await open(t, many.url, { firstByteTimeoutMs: 5000 })
  let told = 0
  const error = await failureOf(get(upstream, '/', { onInformation: () => { told++ } }))
  t.match(error.code, /^upstream-(malformed|timeout)$/)
  t.ok(told < 1000, `${told} are passed on`)
  t.ok(await eventually(() => many.requests.every(({ closed }) => closed)))
})

t.test('another protocol is no interim answer', async t => {
  for (const script of [kit.unaskedUpgrade(), kit.bytes(kit.head(101)), kit.bytes(kit.head(101, { 'X-A': '1' }) + kit.head(200, { 'Content-Length': 0 }))]) {
    const origin = await kit.rawOrigin(t, script)
    const { upstream } = await open(t, origin.url, { retries: 0 })
    const told: number[] = []
    await failureOf(get(upstream, '/', { onInformation: status => { told.push(status) } }))
    t.same(told, [])
  }
})

t.test('trailer fields are there once the body has ended', async t => {
  for (const size of [5, 200_000]) {
    const body = kit.content(size).bytes().toString('latin1')
    const origin = await kit.rawOrigin(t, kit.trailers(body, { 'X-Digest': 'abc', 'Server-Timing': ['a', 'b'], Connection: 'close' }))
    const answer = await get((await open(t, origin.url)).upstream)
    t.equal(answer.headers['trailer'], 'X-Digest, Server-Timing, Connection')
    t.equal((await kit.taken(answer.body)).hash, kit.content(size).hash)
    t.same(answer.trailers(), { 'x-digest': 'abc', 'server-timing': ['a', 'b'] })
  }
  const origin = await kit.rawOrigin(t, kit.whole(kit.content(10), 'chunked'))
  const answer = await get((await open(t, origin.url)).upstream)
  await kit.taken(answer.body)
  t.equal(answer.trailers(), undefined)
})

t.test('the bytes of a body are handed on as they come', async t => {
  let next = (): void => {}
  const origin = await kit.rawOrigin(t, async ({ socket }) => {
    socket.write(kit.head(200, { 'Transfer-Encoding': 'chunked' }))
    for (const word of ['one', 'two', 'three']) {
      socket.write(kit.chunk(word))
      await new Promise<void>(resolve => { next = resolve })
    }
    socket.write(kit.chunk(''))
  })
  const { body } = await get((await open(t, origin.url)).upstream)
  const words: string[] = []
  for await (const word of body as AsyncIterable<Buffer>) {
    words.push(word.toString())
    next()
  }
  t.same(words, ['one', 'two', 'three'], 'each was there before the next was sent')
})

t.test('no more connections than are allowed, and those are used again', async t => {
  let most = 0
  const origin = await kit.origin(t, (_request, response) => {
    most = Math.max(most, origin.connections)
    setTimeout(() => response.end('ok'), 5)
  })
  const { upstream } = await open(t, origin.url, { connections: 3 })
  const answers = await Promise.all(Array.from({ length: 60 }, async () => await get(upstream)))
  t.ok(answers.every(({ status }) => status === 200))
  t.ok(most <= 3 && origin.opened <= 3, `${most} at once, ${origin.opened} in all`)
  t.same(upstream.origins.state(), [{ origin: 'assets[0]', state: 'up', pending: 0, failures: 0, weight: 1 }])
})

t.test('an idle connection is closed after its time', async t => {
  const origin = await kit.rawOrigin(t, kit.answer())
  const { upstream } = await open(t, origin.url, { keepAliveMs: 50 })
  await get(upstream)
  t.ok(await eventually(() => origin.connections === 0))
  t.equal((await get(upstream)).status, 200)
})

t.test('an upstream that is closed sends nothing', async t => {
  const origin = await kit.rawOrigin(t, kit.answer())
  const { upstream } = await open(t, origin.url)
  await get(upstream)
  await upstream.close()
  t.match((await failureOf(get(upstream))).code, /^upstream-/)
  t.equal(origin.requests.length, 1)
})

const ca = (): { ca: string } => ({ ca: certificate('ca').certFile })

t.test('TLS: an authority of one\'s own, a name of one\'s own, a certificate for the origin', { skip: noOpenssl ?? false }, async t => {
  const answer: kit.Handler = (_request, response) => { response.end('secret') }
  const good = await kit.tlsOrigin(t, answer)
  t.equal(await textOf(await get((await open(t, good.url, { tls: ca() })).upstream)), 'secret')
  t.equal((await failureOf(get((await open(t, good.url, { tls: { ca: certificate('foreign-ca').certFile }, retries: 0 })).upstream))).code, 'upstream-tls')

  const named = await kit.tlsOrigin(t, answer, { certificate: 'wrong-name' })
  t.equal((await failureOf(get((await open(t, named.url, { tls: ca(), retries: 0 })).upstream))).code, 'upstream-tls')
  t.equal((await get((await open(t, named.url, { tls: { ...ca(), servername: 'elsewhere.example' } })).upstream)).status, 200)
  const { upstream: asClient } = await open(t, named.url, { tls: ca(), retries: 0 })
  t.equal((await failureOf(get(asClient, '/', { headers: { host: 'elsewhere.example' } }))).code, 'upstream-tls', 'what a client sends as Host decides nothing')

  const expired = await kit.tlsOrigin(t, answer, { certificate: 'expired' })
  t.equal((await failureOf(get((await open(t, expired.url, { tls: ca(), retries: 0 })).upstream))).code, 'upstream-tls')

  const strict = await kit.tlsOrigin(t, answer, { clientCertificate: true })
  const { certFile: cert, keyFile: key } = certificate('client')
  t.equal((await get((await open(t, strict.url, { tls: { ...ca(), cert, key } })).upstream)).status, 200)
  const foreign = certificate('foreign-client')
  for (const tls of [ca(), { ...ca(), cert: foreign.certFile, key: foreign.keyFile }]) {
    t.match((await failureOf(get((await open(t, strict.url, { tls, retries: 0 })).upstream))).code, /^upstream-(tls|reset)$/)
  }
  t.equal(strict.requests.length, 1)
})

t.test('a PEM file that is not there is told before the upstream is opened', async t => {
  await t.rejects(open(t, 'https://127.0.0.1:1', { tls: { ca: '/nowhere/ca.pem' } }), { name: 'ConfigError', message: /tls\.ca: Expected a file that can be read but .*\/nowhere\/ca\.pem/ })
})

t.test('HTTP/2, where it is asked for and offered', { skip: noOpenssl ?? false }, async t => {
  const file = kit.content(3_000_000)
  const origin = await kit.tlsOrigin(t, (request, response) => {
    response.setHeader('x-version', request.httpVersion)
    response.setHeader('x-host', request.headers.host ?? String(request.headers[':authority']))
    if (request.url === '/endless') { response.write('x'); return }
    if (request.url === '/missing') { response.statusCode = 304; response.end(); return }
    if (request.url === '/dies') { response.write(Buffer.alloc(1000), () => { setTimeout(() => (response as unknown as { stream: { close (code: number): void } }).stream.close(2), 50) }); return }
    response.setHeader('content-length', file.size)
    response.end(request.method === 'HEAD' ? undefined : file.bytes())
  }, { http2: true })
  const { upstream: one } = await open(t, origin.url, { tls: ca() })
  const { headers: first, body: own } = await get(one)
  t.equal(first['x-version'], '1.1', 'not unless it is asked for')
  await kit.taken(own)

  const { upstream } = await open(t, origin.url, { tls: ca(), http2: true, retries: 0, connections: 2 })
  const { headers, body } = await get(upstream, '/file', { headers: { 'x-a': '1' } })
  t.same([headers['x-version'], headers['content-length'], headers[':status']], ['2.0', '3000000', undefined])
  t.equal((await kit.taken(body)).hash, file.hash)
  t.equal(origin.requests.at(-1)?.headers['x-a'], '1')
  t.equal((await kit.taken((await get(upstream, '/file', { method: 'HEAD' })).body)).bytes, 0)
  t.equal((await get(upstream, '/missing')).status, 304)

  const many = await Promise.all(Array.from({ length: 30 }, async () => await kit.taken((await get(upstream, '/file')).body)))
  t.ok(many.every(({ hash }) => hash === file.hash), 'thirty at once over two connections')
  t.equal((await kit.taken((await get(upstream, '/dies')).body)).error === undefined, false, 'a stream that is reset is no whole body')

  const aborted = origin.aborted
  drop(await get(upstream, '/endless'))
  t.ok(await eventually(() => origin.aborted > aborted), 'a reader who leaves ends the stream')
  t.equal((await get(upstream, '/missing')).status, 304)
})
