import { once } from 'node:events'
import { createServer as createOrigin } from 'node:http'
import { connect as connect2 } from 'node:http2'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { WebSocket, WebSocketServer } from 'ws'
import media from '../../app.ts'
import { MediaError } from '../../lib/errors.ts'
import { MemoryCounter } from '../../lib/rate/memory-counter.ts'
import { openRateCounter } from '../../lib/rate/open-counter.ts'
import client from '../../plugins/client.ts'
import cors from '../../plugins/cors.ts'
import errors from '../../plugins/errors.ts'
import rateLimit, { type RateLimitOptions } from '../../plugins/rate-limit.ts'
import { ask, scratch, serve, type Answer, type Served, type Test } from '../helpers/app.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { picturesToServe } from '../helpers/images.ts'
import { origin } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'

/** Longer than any test takes. */
const LONG_MS = 600_000
/** What two requests fit into, with all that happens between them. */
const SHORT_MS = 1500

function options (limit: RateLimitOptions['limit'], more: Partial<RateLimitOptions> = {}): RateLimitOptions {
  return { stage: 'addresses', scopeName: '/', limit, counter: new MemoryCounter(1000), ...more }
}

/** A host's own app: `client`, the limit, and routes of any kind. */
async function limited (t: Test, own: RateLimitOptions, build: (app: FastifyInstance) => unknown = app => app.get('/', async () => 'ok')): Promise<Served> {
  return await serve(t, async app => {
    await app.register(client, { trustedProxies: ['127.0.0.1'] })
    await app.register(rateLimit, own)
    await build(app)
  })
}

/** Who asks, as the proxy in front tells it. */
const from = (address: string): { headers: Record<string, string> } => ({ headers: { 'x-forwarded-for': address } })

const left = ({ headers }: Answer): number => Number(/;r=(\d+)/.exec(String(headers['ratelimit']))?.[1])

t.test('who uses more than the limit is told to wait, and may go on when the window is over', async t => {
  const served = await limited(t, options({ max: 2, windowMs: SHORT_MS }))
  for (const remaining of [1, 0]) {
    const { status, headers } = await ask(served, '/')
    t.equal(status, 200)
    t.equal(headers['ratelimit-policy'], '"addresses";q=2;w=2')
    t.match(headers['ratelimit'], new RegExp(`^"addresses";r=${remaining};t=[12]$`))
    t.notOk(headers['retry-after'])
  }
  const refused = await ask(served, '/')
  t.equal(refused.status, 429)
  t.match(refused.headers['ratelimit'], /^"addresses";r=0;t=[12]$/)
  t.match(refused.headers['retry-after'], /^[12]$/)
  t.ok(await eventually(async () => (await ask(served, '/')).status === 200))
})

t.test('a refusal is a problem document, and a flood of them writes no line with a stack', async t => {
  const served = await limited(t, options({ max: 1, windowMs: LONG_MS }), async app => {
    await app.register(errors)
    app.get('/', async () => 'ok')
  })
  for (let n = 0; n < 20; n++) await ask(served, '/')
  const refused = await ask(served, '/')
  t.match(refused, { status: 429, headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'ratelimit-policy': '"addresses";q=1;w=600', 'retry-after': /^\d+$/ } })
  t.equal((JSON.parse(refused.text) as { code: string }).code, 'too-many-requests')
  t.notOk(served.logs.some(line => 'err' in line || Number(line['level']) >= 40))
})

t.test('the fields are on errors, on 304 and on HEAD', async t => {
  const served = await limited(t, options({ max: 100, windowMs: LONG_MS }), async app => {
    await app.register(errors)
    app.get('/fails', async () => { throw new Error('broken') })
    app.get('/same', async (_request, reply) => await reply.code(304).send())
    app.get('/', async () => 'ok')
  })
  for (const [path, method, status] of [['/fails', 'GET', 500], ['/same', 'GET', 304], ['/', 'HEAD', 200]] as const) {
    t.match(await ask(served, path, { method }), { status, headers: { 'ratelimit-policy': '"addresses";q=100;w=600', ratelimit: /^"addresses";r=\d+;t=\d+$/ } }, path)
  }
})

