import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { MediaError } from '../../../../lib/errors.ts'
import { engineFault } from '../../../../lib/image/pipeline/engine-faults.ts'
import { copyrightOf } from '../../../../lib/image/pipeline/metadata.ts'
import { runJob } from '../../../../lib/image/pipeline/pipeline.ts'
import { gif, jpeg, png, tiff } from '../../../helpers/bombs.ts'
import { cpuClock } from '../../../helpers/process.ts'
import { difference, file, input, limits, madeRaster, make, picture, pictureAt, pixel, raster, rasterOf, withoutPictures, type Asked } from '../../../helpers/variant.ts'

const scene = rasterOf(400, 300, (x, y) => [x / 400 * 255, y / 300 * 255, (x * y) % 200])
const scenePng = await file(scene)
const svg = (content: string, size = 'width="10" height="10"'): Buffer => Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 10 10">${content}</svg>`)
const refusal = async (original: Buffer, query = 'w=20', asked: Asked = {}): Promise<{ code?: string, detail?: string | undefined }> => {
  try {
    await make(original, query, asked)
    return {}
  } catch (error) {
    if (!(error instanceof MediaError)) throw error
    return { code: error.code, detail: error.detail }
  }
}

t.test('the facts tell the size, and the bytes have it', async t => {
  const { bytes, facts } = await make(scenePng, 'w=100', { format: 'webp' })
  t.same(facts, { width: 100, height: 75 })
  t.match(await sharp(bytes).metadata(), { width: 100, height: 75, format: 'webp' })
})

t.test('a path is read as bytes are', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'fastify-media-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'scene')
  writeFileSync(path, scenePng)
  t.equal(difference(await raster((await make(scenePng, 'w=100', { path })).bytes), await madeRaster(scenePng, 'w=100')), 0)
})

t.test('an SVG is drawn at the asked size, from bytes alone', async t => {
  const half = svg('<path d="M0 0H5V10H0z" fill="#f00"/>')
  const { bytes, facts } = await make(half, 'w=1000', { path: '/nowhere' })
  const sharpEdge = await raster(bytes)
  t.same(facts, { width: 1000, height: 1000 })
  t.same([pixel(sharpEdge, 498, 500), pixel(sharpEdge, 501, 500)[3]], [[255, 0, 0, 255], 0], 'not enlarged from ten pixels')
  t.match((await make(half, '')).facts, { width: 10, height: 10 })
  const trimmed = await raster((await make(half, 'trim=auto&w=1000')).bytes)
  t.ok(trimmed.width > 400 && trimmed.height > 2 * trimmed.width - 10, `${trimmed.width}x${trimmed.height}`)
  const tilted = await raster((await make(half, 'rot=45&w=500')).bytes)
  t.equal(tilted.width, 500)
  t.match((await make(svg('', 'width="60000" height="60000"'), 'w=50')).facts, { width: 50, height: 50 }, 'its own size is no bound where another is asked for')
  t.match(await refusal(svg('', 'width="60000" height="60000"'), ''), { code: 'image-too-large' })
  t.match(await refusal(svg('', 'width="60000" height="60000"'), 'rect=0,0,10,10&w=10'), { code: 'image-too-large' })
  t.match(await refusal(svg('', 'width="100000" height="1"'), 'h=9000'), { code: 'image-too-large' })
})

t.test('what is no image, or none that is accepted, is refused by name', async t => {
  t.match(await refusal(Buffer.alloc(0)), { code: 'unsupported-image', detail: /empty/ })
  t.match(await refusal(Buffer.from('hello')), { code: 'unsupported-image', detail: /no image/ })
  t.match(await refusal(Buffer.from('%PDF-1.7\n')), { code: 'unsupported-image', detail: /PDF/ })
  t.match(await refusal(scenePng, '', { limits: { inputs: ['jpeg'] } }), { code: 'unsupported-image', detail: /png/ })
  const hevc = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(100)])
  t.match(await refusal(hevc), { code: 'unsupported-image', detail: /HEVC/ })
})

t.test('a side that nobody asked for is bounded, not refused', async t => {
  const tall = await file(rasterOf(4, 3000, (x, y) => [x * 60, y / 12, 0]))
  const size = async (query: string, limits: object): Promise<object> => {
    const { width, height } = await sharp((await make(tall, query, { format: 'png', limits })).bytes).metadata()
    return { width, height }
  }
  t.strictSame(await size('w=320', { dimension: 1500 }), { width: 2, height: 1500 })
  t.strictSame(await size('', { dimension: 1500 }), { width: 2, height: 1500 })
  t.strictSame(await size('w=4', { outputPixels: 3000 }), { width: 2, height: 1500 })
  t.strictSame(await size('w=4&pad=10', { dimension: 1520 }), { width: 22, height: 1520 })
  t.strictSame(await size('w=4', { dimension: 3000 }), { width: 4, height: 3000 })
  await t.rejects(make(tall, 'w=4&pad=10', { format: 'png', limits: { dimension: 15 } }), { code: 'image-too-large' }, 'a border leaves no room')
})

