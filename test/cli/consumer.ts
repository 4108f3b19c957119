/** A program that uses every export, and says in JSON what came of it. */
export const program = `import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import media, { options, type MediaOptions } from 'fastify-media'
import { openImages, type OpenImages } from 'fastify-media/images'
import cachePolicy from 'fastify-media/plugins/cache-policy'
import client from 'fastify-media/plugins/client'
import conditional from 'fastify-media/plugins/conditional'
import cors from 'fastify-media/plugins/cors'
import errors from 'fastify-media/plugins/errors'
import gateway from 'fastify-media/plugins/gateway'
import imageVariants from 'fastify-media/plugins/images'
import jsonEtag from 'fastify-media/plugins/json-etag'
import proxy, { type ProxyHooks } from 'fastify-media/plugins/proxy'
import readiness from 'fastify-media/plugins/readiness'
import redirect from 'fastify-media/plugins/redirect'
import securityHeaders from 'fastify-media/plugins/security-headers'
import staticFiles, { type Mount } from 'fastify-media/plugins/static'
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
  startServer: typeof startServer,
  picture,
  warmed,
  purged,
  schema: schema.title
}))
await app.close()
`

/** What the types must refuse: each line is an error, or the check fails. */
export const misuse = `import fastify from 'fastify'
import media from 'fastify-media'
import conditional from 'fastify-media/plugins/conditional'
import { url } from 'fastify-media/url'
const app = fastify()
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
