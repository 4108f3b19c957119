import { readFileSync } from 'node:fs'
import { root } from './process.ts'

/** The app of docs/security.md, as it stands there. */
export const hostProgram = /```ts\n([^]*?)```/.exec(readFileSync(`${root}/docs/security.md`, 'utf8'))?.[1] ?? ''

/** A program that uses every export, and says in JSON what came of it. */
export const program = `import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import media, { options, type MediaOptions } from 'fastify-media'
import { checkedStrategies, keyHash, openRateCounter, secretMistake, signTarget, type Principal, type Strategy, type Verdict } from 'fastify-media/access'
import { openImages, type OpenImages } from 'fastify-media/images'
import auth from 'fastify-media/plugins/auth'
import cachePolicy from 'fastify-media/plugins/cache-policy'
import client from 'fastify-media/plugins/client'
import conditional from 'fastify-media/plugins/conditional'
import cors from 'fastify-media/plugins/cors'
import errors from 'fastify-media/plugins/errors'
import extensions from 'fastify-media/plugins/extensions'
import gateway from 'fastify-media/plugins/gateway'
import imageVariants from 'fastify-media/plugins/images'
import jsonEtag from 'fastify-media/plugins/json-etag'
import order from 'fastify-media/plugins/order'
import proxy, { type ProxyHooks } from 'fastify-media/plugins/proxy'
import rateLimit from 'fastify-media/plugins/rate-limit'
import readiness from 'fastify-media/plugins/readiness'
import redirect from 'fastify-media/plugins/redirect'
import securityHeaders from 'fastify-media/plugins/security-headers'
import staticFiles, { type Mount } from 'fastify-media/plugins/static'
import strategies from 'fastify-media/plugins/strategies'
import telemetry from 'fastify-media/plugins/telemetry'
import { purge, type Purged } from 'fastify-media/purge'
import { startServer } from 'fastify-media/server'
import { openUpstream, type OpenUpstream } from 'fastify-media/upstreams'
import { url, type ImageUrl } from 'fastify-media/url'
import { warm, type WarmCounts } from 'fastify-media/warm'

const configuration: MediaOptions = {
  sources: { files: { driver: 'file', root: 'files', symlinks: 'deny' } },
  mounts: [{ prefix: '/pictures', source: 'files', listing: true, cors: { origins: ['https://example.com'] }, cache: { types: { 'text/plain': '1h' } } }]
}
const app = fastify(options)
app.register(media, { ...configuration, prefix: '/media' })

const picture: ImageUrl = url('/media/pictures/my cat.jpg').resize({ width: 320, fit: 'cover' }).format('auto').set('bri', 20)

const warmed: WarmCounts = await warm({ ...configuration, images: { cache: { directory: 'cache' } } }, { base: process.cwd(), queries: ['w=320'] })
const purged: Purged = await purge('/pictures/', { directory: 'cache' })

const bytes = Buffer.from('from memory')
const memory: Mount['source'] = {
  stat: key => key === 'a.txt' ? { kind: 'file', revision: '1', changed: 0, representation: { type: 'text/plain', size: bytes.length, entityTag: '"1"', open: () => bytes } } : undefined,
  list: async () => undefined,
  close: async () => undefined
}

app.register(async function alone (scope) {
  await scope.register(errors)
  await scope.register(client, { trustedProxies: ['127.0.0.1'] })
  await scope.register(telemetry, { serverTiming: true })
  await scope.register(readiness)
  await scope.register(conditional)
  await scope.register(staticFiles)
  await scope.register(imageVariants)
  const images: OpenImages = await openImages({ prefix: '/alone/files', source: memory, base: process.cwd() })
  scope.addHook('onClose', async () => { await images.close() })
  scope.get('/images/*', (_request, reply) => reply.serveImage(images.mount))
  await scope.register(cors, { origins: ['https://*.example.com'] })
  await scope.register(securityHeaders, { resourcePolicy: 'same-site' })
  await scope.register(cachePolicy, { default: '5m' })
  await scope.register(jsonEtag)
  scope.get('/delivered', (_request, reply) => reply.deliver({ type: 'text/plain', size: bytes.length, entityTag: '"v1"', open: range => range === undefined ? bytes : bytes.subarray(range.start, range.end + 1) }))
  scope.get('/files/*', (_request, reply) => reply.serve({ prefix: '/alone/files', source: memory }))
  await scope.register(proxy)
  await scope.register(redirect)
  await scope.register(gateway)
  const upstream: OpenUpstream = await openUpstream('gone', { origins: [{ url: 'http://127.0.0.1:1' }], retries: 0 }, { base: process.cwd() })
  scope.addHook('onClose', async () => { await upstream.close() })
  const hooks: ProxyHooks = { onUpstreamError: error => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: error.code }) }
  scope.get('/proxied/*', (_request, reply) => reply.proxy({ prefix: '/alone/proxied', upstream: upstream.sender, hooks }))
  scope.get('/elsewhere', (_request, reply) => reply.redirectUpstream({ prefix: '/alone', status: 302, cacheControl: 'no-cache', locationOf: () => 'https://cdn.example.com/x' }))
  scope.get('/facts', request => ({ address: request.client.address, base: request.publicBase, ready: scope.readiness.reason === undefined }))
}, { prefix: '/alone' })

const secret = 'the walrus keeps 12 secrets of the sea'
const machine = 'fm_' + 'a1b2c3d4'.repeat(5)
const guest: Strategy = {
  name: 'guest',
  fields: ['X-Guest'],
  judge: ({ headers }): Verdict => typeof headers['x-guest'] === 'string' ? { kind: 'granted', principal: { strategy: 'guest', name: headers['x-guest'] } } : { kind: 'absent' }
}
const counter = await openRateCounter({ whenRedisFails: 'open', maxClients: 10 }, app.log)
app.addHook('onClose', async () => { await counter.close() })
app.register(async function protectedScope (scope) {
  await scope.register(errors)
  await scope.register(client, {})
  await scope.register(strategies, {
    strategies: await checkedStrategies({
      machines: { driver: 'apiKey', keys: [{ name: 'build', hash: keyHash(machine), mounts: ['/protected'] }] },
      links: { driver: 'signed', keys: [{ id: 'a', secret }] }
    }, { base: process.cwd(), mounts: ['/protected'] }),
    own: { guest }
  })
  await scope.register(order)
  await scope.register(rateLimit, { stage: 'addresses', limit: { max: 1000, windowMs: 60_000 }, scopeName: 'protected', counter })
  await scope.register(extensions, { at: 'beforeAuth', plugins: [] })
  await scope.register(auth, { access: { read: ['machines', 'links', 'guest'] } })
  await scope.register(rateLimit, { stage: 'principals', limit: { max: 1, windowMs: 60_000 }, scopeName: 'protected', counter })
  scope.get('/who', request => {
    const principal: Principal | null = request.principal
    return { who: principal, signed: request.isSigned, url: request.raw.url }
  })
}, { prefix: '/protected' })

await app.listen({ host: '127.0.0.1', port: 0 })
const base = 'http://127.0.0.1:' + (app.server.address() as AddressInfo).port

async function ask (path: string, headers: Record<string, string> = {}): Promise<object> {
  const answer = await fetch(base + path, { headers })
  return { status: answer.status, text: await answer.text(), headers: Object.fromEntries(answer.headers) }
}

const schema = JSON.parse(readFileSync(createRequire(import.meta.url).resolve('fastify-media/media.config.schema.json'), 'utf8')) as { title: string }
console.log(JSON.stringify({
  file: await ask('/media/pictures/a.txt'),
  listing: await ask('/media/pictures/', { accept: 'application/json' }),
  missing: await ask('/media/pictures/gone.txt'),
  range: await ask('/alone/delivered', { range: 'bytes=5-' }),
  notModified: await ask('/alone/delivered', { 'if-none-match': '"v1"' }),
  served: await ask('/alone/files/a.txt', { origin: 'https://a.example.com' }),
  proxied: await ask('/alone/proxied/x'),
  elsewhere: await fetch(base + '/alone/elsewhere', { redirect: 'manual' }).then(({ status, headers }) => ({ status, location: headers.get('location') })),
  facts: await ask('/alone/facts', { 'x-forwarded-for': '203.0.113.5', 'x-forwarded-host': 'cdn.example.com', 'x-forwarded-proto': 'https' }),
  nobody: await ask('/protected/who'),
  machine: await ask('/protected/who', { 'x-api-key': machine }),
  link: await ask(signTarget('/protected/who?x=1', { id: 'a', secret }, { expiresIn: 60 })),
  guest: await ask('/protected/who', { 'x-guest': 'ann' }),
  guestAgain: await ask('/protected/who', { 'x-guest': 'ann' }),
  weak: secretMistake('short'),
  startServer: typeof startServer,
  picture,
  warmed,
  purged,
  schema: schema.title
}))
await app.close()
`

