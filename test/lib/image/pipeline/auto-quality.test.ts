import sharp, { type Sharp } from 'sharp'
import t from 'tap'
import { findQuality } from '../../../../lib/image/pipeline/auto-quality.ts'
import { file, make, picture, rasterOf, withoutPictures } from '../../../helpers/variant.ts'

const smooth = await file(rasterOf(400, 300, (x, y) => [x / 2, y / 2, 128]))
const busy = await file(rasterOf(400, 300, (x, y) => [(x * 37 + y * 91) % 256, (x * y) % 256, (x * 13) % 256]))

t.test('the quality that was found is told, within its bounds, and lower where little is lost', async t => {
  for (const format of ['jpeg', 'webp', 'avif'] as const) {
    const [low, high] = [await make(smooth, 'q=auto', { format }), await make(busy, 'q=auto', { format })]
    t.ok((low.facts.quality ?? 0) >= 30 && (high.facts.quality ?? 100) <= 90)
    t.ok((low.facts.quality ?? 0) < (high.facts.quality ?? 0), `${format}: ${low.facts.quality} and ${high.facts.quality}`)
  }
})

t.test('formats without a quality, and variants without loss, have none', async t => {
  for (const [query, format] of [['q=auto', 'png'], ['q=auto', 'gif'], ['q=auto&lossless', 'webp']] as const) {
    const { facts, bytes } = await make(smooth, query, { format })
    t.equal(facts.quality, undefined)
    t.ok(bytes.length > 0)
  }
})

t.test('the search is bounded, on a copy of bounded size, and stops when nobody waits', async t => {
  const { data, info } = await sharp(busy).resize(2000, 1500).raw().toBuffer({ resolveWithObject: true })
  const sample = { bytes: data, width: info.width, height: info.height, channels: info.channels }
  const sides: number[] = []
  const encode = (image: Sharp, quality: number): Sharp => {
    sides.push(quality)
    return image.jpeg({ quality })
  }
  const quality = await findQuality(sample, 'jpeg', { encode, signal: new AbortController().signal })
  t.ok(sides.length <= 6 && (quality ?? 0) >= 40)
  await t.rejects(findQuality(sample, 'jpeg', { encode, signal: AbortSignal.abort(new Error('gone')) }), { message: 'gone' })
})

t.test('it works with transparency, profiles that go along, and animations', async t => {
  const clear = await file(rasterOf(100, 80, (x, y) => [x * 2, y * 3, 90, x > 50 ? 255 : 0]))
  t.type((await make(clear, 'q=auto', { format: 'webp' })).facts.quality, 'number')
  t.type((await make(busy, 'q=auto&cs=p3', { format: 'webp' })).facts.quality, 'number')
  const animated = await sharp([smooth, busy], { join: { animated: true } }).webp({ lossless: true }).toBuffer()
  t.match((await make(animated, 'q=auto', { format: 'webp' })).facts, { frames: 2, quality: Number })
})

t.test('photographs land near the default quality', { skip: withoutPictures }, async t => {
  for (const name of ['autumn-6mp', 'dogs-portrait-6mp', 'bowl-4mp']) {
    const { facts } = await make(picture(`photos/${name}.jpg`), 'w=800&q=auto', { format: 'jpeg' })
    t.ok((facts.quality ?? 0) >= 50, `${name}: ${facts.quality}`)
  }
})
