import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import t from 'tap'
import { certificate, noOpenssl } from '../helpers/certificates.ts'
import { serveGateway, type GatewayChoices } from '../helpers/gateway.ts'
import { bytes, content, head as answerHead, hopByHop, notModified, origin, rawOrigin, silent, taken, tlsOrigin, trailers } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { ask } from '../helpers/app.ts'

type Test = Parameters<typeof rawOrigin>[0]

/** A client of HTTP/2 at a gateway that speaks it. */
async function session (t: Test, url: string, choices: GatewayChoices = {}): Promise<ClientHttp2Session> {
  const { cert, key } = certificate('good')
  const served = await serveGateway(t, url, { ...choices, server: { http2: true, https: { cert, key, allowHTTP1: true } } })
  const client = connect(`https://127.0.0.1:${served.port}`, { ca: certificate('ca').cert })
  t.teardown(() => client.destroy())
  return client
}

interface Heard { headers: IncomingHttpHeaders & { ':status'?: number | undefined }, early: IncomingHttpHeaders[], trailers: IncomingHttpHeaders | undefined, body: Buffer }

async function hear (client: ClientHttp2Session, headers: Record<string, string>, body?: Buffer): Promise<Heard> {
  const stream = client.request(headers, { endStream: body === undefined })
  const heard: Heard = { headers: {}, early: [], trailers: undefined, body: Buffer.alloc(0) }
  stream.on('headers', early => heard.early.push(early))
  stream.on('response', answer => { heard.headers = answer })
  stream.on('trailers', fields => { heard.trailers = fields })
  if (body !== undefined) stream.end(body)
  const chunks: Buffer[] = []
  for await (const each of stream) chunks.push(each as Buffer)
  return { ...heard, body: Buffer.concat(chunks) }
}

t.test('clients that speak HTTP/2', { skip: noOpenssl ?? false }, async t => {
  await t.test('requests and bodies go through', async t => {
    const backend = await origin(t, (request, response, { body }) => { response.end(JSON.stringify([request.method, request.url, request.headers, body?.length])) }, { gather: true })
    const client = await session(t, backend.url, { mount: { host: 'client' } })
    const { headers, body } = await hear(client, { ':path': '/api/a%2Fb?c', ':method': 'POST', cookie: 'a=1', te: 'trailers' }, content(100_000).bytes())
    t.equal(headers[':status'], 200)
    const [method, url, fields, length] = JSON.parse(body.toString()) as [string, string, Record<string, string>, number]
    t.same([method, url, length], ['POST', '/a%2Fb?c', 100_000])
    t.match(fields, { host: /^127\.0\.0\.1:\d+$/, cookie: 'a=1', via: '2.0 fastify-media', 'x-forwarded-proto': 'https' })
    t.same(Object.keys(fields).filter(name => name.startsWith(':') || name === 'te'), [])
    t.equal((JSON.parse((await hear(client, { ':path': '/api/' })).body.toString()) as unknown[])[3], 0, 'and requests without one')
  })

  await t.test('fields of the origin\'s connection stay behind', async t => {
    const client = await session(t, (await rawOrigin(t, hopByHop())).url)
    const { headers } = await hear(client, { ':path': '/api/' })
    t.match(headers, { ':status': 200, 'x-end-to-end': 'stays' })
    t.equal(headers['x-nominated'], undefined)
  })

  await t.test('304 with a length, early hints and trailer fields', async t => {
    const client = await session(t, (await rawOrigin(t, notModified(100, { ETag: '"x"' }))).url)
    t.match(await hear(client, { ':path': '/api/' }), { headers: { ':status': 304, etag: '"x"' } })
    const hinting = await session(t, (await rawOrigin(t, bytes(`${answerHead(103, { Link: '</a.css>; rel=preload' })}${answerHead(200, { 'Content-Length': 2 })}ok`))).url)
    t.match((await hear(hinting, { ':path': '/api/' })).early, [{ ':status': 103, link: '</a.css>; rel=preload' }])
    const trailing = await session(t, (await rawOrigin(t, trailers('body', { 'X-Sum': 'abc' }))).url)
    t.match(await hear(trailing, { ':path': '/api/' }), { body: Buffer.from('body'), trailers: { 'x-sum': 'abc' } })
  })

  await t.test('an early answer, and a client that leaves', async t => {
    const refusing = await session(t, (await rawOrigin(t, bytes(`${answerHead(413, { 'Content-Length': 2 })}no`))).url)
    const stream = refusing.request({ ':path': '/api/', ':method': 'POST' })
    stream.write(Buffer.alloc(1000))
    const status = await new Promise(resolve => stream.once('response', ({ ':status': code }) => resolve(code)))
    t.equal(status, 413)
    stream.destroy()
    const backend = await rawOrigin(t, silent())
    const leaving = (await session(t, backend.url)).request({ ':path': '/api/' })
    await eventually(() => backend.requests.length === 1)
    leaving.close(constants.NGHTTP2_CANCEL)
    t.ok(await eventually(() => backend.requests[0]?.closed === true))
  })

  await t.test('a failure is a problem', async t => {
    const { headers, body } = await hear(await session(t, 'http://127.0.0.1:1'), { ':path': '/api/' })
    t.match(headers, { ':status': 502, 'content-type': 'application/problem+json' })
    t.match(body.toString(), /upstream-refused/)
  })
})

t.test('origins that speak HTTP/2', { skip: noOpenssl ?? false }, async t => {
  const backend = await tlsOrigin(t, (request, response) => {
    response.writeHead(200, { 'x-version': request.httpVersion })
    request.pipe(response)
  }, { http2: true })
  const served = await serveGateway(t, backend.url, { config: { http2: true }, tls: { ca: certificate('ca').cert } })
  const answer = await ask(served, '/api/', { method: 'POST', body: content(100_000).bytes(), headers: { te: 'trailers', 'keep-alive': 'x', upgrade: 'h2c' } })
  t.match(answer, { status: 200, headers: { 'x-version': '2.0' } })
  t.equal((await taken(answer.body)).hash, content(100_000).hash)
  t.match(await ask(served, '/api/'), { status: 200, text: /^$/ })
})