t.test('limits are kept before anything is decoded, and named', async t => {
  const bomb = png({ width: 30_000, height: 30_000 })
  const took = cpuClock()
  t.match(await refusal(bomb), { code: 'image-too-large', detail: /900000000 .*inputPixels.*50000000/ })
  t.match(await refusal(jpeg({ width: 60_000, height: 60_000 })), { code: 'image-too-large', detail: /inputPixels/ })
  t.ok(took() < 3000, `${Math.round(took())} ms of processor time`)
  const thin = await file(rasterOf(1, 2000, () => [1, 2, 3]))
  t.match(await refusal(thin, 'w=8000&enlarge'), { code: 'image-too-large', detail: /8000 × 16000000 .*dimension/ })
  t.match(await refusal(scenePng, 'w=5000&h=5001&fit=fill'), { code: 'image-too-large', detail: /outputPixels.*25000000/ })
  t.match(await refusal(scenePng, 'rot=45', { limits: { inputPixels: 130_000 } }), { code: 'image-too-large', detail: /inputPixels/ }, 'what a rotation needs counts')
  t.match(await refusal(scenePng, 'pad=4096'), { code: 'image-too-large', detail: /dimension/ })
  t.match(await refusal(scenePng, 'w=16384&h=1&fit=fill', { format: 'webp', limits: { dimension: 20_000 } }), { code: 'image-too-large', detail: /webp.*16383/ })
  t.match((await make(thin, 'w=800&h=10&fit=cover')).facts, { width: 800, height: 10 }, 'a part of what would be too large is not')
})

t.test('many frames and pages cost no more than one', async t => {
  const took = cpuClock()
  t.match(await refusal(gif({ width: 1000, height: 1000, frames: 100_000 }), 'w=20', { format: 'gif' }), { code: 'image-too-large', detail: /100000 frames/ })
  t.match((await make(gif({ width: 100, height: 100, frames: 100_000 }), 'w=20')).facts, { width: 20, height: 20 })
  t.match((await make(tiff({ width: 8, height: 8, pages: 20_000 }), '')).facts, { width: 8, height: 8 })
  t.ok(took() < 12_000, `${Math.round(took())} ms of processor time`)
})

t.test('what is broken is refused in words that tell nothing of the machine', async t => {
  const photo = await sharp(scenePng).jpeg().toBuffer()
  const cases = [scenePng.subarray(0, 600), scenePng.subarray(0, 40), (await sharp(scenePng).webp().toBuffer()).subarray(0, 400), (await sharp(scenePng).tiff({ compression: 'lzw' }).toBuffer()).subarray(0, 500), photo.subarray(0, 200), svg('<path d="'), Buffer.concat([scenePng.subarray(0, 900), Buffer.alloc(3000, 7), scenePng.subarray(3900)])]
  for (const [index, original] of cases.entries()) {
    const { code, detail } = await refusal(original, 'w=20')
    t.equal(code, 'broken-image', `${index}: ${detail}`)
    t.notMatch(detail ?? '', /\/|vips|buffer/i)
  }
})

t.test('a JPEG that ends too early is shown as far as it goes, if that is most of it', async t => {
  const photo = await sharp(scenePng).jpeg({ progressive: false }).toBuffer()
  const shown = await madeRaster(photo.subarray(0, photo.length * 0.8), '')
  t.ok(difference(rasterOf(400, 150, (x, y) => pixel(shown, x, y)), rasterOf(400, 150, (x, y) => pixel(scene, x, y))) < 20, 'the upper half is there')
  t.match(await refusal(photo.subarray(0, photo.length * 0.2)), { code: 'broken-image', detail: /most of it is missing/ })
})

t.test('an abort is its own reason, before and between the steps', async t => {
  const aborted = AbortSignal.abort(new Error('gone'))
  await t.rejects(make(scenePng, 'w=20', { signal: aborted }), { message: 'gone' })
  await t.rejects(runJob({ kind: 'info', gps: false, limits }, [input(scenePng)], aborted), { message: 'gone' })
  for (const query of ['w=20', 'px=4', 'q=auto']) {
    const controller = new AbortController()
    const head = async (length: number): Promise<Buffer> => {
      controller.abort(new Error('gone'))
      return scenePng.subarray(0, length)
    }
    const transform = query === 'q=auto' ? { q: 'auto' as const } : {}
    await t.rejects(runJob({ kind: 'variant', transform, format: 'jpeg', limits }, [{ ...input(scenePng), head }], controller.signal), { message: 'gone' })
  }
})

