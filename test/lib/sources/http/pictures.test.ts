import sharp from 'sharp'
import t from 'tap'
import { openImages } from '../../../../lib/images.ts'
import { httpSource, type HttpSourceOptions, type OriginSource } from '../../../../lib/sources/http.ts'
import client from '../../../../plugins/client.ts'
import conditional from '../../../../plugins/conditional.ts'
import errors from '../../../../plugins/errors.ts'
import imageVariants from '../../../../plugins/images.ts'
import staticFiles from '../../../../plugins/static.ts'
import { ask, scratch, serve, type Served, type Test } from '../../../helpers/app.ts'
import { content, taken } from '../../../helpers/origin.ts'
import { eventually } from '../../../helpers/process.ts'
import { originOf, upstreamTo, type Stored } from './origins.ts'

t.setTimeout(120_000)

const DAY = 86_400_000
const noise = async (width: number, height: number): Promise<Buffer> => await sharp(content(width * height * 3).bytes(), { raw: { width, height, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer()
const small = await noise(200, 150)
const large = await noise(900, 700)

async function pictures (t: Test, files: Record<string, Stored>, options: Partial<HttpSourceOptions> = {}): Promise<{ served: Served, source: OriginSource, origin: Awaited<ReturnType<typeof originOf>>, count: (path: string, headers?: Record<string, string>) => Promise<[asked: number, answer: Awaited<ReturnType<typeof ask>>]> }> {
  const origin = await originOf(t, { '/first.png': { body: small }, ...files })
  const source = httpSource({ sender: upstreamTo(t, origin.url), revalidateMs: 60_000, wholeMs: 60_000, holdMs: 60_000, ...options })
  const images = await openImages({ prefix: '', source, base: await scratch(t), images: { mode: 'open' }, work: { workers: 1, deadlineMs: 60_000 } })
  t.teardown(async () => await images.close())
  const served = await serve(t, async app => {
    for (const plugin of [errors, client, conditional, staticFiles, imageVariants]) await app.register(plugin as never, {})
    app.get('/*', (_request, reply) => reply.serveImage(images.mount))
  })
  // Where the machine has much to do a worker takes its time to start: what is counted begins when it has.
  await eventually(async () => (await ask(served, '/first.png?w=10')).status === 200, 100_000)
  const count = async (path: string, headers: Record<string, string> = {}): Promise<[number, Awaited<ReturnType<typeof ask>>]> => {
    const before = origin.requests.length
    const answer = await ask(served, path, { headers })
    return [origin.requests.length - before, answer]
  }
  return { served, source, origin, count }
}

t.test('a picture of an origin is fetched once for its first variant, whatever its size', async t => {
  t.ok(small.length < 1_048_576 && large.length > 1_048_576)
  const { count } = await pictures(t, { '/small.png': { body: small, etag: '"s"' }, '/large.png': { body: large, etag: '"l"' }, '/bare.png': { body: small } })
  for (const [name, again] of [['small', 0], ['large', 1], ['bare', 0]] as const) {
    const [asked, first] = await count(`/${name}.png?w=100&f=webp`)
    t.match(first, { status: 200, headers: { 'content-type': 'image/webp', 'x-cache': 'made' } }, name)
    t.match(await sharp(first.body).metadata(), { width: 100 })
    t.equal(asked, 1, `${name}: its head and all of it came in one answer`)
    const [forSecond, second] = await count(`/${name}.png?w=50&f=webp`)
    t.match(second, { status: 200, headers: { 'x-cache': 'made' } })
    t.equal(forSecond, again, `${name}: a second variant`)
    const [forHit, hit] = await count(`/${name}.png?w=100&f=webp`)
    t.match(hit, { status: 200, headers: { 'x-cache': 'hit-memory', 'etag': first.headers.etag } })
    t.equal(forHit, 0, `${name}: a hit`)
  }
})

t.test('when its life is over, a hit takes one conditional request, and a change is seen', async t => {
  const modified = Date.now() - DAY
  const files = { '/a.png': { body: large, etag: '"a"', modified }, '/b.png': { body: small, modified }, '/c.png': { body: small } }
  const { count, origin } = await pictures(t, files, { revalidateMs: 0 })
  for (const name of ['a', 'b', 'c']) {
    const [, first] = await count(`/${name}.png?w=100`)
    const [asked, hit] = await count(`/${name}.png?w=100`)
    t.equal(asked, 1, name)
    t.match(hit, { status: 200, headers: { 'x-cache': 'hit-memory', 'etag': first.headers.etag } }, name)
    t.equal(origin.requests.at(-1)?.headers[name === 'a' ? 'if-none-match' : 'if-modified-since'] !== undefined, name !== 'c')
    const [forNone, none] = await count(`/${name}.png?w=100`, { 'if-none-match': String(first.headers.etag) })
    t.match([forNone, none.status], [1, 304])
    origin.files.set(`/${name}.png`, { body: await noise(300, 300), etag: '"new"' })
    const [, changed] = await count(`/${name}.png?h=100`)
    t.match(await sharp(changed.body).metadata(), { width: 100, height: 100 }, 'the new one is square')
    const [, anew] = await count(`/${name}.png?w=100`)
    t.match(anew, { headers: { 'x-cache': 'made' } })
    t.not(anew.headers.etag, first.headers.etag)
  }
})

t.test('files are served with ranges, conditions and validators of their origin', async t => {
  const film = content(3_000_000)
  const { count, origin, served, source } = await pictures(t, { '/film.mp4': { body: film.bytes(), etag: '"film"', modified: Date.now() - DAY, fields: { 'content-type': 'video/mp4', 'set-cookie': 'a=b', 'x-secret': 'inside' } } })
  const [asked, whole] = await count('/film.mp4', { 'cookie': 'session=1', 'authorization': 'Bearer secret', 'accept-encoding': 'gzip' })
  t.match(whole, { status: 200, headers: { 'content-type': 'video/mp4', 'content-length': '3000000', 'etag': '"film"', 'accept-ranges': 'bytes', 'set-cookie': undefined, 'x-secret': undefined } })
  t.equal((await taken(whole.body)).hash, film.hash)
  t.equal(asked, 1)
  t.match(origin.requests.at(-1)?.headers, { 'cookie': undefined, 'authorization': undefined, 'accept-encoding': 'identity' })
  const [forPart, part] = await count('/film.mp4', { 'range': 'bytes=2000000-2000099', 'if-range': '"film"' })
  t.match(part, { status: 206, headers: { 'content-range': 'bytes 2000000-2000099/3000000', 'content-length': '100' } })
  t.ok(part.body.equals(film.bytes(2_000_000, 2_000_100)))
  t.equal(forPart, 1)
  const [forParts, parts] = await count('/film.mp4', { range: 'bytes=0-9,2000000-2000009' })
  t.match(parts, { status: 206, headers: { 'content-type': /^multipart\/byteranges/ } })
  t.equal(forParts, 2)
  t.match(await count('/film.mp4', { 'if-none-match': '"film"' }), [0, { status: 304 }])
  t.match(await count('/film.mp4', { range: 'bytes=3000000-' }), [0, { status: 416 }])
  t.match(await count('/gone.mp4'), [1, { status: 404 }])
  origin.files.set('/film.mp4', { body: content(2_500_000, 1).bytes(), etag: '"other"' })
  const [, changed] = await count('/film.mp4', { range: 'bytes=2000000-2000099' })
  t.match(changed, { status: 206, headers: { 'content-range': 'bytes 2000000-2000099/2500000', 'etag': '"other"' } }, 'described anew where it changed in between')
  t.ok(changed.body.equals(content(2_500_000, 1).bytes(2_000_000, 2_000_100)))
  origin.files.set('/other.mp4', { body: film.bytes(), etag: '"film"' })
  t.match(await ask(served, '/other.mp4', { method: 'HEAD' }), { status: 200, headers: { 'content-length': '3000000', 'etag': '"film"' }, body: { length: 0 } })
  t.equal(source.holds.bodies, 0, 'whoever needs no bytes lets them go')
})

t.test('a download that fails on its way shows as broken', async t => {
  const { origin, served } = await pictures(t, {})
  origin.files.set('/broken.bin', (_request, response) => {
    response.writeHead(200, { 'content-length': 3_000_000 })
    response.write(content(2_000_000).bytes(), () => response.destroy())
  })
  await t.rejects(ask(served, '/broken.bin'))
  origin.files.set('/error.bin', (_request, response) => { response.writeHead(500, { 'set-cookie': 'a=b', 'cache-control': 'public, max-age=600' }).end('secret') })
  const failed = await ask(served, '/error.bin')
  t.match(failed, { status: 502, headers: { 'content-type': /problem/, 'set-cookie': undefined, 'etag': undefined } })
  t.notMatch(failed.text, /secret|127\.0\.0\.1/)
})
