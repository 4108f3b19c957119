import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import t from 'tap'
import { changed, heicOf, keep, pixels, placed, told } from '../../../helpers/kept-pictures.ts'
import { codeOf } from '../../../helpers/upload-types.ts'
import { animation, drawn, noPictures, realPath, realPictures } from '../../../helpers/pictures.ts'

const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><script>alert(1)</script><rect width="20" height="10" fill="#0a0"/></svg>'
const bmp = Buffer.from('BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0', 'latin1')

const heic = heicOf(64, 48)

async function formats (): Promise<Record<string, Buffer>> {
  const image = await drawn(80, 60).png().toBuffer()
  const of = (format: 'jpeg' | 'png' | 'webp' | 'avif' | 'tiff' | 'gif'): Promise<Buffer> => sharp(image).toFormat(format).toBuffer()
  return { jpeg: await of('jpeg'), progressive: await sharp(image).jpeg({ progressive: true }).toBuffer(), png: await of('png'), webp: await of('webp'), avif: await of('avif'), tiff: await of('tiff'), gif: await of('gif'), film: await animation('gif', [50, 60, 70]), loop: await animation('webp', [50, 60, 70]), svg: Buffer.from(svg) }
}

t.test('whole pictures are kept as they came, broken ones refused: each format', async t => {
  for (const [format, bytes] of Object.entries(await formats())) {
    t.equal(await keep(bytes), undefined, format)
    for (const share of [0.5, 0.7, 0.9]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * share))
      await t.rejects(keep(cut), { code: 'broken-image', statusCode: 422 }, `${format}, cut at ${share}`)
    }
  }
})

t.test('what is not checked is kept, broken or not', async t => {
  const { jpeg = Buffer.alloc(0), film = Buffer.alloc(0) } = await formats()
  t.equal(await keep(jpeg.subarray(0, -20), { check: false }), undefined)
  t.equal(await keep(film.subarray(0, -20), { check: false }), undefined)
  t.notOk((await told(await keep(await placed('jpeg'), { check: false, metadata: 'no-location' }) ?? jpeg)).place, 'and changed all the same')
})

t.test('noise behind a good header is refused', async t => {
  const noise = Buffer.from(Array.from({ length: 3000 }, (_, n) => (n * n * 31 + n * 17) % 251))
  for (const [format, bytes] of Object.entries(await formats())) {
    if (format === 'svg' || format === 'webp') continue // any bits are pixels of a lossy WebP (RFC 6386 §7)
    const noisy = Buffer.concat([bytes.subarray(0, Math.min(200, bytes.length >> 1)), noise])
    t.match(await codeOf(async () => await keep(noisy)), /^(?:broken-image|image-too-large|unsupported-image)$/, format)
  }
  await t.rejects(keep(Buffer.concat([Buffer.from('\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf', 'latin1'), Buffer.from('\0\0\x0f\xffmdat', 'latin1'), noise])), { code: 'broken-image' }, 'boxes without a picture')
})

t.test('pixels are bounded: of one frame, and of all together', async t => {
  const { jpeg = Buffer.alloc(0), film = Buffer.alloc(0) } = await formats()
  t.equal(await keep(jpeg, {}, 4800), undefined)
  await t.rejects(keep(jpeg, {}, 4799), { code: 'image-too-large', detail: /4800 pixels[^]*4799/ })
  t.equal(await keep(film, {}, 3600), undefined)
  await t.rejects(keep(film, {}, 3599), { code: 'image-too-large', detail: /3600 pixels/ })
  const bomb = Buffer.from(await drawn(8, 8).png().toBuffer())
  bomb.writeUInt32BE(60_000, 16)
  bomb.writeUInt32BE(60_000, 20)
  await t.rejects(keep(bomb), { code: 'image-too-large' }, 'by what the header says')
})

t.test('encoded anew, nothing but the picture stays', async t => {
  for (const format of ['jpeg', 'png', 'webp', 'avif', 'tiff'] as const) {
    const original = Buffer.concat([await placed(format), Buffer.from(format === 'tiff' || format === 'avif' ? '' : '<script>alert(1)</script>')])
    const kept = await changed(original, { reencode: true })
    t.equal((await sharp(kept).metadata()).format, format === 'avif' ? 'heif' : format)
    t.notMatch(kept.toString('latin1'), /Secret|Camera|script/, format)
    const [before, after] = [await pixels(original), await pixels(kept)]
    t.equal(after.length, before.length)
    const difference = before.reduce((sum, sample, at) => sum + Math.abs(sample - (after[at] ?? 0)), 0) / before.length
    t.ok(difference < 4, `${format}: ${difference} levels off`)
  }
})

t.test('animations stay such, and what would lose pages or frames is refused', async t => {
  for (const format of ['gif', 'webp'] as const) {
    const kept = await keep(await animation(format, [50, 60, 70], { loop: 2 }), { reencode: true })
    t.match(await sharp(kept, { pages: -1 }).metadata(), { format, pages: 3, delay: [50, 60, 70], loop: 2 })
  }
  const png = await drawn(16, 16).png().toBuffer()
  const apng = Buffer.concat([png.subarray(0, 33), Buffer.from('\0\0\0\x08acTL\0\0\0\x02\0\0\0\0\xf3\x8d\x93\x70', 'latin1'), png.subarray(33)])
  t.equal(await keep(apng), undefined)
  t.equal(await keep(apng, { metadata: 'none' }), undefined)
  await t.rejects(keep(apng, { reencode: true }), { code: 'unsupported-image', detail: /frames/ })
  await t.rejects(keep(apng.subarray(0, -12)), { code: 'broken-image' }, 'that ends before its end')
})

