import t from 'tap'
import fastify from 'fastify'
import cors from '../../plugins/cors.ts'
import { ask, oneMount, scratch, serve, serveMedia } from '../helpers/app.ts'

const preflight = { origin: 'https://a.example', 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' }

t.test('an allowed origin may read, others get no word of it, and caches know that it varies', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'a' }), { cors: { origins: ['https://a.example', 'https://*.b.example'], credentials: true, timingAllowOrigin: true } }))
  for (const origin of ['https://a.example', 'https://x.b.example', 'https://y.x.b.example']) {
    t.match((await ask(served, '/a.txt', { headers: { origin } })).headers, { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', 'timing-allow-origin': origin, vary: 'Origin', 'access-control-expose-headers': /Content-Range/ })
  }
  for (const origin of ['https://evil.example', 'http://a.example', 'https://a.example.evil', 'https://b.example', 'https://evilb.example', 'null', 'https://x.bxexample', 'https://x.b.example.evil.com']) {
    const answer = await ask(served, '/a.txt', { headers: { origin } })
    t.match(answer, { status: 200, headers: { vary: 'Origin', 'access-control-allow-origin': undefined, 'timing-allow-origin': undefined } }, origin)
  }
  t.match((await ask(served, '/a.txt')).headers, { vary: 'Origin', 'access-control-allow-origin': undefined })
  t.match((await ask(served, '/none.txt', { headers: { origin: 'https://a.example' } })), { status: 404, headers: { 'access-control-allow-origin': 'https://a.example', vary: 'Origin' } }, 'scripts may read errors too')
  const fresh = await ask(served, '/a.txt')
  t.match(await ask(served, '/a.txt', { headers: { 'if-none-match': fresh.headers.etag as string } }), { status: 304, headers: { vary: 'Origin' } })
})

t.test('a preflight is answered, and may be kept', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t), { prefix: '/f', cors: { origins: ['https://a.example'], maxAgeSeconds: 600 } }))
  t.match(await ask(served, '/f/a.txt', { method: 'OPTIONS', headers: preflight }), { status: 204, headers: { 'access-control-allow-origin': 'https://a.example', 'access-control-allow-methods': 'GET, HEAD', 'access-control-allow-headers': 'range', 'access-control-max-age': '600', vary: /Origin/ } })
  t.match(await ask(served, '/f/a.txt', { method: 'OPTIONS', headers: { ...preflight, origin: 'https://evil.example' } }), { headers: { 'access-control-allow-origin': undefined, vary: /Origin/ } })
  t.match(await ask(served, '/f/a.txt', { method: 'OPTIONS', headers: { origin: 'https://a.example' } }), { status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } }, 'OPTIONS that is no preflight')
})

t.test('all origins: the answer is the same for everyone, so it does not vary', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'a' }), { cors: { origins: ['*'], timingAllowOrigin: true } }))
  for (const headers of [{}, { origin: 'https://a.example' }]) {
    t.match((await ask(served, '/a.txt', { headers })).headers, { 'access-control-allow-origin': '*', 'timing-allow-origin': '*', 'access-control-expose-headers': /ETag/, vary: undefined })
  }
})

t.test('Origin and Accept-Encoding vary together', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.css': 'x'.repeat(99), 'a.css.gz': 'z' }), { cors: { origins: ['https://a.example'] } }))
  t.equal((await ask(served, '/a.css')).headers.vary, 'Origin, Accept-Encoding')
})

t.test('a listing varies by origin too', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'd/a.txt': 'a' }), { listing: true, cors: { origins: ['https://a.example'] } }))
  for (const origin of ['https://a.example', 'https://evil.example']) t.equal((await ask(served, '/d/', { headers: { origin } })).headers.vary, 'Origin, Accept')
})

t.test('a preflight is answered before anyone is asked who they are', async t => {
  const served = await serve(t, async app => {
    await app.register(cors, { origins: ['https://a.example'] })
    app.addHook('onRequest', async () => { throw Object.assign(new Error('who?'), { statusCode: 401 }) })
    app.get('/', async () => 'hello')
  })
  t.equal((await ask(served, '/', { method: 'OPTIONS', headers: preflight })).status, 204)
  t.match(await ask(served, '/', { headers: { origin: 'https://a.example' } }), { status: 401, headers: { 'access-control-allow-origin': 'https://a.example' } })
})

t.test('each mount has its own policy', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const served = await serveMedia(t, { sources: { files: { driver: 'file', root } }, mounts: [{ prefix: '/open', source: 'files', cors: { origins: ['*'] } }, { prefix: '/closed', source: 'files', resourcePolicy: 'same-origin' }] })
  t.match((await ask(served, '/open/a.txt', { headers: { origin: 'https://a.example' } })).headers, { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' })
  t.match((await ask(served, '/closed/a.txt', { headers: { origin: 'https://a.example' } })).headers, { 'access-control-allow-origin': undefined, vary: undefined, 'cross-origin-resource-policy': 'same-origin' })
})

t.test('alone in another app it answers preflights by a route of its own', async t => {
  const served = await serve(t, async app => {
    await app.register(cors, { origins: ['https://a.example'], allowedHeaders: ['X-One'], methods: ['GET', 'PUT'] })
    app.get('/', async () => 'hello')
  })
  t.match(await ask(served, '/', { method: 'OPTIONS', headers: preflight }), { status: 204, headers: { 'access-control-allow-methods': 'GET, PUT', 'access-control-allow-headers': 'X-One', 'access-control-max-age': '7200' } })
  t.match((await ask(served, '/', { headers: { origin: 'https://a.example' } })).headers, { 'access-control-allow-origin': 'https://a.example' })
})

t.test('credentials for everyone, and origins that are none, are refused', async t => {
  for (const options of [{ origins: ['*'], credentials: true }, { origins: ['a.example'] }, { origins: ['https://*example.com'] }, { origins: ['null'] }]) {
    await t.rejects(async () => await fastify().register(cors, options), { name: 'TypeError', message: /^Expected / })
  }
})
