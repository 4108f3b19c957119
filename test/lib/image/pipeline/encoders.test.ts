import sharp, { type Sharp, type WebpOptions } from 'sharp'
import t from 'tap'
import { encoderDefaults, encoderOptions, resizeOptions } from '../../../../lib/image/pipeline/encoders.ts'
import { outputFormats, type OutputFormat } from '../../../../lib/image/format.ts'

/** A picture with edges, gradients and noise, and colours that change from pixel to pixel. */
const width = 160
const height = 120
const pixels = Buffer.alloc(width * height * 3)
for (let place = 0, seed = 7; place < pixels.length; place++) {
  seed = (seed * 1103515245 + 12345) % 2147483648
  const column = Math.floor(place / 3) % width
  pixels[place] = (place % 3 === 0 ? column : (column % 40) * 6) + seed % 9
}
const picture = (): Sharp => sharp(pixels, { raw: { width, height, channels: 3 } })
const encoded = async (format: OutputFormat, wishes?: Parameters<typeof encoderOptions>[1]): Promise<Buffer> =>
  await picture().toFormat(format, encoderOptions(format, wishes)).toBuffer()

t.test('every output format is encoded with its defaults', async t => {
  for (const format of outputFormats) {
    const { format: made, width: wide, compression } = await sharp(await encoded(format)).metadata()
    t.equal(format === 'avif' ? compression : made, format === 'avif' ? 'av1' : format)
    t.equal(wide, width)
    t.same(encoderOptions(format), encoderDefaults[format])
  }
})

t.test('the defaults cannot be changed, and what is asked once is not kept', t => {
  t.throws(() => { Object.assign(encoderDefaults.webp, { quality: 1 }) }, TypeError)
  t.throws(() => { Object.assign(encoderDefaults, { webp: {} }) }, TypeError)
  encoderOptions('webp', { quality: 1 })
  t.equal(encoderOptions('webp').quality, encoderDefaults.webp.quality)
  t.end()
})

t.test('a lower quality has fewer bytes where there is loss, and is ignored where there is none', async t => {
  for (const format of ['jpeg', 'webp', 'avif'] as const) {
    t.ok((await encoded(format, { quality: 20 })).length < (await encoded(format, { quality: 90 })).length, format)
  }
  for (const format of ['png', 'gif', 'tiff'] as const) {
    t.same(encoderOptions(format, { quality: 20 }), encoderDefaults[format], format)
  }
})

t.test('lossless WebP keeps every pixel', async t => {
  t.ok((await sharp(await encoded('webp', { lossless: true })).raw().toBuffer()).equals(pixels))
})

t.test('lossless AVIF keeps its colours at full resolution, whatever else is asked', async t => {
  t.equal(encoderOptions('avif', { lossless: true, subsampling: '420' }).chromaSubsampling, '4:4:4')
  const { data } = await sharp(await encoded('avif', { lossless: true })).raw().toBuffer({ resolveWithObject: true })
  // the way to YCbCr and back rounds
  t.ok(data.every((sample, place) => Math.abs(sample - (pixels[place] ?? 0)) <= 3))
})

t.test('an effort of 2 is each format\'s default, and all of 0 to 6 are heeded or ignored', async t => {
  for (const format of outputFormats) {
    t.same(encoderOptions(format, { effort: 2 }), encoderDefaults[format], format)
    for (const effort of [0, 6]) t.ok((await encoded(format, { effort })).length > 0, `${format} ${effort}`)
  }
  t.ok((await encoded('png', { effort: 6 })).length < (await encoded('png', { effort: 0 })).length)
  t.ok((await encoded('jpeg', { effort: 0 })).length > (await encoded('jpeg', { effort: 1 })).length)
  t.equal(encoderOptions('gif', { effort: 6 }).effort, 10)
})

t.test('progressive is heeded by JPEG and PNG', async t => {
  for (const format of ['jpeg', 'png'] as const) {
    t.equal((await sharp(await encoded(format)).metadata()).isProgressive, false, format)
    t.equal((await sharp(await encoded(format, { progressive: true })).metadata()).isProgressive, true, format)
  }
})

t.test('JPEG says the chroma subsampling that is asked for', async t => {
  const told = async (subsampling?: '420' | '444'): Promise<string | undefined> => (await sharp(await encoded('jpeg', { subsampling })).metadata()).chromaSubsampling
  t.equal(await told(), '4:2:0')
  t.equal(await told('420'), '4:2:0')
  t.equal(await told('444'), '4:4:4')
})

t.test('AVIF with full chroma keeps columns of red and blue apart, and does not by default', async t => {
  const columns = sharp(Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, place) => place % 6 === 0 || place % 6 === 5 ? 255 : 0)), { raw: { width: 64, height: 64, channels: 3 } })
  const redOf = async (subsampling?: '420' | '444'): Promise<number> => {
    const decoded = await sharp(await columns.clone().toFormat('avif', encoderOptions('avif', { quality: 90, subsampling })).toBuffer()).raw().toBuffer()
    return (decoded[0] ?? 0) - (decoded[3] ?? 0)
  }
  t.ok(await redOf('444') > 200)
  t.ok(await redOf('420') < 150)
  t.equal(await redOf(), await redOf('420'))
})

t.test('TIFF keeps what is transparent', async t => {
  const clear = await picture().ensureAlpha(0.5).toFormat('tiff', encoderOptions('tiff')).toBuffer()
  t.equal((await sharp(clear).metadata()).hasAlpha, true)
})

t.test('an animated WebP of flat colours is smaller for the mixture of its frames', async t => {
  const frames = await sharp(await Promise.all([0, 60, 120].map(async left => await sharp({ create: { width, height, channels: 3, background: { r: left, g: 200 - left, b: 80 } } }).png().toBuffer())), { join: { animated: true } }).gif().toBuffer()
  const bytesOf = async (options: WebpOptions): Promise<number> => (await sharp(frames, { animated: true }).webp(options).toBuffer()).length
  t.ok(await bytesOf(encoderOptions('webp')) < await bytesOf({ ...encoderOptions('webp'), mixed: false }))
})

t.test('a size is made with lanczos3, or the kernel that is asked for', async t => {
  t.same(resizeOptions({ format: 'jpeg', shrink: 5 }, true), { kernel: 'lanczos3', fastShrinkOnLoad: false }, 'a quarter would leave 1.25')
  t.same(resizeOptions({ format: 'webp', shrink: 7.2 }, true), { kernel: 'cubic', fastShrinkOnLoad: true }, 'a quarter leaves 1.8')
  for (const shrink of [0.5, 1.5, 2.1, 4.2, 8.4]) t.equal(resizeOptions({ format: 'avif', shrink }, true).fastShrinkOnLoad, false, `${shrink}`)
  for (const shrink of [3.6, 7, 14, 40]) t.equal(resizeOptions({ format: 'avif', shrink }, true).fastShrinkOnLoad, true, `${shrink}`)
  t.equal(resizeOptions({ format: 'webp', shrink: 7 }, false).fastShrinkOnLoad, false)
  t.equal(resizeOptions({ format: 'webp', shrink: 1, kernel: 'mitchell' }, false).kernel, 'mitchell')
  t.equal((await picture().resize({ ...resizeOptions({ format: 'png', shrink: 4, kernel: 'nearest' }, false), width: 40 }).png().toBuffer({ resolveWithObject: true })).info.width, 40)
})
