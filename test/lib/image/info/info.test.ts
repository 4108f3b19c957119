import { decode, isBlurhashValid } from 'blurhash'
import sharp from 'sharp'
import t from 'tap'
import { thumbHashToApproximateAspectRatio, thumbHashToAverageRGBA } from 'thumbhash'
import { dominantColour } from '../../../../lib/image/info/dominant-colour.ts'
import { Exif } from '../../../../lib/image/info/exif.ts'
import { inputFormats } from '../../../../lib/image/format.ts'
import { blurHash } from '../../../../lib/image/info/hashes.ts'
import { iccName } from '../../../../lib/image/info/icc-name.ts'
import { describeImage, type ImageInfo } from '../../../../lib/image/info/info.ts'
import type { JobLimits } from '../../../../lib/image/job.ts'
import { animation, drawn, inputOf, noPictures, realBytes, realPictures } from '../../../helpers/pictures.ts'

const limits: JobLimits = { inputPixels: 50e6, outputPixels: 50e6, framePixels: 100e6, dimension: 20_000, inputs: inputFormats }

async function told (bytes: Buffer, { gps = false, ...changed }: Partial<JobLimits> & { gps?: boolean } = {}): Promise<ImageInfo> {
  return await describeImage(inputOf(bytes), { gps, limits: { ...limits, ...changed } })
}

/** A record survives its way to another process, and its hashes and placeholder can be read. */
async function isWhole (info: ImageInfo): Promise<boolean> {
  const { data } = await sharp(Buffer.from(info.placeholder.replace('data:image/webp;base64,', ''), 'base64')).raw().toBuffer({ resolveWithObject: true })
  return isBlurhashValid(info.blurHash).result && thumbHashToAverageRGBA(Buffer.from(info.thumbHash, 'base64')).a >= 0 && data.length > 0 &&
    /^#[\da-f]{6}$/.test(info.dominantColour) && info.placeholder.length < 1000 && JSON.stringify(JSON.parse(JSON.stringify(info))) === JSON.stringify(info)
}

t.test('a picture is told by format, size, colours and hashes', async t => {
  const bytes = await drawn(320, 200).jpeg({ progressive: true }).withMetadata({ density: 300 }).toBuffer()
  const info = await told(bytes)
  t.match(info, { format: 'jpeg', type: 'image/jpeg', bytes: bytes.length, width: 320, height: 200, stored: { width: 320, height: 200 }, orientation: 1, frames: 1, alpha: false, colourSpace: 'srgb', bitDepth: 8, channels: 3, progressive: true, density: 300 })
  t.ok(await isWhole(info))
  t.match(info.profile, /sRGB/)
  t.ok(Math.abs(thumbHashToApproximateAspectRatio(Buffer.from(info.thumbHash, 'base64')) - 1.6) < 0.3)
})

t.test('width and height are upright, beside those that are stored', async t => {
  const info = await told(await drawn(60, 20).withMetadata({ orientation: 6 }).jpeg().toBuffer())
  t.match(info, { width: 20, height: 60, stored: { width: 60, height: 20 }, orientation: 6 })
  t.ok(thumbHashToApproximateAspectRatio(Buffer.from(info.thumbHash, 'base64')) < 1, 'the hashes, too')
})

t.test('frames, delays and loop of an animation are told, and its first frame is described', async t => {
  const info = await told(await animation('gif', [50, 100, 150], { loop: 3 }))
  t.match(info, { format: 'gif', width: 40, height: 30, frames: 3, delays: [50, 100, 150], loop: 3, dominantColour: '#005ac8' })
  t.match(await told(await animation('webp', [40, 80])), { format: 'webp', frames: 2, delays: [40, 80], loop: 0 })
})