t.test('scaled down where a side is too long, with the metadata that may stay', async t => {
  for (const format of ['jpeg', 'png', 'webp', 'avif', 'tiff'] as const) {
    const original = await placed(format, { width: 200, height: 100 })
    for (const metadata of ['all', 'no-location', 'none'] as const) {
      const kept = await changed(original, { maxSide: 50, metadata })
      const { width, height } = await sharp(kept).metadata()
      t.same([width, height], [50, 25])
      const { place, maker } = await told(kept)
      if (format !== 'tiff') t.same([place, maker], [metadata === 'all', metadata === 'none' ? undefined : 'Camera'], `${format}: ${metadata}`)
      t.equal(kept.toString('latin1').includes('48,51'), format !== 'png' && metadata === 'all', `${format}: ${metadata}`)
    }
    t.equal(await keep(original, { maxSide: 200 }), undefined, 'no side is too long')
  }
  const turned = await sharp(await drawn(200, 100).png().toBuffer()).withMetadata({ orientation: 6 }).jpeg().toBuffer()
  const kept = await keep(turned, { maxSide: 50 })
  t.match(await sharp(kept).metadata(), { width: 25, height: 50 }, 'and upright')
})

t.test('colours stay those of the profile', async t => {
  const original = await sharp(await drawn(40, 40).png().toBuffer()).withIccProfile('p3').jpeg({ quality: 100 }).toBuffer()
  const kept = await keep(original, { reencode: true })
  t.ok((await sharp(kept).metadata()).icc?.equals((await sharp(original).metadata()).icc ?? Buffer.alloc(0)))
})

t.test('a drawing is checked, and written anew where more is asked', async t => {
  t.equal(await keep(Buffer.from(svg)), undefined, 'as it came, script and all: types decide about that')
  for (const rules of [{ reencode: true }, { metadata: 'none' }, { metadata: 'no-location' }] as const) {
    const kept = await keep(Buffer.from(svg), rules)
    t.match(kept?.toString(), /<rect/)
    t.notMatch(kept?.toString(), /script/)
  }
  t.equal(await keep(Buffer.from(svg), { maxSide: 5 }), undefined, 'it has no pixels')
  await t.rejects(keep(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><rect>')), { code: 'broken-image' })
})

t.test('what is not decoded here is kept by its header, or refused where it would have to change', async t => {
  const bigTiff = await sharp(await drawn(16, 16).png().toBuffer()).tiff({ bigtiff: true }).toBuffer()
  t.equal(await keep(bmp), undefined)
  t.equal(await keep(Buffer.from('nothing that is known')), undefined)
  t.equal(await keep(heic), undefined)
  t.equal(await keep(heic, { metadata: 'no-location' }), undefined, 'it tells no place')
  await t.rejects(keep(heic, {}, 3071), { code: 'image-too-large' })
  for (const rules of [{ reencode: true }, { metadata: 'none' }, { maxSide: 5 }] as const) {
    await t.rejects(keep(bmp, rules), { code: 'unsupported-image', detail: /a BMP/ })
    await t.rejects(keep(heic, rules), { code: 'unsupported-image' })
  }
  await t.rejects(keep(heic.subarray(0, -4)), { code: 'broken-image' }, 'one that is cut')
  await t.rejects(keep(bmp, { metadata: 'no-location' }), { code: 'unsupported-image' })
  await t.rejects(keep(bigTiff, { metadata: 'no-location' }), { code: 'unsupported-image', detail: /BigTIFF/ })
})

t.test('a job without an original is a mistake of ours', async t => {
  const { runJob } = await import('../../../../lib/image/pipeline/pipeline.ts')
  const limits = { inputPixels: 1, outputPixels: 1, framePixels: 1, dimension: 1, inputs: [] }
  await t.rejects(runJob({ kind: 'keep', check: true, reencode: false, metadata: 'all', limits }, [], new AbortController().signal), TypeError)
})

t.test('all real pictures that are decoded are found whole, and not when they are cut', { skip: noPictures }, async t => {
  // The first picture of these lies in the first half.
  const early = new Set(['jpeg/mpo-frozenpond.mpo', 'tiff/pyramid-tiled.tif'])
  for (const { file } of realPictures().filter(({ file: name }) => /\.(?:jpe?g|mpo|a?png|gif|webp|avifs?|tiff?|heic|svg)$/.test(name))) {
    const bytes = readFileSync(realPath(file))
    t.equal(await keep(bytes), undefined, file)
    if (!early.has(file) && bytes.length < 1_000_000) await t.rejects(keep(bytes.subarray(0, Math.floor(bytes.length * 0.7))), { code: 'broken-image' }, `${file}, cut`)
  }
  await t.rejects(keep(readFileSync(realPath('tiff/multipage-3.tif')), { reencode: true }), { code: 'unsupported-image', detail: /pages/ })
})