t.test('each address is counted by itself, and a network of IPv6 as one', async t => {
  const served = await limited(t, options({ max: 2, windowMs: LONG_MS }))
  const remaining = async (address: string): Promise<number> => left(await ask(served, '/', from(address)))
  t.equal(await remaining('203.0.113.1'), 1)
  t.equal(await remaining('203.0.113.2'), 1)
  t.equal(await remaining('::ffff:203.0.113.1'), 0)
  t.equal(await remaining('2001:db8:1:2::1'), 1)
  t.equal(await remaining('2001:db8:1:2:ffff::9'), 0)
  t.equal((await ask(served, '/', from('2001:db8:1:2::ffff'))).status, 429)
  t.equal(await remaining('2001:db8:1:3::1'), 1)
})

t.test('over IPv6 itself', { skip: await hasNoIPv6() }, async t => {
  const app = fastify()
  t.teardown(async () => await app.close())
  await app.register(client, {})
  await app.register(rateLimit, options({ max: 1, windowMs: LONG_MS }))
  app.get('/', async () => 'ok')
  const url = await app.listen({ host: '::1', port: 0 })
  t.same([(await fetch(url)).status, (await fetch(url)).status], [200, 429])
})

async function hasNoIPv6 (): Promise<string | false> {
  const server = createServer()
  return await new Promise(resolve => {
    server.once('error', () => resolve('this machine has no IPv6 loopback'))
    server.listen(0, '::1', () => server.close(() => resolve(false)))
  })
}

t.test('mounts do not share what a client may use', async t => {
  const counter = new MemoryCounter(100)
  const served = await serve(t, async app => {
    await app.register(client, {})
    for (const prefix of ['/a', '/b']) {
      await app.register(async scope => {
        await scope.register(rateLimit, options({ max: 1, windowMs: LONG_MS }, { scopeName: prefix, counter }))
        scope.get('/', async () => 'ok')
      }, { prefix })
    }
    app.get('/', async () => 'ok')
  })
  t.same([(await ask(served, '/a/')).status, (await ask(served, '/a/')).status, (await ask(served, '/b/')).status, (await ask(served, '/b/')).status], [200, 429, 200, 429])
  t.match(await ask(served, '/'), { status: 200, headers: { ratelimit: undefined } }, 'beside the mounts nothing is counted')
})

t.test('a preflight that was answered is not counted', async t => {
  const served = await serve(t, async app => {
    await app.register(cors, { origins: ['https://a.example'] })
    await app.register(client, {})
    await app.register(rateLimit, options({ max: 1, windowMs: LONG_MS }))
    app.get('/', async () => 'ok')
  })
  const headers = { origin: 'https://a.example', 'access-control-request-method': 'GET' }
  for (let n = 0; n < 3; n++) t.equal((await ask(served, '/', { method: 'OPTIONS', headers })).status, 204)
  t.match(await ask(served, '/', { headers }), { status: 200, headers: { ratelimit: /;r=0;/ } })
  t.match(await ask(served, '/', { headers }), { status: 429, headers: { 'access-control-allow-origin': 'https://a.example' } }, 'scripts may read why')
})

/** Both stages, with a stand-in for authentication between them. */
async function bothStages (t: Test, limits: { addresses: RateLimitOptions['limit'], principals: RateLimitOptions['limit'] }): Promise<Served> {
  const counter = new MemoryCounter(1000)
  return await limited(t, options(limits.addresses, { counter }), async app => {
    app.decorateRequest('principal', null)
    app.addHook('onRequest', async function standIn (request: FastifyRequest) {
      const { 'x-strategy': strategy, 'x-name': name } = request.headers
      if (strategy !== undefined) Object.assign(request, { principal: { strategy, name, ...String(name).startsWith('shared:') ? { isShared: true } : {} } })
    })
    await app.register(rateLimit, options(limits.principals, { stage: 'principals', counter }))
    app.get('/', async () => 'ok')
  })
}