t.test('a drawing, a deep picture, CMYK, grey, and a single pixel are told', async t => {
  const drawing = await told(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><script/><rect width="80" height="40" fill="#ff8000"/></svg>'))
  t.match(drawing, { format: 'svg', width: 80, height: 40, dominantColour: '#ff8000' })
  const deep = await told(await drawn(30, 30).toColourspace('rgb16').png().toBuffer())
  t.match(deep, { bitDepth: 16, colourSpace: 'rgb16' })
  const cmyk = await told(await sharp({ create: { width: 30, height: 30, channels: 3, background: '#cc2200' } }).toColourspace('cmyk').jpeg().toBuffer())
  t.match(cmyk, { colourSpace: 'cmyk', channels: 4 })
  t.match(cmyk.dominantColour, /^#[b-e].[0-5].[0-4].$/, 'not inverted')
  const grey = await told(await drawn(30, 30).toColourspace('b-w').png().toBuffer())
  t.match(grey, { colourSpace: 'b-w', channels: 1 })
  const clear = await told(await sharp({ create: { width: 1, height: 1, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } } }).png().toBuffer())
  t.match(clear, { width: 1, height: 1, alpha: true, dominantColour: '#000000' })
  for (const info of [drawing, deep, cmyk, grey, clear]) t.ok(await isWhole(info), info.format)
})

t.test('the colours of a deep picture with a profile are those of sRGB', async t => {
  const flat = sharp({ create: { width: 20, height: 20, channels: 3, background: '#20c040' } })
  const deep = await flat.toColourspace('rgb16').withIccProfile('p3').png().toBuffer()
  const { dominantColour: colour, profile, bitDepth } = await told(deep)
  t.match({ profile, bitDepth }, { profile: /P3/, bitDepth: 16 })
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => Number.parseInt(colour.slice(at, at + 2), 16))
  t.ok(Math.abs(red - 0x20) < 8 && Math.abs(green - 0xc0) < 8 && Math.abs(blue - 0x40) < 8, colour)
})

t.test('EXIF facts are told, the place only where it is allowed, serial numbers never', async t => {
  const bytes = await drawn(20, 20).withExif({
    IFD0: { Make: 'Maker', Model: 'M 1', Copyright: '2024 Ann', Artist: 'Ann', Software: 'soft' },
    IFD2: { ExposureTime: '1/250', FNumber: '28/10', ISOSpeedRatings: '400', FocalLength: '50/1', DateTimeOriginal: '2024:05:06 07:08:09', OffsetTimeOriginal: '+02:00', LensModel: 'L 50', BodySerialNumber: 'SECRET' },
    IFD3: { GPSLatitudeRef: 'S', GPSLatitude: '48/1 30/1 36/1', GPSLongitudeRef: 'E', GPSLongitude: '2/1 15/1 0/1', GPSAltitudeRef: '0', GPSAltitude: '35/1' }
  }).jpeg().toBuffer()
  const info = await told(bytes)
  t.same(info.exif, { make: 'Maker', model: 'M 1', lens: 'L 50', exposure: 0.004, fNumber: 2.8, iso: 400, focalLength: 50, taken: '2024-05-06T07:08:09+02:00', software: 'soft', copyright: '2024 Ann', artist: 'Ann' })
  t.equal(info.place, undefined)
  t.notMatch(JSON.stringify(info), /SECRET/)
  t.same((await told(bytes, { gps: true })).place, { latitude: -48.51, longitude: 2.25, altitude: 35 })
})

