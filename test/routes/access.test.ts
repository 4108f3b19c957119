import { createHash, randomBytes } from 'node:crypto'
import sharp from 'sharp'
import t from 'tap'
import type { MediaOptions } from '../../app.ts'
import { checkedStrategies } from '../../lib/access/index.ts'
import { signTarget, type SignOptions } from '../../lib/signing/signer.ts'
import auth from '../../plugins/auth.ts'
import client from '../../plugins/client.ts'
import errors from '../../plugins/errors.ts'
import strategies from '../../plugins/strategies.ts'
import { ask, scratch, serve, serveMedia, type Answer, type Served, type Test } from '../helpers/app.ts'
import { origin } from '../helpers/origin.ts'

const key = 'fm_a-key-for-tests-only-0123456789'
const other = 'fm_another-key-for-tests-0123456789'
const hashOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
const machines = { driver: 'apiKey', keys: [{ name: 'build', hash: hashOf(key), methods: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'WEBSOCKET'], scopes: ['read'] }, { name: 'reader', hash: hashOf(other) }] }
const bearer = (text = key): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${text}` } })

async function protecting (t: Test, mount: Record<string, unknown> = {}, rest: Record<string, unknown> = {}): Promise<Served> {
  const root = await scratch(t, { 'a.txt': 'secret', 'deep/b.txt': 'deeper' })
  return await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies: { machines, local: { driver: 'ip', allow: ['127.0.0.0/8'] }, elsewhere: { driver: 'ip', allow: ['192.0.2.0/24'] } },
    mounts: [{ prefix: '/private', source: 'files', listing: true, cache: { default: '30d immutable' }, access: { read: ['machines'] }, ...mount }],
    ...rest
  } as unknown as MediaOptions)
}

t.test('without credentials everything below a protected prefix is 401, whether it is there or not', async t => {
  const served = await protecting(t)
  for (const path of ['/private', '/private/', '/private/a.txt', '/private/missing', '/private/deep', '/private/deep/missing/', '/private/a.txt?w=3', '/private/%61.txt']) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PROPFIND', 'OPTIONS', 'TRACE']) {
      const answer = await ask(served, path, { method })
      t.match(answer, { status: 401, headers: { 'www-authenticate': 'Bearer realm="fastify-media"', 'cache-control': 'no-store' } }, `${method} ${path}`)
      t.notMatch(answer.text, /secret|a\.txt|not-found/)
    }
  }
  t.match(await ask(served, '/private/a.txt', bearer('fm_wrong')), { status: 401, headers: { 'www-authenticate': 'Bearer realm="fastify-media", error="invalid_token"' } })
  t.match(served.logs.find(({ code }) => code === 'unauthorized'), { reason: 'machines: unknown key' })
  t.notMatch(JSON.stringify(served.logs), /fm_/, 'no credential is written down')
})

t.test('with credentials the mount is what it is without access rules, but private', async t => {
  const served = await protecting(t)
  const whole = await ask(served, '/private/a.txt', bearer())
  t.match(whole, { status: 200, text: 'secret', headers: { 'cache-control': 'private, max-age=2592000, immutable', vary: /Authorization/ } })
  t.match(whole.headers.vary, /X-API-Key/)
  t.match(await ask(served, '/private/a.txt', { headers: { 'x-api-key': key } }), { status: 200 })
  t.match(await ask(served, '/private/a.txt', { headers: { ...bearer().headers, 'if-none-match': String(whole.headers.etag) } }), { status: 304, headers: { 'cache-control': /^private/ } })
  t.match(await ask(served, '/private/', bearer()), { status: 200, headers: { 'cache-control': 'private, no-cache', vary: /Accept.*Authorization/ } })
  t.match(await ask(served, '/private/deep', bearer()), { status: 301, headers: { 'cache-control': 'private, no-cache' } })
  t.match(await ask(served, '/private/missing', bearer()), { status: 404 })
  t.match(await ask(served, '/private/a.txt', { method: 'PUT', ...bearer() }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
  t.match(await ask(served, '/private/a.txt', { method: 'OPTIONS', ...bearer() }), { status: 204 })
})

t.test('a preflight is answered before anyone is asked who they are, with rules for other sites and without', async t => {
  const preflight = { method: 'OPTIONS', headers: { origin: 'https://app.example.com', 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } }
  const served = await protecting(t, { cors: { origins: ['https://app.example.com'] } })
  t.match(await ask(served, '/private/a.txt', preflight), { status: 204, headers: { 'access-control-allow-origin': 'https://app.example.com', 'access-control-allow-headers': 'authorization' } })
  t.match(await ask(served, '/private/missing', preflight), { status: 204 })
  t.match(await ask(served, '/private/a.txt', { headers: { origin: 'https://app.example.com' } }), { status: 401, headers: { 'access-control-allow-origin': 'https://app.example.com' } }, 'a refusal can be read by the page too')
  t.match(await ask(await protecting(t), '/private/a.txt', preflight), { status: 204, headers: { 'access-control-allow-origin': undefined } })
})

t.test('of several strategies one has to hold, or all', async t => {
  const any = await protecting(t, { access: { read: { any: ['elsewhere', 'machines'] } } })
  t.equal((await ask(any, '/private/a.txt')).status, 401, 'credentials would help, another address may not be had')
  t.equal((await ask(any, '/private/a.txt', bearer())).status, 200)
  const all = await protecting(t, { access: { read: { all: ['local', { any: ['elsewhere', 'machines'] }] } } })
  t.equal((await ask(all, '/private/a.txt')).status, 401)
  t.equal((await ask(all, '/private/a.txt', bearer())).status, 200)
  const nowhere = await protecting(t, { access: { read: { all: ['machines', 'elsewhere'] } } })
  t.equal((await ask(nowhere, '/private/a.txt', bearer())).status, 403)
  const alone = await protecting(t, { access: { read: 'elsewhere' } })
  t.match(await ask(alone, '/private/a.txt'), { status: 403, headers: { 'www-authenticate': undefined } })
  const nobody = await protecting(t, { access: { read: 'nobody' } })
  t.equal((await ask(nobody, '/private/a.txt', bearer())).status, 403)
})

t.test('scopes are asked of those who have any', async t => {
  const served = await protecting(t, { access: { read: ['machines'], readScopes: ['read'] } })
  t.equal((await ask(served, '/private/a.txt', bearer())).status, 200)
  t.equal((await ask(served, '/private/a.txt', bearer(other))).status, 403)
  t.match(served.logs.find(({ code }) => code === 'forbidden'), { reason: 'machines: without the scope read' })
})

t.test('a gateway has rules for reading, for the rest, for single methods and for WebSockets', async t => {
  const far = await origin(t, (_request, response) => { response.end('done') })
  const served = await protecting(t, { delivery: 'gateway', upstream: 'api', source: undefined, listing: false, access: { write: ['machines'], methods: { DELETE: 'nobody', OPTIONS: ['machines'] } } }, { upstreams: { api: { origins: [{ url: far.url }] } } })
  t.match(await ask(served, '/private/x'), { status: 200 })
  t.match(await ask(served, '/private/x', { method: 'POST', body: 'x' }), { status: 401 })
  t.match(await ask(served, '/private/x', { method: 'POST', body: 'x', ...bearer() }), { status: 200 })
  t.match(await ask(served, '/private/x', { method: 'DELETE', ...bearer() }), { status: 403 })
  t.match(await ask(served, '/private/x', { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' } }), { status: 401 }, 'its origin would answer that')
  t.match(await ask(served, '/private/x', { headers: { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } }), { status: 401 })
  for (const field of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
    t.match(await ask(served, '/private/x', { headers: { [field]: 'delete' } }), { status: 403 }, `${field}: an origin may take it for the method`)
    t.match(await ask(served, '/private/x', { headers: { [field]: 'POST' } }), { status: 401 })
    t.match(await ask(served, '/private/x', { method: 'POST', headers: { [field]: 'GET' } }), { status: 401 }, 'and never for less')
  }
  t.equal(far.requests.length, 2)
})

t.test('rules for single methods hold on mounts that are only read, too', async t => {
  const served = await protecting(t, { access: { methods: { GET: 'machines', HEAD: 'machines', PUT: 'machines' } } })
  for (const method of ['GET', 'HEAD']) t.equal((await ask(served, '/private/a.txt', { method })).status, 401, method)
  t.match(await ask(served, '/private/a.txt', bearer()), { status: 200, headers: { 'cache-control': /^private/ } })
  t.match(await ask(served, '/private/a.txt', { method: 'PUT' }), { status: 405 }, 'it does nothing')
  const stricter = await protecting(t, { access: { read: 'machines', methods: { GET: 'nobody' } } })
  t.equal((await ask(stricter, '/private/a.txt', bearer())).status, 403)
  t.equal((await ask(stricter, '/private/a.txt', { method: 'HEAD', ...bearer() })).status, 200)
})

t.test('the wish for a WebSocket is judged beside the method, and makes nothing of it lighter', async t => {
  const far = await origin(t, (_request, response) => { response.end('done') })
  const socket = 'fm_a-key-for-sockets-alone-0123456789'
  const sockets = { driver: 'apiKey', keys: [{ name: 'sockets', hash: hashOf(socket), methods: ['GET', 'POST', 'DELETE', 'WEBSOCKET'] }, { name: 'reader', hash: hashOf(other), methods: ['GET', 'WEBSOCKET'] }] }
  const served = await protecting(t, { delivery: 'gateway', upstream: 'api', source: undefined, listing: false, access: { read: ['machines'], write: ['machines'], methods: { WEBSOCKET: ['sockets'], DELETE: 'nobody' } } }, { upstreams: { api: { origins: [{ url: far.url }] } }, strategies: { machines, sockets } })
  const wishes = [{ upgrade: 'websocket' }, { upgrade: 'h2c, WebSocket' }, { upgrade: 'websocket', connection: 'upgrade' }]
  const statusOf = async (method: string, wish: object, text: string): Promise<number> => (await ask(served, '/private/x', { method, headers: { ...wish, ...bearer(text).headers } })).status
  for (const wish of wishes) {
    for (const method of ['GET', 'POST']) t.equal(await statusOf(method, wish, socket), 401, `a key for sockets is none for ${method}`)
    t.equal(await statusOf('GET', wish, key), 401, 'nor is one for methods one for sockets')
    t.equal(await statusOf('POST', wish, other), 403)
    for (const text of [key, other, socket]) t.equal(await statusOf('DELETE', wish, text), 403, 'what is for nobody stays so')
  }
  t.equal(far.requests.length, 0)
  for (const [place, wish] of wishes.entries()) {
    t.equal(await statusOf('GET', wish, other), 200, 'a key for both is one')
    t.equal(far.requests.length, place + 1)
  }
  t.match(await ask(served, '/private/x', { headers: { upgrade: 'h2c', connection: 'upgrade, http2-settings', ...bearer().headers } }), { status: 200 }, 'another protocol is not spoken')
})

const trying = { id: 'try', secret: randomBytes(32).toString('base64url') }
const trial = { driver: 'signed', mode: 'report-only', keys: [trying] }
const picture = async (): Promise<Buffer> => await sharp({ create: { width: 16, height: 16, channels: 3, background: 'teal' } }).png().toBuffer()

/** How signed URLs go, as a load balancer may read it. */
async function signaturesOf (served: Served): Promise<unknown> {
  return (JSON.parse((await ask(served, '/health/ready')).text) as { signatures?: unknown }).signatures
}

/** The lines of requests, without what they took. */
function requestsOf ({ logs }: Served): unknown[] {
  return logs.filter(({ msg }) => msg === 'request').map(({ path, principal }) => ({ path, principal }))
}

t.test('signatures that are only counted yet count what would be refused, and whoever else is known stays known', async t => {
  const served = await protecting(t, { access: { read: ['machines', 'trial'] } }, { strategies: { machines, trial } })
  const state = (granted: number, refused: object): object => ({ trial: [{ mode: 'report-only', granted, refused }] })
  t.same(await signaturesOf(served), state(0, {}))
  for (const path of ['/private/a.txt', '/private/a.txt?sig=guessed']) t.match(await ask(served, path, bearer()), { status: 200, text: 'secret', headers: { 'cache-control': /^private/ } }, 'a good key needs none')
  t.match(await ask(served, signTarget('/private/a.txt', trying, { expiresIn: 600 })), { status: 200, text: 'secret' })
  t.same(await signaturesOf(served), state(1, {}))
  t.match(await ask(served, '/private/a.txt'), { status: 200, text: 'secret', headers: { 'cache-control': /^private/ } })
  t.match(await ask(served, '/private/a.txt?sig=guessed'), { status: 200 })
  t.match(await ask(served, '/private/deep/b.txt', bearer('fm_wrong')), { status: 200 })
  t.same(await signaturesOf(served), state(1, { 'no signature': 2, 'malformed signature': 1 }), 'what others refuse is not about them')
  t.same(requestsOf(served).filter(line => (line as { path: string }).path.startsWith('/private')), [
    ...['machines:build', 'machines:build', 'trial:try', 'trial:', 'trial:'].map(principal => ({ path: '/private/a.txt', principal })),
    { path: '/private/deep/b.txt', principal: 'trial:' }
  ])
  t.same(served.logs.filter(({ msg, path }) => msg === 'A signed URL would be refused' && path === '/private/a.txt').map(({ reason }) => reason), ['no signature', 'malformed signature'])
  t.notMatch(JSON.stringify(served.logs), /guessed|fm_/)
})

t.test('they refuse nobody, and let nobody in whom something else refuses', async t => {
  const served = await protecting(t, { access: { read: { all: ['machines', 'trial'] } } }, { strategies: { machines, trial } })
  for (const path of ['/private/a.txt', signTarget('/private/a.txt', trying, { expiresIn: 600 })]) t.equal((await ask(served, path)).status, 401)
  t.equal((await ask(served, '/private/a.txt', bearer('fm_wrong'))).status, 401)
  t.match(await signaturesOf(served), { trial: [{ refused: {} }] })
  t.match(await ask(served, '/private/a.txt', bearer()), { status: 200, text: 'secret' })
  t.match(await signaturesOf(served), { trial: [{ refused: { 'no signature': 1 } }] })
})

t.test('where variants alone need a signature, an original without one is not counted, and a variant is', async t => {
  const root = await scratch(t, { 'a.png': await picture(), 'a.txt': 'open' })
  const served = await serveMedia(t, { strategies: { trial }, sources: { files: { driver: 'file', root } }, mounts: [{ prefix: '/open', source: 'files', cache: { default: '1h' }, images: { mode: 'signed', signedBy: 'trial' } }] } as unknown as MediaOptions)
  const counted = async (): Promise<unknown> => (await signaturesOf(served) as { trial: Array<{ refused: object }> }).trial[0]?.refused
  for (const path of ['/open/a.png', '/open/a.txt', '/open/']) await ask(served, path)
  t.same(await counted(), {})
  for (const path of ['/open/a.png?w=8', '/open/_ipx/w_8/a.png', '/_ipx/w_8/open/a.png']) t.match(await ask(served, path), { status: 200, headers: { 'content-type': /^image\//, 'cache-control': 'public, max-age=3600' } }, path)
  t.same(await counted(), { 'no signature': 3 })
  t.match(await ask(served, '/open/a.png?w=8&sig=guessed'), { status: 200 })
  t.match(await ask(served, signTarget('/open/a.png?w=8', trying, { expiresIn: 600 })), { status: 200, headers: { 'cache-control': 'private, max-age=3600' } })
  t.same(await signaturesOf(served), { trial: [{ mode: 'report-only', granted: 1, refused: { 'no signature': 3, 'malformed signature': 1 } }] })
})

t.test('a signed variant is for everybody, unless its URL is for a time or a client alone', async t => {
  const root = await scratch(t, { 'a.png': await picture() })
  const links = { driver: 'signed', requireExpiry: false, keys: [trying] }
  const served = await serveMedia(t, { strategies: { links }, sources: { files: { driver: 'file', root } }, mounts: [{ prefix: '/open', source: 'files', cache: { default: '30d immutable' }, images: { mode: 'signed' } }] } as unknown as MediaOptions)
  const sent = async (options: SignOptions): Promise<Answer> => await ask(served, signTarget('/open/a.png?w=8', trying, options))
  for (const options of [{}, { method: 'GET' }]) t.match(await sent(options), { status: 200, headers: { 'cache-control': 'public, max-age=2592000, immutable' } }, JSON.stringify(options))
  for (const options of [{ expiresIn: 600 }, { notBefore: 1 }, { address: '127.0.0.1' }, { expiresIn: 600, address: '127.0.0.1' }]) {
    const answer = await sent(options)
    t.match(answer, { status: 200, headers: { 'cache-control': 'private, max-age=2592000, immutable' } }, JSON.stringify(options))
    t.match(await ask(served, signTarget('/open/a.png?w=8', trying, options), { headers: { 'if-none-match': String(answer.headers.etag) } }), { status: 304, headers: { 'cache-control': /^private/ } })
  }
  t.match(await ask(served, '/open/a.png'), { status: 200, headers: { 'cache-control': 'public, max-age=2592000, immutable' } }, 'and so is the original')
  t.equal((await ask(served, '/open/a.png?w=8')).status, 403)
})

t.test('what is answered to whoever proved who they are is theirs alone, also where others may read', async t => {
  const far = await origin(t, (_request, response) => { response.writeHead(200, { 'cache-control': 'public, max-age=60, s-maxage=600', 'surrogate-control': 'max-age=600', 'vary': 'Accept' }).end('done') })
  const served = await protecting(t, { delivery: 'gateway', upstream: 'api', source: undefined, listing: false, cache: {}, access: { read: 'public', write: ['machines'], methods: { OPTIONS: ['machines'] } } }, { upstreams: { api: { origins: [{ url: far.url }] } } })
  t.match(await ask(served, '/private/x', bearer()), { status: 200, headers: { 'cache-control': 'public, max-age=60, s-maxage=600', 'surrogate-control': 'max-age=600', 'vary': 'Accept' } }, 'nobody is asked here')
  for (const method of ['POST', 'DELETE', 'OPTIONS']) t.match(await ask(served, '/private/x', { method, ...bearer() }), { status: 200, headers: { 'cache-control': 'private, max-age=60', 'surrogate-control': undefined, 'vary': /^Accept, .*Authorization/ } }, method)
  t.match(await ask(served, '/private/x', { method: 'POST' }), { status: 401, headers: { 'cache-control': 'no-store' } })
  const signed = await protecting(t, { access: { methods: { HEAD: ['machines'] } } })
  t.match([await ask(signed, '/private/a.txt'), await ask(signed, '/private/a.txt', { method: 'HEAD', ...bearer() })].map(({ headers }) => headers['cache-control']), ['public, max-age=2592000, immutable', 'private, max-age=2592000, immutable'])
})

t.test('the line of a request names who asked, and never what proved it', async t => {
  const served = await protecting(t)
  await ask(served, '/private/a.txt', bearer())
  await ask(served, '/private/missing', bearer())
  await ask(served, '/private/a.txt')
  t.same(requestsOf(served), [{ path: '/private/a.txt', principal: 'machines:build' }, { path: '/private/missing', principal: 'machines:build' }, { path: '/private/a.txt', principal: undefined }])
  const local = await protecting(t, { access: { read: ['local'] } })
  await ask(local, '/private/a.txt')
  t.same(requestsOf(local), [{ path: '/private/a.txt', principal: 'local:' }], 'the way alone, where nobody is named')
  t.notMatch(JSON.stringify([served.logs, local.logs]), /fm_/)
})

t.test('in an app of its own, the plugin keeps unknown paths too', async t => {
  const served = await serve(t, async app => {
    await app.register(errors)
    await app.register(client)
    await app.register(strategies, { strategies: await checkedStrategies({ machines } as never, { base: '/' }) })
    await app.register(async scope => {
      await scope.register(auth, { access: { read: ['machines'] } })
      scope.get('/here', async () => 'here')
    }, { prefix: '/own' })
  })
  for (const path of ['/own/here', '/own/missing']) t.equal((await ask(served, path)).status, 401, path)
  t.equal((await ask(served, '/own/here', bearer())).status, 200)
  t.match(await ask(served, '/own/missing', bearer()), { status: 404, text: /not-found/ })
  t.equal((await ask(served, '/elsewhere')).status, 404)
})

t.test('an app that answers unknown paths of the scope itself keeps doing so, behind the same hooks', async t => {
  const served = await serve(t, async app => {
    await app.register(client)
    await app.register(strategies, { strategies: await checkedStrategies({ machines } as never, { base: '/' }) })
    await app.register(async scope => {
      scope.setNotFoundHandler(function tellOwn (_request, reply) { reply.code(404).send('nothing of ours') })
      await scope.register(auth, { access: { read: ['machines'] } })
    }, { prefix: '/own' })
  })
  t.equal((await ask(served, '/own/missing')).status, 401)
  t.match(await ask(served, '/own/missing', bearer()), { status: 404, text: 'nothing of ours' })
})

t.test('an upstream does not get the credentials that were checked, unless it is to', async t => {
  const far = await origin(t, (_request, response) => {
    response.writeHead(200, { 'cache-control': 'public, max-age=60, s-maxage=600', 'cdn-cache-control': 'max-age=600', 'surrogate-control': 'max-age=600', 'vercel-cdn-cache-control': 'public, max-age=600', 'x-litespeed-cache-control': 'public' }).end('done')
  })
  const rest = { upstreams: { api: { origins: [{ url: far.url }] } } }
  for (const delivery of ['proxy', 'gateway']) {
    const mount = { delivery, upstream: 'api', source: undefined, listing: false, cache: {} }
    const answer = await ask(await protecting(t, mount, rest), '/private/x', { headers: { 'x-api-key': key, 'authorization': 'Basic YTpi', 'cookie': 'a=b' } })
    t.match(answer, { status: 200, headers: { 'cache-control': 'private, max-age=60', 'cdn-cache-control': undefined, 'surrogate-control': undefined, 'vercel-cdn-cache-control': undefined, 'x-litespeed-cache-control': undefined } }, delivery)
    t.match(far.requests.at(-1)?.headers, { 'x-api-key': undefined, 'authorization': undefined, 'cookie': 'a=b' })
    await ask(await protecting(t, { ...mount, access: { read: ['machines'], passCredentials: true } }, rest), '/private/x', bearer())
    t.match(far.requests.at(-1)?.headers, { authorization: `Bearer ${key}` })
  }
})
