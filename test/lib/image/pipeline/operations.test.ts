import sharp from 'sharp'
import t from 'tap'
import { operationNames, operations, type OperationName } from '../../../../lib/transform/operations.ts'
import { difference, file, madeRaster, make, pixel, raster, rasterOf, type Asked, type Pixel, type Raster } from '../../../helpers/variant.ts'

/**
 * A golden for each operation: what its `example` makes of a drawn picture, told by properties
 * or by a reference computed here from samples, not by the engine's own method.
 */
type Golden = (query: string, t: Asserts) => Promise<void>

/** The assertions of the test that an operation has. */
type Asserts = Pick<typeof t, 'ok' | 'equal' | 'same' | 'match' | 'notMatch' | 'rejects'>

/** Lopsided, smooth, with edges: no turn, mirror or cut of it looks like another. */
const scene = rasterOf(640, 480, (x, y) => [x / 640 * 255, y / 480 * 255, (Math.floor(x / 80) + Math.floor(y / 80)) % 2 === 0 ? 60 : 190])
const scenePng = await file(scene)
const flat = async (colour: Pixel, width = 320, height = 240): Promise<Buffer> => await file(rasterOf(width, height, () => colour))
const ramp = rasterOf(256, 64, x => [x, x, x])
const logo = await file(rasterOf(60, 40, () => [255, 0, 255]))

/** The mean of each square of four: half the size. */
const half = (picture: Raster): Raster => rasterOf(picture.width / 2, picture.height / 2, (x, y) => {
  const [a = [], b = [], c = [], d = []] = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([dx = 0, dy = 0]) => pixel(picture, 2 * x + dx, 2 * y + dy))
  return a.map((sample, channel) => (sample + (b[channel] ?? 0) + (c[channel] ?? 0) + (d[channel] ?? 0)) / 4)
})
/** A part of a picture in any size, its pixels weighed linearly. */
const part = (picture: Raster, [left, top, width, height]: readonly [number, number, number, number], [w, h]: readonly [number, number]): Raster => {
  const steps = Math.max(1, Math.ceil(width / w))
  return rasterOf(w, h, (x, y) => {
    const sums = [0, 0, 0]
    for (let j = 0; j < steps; j++) for (let i = 0; i < steps; i++) {
      const sx = Math.min(picture.width - 1, Math.max(0, Math.floor(left + (x + (i + 0.5) / steps) * width / w)))
      const sy = Math.min(picture.height - 1, Math.max(0, Math.floor(top + (y + (j + 0.5) / steps) * height / h)))
      pixel(picture, sx, sy).forEach((sample, channel) => { sums[channel] = (sums[channel] ?? 0) + sample / steps ** 2 })
    }
    return sums
  })
}
const mapped = (picture: Raster, change: (sample: number) => number): Raster => rasterOf(picture.width, picture.height, (x, y) => pixel(picture, x, y).map(change))
const halfScene = half(scene)
const near = (t: Asserts, one: Raster, other: Raster, most: number, about: string): void => {
  const mean = difference(one, other)
  t.ok(mean <= most, `${about}: mean difference ${mean.toFixed(2)} of at most ${most}`)
}
const sizeOf = ({ width, height }: Raster): string => `${width}x${height}`
const luma = ([r = 0, g = r, b = r]: Pixel): number => 0.2126 * r + 0.7152 * g + 0.0722 * b
const mean = (picture: Raster, of: (pixel: Pixel) => number): number => {
  let sum = 0
  for (let y = 0; y < picture.height; y++) for (let x = 0; x < picture.width; x++) sum += of(pixel(picture, x, y))
  return sum / (picture.width * picture.height)
}
/** Lightness of CIE 1976 of an sRGB grey, and the grey of a lightness. */
const lightnessOf = (grey: number): number => {
  const c = grey / 255
  const y = c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y
}
const greyOf = (lightness: number): number => {
  const bounded = Math.min(100, Math.max(0, lightness))
  const y = bounded > 8 ? ((bounded + 16) / 116) ** 3 : bounded / 903.3
  return 255 * (y <= 0.0031308 ? 12.92 * y : 1.055 * y ** (1 / 2.4) - 0.055)
}
/** Where pixels are as asked: the box around them. */
const boxOf = (picture: Raster, is: (pixel: Pixel) => boolean): { left: number, top: number, right: number, bottom: number, count: number } => {
  const box = { left: Infinity, top: Infinity, right: -1, bottom: -1, count: 0 }
  for (let y = 0; y < picture.height; y++) for (let x = 0; x < picture.width; x++) {
    if (!is(pixel(picture, x, y))) continue
    box.left = Math.min(box.left, x)
    box.right = Math.max(box.right, x)
    box.top = Math.min(box.top, y)
    box.bottom = Math.max(box.bottom, y)
    box.count++
  }
  return box
}
const isLogo = ([r = 0, g = 0, b = 0]: Pixel): boolean => r > 240 && g < 15 && b > 240
const isRed = ([r = 0, g = 0, b = 0]: Pixel): boolean => r > 200 && g < 60 && b < 60
const marked: Asked = { mark: logo }
/** Words on black. */
const words = async (query: string): Promise<{ box: ReturnType<typeof boxOf>, made: Raster }> => {
  const made = await madeRaster(await flat([0, 0, 0]), query)
  return { made, box: boxOf(made, pixel => luma(pixel) > 100) }
}
const markBox = async (query: string): Promise<ReturnType<typeof boxOf>> => boxOf(await madeRaster(await flat([0, 90, 0]), query, marked), isLogo)
const animation = async (): Promise<Buffer> => await sharp([await flat([255, 0, 0], 40, 30), await flat([0, 255, 0], 40, 30), await flat([0, 0, 255], 40, 30)], { join: { animated: true } }).gif({ delay: [50, 100, 150], loop: 3 }).toBuffer()
const square = rasterOf(320, 240, (x, y) => x >= 100 && x < 120 && y >= 100 && y < 120 ? [255, 255, 255] : [0, 0, 0])
const reds = async (side: number): Promise<Buffer> => await file(rasterOf(600, 200, (x, y) => Math.hypot(x - 520, y - 100) < side ? [230, 20, 20] : [100, 104, 100]))
const alphaOf = (picture: Raster): number => mean(picture, samples => samples[3] ?? 255) * picture.width * picture.height / 255

