import sharp from 'sharp'
import t from 'tap'
import { background, colourOf } from '../../../../lib/image/pipeline/colour.ts'
import { difference, file, madeRaster, make, picture, pixel, raster, rasterOf, withoutPictures, type Raster } from '../../../helpers/variant.ts'

const bars = rasterOf(80, 40, x => x < 20 ? [255, 0, 0] : x < 40 ? [0, 200, 0] : x < 60 ? [20, 20, 255] : [240, 240, 240])

/** Display P3's red in a file with its profile: more than sRGB can show. */
const wide = async (deep = false): Promise<Buffer> => {
  const srgb = await sharp(await file(bars)).withIccProfile('p3').png().toBuffer()
  const profiled = sharp(srgb).keepIccProfile().linear([1, 1, 1], [0, 0, 0])
  return await (deep ? profiled.toColourspace('rgb16') : profiled).png().toBuffer()
}

const profileOf = async (bytes: Buffer): Promise<string> => (await sharp(bytes).metadata()).icc?.toString('latin1').replaceAll('\0', '') ?? ''

t.test('a wide picture becomes sRGB, and not dull: by itself, with pixels settled, and with sixteen bits', async t => {
  for (const original of [await wide(), await wide(true)]) {
    for (const query of ['', 'px=2', 'bri=0.01', 'w=40', 'w=40&h=16&fit=cover&position=entropy', 'w=40&flip=v', 'w=40&gamma=2', 'w=40&meta=all']) {
      const { bytes } = await make(original, query)
      t.equal(await profileOf(bytes), '', query)
      const made = await raster(bytes)
      const [r = 0, g = 0, b = 0] = pixel(made, Math.round(made.width / 8), 10)
      t.ok(r > 245 && g < 25 && b < 25, `${query}: ${r}, ${g}, ${b}`)
    }
  }
})

t.test('Display P3 on request comes with its profile, whatever is done in between', async t => {
  for (const original of [await wide(), await wide(true), await file(bars)]) {
    for (const query of ['cs=p3', 'cs=p3&w=40', 'cs=p3&blur=0.5&con=1&txt=.', 'cs=p3&h=20&w=20&fit=contain&bg=fff&bri=1', 'cs=p3&w=20&h=20&fit=cover&position=attention', 'cs=p3&trim=5', 'cs=p3&rot=30', 'cs=p3&meta=all&blur=1']) {
      const { bytes } = await make(original, query, { format: 'webp' })
      t.match(await profileOf(bytes), /P3/, query)
    }
    const shown = await madeRaster(original, 'cs=p3')
    t.ok(difference(shown, bars) < 4, `seen through the profile it is the same: ${difference(shown, bars).toFixed(2)}`)
  }
})

t.test('the colours of a wider profile than sRGB survive in Display P3', async t => {
  // Samples of pure red that a P3 profile gives another meaning.
  const red = rasterOf(8, 8, () => [255, 0, 0])
  const profile = await sharp(await file(red)).withIccProfile('p3').png().toBuffer()
  const icc = (await sharp(profile).metadata()).icc as Buffer
  const samples = async (bytes: Buffer): Promise<Raster> => {
    const { data, info } = await sharp(bytes).keepIccProfile().raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, channels: info.channels, data }
  }
  const p3 = await withProfile(await file(red), icc)
  t.ok(difference(await samples((await make(p3, 'cs=p3')).bytes), red) < 2, 'its own samples')
  t.ok(difference(await samples((await make(p3, 'cs=keep')).bytes), red) < 2)
  const renamed = Buffer.from(icc)
  renamed.write('X', renamed.indexOf('C', renamed.indexOf('s\0P\0')), 'latin1')
  t.ok(difference(await samples((await make(await withProfile(await file(red), renamed), 'cs=p3')).bytes), red) < 3, 'also by way of another profile')
  t.ok(difference(await samples((await make(await withProfile(await file(red), renamed), 'cs=p3&invert&px=2')).bytes), rasterOf(8, 8, () => [0, 255, 255])) < 120)
})

/** A PNG with an ICC profile put in as it is. */
async function withProfile (png: Buffer, icc: Buffer): Promise<Buffer> {
  const { deflateSync, crc32 } = await import('node:zlib')
  const content = Buffer.concat([Buffer.from('iCCPp\0\0', 'latin1'), deflateSync(icc)])
  const chunk = Buffer.alloc(content.length + 8)
  chunk.writeUInt32BE(content.length - 4, 0)
  content.copy(chunk, 4)
  chunk.writeUInt32BE(typeof crc32 === 'function' ? crc32(content) : crcOf(content), content.length + 4)
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)])
}