t.test('damaged or hostile EXIF data tell less and cost little', t => {
  const entry = (tag: number, type: number, count: number, value: number): Buffer => {
    const bytes = Buffer.alloc(12)
    bytes.writeUInt16LE(tag)
    bytes.writeUInt16LE(type, 2)
    bytes.writeUInt32LE(count, 4)
    bytes.writeUInt32LE(value, 8)
    return bytes
  }
  const exif = (entries: Buffer[], more = Buffer.alloc(0)): Exif => new Exif(Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), Buffer.from([entries.length & 255, entries.length >> 8]), ...entries, Buffer.alloc(4), more]))
  for (const bytes of ['', 'Exif\0\0', 'II', 'II*\0\xff\xff\xff\xff', 'XX*\0', 'MM\0*\0\0\0\x08\xff\xff']) {
    t.same(new Exif(Buffer.from(bytes, 'latin1')).facts(), {})
    t.equal(new Exif(Buffer.from(bytes, 'latin1')).place(), undefined)
  }
  t.same(exif([entry(0x8769, 4, 1, 8), entry(0x8825, 4, 1, 8), entry(0x10f, 2, 4_000_000_000, 0)]).facts(), { make: 'II*' }, 'a directory that points to itself, and a text without an end')
  t.same(exif(Array.from({ length: 5000 }, () => entry(0x10f, 1, 4_000_000_000, 0))).facts(), {})
  t.same(exif([entry(0x10f, 99, 1, 0), entry(0x110, 2, 2, 0x20)]).facts(), {}, 'unknown types and blanks')
  const date = (text: string): unknown => exif([entry(0x8769, 4, 1, 26)], Buffer.concat([Buffer.from([1, 0]), entry(0x9003, 2, 20, 44), Buffer.alloc(4), Buffer.from(text)])).facts().taken
  t.equal(date('2024:05:06 07:08:09\0'), '2024-05-06T07:08:09')
  t.equal(date('2024:99:06 07:08:09\0'), undefined)
  t.equal(date('    :  :     :  :  \0'), undefined)
  t.end()
})

t.test('a place below the sea, and one that is none', t => {
  const rational = (values: number[]): Buffer => {
    const bytes = Buffer.alloc(8 * values.length)
    for (const [n, value] of values.entries()) {
      bytes.writeUInt32BE(value, 8 * n)
      bytes.writeUInt32BE(1, 8 * n + 4)
    }
    return bytes
  }
  const gps = (degrees: number): Buffer => {
    const head = Buffer.from('MM\0*\0\0\0\x08', 'latin1')
    const fields: Array<[number, number, number, number | string]> = [[1, 2, 2, 'N'], [2, 5, 3, 106], [3, 2, 2, 'W'], [4, 5, 3, 106], [5, 1, 1, '\x01'], [6, 5, 1, 106]]
    const directory = Buffer.alloc(2 + 12 * fields.length + 4)
    directory.writeUInt16BE(fields.length)
    for (const [n, [tag, type, count, value]] of fields.entries()) {
      const at = 2 + 12 * n
      directory.writeUInt16BE(tag, at)
      directory.writeUInt16BE(type, at + 2)
      directory.writeUInt32BE(count, at + 4)
      if (typeof value === 'string') directory.write(value, at + 8, 'latin1')
      else directory.writeUInt32BE(value, at + 8)
    }
    const first = Buffer.from([0, 1, 0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0])
    return Buffer.concat([head, first, directory.subarray(0, 80), rational([degrees, 30, 0])])
  }
  const shifted = (degrees: number): unknown => {
    const bytes = gps(degrees)
    return new Exif(bytes).place()
  }
  t.same(shifted(10), { latitude: 10.5, longitude: -10.5, altitude: -10 })
  t.equal(shifted(91), undefined)
  t.end()
})

t.test('the dominant colour is that of most of what can be seen', t => {
  const pixels = (...colours: Array<[number, number[]]>): Uint8Array => Uint8Array.from(colours.flatMap(([count, colour]) => Array.from({ length: count }, () => colour).flat()))
  t.equal(dominantColour(pixels([3, [250, 0, 0, 255]], [2, [0, 0, 250, 255]])), '#fa0000')
  t.equal(dominantColour(pixels([9, [250, 0, 0, 20]], [2, [0, 0, 250, 255]])), '#0000fa', 'transparent ones count less')
  t.equal(dominantColour(pixels([2, [240, 0, 0, 255]], [2, [250, 0, 0, 255]])), '#f50000', 'the mean of its kind')
  t.equal(dominantColour(new Uint8Array(0)), '#000000')
  t.end()
})