/** A program that imports the root app alone, which is to bring the types of all that it adds to requests. */
export const rootAlone = `import fastify, { type FastifyInstance } from 'fastify'
import media, { type MediaOptions } from 'fastify-media'

const options: MediaOptions = {
  sources: { files: { driver: 'file', root: 'files' } },
  mounts: [{ prefix: '/guests', source: 'files', access: { read: 'guest' }, plugins: [{ use: 'audit' }] }],
  ownStrategies: {
    guest: {
      name: 'guest',
      fields: ['X-Guest'],
      judge: ({ headers }) => typeof headers['x-guest'] === 'string' ? { kind: 'granted', principal: { strategy: 'guest', name: headers['x-guest'] } } : { kind: 'absent' }
    }
  },
  extensions: {
    audit: async (scope: FastifyInstance) => {
      scope.addHook('onRequest', async function tellName (request) {
        const name: string | undefined = request.principal?.name
        const isSigned: boolean = request.isSigned
        scope.log.info({ name, isSigned })
      })
    }
  }
}
const app = fastify()
app.register(media, options)
// @ts-expect-error: a verdict that is none
app.register(media, { ...options, ownStrategies: { guest: { name: 'guest', fields: [], judge: () => ({ kind: 'perhaps' }) } } })
app.get('/', request => {
  // @ts-expect-error: nobody may be there
  return request.principal.name
})
`

