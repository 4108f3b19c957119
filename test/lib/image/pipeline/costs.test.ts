import sharp from 'sharp'
import t from 'tap'
import { cpuClock } from '../../../helpers/process.ts'
import { animation } from '../../../helpers/pictures.ts'
import { difference, file, madeRaster, make, pixel, rasterOf, type Raster } from '../../../helpers/variant.ts'

// What one request can take of processor and memory is bounded before it is taken: a few bytes of a query must not cost what thousands of requests do.

sharp.cache(false)

/** 24 megapixels of a scene with a white border. */
const large = await sharp({ create: { width: 5600, height: 3600, channels: 3, background: '#246' } })
  .composite([{ input: { create: { width: 1400, height: 900, channels: 3, background: '#e82' } }, left: 2800, top: 900 }])
  .extend({ top: 100, bottom: 300, left: 150, right: 250, background: '#fff' }).jpeg().toBuffer()

/** MiB that the peak of this process' memory grows by. */
async function growth (work: () => Promise<unknown>): Promise<number> {
  const before = process.resourceUsage().maxRSS
  await work()
  return (process.resourceUsage().maxRSS - before) / 1024
}

/** How far apart two pictures are whose sides may differ by a pixel. */
function apart (one: Raster, other: Raster): number {
  const [width, height] = [Math.min(one.width, other.width), Math.min(one.height, other.height)]
  if (Math.max(one.width, other.width) > width + 1 || Math.max(one.height, other.height) > height + 1) return Number.POSITIVE_INFINITY
  const common = (picture: Raster): Raster => rasterOf(width, height, (x, y) => pixel(picture, x, y).slice(0, 3))
  return difference(common(one), common(other))
}

// The order counts: a peak that was reached hides what comes after.
t.test('a line of pixels has no edges to look for', async t => {
  const line = await sharp({ create: { width: 2_500_000, height: 1, channels: 3, background: '#fff' } }).png().toBuffer()
  const took = cpuClock()
  t.match((await make(line, 'trim=auto&w=200')).facts, { width: 200, height: 1 })
  t.match((await make(line, 'trim=auto&rect=0.5,0,0.1,1&w=200')).facts, { width: 200, height: 1 })
  await t.rejects(make(line, 'trim=auto&rot=45&w=200'), { code: 'image-too-large' }, 'nor room to be turned in')
  t.match((await make(await file(rasterOf(1, 1, () => [9, 9, 9])), 'trim=auto&rot=33')).facts, { width: 1, height: 1 })
  t.ok(took() < 3000, `${Math.round(took())} ms`)
})

t.test('a small variant of a large picture takes little, with its edges trimmed and turned by any angle', async t => {
  for (const query of ['w=50', 'trim=auto&w=50', 'rot=30&w=50', 'trim=auto&rot=30&w=50', 'trim=auto&rot=30&rect=0.1,0.1,0.5,0.5&w=50']) {
    const mebibytes = await growth(async () => await make(large, query, { format: 'jpeg' }))
    t.ok(mebibytes < 80, `${query}: ${Math.round(mebibytes)} MiB`)
  }
})

t.test('an SVG with lengths in points is drawn in no more pixels than are asked for', async t => {
  const points = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="120pt" height="120pt" viewBox="0 0 120 120"><filter id="f"><feGaussianBlur stdDeviation="1"/></filter><rect x="10" y="20" width="100" height="50" fill="#c30"/><circle cx="60" cy="45" r="20" filter="url(#f)"/></svg>')
  for (const [query, width, height] of [['trim=auto&w=1000', 1000, 500], ['trim=auto&w=1400&rot=90', 1400, 2800], ['w=1400&rot=30', 1400, 1400], ['trim=auto', 100, 50]] as const) {
    const took = cpuClock()
    let facts = {}
    const mebibytes = await growth(async () => { facts = (await make(points, query)).facts })
    t.ok(mebibytes < 200 && took() < 5000, `${query}: ${Math.round(mebibytes)} MiB, ${Math.round(took())} ms`)
    const { width: across = 0, height: down = 0 } = facts as { width?: number, height?: number }
    t.ok(Math.abs(across - width) <= 2 && Math.abs(down - height) <= height / 50, `${query}: ${across} × ${down}`)
  }
  const dot = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1" viewBox="0 0 10 10"><rect width="5" height="10"/></svg>')
  t.match((await make(dot, 'trim=auto&w=2000')).facts, { width: 2000, height: 4000 }, 'one of a single pixel too')
  await t.rejects(make(points, 'trim=auto&rect=0,0,1,1', { limits: { inputPixels: 14_399 } }), { code: 'image-too-large', detail: /inputPixels/ }, 'before anything is drawn')
})