t.test('principals are counted behind authentication, wherever they come from, and nobody as none', async t => {
  const served = await bothStages(t, { addresses: { max: 1000, windowMs: LONG_MS }, principals: { max: 2, windowMs: 2 * LONG_MS } })
  const as = (name: string, address: string): { headers: Record<string, string> } => ({ headers: { 'x-strategy': 'jwt', 'x-name': name, 'x-forwarded-for': address } })
  const first = await ask(served, '/', as('ada', '203.0.113.1'))
  t.equal(first.headers['ratelimit-policy'], '"addresses";q=1000;w=600, "principals";q=2;w=1200')
  t.match(first.headers['ratelimit'], /^"addresses";r=999;t=\d+, "principals";r=1;t=\d+$/)
  t.equal((await ask(served, '/', as('ada', '203.0.113.2'))).status, 200)
  t.match(await ask(served, '/', as('ada', '203.0.113.3')), { status: 429, headers: { ratelimit: /^"addresses";r=999;t=\d+, "principals";r=0;t=\d+$/ } })
  t.equal((await ask(served, '/', as('eve', '203.0.113.3'))).status, 200)
  for (let n = 0; n < 5; n++) t.match(await ask(served, '/'), { status: 200, headers: { 'ratelimit-policy': '"addresses";q=1000;w=600' } })
})

t.test('who has no name of their own is told apart by address, so that nobody locks the others out', async t => {
  const served = await bothStages(t, { addresses: { max: 1000, windowMs: LONG_MS }, principals: { max: 1, windowMs: LONG_MS } })
  const as = (strategy: string, name: string, address: string): { headers: Record<string, string> } => ({ headers: { 'x-strategy': strategy, 'x-name': name, 'x-forwarded-for': address } })
  for (const address of ['203.0.113.1', '203.0.113.2', '2001:db8::1', '2001:db8:0:1::1']) {
    t.equal((await ask(served, '/', as('office', '', address))).status, 200, address)
    t.equal((await ask(served, '/', as('links', 'shared:2026-11', address))).status, 200, 'holders of links of one key')
  }
  for (const address of ['203.0.113.1', '2001:db8::2']) t.equal((await ask(served, '/', as('office', '', address))).status, 429, address)
})

t.test('all places of a mount share what one client may have under way', async t => {
  const held: Array<() => void> = []
  t.teardown(() => { for (const go of held) go() })
  const root = await scratch(t, await picturesToServe())
  const served = await serve(t, app => {
    app.register(media, {
      sources: { files: { driver: 'file', root } },
      mounts: [{ prefix: '/c', source: 'files', plugins: [{ use: 'hold' }], rateLimit: { addresses: { concurrent: 1 } } }],
      images: { cache: { diskBytes: 0 } },
      extensions: { hold: async (scope: FastifyInstance) => { scope.addHook('onRequest', async function hold (request) { if (request.url.includes('hold')) await new Promise<void>(resolve => held.push(resolve)) }) } }
    })
  })
  const first = ask(served, '/c/notes.txt?hold')
  t.ok(await eventually(() => held.length === 1))
  t.equal((await ask(served, '/_ipx/_/c/notes.txt')).status, 429)
  held[0]?.()
  t.equal((await first).status, 200)
  t.not((await ask(served, '/_ipx/_/c/notes.txt')).status, 429)
})

t.test('who is over the limit of addresses is not asked who they are', async t => {
  const served = await bothStages(t, { addresses: { max: 1, windowMs: LONG_MS }, principals: { max: 10, windowMs: LONG_MS } })
  const headers = { 'x-strategy': 'jwt', 'x-name': 'ada' }
  t.match((await ask(served, '/', { headers })).headers['ratelimit'], /"principals";r=9/)
  t.match(await ask(served, '/', { headers }), { status: 429, headers: { ratelimit: /^"addresses";r=0;t=\d+$/ } })
})

t.test('no principal can be named so that it is counted as another', async t => {
  const served = await bothStages(t, { addresses: { max: 1000, windowMs: LONG_MS }, principals: { max: 1, windowMs: LONG_MS } })
  for (const [strategy, name] of [['a', 'b:c'], ['a:b', 'c'], ['a', 'b'], ['a', 'b:'], ['a', ''], ['a', 'x'.repeat(200)], ['a', 'x'.repeat(201)]] as const) {
    const headers = { 'x-strategy': strategy, 'x-name': name }
    t.equal((await ask(served, '/', { headers })).status, 200, `${strategy} ${name}`)
    t.equal((await ask(served, '/', { headers })).status, 429, `${strategy} ${name}`)
  }
})