/** What the types must refuse: each line is an error, or the check fails. */
export const misuse = `import fastify from 'fastify'
import media from 'fastify-media'
import conditional from 'fastify-media/plugins/conditional'
import { checkedStrategies, type Strategy } from 'fastify-media/access'
import auth from 'fastify-media/plugins/auth'
import rateLimit from 'fastify-media/plugins/rate-limit'
import { url } from 'fastify-media/url'
const app = fastify()
// @ts-expect-error: a driver that is not there
void checkedStrategies({ a: { driver: 'password' } }, { base: '.' })
// @ts-expect-error: a verdict that is none
const own: Strategy = { name: 'own', fields: [], judge: () => true }
// @ts-expect-error: a rule for what is neither reading nor writing
app.register(auth, { access: { browse: own.name } })
// @ts-expect-error: a limit without a counter
app.register(rateLimit, { stage: 'addresses', limit: { max: 1, windowMs: 1000 }, scopeName: 'x' })
// @ts-expect-error: a key that is not there
app.register(media, { sources: {}, mounts: [], mount: [] })
// @ts-expect-error: a driver that is not there
app.register(media, { sources: { a: { driver: 'flie', root: '.' } }, mounts: [] })
// @ts-expect-error: a mount without a source
app.register(media, { sources: {}, mounts: [{ prefix: '/' }] })
// @ts-expect-error: a proxy without an upstream
app.register(media, { sources: {}, mounts: [{ prefix: '/', delivery: 'proxy' }] })
app.register(conditional)
// @ts-expect-error: a representation without a type
app.get('/', (_request, reply) => reply.deliver({ open: () => Buffer.alloc(0) }))
// @ts-expect-error: a fit that is not there
url('/a.jpg').resize({ fit: 'crop-to-fit' })
// @ts-expect-error: a value of another operation
url('/a.jpg').set('bri', 'bright')
`