t.test('edges are found in a copy as they are in all pixels', async t => {
  const inner = await sharp(large).extract({ left: 150, top: 100, width: 5600, height: 3600 }).png().toBuffer()
  const whole = await make(large, 'trim=auto', { format: 'jpeg' })
  t.ok(Math.abs((whole.facts.width ?? 0) - 5600) <= 8 && Math.abs((whole.facts.height ?? 0) - 3600) <= 8, JSON.stringify(whole.facts))
  const expected = async (query: string): Promise<Raster> => await madeRaster(inner, query)
  for (const query of ['w=300', 'w=300&rect=0.5,0.25,0.25,0.25', 'w=300&rot=90', 'w=300&rot=180&flip=h', 'w=300&rot=270&flip=v', 'w=200&h=200&fit=cover&position=right', 'w=900']) {
    const far = apart(await madeRaster(large, `trim=auto&${query}`), await expected(query))
    t.ok(far < 3, `${query}: ${far.toFixed(2)}`)
  }
  const turned = await sharp(large).withMetadata({ orientation: 5 }).jpeg().toBuffer()
  const other = await sharp(inner).withMetadata({ orientation: 5 }).png().toBuffer()
  t.ok(apart(await madeRaster(turned, 'trim=auto&w=200'), await madeRaster(other, 'w=200')) < 3, 'as the camera was held')
  const tilted = await madeRaster(large, 'trim=auto&rot=30&bg=fff&w=300')
  t.ok(apart(tilted, await madeRaster(inner, 'rot=30&bg=fff&w=300')) < 3, 'of a picture turned by any angle')
  t.equal(tilted.width, 300)
  const [part, rest] = [await madeRaster(large, 'trim=auto&rot=30&bg=fff&rect=0.5,0.3,0.2,0.3&w=300'), await madeRaster(inner, 'rot=30&bg=fff&rect=0.5,0.3,0.2,0.3&w=300')]
  t.ok(apart(part, rest) < 3 && part.width === 300, `and of a part of it: ${apart(part, rest).toFixed(2)}`)
})

t.test('operations that take long are done for as many pixels as four seconds are enough for', async t => {
  for (const query of ['clahe=100', 'clahe=1', 'median=15', 'dilate=30', 'erode=30', 'median=3&blur=50&sharp=30']) {
    const took = cpuClock()
    await t.rejects(make(large, `w=6000&${query}`, { format: 'jpeg' }), { code: 'image-too-large', statusCode: 422, detail: /^[a-z, ]+: this takes too long for the 24000000 pixels of the variant; ask for at most \d+$/ }, query)
    t.ok(took() < 1000, `${Math.round(took())} ms`)
    await t.resolves(make(large, `w=300&${query}`, { format: 'jpeg' }))
  }
  const clear = await file(rasterOf(2, 2, () => [255, 0, 0, 128]))
  const plain = await file(rasterOf(2, 2, () => [255, 0, 0]))
  const most = 'w=1900&h=1900&fit=fill&clahe=100&kernel=nearest'
  await t.rejects(make(clear, most), { code: 'image-too-large', detail: /clahe/ }, 'an alpha channel counts')
  await t.rejects(make(plain, most.replaceAll('1900', '2100')), { code: 'image-too-large', detail: /clahe/ })
  const moving = await animation('gif', Array.from({ length: 20 }, () => 100))
  await t.rejects(make(moving, 'w=600&h=400&fit=fill&clahe=100', { format: 'gif' }), { code: 'image-too-large', detail: /clahe/ }, 'so does every frame')
})

t.test('frames are counted with whatever makes them larger', async t => {
  const moving = await animation('gif', Array.from({ length: 50 }, () => 100), { width: 20, height: 20 })
  const limits = { framePixels: 1_000_000 }
  for (const query of ['w=200&enlarge', 'w=200&h=200&fit=cover', 'w=10&h=200&fit=pad&pad=90', 'w=200&h=200&fit=contain', 'dpr=5&w=40&enlarge']) {
    await t.rejects(make(moving, query, { format: 'webp', limits }), { code: 'image-too-large', detail: /50 frames.*framePixels/ }, query)
  }
  await t.rejects(make(moving, 'rot=45', { format: 'webp', limits: { framePixels: 21_000 } }), { code: 'image-too-large', detail: /framePixels/ }, 'corners that become free')
  t.match((await make(moving, 'w=140&enlarge', { format: 'webp', limits })).facts, { width: 140, frames: 50 })
  const took = cpuClock()
  t.match((await make(moving, 'w=4000&h=4&fit=cover&enlarge', { format: 'gif', limits })).facts, { width: 4000, height: 4, frames: 50 })
  t.ok(took() < 5000, `a narrow part is not scaled as the whole: ${Math.round(took())} ms`)
})
