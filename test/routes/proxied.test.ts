import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import type { ProxyHooks } from '../../plugins/proxy.ts'
import { serverOptions } from '../../plugins/errors.ts'
import { ask, raw, serve, serveMedia, type Served, type Test } from '../helpers/app.ts'
import media from '../../app.ts'
import { answer, content, endless, file, hopByHop, interim, notModified, origin, rawOrigin, resetMidBody, trailers, type Origin } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'

type Options = Record<string, unknown>

/** A mount at /cdn over one origin. */
async function proxying (t: Test, url: string, { mount = {}, upstream = {}, rest = {}, hooks }: { mount?: Options, upstream?: Options, rest?: Options, hooks?: ProxyHooks } = {}): Promise<Served> {
  return await serve(t, async app => await app.register(media, {
    upstreams: { assets: { origins: [{ url }], ...upstream } },
    mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets', ...mount }],
    ...(hooks === undefined ? {} : { upstreamHooks: { '/cdn': hooks } }),
    ...rest
  }), serverOptions)
}

/** Says what it was asked. */
async function echo (t: Test): Promise<Origin> {
  return await origin(t, (request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers })))
}

const asked = ({ body }: { body: Buffer }): { method: string, url: string, headers: Record<string, string> } => JSON.parse(body.toString()) as never

t.test('the prefix is stripped or replaced; the rest of the target goes as it was sent', async t => {
  const { url } = await echo(t)
  const stripped = await proxying(t, url)
  const replaced = await proxying(t, `${url}/base/`, { mount: { upstreamPath: '/backend/assets/' } })
  for (const [path, below] of [
    ['/cdn', '/'], ['/cdn/', '/'], ['/cdn?x=1', '/?x=1'], ['/cdn/a.jpg?w=1&x=%2F', '/a.jpg?w=1&x=%2F'],
    ['/cdn/a%2Fb', '/a%2Fb'], ['/cdn/..name', '/..name'], ['/cdn/...', '/...'], ['/cdn/a%2f..x', '/a%2f..x'],
    ['/cdn/a//b', '/a//b'], ['/cdn///x', '///x'], ['/cdn/%61', '/%61'], ['/cdn/%E4', '/%E4'], ['/cdn/%E4%zz%C3%A4', '/%E4%zz%C3%A4'], ['/cdn/a%5Cb;c[x]', '/a%5Cb;c[x]'],
    ['/cdn/a/./b', '/a/./b'], ['/cdn/%252e%252e', '/%252e%252e'], ['/cdn/x?%zz', '/x?%zz'], ['/cd%6E/x', '/x']
  ] as const) {
    t.equal(asked(await ask(stripped, path)).url, below, path)
    t.equal(asked(await ask(replaced, path)).url, `/base/backend/assets${below === '/' ? path.includes('?') ? '/' : '/' : below}`.replace('/?', path.startsWith('/cdn?') ? '/?' : '/?'), path)
  }
  t.match(await raw(stripped, 'GET http://media.example/cdn/x HTTP/1.1\r\nHost: media.example\r\nConnection: close\r\n\r\n'), /"url":"\/x"/)
})

t.test('nothing climbs out of the base path', async t => {
  const far = await echo(t)
  const served = await proxying(t, `${far.url}/base`)
  for (const path of ['/cdn/../x', '/cdn/a/../../x', '/cdn/%2e%2e/x', '/cdn/%2E./x', '/cdn/a%2f..%2f..%2fx', '/cdn/a%5c..%5cx', '/cdn/..\\x', '/cdn/..;/x', '/cdn/..%3bx/y', '/cdn/x%00']) {
    t.match(await raw(served, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 (?:400|404)/, path)
  }
  t.equal((await ask(served, `/cdn/${'x'.repeat(16 * 1024)}`).catch(() => ({ status: 431 }))).status, 431)
  t.equal(far.requests.length, 0)
})

t.test('who asked, and by which way, is told by us and not by the client', async t => {
  const { url } = await echo(t)
  const claims = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', 'x-real-ip': '6.6.6.6', forwarded: 'for=6.6.6.6', via: '1.0 before' }
  const doubted = asked(await ask(await proxying(t, url), '/cdn/x', { headers: { host: 'media.example', ...claims } })).headers
  t.match(doubted, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'media.example', 'x-forwarded-proto': 'http', 'x-forwarded-prefix': '/cdn', forwarded: 'for=127.0.0.1;host=media.example;proto=http', via: '1.0 before, 1.1 fastify-media', host: url.slice(7) })
  t.notOk('x-real-ip' in doubted)
  const trusted = asked(await ask(await proxying(t, url, { upstream: { host: 'client' }, rest: { trustedProxies: ['127.0.0.1'] } }), '/cdn/x', { headers: { host: 'inner.example', ...claims } })).headers
  t.match(trusted, { 'x-forwarded-for': '6.6.6.6, 127.0.0.1', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'for=6.6.6.6, for=127.0.0.1;host=evil.example;proto=https', host: 'inner.example' })
})