/** Node 20.19 has none of its own in every build. */
function crcOf (bytes: Buffer): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xedb8_8320 : crc >>> 1
  }
  return (crc ^ 0xffff_ffff) >>> 0
}

t.test('the profile of the original is kept on request, with its samples', async t => {
  const original = await wide()
  for (const query of ['cs=keep', 'cs=keep&blur=0.4&con=1']) t.match(await profileOf((await make(original, query)).bytes), /P3/, query)
  t.equal(await profileOf((await make(await file(bars), 'cs=keep')).bytes), '', 'where it has none there is none')
})

t.test('CMYK comes out in its colours, with and without an Adobe marker', async t => {
  const original = await sharp(await file(bars)).toColourspace('cmyk').jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()
  t.equal((await sharp(original).metadata()).space, 'cmyk')
  for (const query of ['', 'w=40', 'cs=keep', 'cs=p3', 'px=2']) {
    const made = await madeRaster(original, query, { format: 'jpeg' })
    const [white, red] = [pixel(made, Math.round(made.width * 0.9), 5), pixel(made, Math.round(made.width * 0.1), 5)]
    t.ok(Math.min(...white) > 200 && (red[0] ?? 0) > 170 && (red[1] ?? 0) < 110, `${query}: ${white.join()} ${red.join()}`)
  }
})

t.test('grey stays one channel, until colour is added', async t => {
  const grey = await sharp(rasterOf(60, 40, x => [x * 4]).data, { raw: { width: 60, height: 40, channels: 1 } }).toColourspace('b-w').png().toBuffer()
  const channels = async (query: string, format: 'png' | 'jpeg' = 'png'): Promise<number | undefined> => (await sharp((await make(grey, query, { format })).bytes).metadata()).channels
  t.equal(await channels('w=30'), 1)
  t.equal(await channels('w=30', 'jpeg'), 1)
  t.equal(await channels('w=30&invert&px=3&pad=4&bg=777'), 1)
  t.equal(await channels('w=30&pad=4&bg=f00'), 3)
  t.equal(await channels('w=30&tint=f00'), 3)
  t.equal(await channels('w=30&cs=p3'), 1)
  t.equal(await channels('greyscale&txt=x&txt-color=f00'), 3)
})

t.test('alpha, palettes and sixteen bits are what they look like', async t => {
  const clear = rasterOf(60, 40, x => [200, 40, 40, x * 4])
  t.ok(difference(await madeRaster(await file(clear), ''), clear) < 1)
  t.equal((await madeRaster(await file(clear), 'w=30')).channels, 4)
  const palette = await sharp(await file(bars)).png({ palette: true }).toBuffer()
  t.ok(difference(await madeRaster(palette, ''), bars) < 4)
  const deep = await sharp(await file(bars)).toColourspace('rgb16').png().toBuffer()
  for (const query of ['', 'px=2', 'con=1']) t.ok(difference(await madeRaster(deep, query), bars) < 4, query)
})

t.test('colours of the table are red, green, blue and opacity', async t => {
  t.same(colourOf('ff8000'), { r: 255, g: 128, b: 0, alpha: 1 })
  t.equal(colourOf('ff800000').alpha, 0)
  t.same(background(undefined, 'png').alpha, 0)
  t.same(background('ff000080', 'jpeg'), { r: 255, g: 127, b: 127, alpha: 1 })
})

t.test('real pictures keep their colours', { skip: withoutPictures }, async t => {
  const reference = async (name: string): Promise<Raster> => {
    const { data, info } = await sharp(picture(name)).resize(100, 75, { fit: 'fill' }).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, channels: info.channels, data }
  }
  const [inverted, bus] = [await madeRaster(picture('jpeg/cmyk-adobe-inverted.jpg'), 'w=100&h=75&fit=fill'), await madeRaster(picture('photos/bus-12mp-displayp3.jpg'), 'w=100&h=75&fit=fill')]
  t.ok(difference(inverted, await reference('jpeg/cmyk-adobe-inverted.jpg')) < 6)
  t.ok(difference(bus, await reference('photos/bus-12mp-displayp3.jpg')) < 6)
  const spread = ({ data }: Raster): number => data.reduce((sum, _, at) => at % 3 === 0 ? sum + Math.abs((data[at] ?? 0) - (data[at + 2] ?? 0)) : sum, 0)
  const untold = await sharp(picture('photos/bus-12mp-displayp3.jpg')).keepIccProfile().resize(100, 75, { fit: 'fill' }).raw().toBuffer()
  t.ok(spread(bus) > spread({ width: 100, height: 75, channels: 3, data: untold }) * 1.02, 'P3 is not dull')
})