const goldens: { readonly [N in OperationName]: Golden } = {
  async frame (query, t) {
    const made = await madeRaster(await animation(), query)
    t.same([sizeOf(made), ...pixel(made, 5, 5).slice(0, 3)], ['40x30', 0, 0, 255])
    await t.rejects(make(await animation(), 'frame=3'), { code: 'bad-transform', detail: /frame.*3/ })
  },
  async animated (query, t) {
    t.equal((await make(await animation(), '', { format: 'gif' })).facts.frames, 3)
    t.equal((await make(await animation(), query, { format: 'gif' })).facts.frames, undefined)
  },
  async orient (query, t) {
    const lying = await sharp(scenePng).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    t.equal(sizeOf(await madeRaster(lying, '')), '480x640')
    near(t, await madeRaster(lying, query), scene, 4, 'left as stored')
    near(t, await madeRaster(scenePng, 'orient=3'), rasterOf(640, 480, (x, y) => pixel(scene, 639 - x, 479 - y)), 0, 'as if it had this one')
  },
  async rot (query, t) {
    near(t, await madeRaster(scenePng, query), rasterOf(480, 640, (x, y) => pixel(scene, y, 479 - x)), 0, 'clockwise')
    const tilted = await madeRaster(scenePng, 'rot=45&bg=ff0000')
    t.ok(Math.abs(tilted.width - 792) <= 1 && tilted.height === tilted.width, 'the box around it')
    t.ok(isRed(pixel(tilted, 3, 3)))
    near(t, rasterOf(1, 1, () => pixel(tilted, 396, 424)), rasterOf(1, 1, () => pixel(scene, 340, 260)), 3, 'below the middle what was to its lower right')
    near(t, rasterOf(1, 1, () => pixel(tilted, 396 + 127, 396 + 156)), rasterOf(1, 1, () => pixel(scene, 520, 260)), 4, 'clockwise too')
    t.equal(sizeOf(await madeRaster(scenePng, 'rot=45&w=100&flip=h')), '100x100')
    t.equal(pixel(await madeRaster(scenePng, 'rot=30'), 1, 1)[3], 0, 'free corners are transparent')
    t.ok(luma(pixel(await madeRaster(scenePng, 'rot=30', { format: 'jpeg' }), 1, 1)) > 250, 'or white')
  },
  async flip (query, t) {
    near(t, await madeRaster(scenePng, query), rasterOf(640, 480, (x, y) => pixel(scene, 639 - x, y)), 0, 'left to right')
    near(t, await madeRaster(scenePng, 'flip=v&rot=90'), rasterOf(480, 640, (x, y) => pixel(scene, 639 - y, 479 - x)), 0, 'after the rotation')
  },
  async trim (query, t) {
    const bordered = await file(rasterOf(740, 600, (x, y) => x >= 40 && x < 680 && y >= 60 && y < 540 ? pixel(scene, x - 40, y - 60) : [255, 255, 255]))
    near(t, await madeRaster(bordered, query), scene, 0, 'the border is gone')
    t.equal(sizeOf(await madeRaster(await flat([9, 9, 9], 50, 40), query)), '50x40', 'one colour alone stays')
    t.equal(sizeOf(await madeRaster(await flat([9, 9, 9], 2, 40), query)), '2x40')
    near(t, await madeRaster(bordered, 'trim=10&rect=0.5,0.5,0.5,0.5'), part(scene, [320, 240, 320, 240], [320, 240]), 0, 'parts are those of the trimmed picture')
  },
  async rect (query, t) {
    near(t, await madeRaster(scenePng, query), part(scene, [160, 120, 320, 240], [320, 240]), 0, 'in fractions')
    near(t, await madeRaster(scenePng, 'rect=10,20,30,40'), part(scene, [10, 20, 30, 40], [30, 40]), 0, 'in pixels')
    near(t, await madeRaster(scenePng, `${query}&w=80`), part(scene, [160, 120, 320, 240], [80, 60]), 3, 'scaled')
    const lying = await sharp(await file(rasterOf(480, 640, (x, y) => pixel(scene, y, 479 - x)))).withMetadata({ orientation: 8 }).png().toBuffer()
    near(t, await madeRaster(lying, 'rect=10,20,30,40'), part(scene, [10, 20, 30, 40], [30, 40]), 0, 'of the upright picture')
  },
  async w (query, t) {
    near(t, await madeRaster(scenePng, query), halfScene, 2, 'half the size')
  },
  async h (query, t) {
    near(t, await madeRaster(scenePng, query), part(scene, [0, 0, 640, 480], [267, 200]), 3, 'by height')
  },
  async ar (query, t) {
    near(t, await madeRaster(scenePng, query), part(scene, [80, 0, 480, 480], [320, 320]), 4, 'cut to the ratio')
  },
  async fit (query, t) {
    near(t, await madeRaster(scenePng, query), part(scene, [80, 0, 480, 480], [320, 320]), 4, 'cover')
    near(t, await madeRaster(scenePng, 'w=100&h=200&fit=fill'), part(scene, [0, 0, 640, 480], [100, 200]), 4, 'fill')
    const contained = await madeRaster(scenePng, 'w=320&h=320&fit=contain')
    t.same([sizeOf(contained), pixel(contained, 5, 5)[3], pixel(contained, 5, 160)[3]], ['320x320', 0, 255])
    const padded = await madeRaster(scenePng, 'w=320&h=320&fit=pad')
    t.same(pixel(padded, 5, 5).slice(0, 3), [255, 255, 255])
    near(t, rasterOf(320, 240, (x, y) => pixel(padded, x, y + 40).slice(0, 3)), halfScene, 2, 'pad keeps the picture')
  },
  async enlarge (query, t) {
    t.equal(sizeOf(await madeRaster(await file(half(halfScene)), query)), '160x100')
    t.equal(sizeOf(await madeRaster(await file(half(halfScene)), 'w=320&h=200&fit=cover')), '320x200')
  },
  async position (query, t) {
    const seen = await madeRaster(await reds(40), query)
    t.equal(sizeOf(seen), '200x200')
    t.ok(boxOf(seen, isRed).count > 4000, 'what draws the eye is there')
    t.ok(boxOf(await madeRaster(await reds(40), 'w=200&h=200&fit=cover&position=entropy'), isRed).count > 4000, 'so is the detail')
    t.equal(boxOf(await madeRaster(await reds(40), 'w=200&h=200&fit=cover'), isRed).count, 0, 'which the middle does not have')
    near(t, await madeRaster(scenePng, 'w=100&h=200&fit=cover&position=top-right'), part(scene, [400, 0, 240, 480], [100, 200]), 4, 'a named side')
  },
  async fx (query, t) {
    near(t, await madeRaster(scenePng, query), part(scene, [0, 0, 480, 480], [200, 200]), 4, 'as far left as there is picture')
  },
  async fy (query, t) {
    const tall = rasterOf(480, 640, (x, y) => pixel(scene, y, x))
    near(t, await madeRaster(await file(tall), query), part(tall, [0, 160, 480, 480], [200, 200]), 4, 'as far down')
  },
  async zoom (query, t) {
    near(t, await madeRaster(scenePng, query), part(scene, [32, 24, 320, 240], [200, 150]), 4, 'a half of each side around the point')
  },
  async dpr (query, t) {
    near(t, await madeRaster(scenePng, query), halfScene, 2, 'twice the width')
  },
  async kernel (query, t) {
    const colours = new Set(Array.from({ length: 640 * 480 }, (_, at) => scene.data.subarray(at * 3, at * 3 + 3).join()))
    const made = await madeRaster(scenePng, query)
    t.ok(Array.from({ length: 320 * 240 }, (_, at) => made.data.subarray(at * 3, at * 3 + 3).join()).every(colour => colours.has(colour)), 'each pixel is one of the original')
  },
  async gamma (query, t) {
    const stripes = await file(rasterOf(640, 480, (_x, y) => y % 2 === 0 ? [255, 255, 255] : [0, 0, 0]))
    const [plain, linear] = [mean(await madeRaster(stripes, 'w=320'), luma), mean(await madeRaster(stripes, query), luma)]
    t.ok(Math.abs(plain - 127.5) < 3 && Math.abs(linear - 255 * 0.5 ** (1 / 2.2)) < 4, `half of the light is ${linear.toFixed(0)}, not ${plain.toFixed(0)}`)
  },
  async median (query, t) {
    const specks = await file(rasterOf(320, 240, (x, y) => x % 9 === 4 && y % 7 === 3 ? [255, 255, 255] : [128, 128, 128]))
    near(t, await madeRaster(specks, query), rasterOf(320, 240, () => [128, 128, 128]), 0, 'specks are gone')
  },
  async blur (query, t) {
    const edge = await file(rasterOf(320, 240, x => x < 160 ? [0, 0, 0] : [255, 255, 255]))
    const weights = Array.from({ length: 41 }, (_, at) => Math.exp(-((at - 20) ** 2) / 50))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const profile = Array.from({ length: 320 }, (_, x) => weights.reduce((sum, weight, at) => sum + (Math.min(319, Math.max(0, x + at - 20)) < 160 ? 0 : 255 * weight / total), 0))
    near(t, await madeRaster(edge, query), rasterOf(320, 240, x => [0, 1, 2].map(() => profile[x] ?? 0)), 1, 'a Gaussian')
  },
  async sharp (query, t) {
    const edge = await file(rasterOf(320, 240, x => [0, 1, 2].map(() => 80 + 80 / (1 + Math.exp((160 - x) / 0.7)))))
    const [before, after] = [await raster(edge), await madeRaster(edge, query)]
    const step = (picture: Raster): number => luma(pixel(picture, 161, 100)) - luma(pixel(picture, 159, 100))
    t.ok(step(after) > 1.15 * step(before), `an edge of ${step(before).toFixed(0)} becomes one of ${step(after).toFixed(0)}`)
    near(t, rasterOf(60, 20, (x, y) => pixel(after, x, y)), rasterOf(60, 20, (x, y) => pixel(before, x, y)), 1, 'even parts stay')
    t.ok(step(await madeRaster(edge, 'sharp=2,1,3')) > 1.15 * step(before))
  },
  async bri (query, t) {
    near(t, await madeRaster(await file(ramp), query), mapped(ramp, grey => greyOf(lightnessOf(grey) * 1.3)), 2, 'lightness times 1.3')
  },
  async sat (query, t) {
    const [before, after] = [scene, await madeRaster(scenePng, query)].map(picture => mean(picture, ([r = 0, g = 0, b = 0]) => Math.max(r, g, b) - Math.min(r, g, b)))
    t.ok((after ?? 0) / (before ?? 1) > 0.25 && (after ?? 0) / (before ?? 1) < 0.55, `colourfulness ${after} of ${before}`)
    near(t, await madeRaster(await file(ramp), query), ramp, 1, 'grey stays grey')
  },
  async hue (query, t) {
    const [r = 0, g = 0, b = 0] = pixel(await madeRaster(await flat([200, 60, 60]), query), 5, 5)
    t.ok(g > r && g > b, `red becomes green: ${r}, ${g}, ${b}`)
    t.ok(Math.abs(lightnessOf(luma([r, g, b])) - lightnessOf(luma([200, 60, 60]))) < 15, 'and stays about as light')
  },
  async con (query, t) {
    near(t, await madeRaster(scenePng, query), mapped(halfScene, sample => 1.4 * sample - 51.2), 3, 'away from the middle')
  },
  async gam (query, t) {
    near(t, await madeRaster(await file(ramp), query), mapped(ramp, sample => 255 * (sample / 255) ** 0.5), 1, 'brighter in the middle')
    near(t, await madeRaster(await file(ramp), 'gam=-50'), mapped(ramp, sample => 255 * (sample / 255) ** 2), 1, 'darker')
  },
  async normalise (query, t) {
    const dull = await madeRaster(await file(mapped(ramp, sample => 80 + sample / 4)), query)
    t.ok(luma(pixel(dull, 1, 9)) < 8 && luma(pixel(dull, 254, 9)) > 247, 'from black to white')
  },
  async greyscale (query, t) {
    const { bytes } = await make(scenePng, query)
    t.equal((await sharp(bytes).metadata()).channels, 1)
    const linear = (sample: number): number => sample <= 10.31 ? sample / 255 / 12.92 : ((sample / 255 + 0.055) / 1.055) ** 2.4
    const grey = rasterOf(320, 240, (x, y) => [greyOf(116 * Math.cbrt(Math.max(0.0089, luma(pixel(halfScene, x, y).map(linear)))) - 16)])
    near(t, await raster(bytes), grey, 6, 'by luminance')
  },
  async tint (query, t) {
    const made = await madeRaster(scenePng, query)
    const [r = 0, g = 0, b = 0] = pixel(await madeRaster(await flat([128, 128, 128]), query), 9, 9)
    t.ok(r > g + 20 && g > b + 20, `${r}, ${g}, ${b}`)
    t.ok(mean(made, ([r = 0, , b = 0]) => r >= b ? 1 : 0) > 0.99, 'everywhere')
  },
  async invert (query, t) {
    near(t, await madeRaster(scenePng, query), mapped(halfScene, sample => 255 - sample), 2, 'the negative')
  },
  async threshold (query, t) {
    const made = await madeRaster(await file(ramp), query)
    near(t, made, mapped(ramp, sample => sample >= 128 ? 255 : 0), 0, 'black or white')
    near(t, await madeRaster(await file(mapped(ramp, sample => Math.max(1, sample))), 'threshold=0'), mapped(ramp, () => 255), 0, 'nothing is below 0')
  },
  async lightness (query, t) {
    near(t, await madeRaster(await file(ramp), query), mapped(ramp, grey => greyOf(lightnessOf(grey) + 20)), 2, 'lightness and 20')
  },
  async linear (query, t) {
    near(t, await madeRaster(scenePng, query), mapped(halfScene, sample => 1.5 * sample - 40), 3, 'multiplied and added')
    near(t, await madeRaster(await file(ramp), 'con=50&linear=1,20'), mapped(ramp, sample => Math.min(255, Math.max(0, 1.5 * sample - 64)) + 20), 1, 'after the contrast, not in its place')
  },
  async clahe (query, t) {
    const faint = await file(rasterOf(320, 240, (x, y) => [0, 1, 2].map(() => 100 + 6 * Math.sin(x / 9) + 6 * Math.cos(y / 7))))
    const spread = (picture: Raster): number => {
      const middle = mean(picture, luma)
      return mean(picture, pixel => Math.abs(luma(pixel) - middle))
    }
    const [plain, clear] = [spread(await raster(faint)), spread(await madeRaster(faint, query))]
    t.ok(clear > 1.3 * plain, `what is faint shows: ${plain.toFixed(1)} becomes ${clear.toFixed(1)}`)
  },
  async dilate (query, t) {
    t.match(boxOf(await madeRaster(await file(square), query), pixel => luma(pixel) > 128), { left: 103, right: 116, top: 103, bottom: 116 })
  },
  async erode (query, t) {
    t.match(boxOf(await madeRaster(await file(square), query), pixel => luma(pixel) > 128), { left: 97, right: 122, top: 97, bottom: 122 })
  },
  async unflatten (query, t) {
    const made = await madeRaster(await file(rasterOf(320, 240, x => x < 160 ? [255, 255, 255] : [200, 30, 40])), query)
    t.same([pixel(made, 20, 20)[3], pixel(made, 300, 20)], [0, [200, 30, 40, 255]])
  },
  async px (query, t) {
    const made = await madeRaster(scenePng, query)
    near(t, made, rasterOf(320, 240, (x, y) => {
      const [left, top] = [x - x % 12, y - y % 12]
      const cell = part(halfScene, [left, top, Math.min(12, 320 - left), Math.min(12, 240 - top)], [1, 1])
      return pixel(cell, 0, 0)
    }), 2, 'the mean of each square')
    t.same(pixel(made, 12, 12), pixel(made, 23, 23))
    const clear = await file(rasterOf(4, 4, x => x < 2 ? [255, 0, 0, 255] : [0, 255, 0, 0]))
    t.same(pixel(await madeRaster(clear, 'px=4'), 0, 0), [255, 0, 0, 128], 'what cannot be seen does not colour')
    t.same(pixel(await madeRaster(clear, 'px=2'), 3, 3), [0, 0, 0, 0])
  },
  async radius (query, t) {
    const made = await madeRaster(scenePng, query)
    t.same([pixel(made, 0, 0)[3], pixel(made, 319, 239)[3], pixel(made, 40, 0)[3], pixel(made, 160, 120)[3]], [0, 0, 255, 255])
    t.ok(Math.abs(alphaOf(made) - (320 * 240 - (4 - Math.PI) * 40 ** 2)) < 20, 'smooth at the edge')
    const white = await madeRaster(scenePng, query, { format: 'jpeg' })
    t.ok(luma(pixel(white, 0, 0)) > 245 && white.channels === 3)
    t.ok(isRed(pixel(await madeRaster(scenePng, `${query}&bg=ff0000`), 0, 0)))
  },
  async mask (query, t) {
    t.ok(Math.abs(alphaOf(await madeRaster(scenePng, query)) - Math.PI * 100 ** 2) < 20, 'a circle')
    t.ok(Math.abs(alphaOf(await madeRaster(scenePng, 'w=320&mask=ellipse')) - Math.PI * 160 * 120) < 20, 'an ellipse')
    t.ok(Math.abs(alphaOf(await madeRaster(scenePng, 'w=320&mask=corners')) - (320 * 240 - (4 - Math.PI) * 24 ** 2)) < 20, 'corners')
    const tinted = await madeRaster(scenePng, 'w=320&mask=circle&bg=ff000080')
    t.ok(Math.abs((pixel(tinted, 1, 1)[3] ?? 0) - 128) <= 1, 'on what is half seen')
  },
  async pad (query, t) {
    const made = await madeRaster(scenePng, query)
    t.same([sizeOf(made), pixel(made, 0, 0), pixel(made, 19, 279)], ['360x280', [255, 136, 0], [255, 136, 0]])
    near(t, rasterOf(320, 240, (x, y) => pixel(made, x + 20, y + 20)), halfScene, 2, 'the picture within')
    const sided = await madeRaster(scenePng, 'w=320&pad=1,2,3,4')
    t.same([sizeOf(sided), pixel(sided, 3, 1)[3], pixel(sided, 4, 1)[3]], ['326x244', 0, 255])
    t.equal(sizeOf(await madeRaster(scenePng, 'w=320&h=320&fit=contain&pad=10&radius=9&px=4&txt=x&blur=1')), '340x340', 'with all that comes before and after')
  },
  async bg (query, t) {
    const made = await madeRaster(scenePng, query)
    t.same([pixel(made, 4, 4), made.channels], [[0x22, 0x33, 0x44], 3])
    const clear = await file(rasterOf(20, 20, () => [255, 255, 255, 128]))
    near(t, await madeRaster(clear, 'bg=000'), rasterOf(20, 20, () => [128, 128, 128]), 1, 'behind transparency')
    near(t, await madeRaster(clear, 'bg=000&invert'), rasterOf(20, 20, () => [0, 0, 0]), 1, 'not changed with the picture')
    near(t, await madeRaster(clear, 'invert', { format: 'jpeg' }), rasterOf(20, 20, () => [127, 127, 127]), 2, 'white where there is no transparency')
    near(t, await madeRaster(clear, 'bg=00000000', { format: 'jpeg' }), rasterOf(20, 20, () => [255, 255, 255]), 1, 'on white, as nothing is behind')
    t.equal(pixel(await madeRaster(clear, 'bg=00000000'), 3, 3)[3], 128)
  },
  async mark (query, t) {
    t.match(await markBox(query), { left: 250, right: 309, top: 190, bottom: 229, count: 2400 }, 'in its own size, ten pixels from the corner')
    const wide = boxOf(await madeRaster(await flat([0, 90, 0], 90, 60), 'mark=logo', marked), isLogo)
    t.match(wide, { left: 50, right: 79, top: 30, bottom: 49 }, 'a third of a small one')
    await t.rejects(make(scenePng, query), { code: 'bad-transform', detail: /mark/ })
    await t.rejects(make(scenePng, query, { mark: Buffer.from('no picture') }), { code: 'unsupported-image' })
  },
  async 'mark-position' (query, t) {
    t.match(await markBox(query), { left: 10, top: 10, right: 69, bottom: 49 })
  },
  async 'mark-alpha' (query, t) {
    const made = await madeRaster(await flat([0, 90, 0]), query, marked)
    near(t, rasterOf(1, 1, () => pixel(made, 280, 210)), rasterOf(1, 1, () => [128, 45, 128]), 2, 'half of each')
  },
  async 'mark-scale' (query, t) {
    t.match(await markBox(query), { left: 150, right: 309 })
  },
  async 'mark-pad' (query, t) {
    t.match(await markBox(query), { right: 299, bottom: 219 })
  },
  async 'mark-tile' (query, t) {
    const { left, top, right, bottom, count } = await markBox(query)
    t.same([left, top], [0, 0])
    t.ok(right > 280 && bottom > 210 && count > 320 * 240 / 2, 'all over')
  },
  async txt (query, t) {
    const { box } = await words(query)
    t.ok(box.count > 50 && box.right <= 309 && box.right > 290 && box.bottom <= 229 && box.bottom > 215 && box.left > 160, 'at the lower right')
    const [bold, plain] = [await words('txt=%3Cb%3Ex%3C/b%3E%26amp;'), await words('txt=x%26')]
    t.ok(bold.box.right - bold.box.left > 3 * (plain.box.right - plain.box.left), 'markup is written as it is')
    t.ok((await words(`txt=${'W'.repeat(200)}&txt-size=512`)).box.count > 0, 'words that do not fit are cut')
    t.ok((await words(`txt=${encodeURIComponent('a\n'.repeat(100))}`)).box.count > 0)
  },
  async 'txt-size' (query, t) {
    const [large, small] = [await words(query), await words('w=320&txt=Hello')]
    const ratio = (large.box.bottom - large.box.top) / (small.box.bottom - small.box.top)
    t.ok(ratio > 1.7 && ratio < 2.4, `twice as high: ${ratio.toFixed(2)}`)
  },
  async 'txt-color' (query, t) {
    const { made, box } = await words(query)
    t.ok(box.count > 50)
    t.equal(boxOf(made, ([r = 0, g = 0, b = 0]) => b > 8 || Math.abs(g - r * 0.8) > 4).count, 0, 'every pixel is a shade of it')
  },
  async 'txt-position' (query, t) {
    const { box } = await words(query)
    t.ok(Math.abs(box.left + box.right - 320) < 8 && Math.abs(box.top + box.bottom - 240) < 12, 'in the middle')
    t.ok((await words('txt=Hello&txt-position=top-left')).box.left < 14)
  },
  async 'txt-pad' (query, t) {
    const { box } = await words(query)
    t.ok(box.right <= 289 && box.right > 280 && box.bottom <= 209, 'away from the edges')
  },
  async f (query, t) {
    t.equal((await sharp((await make(scenePng, query, { format: 'webp' })).bytes).metadata()).format, 'webp')
    for (const format of ['jpeg', 'png', 'gif', 'tiff', 'avif'] as const) near(t, await madeRaster(scenePng, 'w=320', { format }), halfScene, 8, format)
  },
  async q (query, t) {
    const [low, high] = [await make(scenePng, query, { format: 'jpeg' }), await make(scenePng, 'w=320&q=95', { format: 'jpeg' })]
    t.ok(low.bytes.length < high.bytes.length)
    t.equal(low.facts.quality, undefined, 'only what was found is told')
  },
  async lossless (query, t) {
    const busy = await file(rasterOf(320, 240, (x, y) => [x * 7 % 256, y * 11 % 256, x * y % 256]))
    near(t, await madeRaster(busy, query, { format: 'webp' }), await raster(busy), 0, 'each pixel as it was')
  },
  async effort (query, t) {
    const busy = await file(rasterOf(320, 240, (x, y) => [x * y % 256, (x * x + y) % 256, 128 + 100 * Math.sin(x * y / 900)]))
    t.ok((await make(busy, query, { format: 'webp' })).bytes.length < (await make(busy, 'effort=0', { format: 'webp' })).bytes.length)
  },
  async progressive (query, t) {
    t.equal((await sharp((await make(scenePng, query, { format: 'jpeg' })).bytes).metadata()).isProgressive, true)
    t.equal((await sharp((await make(scenePng, 'w=320', { format: 'jpeg' })).bytes).metadata()).isProgressive, false)
  },
  async chromasub (query, t) {
    t.equal((await sharp((await make(scenePng, query, { format: 'jpeg' })).bytes).metadata()).chromaSubsampling, '4:4:4')
    t.equal((await sharp((await make(scenePng, 'w=320', { format: 'jpeg' })).bytes).metadata()).chromaSubsampling, '4:2:0')
  },
  async meta (query, t) {
    const told = await sharp(scenePng).withExif({ IFD0: { Copyright: 'Ada', Artist: 'Bo', Software: 'secret' } }).jpeg().toBuffer()
    const exifOf = async (asked: string): Promise<string> => (await sharp((await make(told, asked, { format: 'jpeg' })).bytes).metadata()).exif?.toString('latin1') ?? ''
    t.equal(await exifOf(query), '')
    t.match(await exifOf('w=320'), /Ada[^]*Bo|Bo[^]*Ada/)
    t.notMatch(await exifOf('w=320'), /secret/)
    t.match(await exifOf('w=320&meta=all'), /secret/)
  },
  async cs (query, t) {
    const { icc } = await sharp((await make(scenePng, query)).bytes).metadata()
    t.match(icc?.toString('latin1').replaceAll('\0', ''), /sP3C|Display P3/, 'the profile is there')
    const [r = 0, g = 0, b = 0] = pixel(await madeRaster(await flat([255, 0, 0]), 'cs=p3&px=2'), 3, 3)
    t.ok(r > 245 && g < 20 && b < 20, 'the colour is the same to who reads the profile')
  }
}

for (const name of operationNames) {
  t.test(`${name} does what its line says`, async t => {
    t.type(goldens[name], 'function', 'it has a golden')
    const before = performance.now()
    await goldens[name](operations[name].example, t)
    t.comment(`${(performance.now() - before).toFixed(0)} ms`)
  })
}

t.test('every operation that adjusts can be done by the engine', async t => {
  for (const name of operationNames.filter(name => operations[name].step === 'adjust')) {
    await t.resolves(make(logo, operations[name].example), name)
  }
})