t.test('principals cannot be limited where nothing tells them', async t => {
  const app = fastify()
  app.register(client, {})
  app.register(rateLimit, options({ max: 1, windowMs: 1000 }, { stage: 'principals' }))
  await t.rejects(async () => await app.ready(), new TypeError('Expected authentication, which tells who asks, because principals are limited'))
})

t.test('a host may limit its own app with the docstring\'s example, beside @fastify/rate-limit itself', async t => {
  const served = await serve(t, async app => {
    await app.register((await import('@fastify/rate-limit')).default, { max: 1000 })
    const counter = await openRateCounter({ whenRedisFails: 'local', maxClients: 10_000 }, app.log)
    app.addHook('onClose', async function closeCounter () { await counter.close() })
    await app.register(client, { trustedProxies: ['10.0.0.0/8'] })
    await app.register(rateLimit, { stage: 'addresses', limit: { max: 600, windowMs: 60_000, concurrent: 32 }, scopeName: 'search', counter })
    app.get('/', async () => 'ok')
  })
  t.match((await ask(served, '/')).headers, { 'x-ratelimit-limit': '1000', 'ratelimit-policy': '"addresses";q=600;w=60', ratelimit: /^"addresses";r=599;t=60$/ })
})

/** Routes that answer as mounts of images do. */
function outcomes (app: FastifyInstance): void {
  app.decorateReply('cacheOutcome', '')
  app.get('/:outcome/:type', async (request: FastifyRequest, reply: FastifyReply) => {
    const { outcome, type } = request.params as { outcome: string, type: string }
    reply.cacheOutcome = outcome
    return await reply.type(`image/${type}`).send('picture')
  })
}

t.test('a variant that had to be made costs more than a hit, and AVIF more than others', async t => {
  const served = await limited(t, options({ max: 100, windowMs: LONG_MS }, { costs: { request: 2, made: 10, avif: 40 } }), outcomes)
  const walk = ['/hit-memory/avif', '/made/webp', '/hit-memory/webp', '/made/avif', '/hit-disk/avif', '/made/avif', '/hit-memory/avif']
  const remaining: number[] = []
  for (const path of walk) remaining.push(left(await ask(served, path)))
  t.same(remaining, [98, 96, 86, 84, 44, 42, 2], 'charged behind the answer, so against the next')
  t.equal((await ask(served, '/made/avif')).status, 200)
  t.equal((await ask(served, '/hit-memory/avif')).status, 429)
})

t.test('where everything costs the same nothing is added', async t => {
  const served = await limited(t, options({ max: 100, windowMs: LONG_MS }, { costs: { request: 1, made: 1, avif: 1 } }), outcomes)
  const remaining: number[] = []
  for (const path of ['/made/avif', '/made/webp', '/made/avif']) remaining.push(left(await ask(served, path)))
  t.same(remaining, [99, 98, 97])
})

