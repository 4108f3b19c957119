import { createHash } from 'node:crypto'
import t from 'tap'
import type { MediaOptions } from '../../app.ts'
import { checkedStrategies } from '../../lib/access/index.ts'
import auth from '../../plugins/auth.ts'
import client from '../../plugins/client.ts'
import errors from '../../plugins/errors.ts'
import strategies from '../../plugins/strategies.ts'
import { ask, scratch, serve, serveMedia, type Served, type Test } from '../helpers/app.ts'
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
  const third = 'fm_a-third-key-for-tests-0123456789'
  const far = await origin(t, (_request, response) => { response.end('done') })
  const sockets = { driver: 'apiKey', keys: [{ name: 'sockets', hash: hashOf(third), methods: ['GET', 'WEBSOCKET'] }] }
  const served = await protecting(t, { delivery: 'gateway', upstream: 'api', source: undefined, listing: false, access: { read: ['machines'], write: ['machines'], methods: { WEBSOCKET: ['sockets'], DELETE: 'nobody' } } }, { upstreams: { api: { origins: [{ url: far.url }] } }, strategies: { machines, sockets } })
  for (const method of ['GET', 'POST', 'DELETE']) {
    for (const headers of [{ upgrade: 'websocket' }, { upgrade: 'websocket', connection: 'upgrade' }, { upgrade: 'h2c, WebSocket' }]) t.match(String((await ask(served, '/private/x', { method, headers: { ...headers, ...bearer(third).headers } })).status), /^40[13]$/, `${method} ${JSON.stringify(headers)}`)
  }
  t.match(await ask(served, '/private/x', { headers: { upgrade: 'h2c', connection: 'upgrade, http2-settings', ...bearer().headers } }), { status: 200 }, 'another protocol is not spoken')
  t.equal(far.requests.length, 1)
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