t.test('info is JSON', async t => {
  const { bytes } = await runJob({ kind: 'info', gps: false, limits }, [input(scenePng)], new AbortController().signal)
  t.match(JSON.parse(bytes.toString()), { format: 'png' })
  await t.rejects(runJob({ kind: 'info', gps: false, limits }, [], new AbortController().signal), TypeError)
  await t.rejects(runJob({ kind: 'variant', transform: {}, format: 'png', limits }, [], new AbortController().signal), TypeError)
})

t.test('errors of the engine become failures with a code', async t => {
  const codeOf = (message: string): string => (engineFault(new Error(message)) as MediaError).code
  t.equal(codeOf('Input image exceeds pixel limit'), 'image-too-large')
  t.equal(codeOf('heif: Unsupported feature: Unsupported codec (4.3000) not been built in: HEVC'), 'unsupported-image')
  t.equal(codeOf('VipsJpeg: premature end of JPEG image'), 'broken-image')
  t.match((engineFault(new Error('vips_text: no text to render')) as MediaError).detail, /font/)
  t.equal(codeOf('anything'), 'broken-image')
  t.equal(engineFault('no error'), 'no error')
})

t.test('authorship is found in EXIF of either byte order, and nothing in what is damaged', async t => {
  const exif = (await sharp(await sharp(scenePng).withExif({ IFD0: { Copyright: 'Ada Lov', Artist: 'B' } }).jpeg().toBuffer()).metadata()).exif as Buffer
  t.same(copyrightOf(exif), { IFD0: { Copyright: 'Ada Lov', Artist: 'B' } })
  const big = Buffer.from('MM\0*\0\0\0\x08\0\x01\x82\x98\0\x02\0\0\0\x04Ada\0\0\0\0\0', 'latin1')
  t.same(copyrightOf(big), { IFD0: { Copyright: 'Ada' } })
  t.equal(copyrightOf(undefined), undefined)
  const long = (bytes: number): Buffer => Buffer.concat([Buffer.from('MM\0*\0\0\0\x08\0\x01\x82\x98\0\x02', 'latin1'), Buffer.from([0, 0, bytes >> 8, bytes & 255, 0, 0, 0, 26, 0, 0, 0, 0]), Buffer.alloc(bytes, 'a')])
  t.same(copyrightOf(long(1024)), { IFD0: { Copyright: 'a'.repeat(1024) } })
  t.equal(copyrightOf(long(1025)), undefined, 'kept as a whole or not at all')
  for (let length = 0; length < exif.length; length++) t.doesNotThrow(() => copyrightOf(exif.subarray(0, length)))
  for (let seed = 0; seed < 500; seed++) {
    const noise = Buffer.from(exif)
    noise[seed * 7919 % noise.length] = seed * 31 % 256
    noise[seed * 104_729 % noise.length] = seed * 17 % 256
    t.doesNotThrow(() => copyrightOf(noise))
  }
})

t.test('sides of one pixel and extreme shapes come through every operation of size', async t => {
  for (const [width, height] of [[1, 1], [1, 300], [300, 1], [2, 2]] as const) {
    const original = await file(rasterOf(width, height, () => [200, 100, 50]))
    for (const query of ['', 'w=40', 'w=40&h=9&fit=cover', 'w=40&h=9&fit=contain&bg=fff', 'ar=0.01', 'ar=100', 'zoom=10', 'rect=0.9,0.9,0.1,0.1', 'w=9&h=9&fit=cover&position=attention', 'trim=auto', 'rot=33', 'rot=90&flip=h', 'px=7&radius=5', 'txt=x', 'blur=50', 'median=9', 'clahe=50']) {
      const made = await madeRaster(original, query)
      t.ok(made.width >= 1 && made.height >= 1, `${width}x${height} ${query}`)
    }
  }
})

t.test('real pictures of every format are made into every format', { skip: withoutPictures }, async t => {
  const names = ['jpeg/arithmetic.jpg', 'jpeg/non-interleaved.jpg', 'jpeg/mpo-frozenpond.mpo', 'jpeg/gainmap-ultrahdr.jpg', 'jpeg/progressive-420.jpg', 'webp/lossy-alpha.webp', 'avif/photo-10bit.avif', 'avif/grid-1x5.avif', 'tiff/fax4.tiff', 'tiff/ycbcr_jpeg_8bit.tif', 'tiff/cmyk.tif', 'svg/books.svg', 'svg/no-size.svg', 'svg/percent-size.svg']
  for (const name of names) {
    for (const format of ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const) {
      const { bytes, facts } = await make(picture(name), 'w=60', { format, path: pictureAt(name) })
      t.match(await sharp(bytes).metadata(), { width: facts.width, height: facts.height }, `${name} as ${format}`)
    }
  }
})