t.test('who leaves before there is an answer pays for what may have been begun', async t => {
  let begun = 0
  const served = await limited(t, options({ max: 100, windowMs: LONG_MS }, { costs: { request: 1, made: 10, avif: 40 } }), app => {
    outcomes(app)
    app.get('/slow', async () => {
      begun++
      await new Promise(() => {})
    })
  })
  const leaving = connect(served.port, '127.0.0.1', () => leaving.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n'))
  await eventually(() => begun === 1)
  leaving.destroy()
  t.ok(await eventually(async () => left(await ask(served, '/hit-memory/webp')) <= 89))
})

t.test('what an origin says of its own limits does not stand in place of ours', async t => {
  const far = await origin(t, (_request, response) => { response.writeHead(200, { 'ratelimit': '"theirs";r=5;t=5', 'ratelimit-policy': '"theirs";q=5;w=5', 'ratelimit-limit': '5' }).end('far') })
  const upstreams = { far: { origins: [{ url: far.url }] } }
  const served = await serve(t, app => {
    app.register(media, { upstreams, mounts: [{ prefix: '/proxy', delivery: 'proxy', upstream: 'far', rateLimit: { addresses: {} } }, { prefix: '/gateway', delivery: 'gateway', upstream: 'far', rateLimit: { addresses: {} } }, { prefix: '/free', delivery: 'proxy', upstream: 'far' }] })
  })
  for (const path of ['/proxy/x', '/gateway/x']) t.match(await ask(served, path), { status: 200, headers: { 'ratelimit-policy': '"addresses";q=1000;w=60', 'ratelimit': /^"addresses";r=999;t=\d+$/, 'ratelimit-limit': undefined } }, path)
  t.match(await ask(served, '/free/x'), { headers: { 'ratelimit': '"theirs";r=5;t=5', 'ratelimit-limit': '5' } })
})

t.test('a mount of images: making costs, a hit and a 304 do not', async t => {
  const root = await scratch(t, await picturesToServe())
  await wait(60) // files that were just written may change without a trace, and have variants of their own
  const directory = join(await scratch(t), 'cache')
  const served = await limited(t, options({ max: 1000, windowMs: LONG_MS }), app => {
    app.register(media, { sources: { files: { driver: 'file', root } }, mounts: [{ source: 'files', images: {} }], images: { workers: 1, cache: { directory } } })
  })
  const made = await ask(served, '/cat.jpg?w=64&f=avif')
  t.match(made, { status: 200, headers: { 'x-cache': 'made', 'content-type': 'image/avif', ratelimit: /;r=999;/ } })
  t.match(await ask(served, '/cat.jpg?w=64&f=avif'), { headers: { 'x-cache': 'hit-memory', ratelimit: /;r=979;/ } })
  t.match(await ask(served, '/cat.jpg?w=64&f=avif', { headers: { 'if-none-match': String(made.headers.etag) } }), { status: 304, headers: { ratelimit: /;r=978;/ } })
  t.match(await ask(served, '/cat.jpg?w=64&f=webp'), { headers: { 'x-cache': 'made', ratelimit: /;r=977;/ } })
  t.match(await ask(served, '/notes.txt'), { status: 200, headers: { ratelimit: /;r=972;/ } })
})

t.test('ten times as many clients as are counted: each is answered, and memory is bounded', async t => {
  const counter = new MemoryCounter(20)
  const served = await limited(t, options({ max: 1, windowMs: LONG_MS }, { counter }))
  for (let n = 0; n < 200; n++) {
    t.equal((await ask(served, '/', from(`198.51.${n >> 7}.${n & 127}`))).status, 200)
    if (counter.size > 20) t.fail(`${counter.size} are kept`)
  }
  t.equal((await ask(served, '/', from('198.51.1.71'))).status, 429, 'the last one is known')
})

/** A route whose answers wait until they are let go, and one that answers. */
function slow (app: FastifyInstance): { started: () => number, let: () => void } {
  const waiting: Array<() => void> = []
  let started = 0
  app.get('/slow', async () => {
    started++
    await new Promise<void>(resolve => waiting.push(resolve))
    return 'at last'
  })
  app.get('/', async () => 'ok')
  return { started: () => started, let: () => { for (const go of waiting.splice(0)) go() } }
}

async function slowly (t: Test, limit: RateLimitOptions['limit'], server: Record<string, unknown> = {}): Promise<Served & ReturnType<typeof slow>> {
  let gate: ReturnType<typeof slow> | undefined
  const served = await serve(t, async app => {
    await app.register(client, { trustedProxies: ['127.0.0.1'] })
    await app.register(errors)
    await app.register(rateLimit, options(limit))
    app.get('/fails', async () => { throw new MediaError('unavailable') })
    gate = slow(app)
  }, server)
  if (gate === undefined) throw new Error('Expected routes')
  t.teardown(gate.let)
  return { ...served, ...gate }
}

const ROOM = { max: 1_000_000, windowMs: LONG_MS }

t.test('so many requests of one client at once, and no more, until one is answered', async t => {
  const served = await slowly(t, { ...ROOM, concurrent: 2 })
  const slowOnes = [ask(served, '/slow'), ask(served, '/slow')]
  await eventually(() => served.started() === 2)
  t.match(await ask(served, '/'), { status: 429, headers: { 'retry-after': '1', ratelimit: /;r=999997;/ } })
  t.equal((await ask(served, '/', from('203.0.113.9'))).status, 200, 'others have their own places')
  served.let()
  t.same((await Promise.all(slowOnes)).map(({ text }) => text), ['at last', 'at last'])
  t.equal((await ask(served, '/')).status, 200)
})

t.test('places come back from answers of every kind', async t => {
  const served = await slowly(t, { ...ROOM, concurrent: 1 })
  for (const [path, method, status] of [['/', 'GET', 200], ['/', 'HEAD', 200], ['/fails', 'GET', 503], ['/none', 'GET', 404], ['/', 'GET', 200]] as const) t.equal((await ask(served, path, { method })).status, status)
  for (let n = 0; n < 3; n++) t.equal((await served.app.inject('/')).statusCode, 200)
})

t.test('places come back from clients that leave, also those whose requests waited behind each other', async t => {
  const served = await slowly(t, { ...ROOM, concurrent: 8 })
  for (let round = 1; round <= 3; round++) {
    const socket = connect(served.port, '127.0.0.1', () => socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(8)))
    socket.on('error', () => {})
    await eventually(() => served.started() === 8 * round)
    t.equal((await ask(served, '/')).status, 429)
    socket.destroy()
    t.ok(await eventually(async () => (await ask(served, '/')).status === 200))
  }
})

