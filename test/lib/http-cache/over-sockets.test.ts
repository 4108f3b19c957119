// The cache in front of real origins, behind the real app.
import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import t, { type Test as Tap } from 'tap'
import { purge } from '../../../lib/purge.ts'
import { ask, scratch, serveMedia, type Served } from '../../helpers/app.ts'
import { content, finMidBody, origin, rawOrigin, whole, type Handler } from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'

async function cdn (t: Tap, url: string, sharedCache = {}, httpCache = {}): Promise<Served & { directory: string }> {
  const directory = join(await scratch(t), 'http')
  const served = await serveMedia(t, {
    upstreams: { assets: { origins: [{ url }], retries: 0, resumes: 0 } },
    mounts: [{ prefix: '/cdn', delivery: 'proxy', upstream: 'assets', sharedCache }],
    httpCache: { directory, ...httpCache }
  })
  return { ...served, directory }
}

const picture = randomBytes(20_480)
const pictured: Handler = (request, response) => {
  response.setHeader('cache-control', 'max-age=600').setHeader('etag', '"v1"').setHeader('content-type', 'image/x-test').setHeader('last-modified', 'Wed, 01 Jan 2025 00:00:00 GMT')
  if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end()
  else response.end(picture)
}

t.test('a file is fetched once; after that whole, in parts, conditionally and by HEAD from the cache', async t => {
  const behind = await origin(t, pictured)
  const served = await cdn(t, behind.url)
  t.match(await ask(served, '/cdn/a.png'), { status: 200, body: picture, headers: { 'cache-status': /^fastify-media; fwd=uri-miss; fwd-status=200; ttl=\d+; stored$/, 'etag': '"v1"', 'content-type': 'image/x-test' } })
  t.match(await ask(served, '/cdn/a.png'), { status: 200, body: picture, headers: { 'cache-status': /^fastify-media; hit; ttl=\d+$/, 'age': /^\d+$/, 'content-length': '20480', 'accept-ranges': 'bytes', 'last-modified': 'Wed, 01 Jan 2025 00:00:00 GMT' } })
  t.match(await ask(served, '/cdn/a.png', { headers: { range: 'bytes=10-19' } }), { status: 206, body: picture.subarray(10, 20), headers: { 'content-range': 'bytes 10-19/20480' } })
  t.match((await ask(served, '/cdn/a.png', { headers: { range: 'bytes=0-1,5-6' } })).headers['content-type'], /^multipart\/byteranges/)
  t.match(await ask(served, '/cdn/a.png', { headers: { range: 'bytes=99999-' } }), { status: 416, headers: { 'content-range': 'bytes */20480' } })
  t.match(await ask(served, '/cdn/a.png', { headers: { 'if-none-match': '"v1"' } }), { status: 304, text: '', headers: { 'etag': '"v1"', 'cache-control': 'max-age=600', 'age': /^\d+$/ } })
  t.match(await ask(served, '/cdn/a.png', { headers: { 'if-match': '"v2"' } }), { status: 412, headers: { 'content-type': /^application\/problem\+json/ } })
  t.match(await ask(served, '/cdn/a.png', { method: 'HEAD' }), { status: 200, text: '', headers: { 'content-length': '20480' } })
  t.equal(behind.requests.length, 1)
})

t.test('500 clients who miss the same at once make one request', async t => {
  const behind = await origin(t, async (request, response) => {
    await new Promise(resolve => setTimeout(resolve, 500))
    pictured(request, response, undefined as never)
  })
  const served = await cdn(t, behind.url)
  const answers = await Promise.all(Array.from({ length: 500 }, async () => await ask(served, '/cdn/a.png')))
  t.ok(answers.every(({ status, body }) => status === 200 && body.equals(picture)))
  t.equal(behind.requests.length, 1)
})

t.test('a large file reaches clients while it is stored, and after that from the disk', { timeout: 120_000 }, async t => {
  const file = content(30 * 1024 * 1024)
  const behind = await rawOrigin(t, whole(file, 'length', { 'Cache-Control': 'max-age=600', 'ETag': '"v1"' }))
  const served = await cdn(t, behind.url)
  const hashOf = async (path: string): Promise<string> => createHash('sha256').update((await ask(served, path)).body).digest('hex')
  const hashes = await Promise.all(Array.from({ length: 4 }, async () => await hashOf('/cdn/film.mp4')))
  t.same(new Set(hashes), new Set([file.hash]))
  t.equal(behind.requests.length, 1)
  const { body, headers } = await ask(served, '/cdn/film.mp4', { headers: { range: 'bytes=20000000-20000999' } })
  t.equal(body.length, 1000)
  t.match(headers['cache-status'], /hit/)
  t.equal(await hashOf('/cdn/film.mp4'), file.hash)
  t.equal(behind.requests.length, 1)
})

t.test('a file that breaks off is broken for its client, and kept for nobody', async t => {
  const file = content(2_000_000)
  const behind = await rawOrigin(t, finMidBody(file, 1_000_000))
  const served = await cdn(t, behind.url, { heuristicSeconds: 100, staleIfErrorSeconds: 100 })
  for (let n = 0; n < 2; n++) await t.rejects(ask(served, '/cdn/a.bin'))
  t.equal(behind.requests.length, 2)
})

t.test('a client who leaves a large file ends the request to the origin', async t => {
  const behind = await origin(t, (_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=600', 'content-length': 1_000_000_000 })
    const write = (): void => { while (!response.destroyed && response.write(Buffer.alloc(65_536))); response.once('drain', write) }
    write()
  })
  const served = await cdn(t, behind.url)
  await new Promise<void>(resolve => {
    const client = httpRequest({ port: served.port, path: '/cdn/film.mp4', agent: false }, response => response.once('data', () => { client.destroy(); resolve() }))
    client.on('error', () => undefined)
    client.end()
  })
  t.ok(await eventually(() => behind.aborted === 1))
})

t.test('what is purged beside the running server is fetched anew', async t => {
  const behind = await origin(t, pictured)
  const served = await cdn(t, behind.url)
  for (let n = 0; n < 2; n++) await ask(served, '/cdn/a.png')
  t.equal(behind.requests.length, 1)
  t.same((await purge('/cdn/a.png', { directory: served.directory })).behind, [])
  await ask(served, '/cdn/a.png')
  t.equal(behind.requests.length, 2)
})

t.test('a dead origin is made up for by what is kept, where the mount wants it', async t => {
  const behind = await origin(t, (_request, response) => { response.writeHead(200, { 'cache-control': 'max-age=0', 'etag': '"v1"' }).end(picture) })
  const served = await cdn(t, behind.url, { staleIfErrorSeconds: 1000 })
  await ask(served, '/cdn/a.png')
  await behind.close()
  t.match(await ask(served, '/cdn/a.png'), { status: 200, body: picture, headers: { 'cache-status': /^fastify-media; (?:fwd=stale|hit); ttl=-\d+$/ } })
  t.match(await ask(served, '/cdn/b.png'), { status: 502, headers: { 'content-type': /^application\/problem\+json/ } })
})