t.test('a BlurHash has waves by its aspect, and shows the picture', t => {
  const solid = (width: number, height: number): Uint8Array => Uint8Array.from({ length: width * height * 4 }, (_, n) => [200, 100, 50, 255][n % 4] ?? 0)
  const waves = (width: number, height: number): [number, number] => {
    const first = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~'.indexOf(blurHash({ rgba: solid(width, height), width, height }).charAt(0))
    return [first % 9 + 1, Math.floor(first / 9) + 1]
  }
  t.same([waves(40, 20), waves(20, 40), waves(20, 20)], [[4, 3], [3, 4], [4, 4]])
  const shown = decode(blurHash({ rgba: solid(32, 24), width: 32, height: 24 }), 32, 24)
  const [red = 0, green = 0, blue = 0] = shown.subarray(4 * (12 * 32 + 16))
  t.ok(Math.abs(red - 200) < 15 && Math.abs(green - 100) < 15 && Math.abs(blue - 50) < 15, `${red} ${green} ${blue}`)
  t.end()
})

t.test('the name of a profile is read in both versions of the format, or not at all', t => {
  const profile = (content: Buffer): Buffer => {
    const bytes = Buffer.alloc(144 + content.length)
    bytes.writeUInt32BE(1, 128)
    bytes.write('desc', 132)
    bytes.writeUInt32BE(144, 136)
    content.copy(bytes, 144)
    return bytes
  }
  t.equal(iccName(profile(Buffer.from('desc\0\0\0\0\0\0\0\x0cAdobe RGB\0\0\0', 'latin1'))), 'Adobe RGB')
  t.equal(iccName(profile(Buffer.concat([Buffer.from('mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS\0\0\0\x04\0\0\0\x1c', 'latin1'), Buffer.from('\0P\x003', 'latin1')]))), 'P3')
  for (const none of ['', 'junk', 'desc\0\0\0\0\xff\xff\xff\xff', 'desc\0\0\0\0\0\0\0\x02  ', 'mluc']) t.equal(iccName(profile(Buffer.from(none, 'latin1'))), undefined)
  t.equal(iccName(Buffer.alloc(10)), undefined)
  t.equal(iccName(Buffer.alloc(300, 1)), undefined)
  t.end()
})

t.test('what is no picture, not allowed, too large or broken is refused', async t => {
  const png = await drawn(40, 40).png().toBuffer()
  await t.rejects(told(Buffer.from('%PDF-1.7')), { code: 'unsupported-image', detail: 'This is a PDF' })
  await t.rejects(told(Buffer.alloc(0)), { code: 'unsupported-image' })
  await t.rejects(told(png, { inputs: ['jpeg'] }), { code: 'unsupported-image' })
  await t.rejects(told(png, { inputPixels: 1000 }), { code: 'image-too-large' })
  await t.rejects(told(png.subarray(0, 20)), { code: 'broken-image' })
  await t.rejects(told(Buffer.from('<svg><g>')), { code: 'broken-image' })
})

t.test('a picture that ends too early is still told', async t => {
  const bytes = await drawn(300, 300).jpeg().toBuffer()
  t.match(await told(bytes.subarray(0, bytes.length / 2)), { format: 'jpeg', width: 300, height: 300 })
})

t.test('every real picture that the engine decodes is told', { skip: noPictures }, async t => {
  let count = 0
  for (const { file, sharpDecode } of realPictures()) {
    if (sharpDecode !== 'ok' || file.endsWith('.svgz') || file.startsWith('pngsuite/s')) continue
    const info = await told(await realBytes(file))
    count++
    if (!await isWhole(info)) t.fail(file)
  }
  t.ok(count > 200, String(count))
  t.match(await told(await realBytes('jpeg/gps.jpg'), { gps: true }), { place: { latitude: 43.4674483, longitude: 11.8851267 }, exif: { model: 'COOLPIX P6000' } })
  t.match(await told(await realBytes('photos/bus-12mp-displayp3.jpg')), { profile: 'Display P3', exif: { make: 'Apple' } })
  t.match(await told(await realBytes('tiff/multipage-3.tif')), { frames: 3 })
})