t.test('fields of the connection stay with it, in both directions', async t => {
  const far = await echo(t)
  const served = await proxying(t, far.url)
  const text = await raw(served, 'GET /cdn/x HTTP/1.1\r\nHost: a\r\nConnection: close, X-Nominated\r\nX-Nominated: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: x\r\nExpect: 100-continue\r\nX-Kept: 2\r\n\r\n')
  t.match(text, /HTTP\/1\.1 200/)
  const { headers } = far.requests[0] as never as { headers: Record<string, string> }
  for (const name of ['x-nominated', 'keep-alive', 'upgrade', 'http2-settings', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'expect']) t.notOk(name in headers, name)
  t.equal(headers['x-kept'], '2')

  const rude = await rawOrigin(t, hopByHop())
  const { headers: received, body } = await ask(await proxying(t, rude.url), '/cdn/x')
  for (const name of ['x-nominated', 'proxy-authenticate', 'te', 'upgrade', 'proxy-connection']) t.notOk(name in received, name)
  t.equal(body.toString(), 'ok')
  const two = await raw(await proxying(t, rude.url), 'GET /cdn/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /cdn/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  t.equal(two.match(/HTTP\/1\.1 200/g)?.length, 2, 'an origin that closes its connection closes no client\'s')
})

t.test('conditionals, ranges, HEAD and 304 are the origin\'s own', async t => {
  const film = content(300_000)
  const far = await rawOrigin(t, file(film, { etag: '"a"' }))
  const served = await proxying(t, far.url)
  const part = await ask(served, '/cdn/film', { headers: { range: 'bytes=1000-1999' } })
  t.match(part, { status: 206, headers: { 'content-range': 'bytes 1000-1999/300000', 'content-length': '1000' } })
  t.same(part.body.length, 1000)
  const head = await ask(served, '/cdn/film', { method: 'HEAD' })
  t.match(head, { status: 200, headers: { 'content-length': '300000', etag: '"a"' } })
  const same = await ask(await proxying(t, (await rawOrigin(t, notModified(300_000, { ETag: '"a"' }))).url), '/cdn/film', { headers: { 'if-none-match': '"a"' } })
  t.match(same, { status: 304, headers: { etag: '"a"' } })
  t.match(await ask(served, '/cdn/film', { method: 'POST', body: 'x' }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
})

t.test('what the origin says of keeping stays; a rule of the mount holds where it says nothing', async t => {
  const far = await origin(t, (request, response) => {
    if (request.url === '/own') response.setHeader('cache-control', 'max-age=5')
    if (request.url === '/gone') response.statusCode = 404
    response.setHeader('cross-origin-resource-policy', 'same-origin').end('x')
  })
  const plain = await proxying(t, far.url)
  const ruled = await proxying(t, far.url, { mount: { cache: { default: '1h' } } })
  t.equal((await ask(plain, '/cdn/own')).headers['cache-control'], 'max-age=5')
  t.notOk('cache-control' in (await ask(plain, '/cdn/none')).headers)
  t.equal((await ask(ruled, '/cdn/own')).headers['cache-control'], 'max-age=5')
  t.equal((await ask(ruled, '/cdn/none')).headers['cache-control'], 'public, max-age=3600')
  t.notOk('cache-control' in (await ask(ruled, '/cdn/gone')).headers)
  const { headers } = await ask(plain, '/cdn/none')
  t.match(headers, { 'cross-origin-resource-policy': 'same-origin', 'x-content-type-options': 'nosniff' })
  t.notOk('content-type' in headers, 'nothing is said of what the origin did not say')
})

t.test('trailers and early hints go on', async t => {
  const far = await rawOrigin(t, trailers('body', { 'X-Checksum': 'abc' }))
  const text = await raw(await proxying(t, far.url), 'GET /cdn/x HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n')
  t.match(text, /4\r\nbody\r\n0\r\nx-checksum: abc\r\n\r\n$/i)
  const early = await rawOrigin(t, interim([{ status: 102 }, { status: 103, fields: { Link: '</a.css>; rel=preload; as=style' } }], answer('late')))
  const hinted = await raw(await proxying(t, early.url), 'GET /cdn/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  t.match(hinted, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK/i)
  t.notMatch(await raw(await proxying(t, early.url), 'GET /cdn/x HTTP/1.0\r\n\r\n'), /103/)
})

t.test('a failure names the upstream, not its address, and holds nothing of the origin\'s', async t => {
  const gone = createServer()
  const port = await new Promise<number>(resolve => gone.listen(0, '127.0.0.1', () => { resolve((gone.address() as { port: number }).port) }))
  gone.close()
  const { status, headers, body } = await ask(await proxying(t, `http://127.0.0.1:${port}`), '/cdn/x')
  t.match([status, headers['content-type'], headers['cache-control']], [502, 'application/problem+json; charset=utf-8', 'no-store'])
  t.match(JSON.parse(body.toString()), { code: 'upstream-refused', detail: 'No connection could be made to the upstream assets' })
  t.notMatch(body.toString(), /127\.0\.0\.1/)

  const dying = await rawOrigin(t, resetMidBody(content(1000), 0, 'length'))
  await t.rejects(ask(await proxying(t, dying.url), '/cdn/x'), { code: 'ECONNRESET' }, 'what was promised and does not come shows')
})

t.test('hooks see what is asked and answered, choose the upstream, and answer in its place', async t => {
  const [first, second] = [await echo(t), await echo(t)]
  const served = await proxying(t, first.url, {
    rest: { upstreams: { assets: { origins: [{ url: first.url }] }, other: { origins: [{ url: second.url }] }, dead: { origins: [{ url: 'http://127.0.0.1:1' }], retries: 0 } } },
    hooks: {
      resolve: request => ({ other: 'other', dead: 'dead', wrong: 'nowhere' })[String((request.query as Record<string, string>).to)],
      rewriteRequest: async outgoing => ({ ...outgoing, path: `/v2${outgoing.path}`, headers: { ...outgoing.headers, 'x-key': 'secret' } }),
      rewriteResponse: ({ status, headers }) => ({ status: status === 200 ? 203 : status, headers: { ...headers, 'x-by': 'hook' } }),
      onUpstreamError: ({ code }) => code === 'upstream-refused' ? { status: 200, headers: { 'content-type': 'text/plain' }, body: 'instead' } : undefined
    }
  })
  const plain = await ask(served, '/cdn/x')
  t.match([plain.status, plain.headers['x-by'], asked(plain).url, asked(plain).headers['x-key']], [203, 'hook', '/v2/x', 'secret'])
  await ask(served, '/cdn/x?to=other')
  t.equal(second.requests.length, 1)
  t.match((await ask(served, '/cdn/x?to=dead')).body.toString(), 'instead')
  t.equal((await ask(served, '/cdn/x?to=wrong')).status, 500)
})

t.test('an origin of files is told of no other method than the request has', async t => {
  const far = await origin(t, (_request, response) => { response.end('x') })
  const served = await proxying(t, far.url)
  await ask(served, '/cdn/x', { headers: { 'x-http-method-override': 'DELETE', 'x-http-method': 'DELETE', 'x-method-override': 'DELETE', 'x-other': 'stays' } })
  const { headers } = far.requests[0] as { headers: Record<string, unknown> }
  t.match(headers, { 'x-other': 'stays', 'x-http-method-override': undefined, 'x-http-method': undefined, 'x-method-override': undefined })
})

t.test('a client that leaves ends the request at the origin, also before there is a head', async t => {
  const far = await origin(t, () => {})
  const served = await proxying(t, far.url)
  const leaving = new AbortController()
  const fetching = fetch(`http://127.0.0.1:${served.port}/cdn/x`, { signal: leaving.signal }).catch(() => {})
  await eventually(() => far.requests.length === 1)
  leaving.abort()
  await fetching
  t.ok(await eventually(() => far.opened > far.connections), 'its connection is closed: undici makes another for those to come')
})

t.test('a download whose origin dies goes on where it ended', async t => {
  const film = content(5_000_000)
  const dying = await rawOrigin(t, file(film, { etag: '"a"', dies: [1_000_000, 500_000] }))
  const { status, body } = await ask(await proxying(t, dying.url), '/cdn/film')
  t.equal(status, 200)
  t.equal(createHash('sha256').update(body).digest('hex'), film.hash)
})

t.test('who stands before the upstream is the mount\'s, also for an app within a host', async t => {
  const { url } = await echo(t)
  const served = await serveMedia(t, { upstreams: { assets: { origins: [{ url }] } }, mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets' }] }, { prefix: '/media' })
  t.equal(asked(await ask(served, '/media/cdn/x')).url, '/x')
})

t.test('a mount\'s CORS policy takes the place of the origin\'s; without one the origin\'s stands', async t => {
  const far = await origin(t, (_request, response) => response.writeHead(200, { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'x', vary: 'Accept' }).end('x'))
  const ask1 = await ask(await proxying(t, far.url), '/cdn/x', { headers: { origin: 'https://a.example' } })
  t.match(ask1.headers, { 'access-control-allow-origin': '*', vary: 'Accept' })
  const own = await proxying(t, far.url, { mount: { cors: { origins: ['https://a.example'], exposedHeaders: [] } } })
  const { headers } = await ask(own, '/cdn/x', { headers: { origin: 'https://a.example' } })
  t.equal(headers['access-control-allow-origin'], 'https://a.example')
  t.not(headers['access-control-expose-headers'], 'x')
  t.match(headers.vary, /Accept.*Origin|Origin.*Accept/)
  t.match(await ask(own, '/cdn/x', { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' } }), { status: 204, headers: { 'access-control-allow-origin': 'https://a.example' } })
})

t.test('a body that breaks off is told in the log, with its code; a client that leaves is not', async t => {
  const film = content(500_000)
  const dying = await rawOrigin(t, resetMidBody(film, 200_000))
  const served = await proxying(t, dying.url)
  await t.rejects(ask(served, '/cdn/x'))
  t.ok(await eventually(() => served.logs.some(line => line['code'] === 'upstream-reset' && Number(line['level']) >= 50)))
  const whole = await proxying(t, (await rawOrigin(t, endless())).url)
  const leaving = new AbortController()
  await fetch(`http://127.0.0.1:${whole.port}/cdn/x`, { signal: leaving.signal })
  leaving.abort()
  t.ok(await eventually(() => whole.logs.some(line => line['msg'] === 'request')))
  t.notOk(whole.logs.some(line => Number(line['level']) >= 50))
})

t.test('an HTTP/1.0 client gets what trailers would follow, and sees where it broke off', async t => {
  const far = await rawOrigin(t, trailers('body', { 'X-Checksum': 'abc' }))
  t.match(await raw(await proxying(t, far.url), 'GET /cdn/x HTTP/1.0\r\n\r\n'), /\r\n\r\nbody$/)
  for (const mount of [{}, { rewrite: { replace: [{ from: 'never', to: 'there' }], types: ['text/plain'] } }, { sharedCache: {} }]) {
    const dying = await rawOrigin(t, resetMidBody(content(300_000), 200_000, 'chunked'))
    const served = await proxying(t, dying.url, { mount, rest: { httpCache: { diskBytes: 0 } } })
    const ended = await new Promise<string>(resolve => {
      const socket = connect(served.port, '127.0.0.1', () => socket.write('GET /cdn/x HTTP/1.0\r\n\r\n'))
      socket.on('data', () => {}).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? '')).on('end', () => resolve('FIN'))
    })
    t.equal(ended, 'ECONNRESET', JSON.stringify(mount))
  }
})

t.test('a problem in place of an answer has nothing of the origin on it', async t => {
  const poison = { 'CDN-Cache-Control': 'max-age=1000', 'Surrogate-Control': 'max-age=1000', Expires: 'Thu, 01 Jan 2037 00:00:00 GMT', Link: '</x>; rel=preload', 'X-Origin': '1', 'Set-Cookie': 'a=b', 'Content-Encoding': 'gzip', 'Content-Type': 'text/html', Trailer: 'X-T' }
  const broken = await rawOrigin(t, answer('no gzip', poison))
  const served = await proxying(t, broken.url, { mount: { rewrite: { urls: true }, cors: { origins: ['*'] } } })
  const { status, headers } = await ask(served, '/cdn/x', { headers: { origin: 'https://a.example' } })
  t.equal(status, 502)
  t.notMatch(JSON.stringify(headers), /max-age|preload|x-origin|set-cookie|2037|trailer/i)
  t.equal(headers['access-control-allow-origin'], '*')
})

t.test('live streams end when the app closes', async t => {
  const far = await rawOrigin(t, endless({ everyMs: 20, pieceBytes: 10 }))
  const served = await proxying(t, far.url, { mount: { live: true } })
  const viewer = await fetch(`http://127.0.0.1:${served.port}/cdn/live.flv`)
  t.equal(viewer.status, 200)
  await t.resolves(Promise.race([served.app.close(), new Promise((_resolve, reject) => { setTimeout(() => reject(new Error('it hangs')), 15_000).unref() })]))
  await viewer.body?.cancel().catch(() => {})
})
