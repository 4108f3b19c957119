import sharp from 'sharp'
import t from 'tap'
import { difference, file, madeRaster, make, picture, pixel, raster, rasterOf, withoutPictures, type Asked, type Raster } from '../../../helpers/variant.ts'

const COUNT = 4
/** A square that wanders, on another colour each time. */
const frames = Array.from({ length: COUNT }, (_, index) => rasterOf(60, 40, (x, y) => x >= index * 10 && x < index * 10 + 10 && y < 10 ? [255, 255, 255] : [40 + 50 * index, 90, 200 - 50 * index]))
const animated = async (format: 'gif' | 'webp'): Promise<Buffer> => {
  const image = sharp(await Promise.all(frames.map(file)), { join: { animated: true } })
  const timing = { delay: [50, 100, 150, 200], loop: 3 }
  return await (format === 'gif' ? image.gif(timing) : image.webp({ ...timing, lossless: true })).toBuffer()
}
const all = async (bytes: Buffer): Promise<Raster[]> => await Promise.all(Array.from({ length: COUNT }, async (_, index) => await raster(bytes, index)))

t.test('count, delays and loop stay, from GIF and WebP to GIF and WebP', async t => {
  for (const from of ['gif', 'webp'] as const) for (const to of ['gif', 'webp'] as const) {
    for (const query of ['', 'w=30', 'px=4', 'w=20&h=20&fit=cover']) {
      const { bytes, facts } = await make(await animated(from), query, { format: to })
      const told = await sharp(bytes).metadata()
      t.match(told, { pages: COUNT, delay: [50, 100, 150, 200], loop: 3 }, `${from} to ${to}, ${query}`)
      t.equal(facts.frames, COUNT)
      t.equal(facts.width, told.width)
      t.equal(facts.height, told.pageHeight ?? told.height)
    }
  }
})

t.test('each frame is what the operation makes of it alone', async t => {
  const original = await animated('webp')
  const mark = await file(rasterOf(8, 8, () => [255, 0, 0]))
  const queries = ['w=30&h=30&fit=cover&position=left', 'rect=0,0,20,20', 'flip=h', 'flip=v', 'rot=90', 'rot=30&bg=fff', 'blur=2', 'median=5', 'sharp=40', 'con=30&invert', 'greyscale', 'w=60&h=60&fit=contain&bg=0f0', 'pad=5&bg=00f', 'radius=10', 'px=8', 'mark=logo', 'txt=o&txt-size=12', 'bri=20&blur=1&pad=3&mask=circle', 'zoom=2&fx=0&fy=0', 'tint=f00&dilate=2']
  for (const query of queries) {
    const asked: Asked = { mark, format: 'webp' }
    const whole = await all((await make(original, `${query}&lossless`, asked)).bytes)
    for (const [index, frame] of whole.entries()) {
      const alone = await madeRaster(await file(frames[index] as Raster), `${query}&lossless`, asked)
      t.ok(difference(frame, alone) < 2, `${query}, frame ${index}: ${difference(frame, alone).toFixed(2)}`)
    }
  }
})

t.test('what follows from seeing follows from the first frame', async t => {
  const bordered = async (index: number): Promise<Buffer> => await file(rasterOf(80, 60, (x, y) => x >= 10 && x < 70 && y >= 10 && y < 50 ? pixel(frames[index] as Raster, x - 10, y - 10) : [0, 0, 0]))
  const original = await sharp([await bordered(0), await bordered(1)], { join: { animated: true } }).webp({ lossless: true }).toBuffer()
  const { facts, bytes } = await make(original, 'trim=auto&lossless', { format: 'webp' })
  t.match(facts, { width: 60, height: 40, frames: 2 })
  t.ok(difference(await raster(bytes, 1), frames[1] as Raster) < 2)
  const smart = await make(await animated('webp'), 'w=20&h=40&fit=cover&position=attention&lossless', { format: 'webp' })
  t.match(smart.facts, { width: 20, height: 40, frames: COUNT })
})

t.test('another format, or a wish, takes the first frame; a number takes that frame', async t => {
  const original = await animated('gif')
  t.ok(difference(await madeRaster(original, ''), frames[0] as Raster) < 3)
  t.equal((await make(original, 'animated=0', { format: 'webp' })).facts.frames, undefined)
  t.ok(difference(await madeRaster(original, 'frame=2', { format: 'gif' }), frames[2] as Raster) < 3)
  await t.rejects(make(original, 'frame=4'), { code: 'bad-transform' })
  const pages = await sharp(await Promise.all(frames.map(file)), { join: { animated: true } }).tiff().toBuffer().catch(() => undefined)
  if (pages !== undefined) t.equal((await make(pages, '', { format: 'webp' })).facts.frames, undefined, 'pages are no animation')
})

t.test('more pixels in all frames than are allowed are refused, before they are decoded', async t => {
  const original = await animated('gif')
  await t.rejects(make(original, '', { format: 'gif', limits: { framePixels: 9599 } }), { code: 'image-too-large', detail: /9600.*framePixels.*9599/ })
  await t.resolves(make(original, '', { format: 'gif', limits: { framePixels: 9600 } }))
  await t.resolves(make(original, '', { format: 'png', limits: { framePixels: 1 } }), 'one frame alone is no animation')
  await t.rejects(make(original, 'w=120&enlarge', { format: 'gif', limits: { framePixels: 20_000 } }), { code: 'image-too-large', detail: /framePixels/ })
})

t.test('an abort between frames ends the work', async t => {
  const aborted = new AbortController()
  const made = make(await animated('gif'), 'blur=2', { format: 'gif', signal: aborted.signal })
  aborted.abort(new Error('gone'))
  await t.rejects(made, { message: 'gone' })
})

t.test('real animations keep their frames', { skip: withoutPictures }, async t => {
  for (const name of ['gif/delays.gif', 'gif/rotating-squares.gif', 'gif/dispose-previous.gif', 'gif/loop3.gif', 'webp/anim.webp', 'webp/loop3.webp']) {
    const before = await sharp(picture(name)).metadata()
    const format = name.startsWith('gif') ? 'gif' : 'webp'
    const after = await sharp((await make(picture(name), 'w=40', { format })).bytes).metadata()
    const time = (delays: number[] = []): number => delays.reduce((sum, delay) => sum + delay, 0)
    t.same([after.loop, time(after.delay)], [before.loop, time(before.delay)], name)
    // Frames that have become equal are one, and stay as long as all of them.
    if (!name.includes('squares')) t.same([after.pages, after.delay], [before.pages, before.delay], name)
  }
})