t.test('places come back over HTTP/2', async t => {
  const served = await slowly(t, { ...ROOM, concurrent: 1 }, { http2: true, routerOptions: {} })
  const session = connect2(served.url)
  t.teardown(() => session.destroy())
  const status = async (path: string): Promise<unknown> => {
    const stream = session.request({ ':path': path })
    const [headers] = await once(stream, 'response') as [Record<string, unknown>]
    stream.resume()
    await once(stream, 'close')
    return headers[':status']
  }
  t.equal(await status('/'), 200)
  const leaving = session.request({ ':path': '/slow' })
  leaving.on('error', () => {})
  await eventually(() => served.started() === 1)
  t.equal(await status('/'), 429)
  leaving.close(8)
  t.ok(await eventually(async () => await status('/') === 200))
})

t.test('a WebSocket is under way until it is closed', async t => {
  const origin = createOrigin((_request, response) => response.end('plain'))
  const sockets = new WebSocketServer({ server: origin })
  sockets.on('connection', socket => socket.on('message', (text, isBinary) => socket.send(text, { binary: isBinary })))
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    origin.close()
  })
  const served = await serveGateway(t, `http://127.0.0.1:${(origin.address() as AddressInfo).port}`, {
    scope: async scope => await scope.register(rateLimit, options({ ...ROOM, concurrent: 1 }))
  })
  for (const leave of ['close', 'terminate'] as const) {
    const live = new WebSocket(`ws://127.0.0.1:${served.port}/api/`)
    t.teardown(() => live.terminate())
    await once(live, 'open')
    live.send('hello')
    t.equal(String((await once(live, 'message'))[0]), 'hello')
    t.equal((await ask(served, '/api/')).status, 429)
    live[leave]()
    t.ok(await eventually(async () => (await ask(served, '/api/')).status === 200), leave)
  }
})

t.test('instances share what a client may use, by Redis', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const instances = await Promise.all([0, 1].map(async () => {
    const counter = await openRateCounter({ redis: redis.url, whenRedisFails: 'closed', maxClients: 10 }, { info () {}, warn () {} })
    t.teardown(async () => await counter.close())
    return await limited(t, options({ max: 3, windowMs: SHORT_MS * 2 }, { counter }))
  })) as [Served, Served]
  const answers = [await ask(instances[0], '/'), await ask(instances[1], '/'), await ask(instances[0], '/'), await ask(instances[1], '/'), await ask(instances[0], '/')]
  t.same(answers.map(({ status }) => status), [200, 200, 200, 429, 429])
  t.same(answers.slice(0, 3).map(left), [2, 1, 0])
  t.ok(await eventually(async () => (await ask(instances[1], '/')).status === 200))
})
