import sharp, { type Sharp } from 'sharp'
import t from 'tap'
import { HEAD_BYTES, MAX_HEAD_BYTES, memoryNeed, pixelsOf, sniff, type HeaderFacts } from '../../../lib/image/sniff.ts'
import { animation, drawn, noPictures, realBytes, realPictures } from '../../helpers/pictures.ts'
import { cpuMs } from '../../helpers/process.ts'

function facts (bytes: Uint8Array): HeaderFacts {
  const found = sniff(bytes)
  if (found?.format === undefined) throw new Error(`not recognised: ${found?.name}`)
  return found
}

const latin = (text: string): Buffer => Buffer.from(text, 'latin1')

t.test('every format the engine writes is told by its first bytes', async t => {
  const made: Array<[Buffer, object]> = [
    [await drawn(61, 47).jpeg().toBuffer(), { format: 'jpeg', width: 61, height: 47, alpha: false, progressive: false, channels: 3, bitDepth: 8, frames: 1, coefficients: 1.5 }],
    [await drawn(61, 47).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer(), { format: 'jpeg', progressive: true, coefficients: 3 }],
    [await drawn(61, 47).toColourspace('b-w').jpeg().toBuffer(), { format: 'jpeg', channels: 1, coefficients: 1 }],
    [await drawn(61, 47).png().toBuffer(), { format: 'png', width: 61, height: 47, alpha: false, progressive: false, frames: 1, channels: 3 }],
    [await drawn(61, 47, 4).png({ progressive: true }).toBuffer(), { format: 'png', alpha: true, progressive: true, channels: 4 }],
    [await drawn(61, 47).toColourspace('rgb16').png().toBuffer(), { format: 'png', bitDepth: 16 }],
    [await drawn(61, 47, 4).png({ palette: true }).toBuffer(), { format: 'png', alpha: true, channels: 4 }],
    [await drawn(61, 47).webp().toBuffer(), { format: 'webp', width: 61, height: 47, alpha: false, frames: 1 }],
    [await drawn(61, 47, 4).webp().toBuffer(), { format: 'webp', width: 61, height: 47, alpha: true, frames: 1 }],
    [await drawn(61, 47).webp({ lossless: true }).toBuffer(), { format: 'webp', width: 61, height: 47, alpha: false }],
    [await drawn(61, 47, 4).webp({ lossless: true }).toBuffer(), { format: 'webp', width: 61, height: 47, alpha: true }],
    [await drawn(61, 47).gif().toBuffer(), { format: 'gif', width: 61, height: 47, alpha: false, frames: 1 }],
    [await drawn(61, 47).avif({ effort: 0 }).toBuffer(), { format: 'avif', width: 61, height: 47, alpha: false, heicCodec: 'av1', bitDepth: 8 }],
    [await drawn(61, 47, 4).avif({ effort: 0 }).toBuffer(), { format: 'avif', alpha: true, channels: 4 }],
    [await animation('gif', [50, 90, 100]), { format: 'gif', width: 40, height: 30, frames: 'several' }],
    [await animation('webp', [50, 90]), { format: 'webp', width: 40, height: 30, frames: 'several' }]
  ]
  for (const [bytes, expected] of made) t.match(facts(bytes), expected, JSON.stringify(expected))
})

t.test('the orientation of a JPEG, a PNG, a WebP and a TIFF is seen', async t => {
  for (const orientation of [1, 3, 6, 8]) {
    const turned = (): Sharp => drawn(20, 10).withMetadata({ orientation })
    t.equal(facts(await turned().jpeg().toBuffer()).orientation, orientation)
    t.equal(facts(await turned().webp().toBuffer()).orientation, orientation)
    t.equal(facts(await turned().png().toBuffer()).orientation, orientation)
  }
})

t.test('a TIFF tells its size in either byte order, and whether pages follow', t => {
  for (const order of ['II', 'MM'] as const) {
    for (const next of [0, 500]) t.match(facts(tiff(order, { next })), { format: 'tiff', width: 640, height: 480, bitDepth: 8, channels: 3, alpha: false, orientation: 6, frames: next === 0 ? 1 : 'several' })
  }
  t.match(facts(tiff('II', { channels: 4 })), { alpha: true, channels: 4 })
  t.match(facts(bigTiff()), { format: 'tiff', width: 640, height: 480 })
  const late = tiff('II', {})
  late.writeUInt32LE(1e9, 4)
  t.same(sniff(late), { format: 'tiff', alpha: true }, 'its directory lies beyond what is at hand')
  t.end()
})

t.test('an SVG is told by its root element, in any dress', t => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"/>'
  const dressed = [
    svg,
    `\ufeff${svg}`,
    `<?xml version="1.0" encoding="UTF-8"?>\n<!-- > <svg -->\n${svg}`,
    `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">${svg}`,
    `<!DOCTYPE svg [ <!ENTITY a "b>c"> ]>${svg}`,
    '<s:svg xmlns:s="http://www.w3.org/2000/svg" width=\'30\'\n height="20"></s:svg>'
  ]
  for (const text of dressed) t.match(facts(Buffer.from(text)), { format: 'svg', width: 30, height: 20, alpha: true }, text.slice(0, 40))
  const wide = Buffer.from(`\ufeff${svg}`, 'utf16le')
  t.match(facts(wide), { format: 'svg', width: 30 }, 'UTF-16')
  t.match(facts(wide.subarray(2)), { format: 'svg', width: 30 }, 'UTF-16 without a mark')
  t.match(facts(Buffer.from(wide).swap16()), { format: 'svg', width: 30 }, 'UTF-16, big-endian')
  t.match(facts(Buffer.from(wide).swap16().subarray(2)), { format: 'svg', width: 30 }, 'UTF-16, big-endian, without a mark')
  for (const other of ['<svgs/>', '<html><svg></svg></html>', '<?xml version="1.0"?><rss/>', 'text <svg>', '<!-- <svg>', '']) t.equal(sniff(Buffer.from(other))?.format, undefined, other)
  t.end()
})

t.test('the size of an SVG comes from its lengths, else from its view box', t => {
  const size = (attributes: string): unknown => {
    const { width, height } = facts(Buffer.from(`<svg ${attributes}>`))
    return width === undefined ? undefined : [width, height]
  }
  t.same(size('width="50mm" height="1in"'), [142, 72])
  t.same(size('width="2pc" height="10pt"'), [24, 10])
  t.same(size('viewBox="0 0 320 200"'), [320, 200])
  t.same(size('viewBox="0,0,320,200" width="160"'), [160, 100])
  t.same(size('viewBox="0 0 320 200" height="100"'), [160, 100])
  t.same(size('width="100%" height="100%" viewBox="0 0 60 40"'), [60, 40])
  t.same(size('width="0.2" height="0.2"'), [1, 1])
  for (const none of ['', 'width="100%"', 'viewBox="0 0 0 0"', 'viewBox="a b c d"', 'width="1e9" height="1e9"', 'width=5 height=5', 'width="5',
    'viewBox="0 0 1e309 1e309"', 'viewBox="0 0 1e309 1"', 'viewBox="0 0 1 Infinity"', 'viewBox="0 0 1e300 1e300"', 'viewBox="0 0 1e-300 1" width="9"', 'viewBox="0 0 1 1e-309" height="9"', 'width="999999999in" height="1"']) t.equal(size(none), undefined, none)
  t.end()
})

t.test('what is no accepted picture is named where it is known', t => {
  const header = Buffer.alloc(64)
  header.write('BM')
  header.writeUInt32LE(40, 14)
  const known: Array<[Buffer, string]> = [
    [header, 'a BMP'],
    [latin('\0\0\x01\0\x02\0'), 'an icon'],
    [latin('\0\0\x02\0\x02\0'), 'a cursor'],
    [latin('%PDF-1.7'), 'a PDF'],
    [latin('\xff\x0a\xfa'), 'a JPEG XL'],
    [latin('8BPS\0\x01'), 'a Photoshop file'],
    [latin('\x1f\x8b\x08'), 'a gzip-compressed file'],
    [latin('P6\n3 2\n'), 'a Netpbm picture'],
    [latin('RIFF\0\0\0\0AVI LIST'), 'a film'],
    [latin('RIFF\0\0\0\0WAVEfmt '), 'a RIFF file'],
    [latin('  <!DOCTYPE HTML><svg>'), 'an HTML page'],
    [latin('\0\0\0\x14ftypisom\0\0\0\0mp41'), 'a film'],
    [latin('\0\0\0\x14ftypjp2 \0\0\0\0jp2 '), 'a JPEG 2000'],
    [latin('\0\0\0\x14ftypcrx \0\0\0\0crx '), 'a camera\'s raw file']
  ]
  for (const [bytes, name] of known) t.same(sniff(bytes), { format: undefined, name }, name)
  for (const unknown of ['', 'BMW is a car', 'P7x', 'hello', '\0\0\0\0']) t.equal(sniff(latin(unknown)), undefined, unknown)
  t.end()
})

t.test('brands and boxes of HEIF tell codec, size, turn and clip', t => {
  t.match(facts(heif({ brand: 'heic', config: 'hvcC' })), { format: 'heic', heicCodec: 'hevc', width: 300, height: 200 })
  t.match(facts(heif({ brand: 'mif1', config: 'av1C' })), { format: 'avif', heicCodec: 'av1' })
  t.match(facts(heif({ brand: 'mif1', config: 'none' })), { format: 'heic', heicCodec: 'hevc' }, 'without a configuration, the old codec')
  t.match(facts(heif({ brand: 'avis', config: 'av1C' })), { frames: 'several' })
  t.match(facts(heif({ brand: 'avif', config: 'av1C', more: box('irot', [1]) })), { width: 200, height: 300 })
  const clip = box('clap', [0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, ...Array.from({ length: 16 }, () => 0)])
  const clipped = facts(heif({ brand: 'avif', config: 'av1C', more: clip }))
  t.match(clipped, { width: 2, height: 1, codedPixels: 60_000 })
  t.equal(pixelsOf(clipped), 60_000, 'a clip hides no pixels from the limit')
  const fractions = (...numbers: number[]): number[] => box('clap', numbers.flatMap(number => [number >>> 24, number >>> 16 & 255, number >>> 8 & 255, number & 255]))
  for (const [name, numbers] of [['a fraction of nothing', [4, 0, 1, 1]], ['two of them', [0, 0, 0, 0]], ['less than a pixel', [1, 9, 1, 1]]] as const) {
    const told = facts(heif({ brand: 'avif', config: 'av1C', more: fractions(...numbers, 0, 1, 0, 1) }))
    t.match(told, { width: 300, height: 200 }, `${name} clips nothing`)
    t.equal(pixelsOf(told), 60_000)
  }
  t.match(facts(heif({ brand: 'avif', config: 'av1C', more: fractions(4_294_967_295, 1, 50, 1, 0, 1, 0, 1) })), { width: 300, height: 50 }, 'a clip is no larger than the picture')
  t.match(facts(heif({ brand: 'avif', config: 'av1C', primary: 9 })), { width: 300, height: 200 }, 'without a primary item the largest counts')
  t.match(facts(heif({ brand: 'avif', config: 'av1C', wide: true })), { width: 300, height: 200 })
  t.match(facts(latin('\0\0\0\x14ftypavif\0\0\0\0mif1')), { format: 'avif', alpha: true })
  t.end()
})

t.test('a GIF is as large as its frames, not as its screen says', t => {
  const frame = [0x2c, 10, 0, 20, 0, 0x10, 0x27, 0x10, 0x27, 0, 2, 1, 0, 0, 0x3b]
  t.match(facts(Buffer.from([...latin('GIF89a'), 1, 0, 1, 0, 0, 0, 0, ...frame])), { width: 10_010, height: 10_020 })
  t.end()
})

t.test('several scans make a JPEG as costly as a progressive one', t => {
  const scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]
  t.equal(facts(Buffer.from([0xff, 0xd8, ...SOF, ...scan])).progressive, true)
  t.equal(facts(Buffer.from([0xff, 0xd8, 0xff, 0xff, 0xd0, ...SOF, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0])).progressive, false)
  t.end()
})

t.test('the frames of an animated PNG are counted', async t => {
  const still = await drawn(20, 10).png().toBuffer()
  const control = Buffer.from('\0\0\0\x08acTL\0\0\0\x07\0\0\0\0....', 'latin1')
  t.equal(facts(Buffer.concat([still.subarray(0, 33), control, still.subarray(33)])).frames, 7)
  control.writeUInt32BE(0, 8)
  t.equal(facts(Buffer.concat([still.subarray(0, 33), control, still.subarray(33)])).frames, 1)
})

t.test('broken headers tell less, and never a number out of its range', t => {
  const cases = [
    latin('\xff\xd8\xff\xe0\0\0'), latin('\xff\xd8\xff\xc0\0\x11\x08\0\0\0\0\x03'), latin('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\0\0\x08\x09\0\0\0'),
    latin('\x89PNG\r\n\x1a\n\0\0\0\x0dJUNK'), latin('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x05\0\0\0\x05\x08\x02\0\0\0....\xff\xff\xff\xffabcd'),
    latin('GIF89a\0\0\0\0\0\0\0'), latin('GIF89a'), latin('GIF89a\x05\0\x05\0\0\0\0\x99'), latin('RIFF....WEBPVP8 '), latin('RIFF....WEBPVP8X....'), latin('RIFF....WEBPVP8L'), latin('RIFF....WEBPJUNK'),
    latin('II*\0\x08\0\0\0\xff\xff'), latin('MM\0*\0\0\0\x08\0\0')
  ]
  for (const bytes of cases) t.ok(isSane(facts(bytes)), bytes.toString('latin1').slice(0, 12))
  t.end()
})

t.test('cut and flipped heads are answered at once, whatever they hold', async t => {
  const seeds = [
    await drawn(40, 30).withMetadata({ orientation: 6 }).jpeg({ progressive: true }).toBuffer(),
    await drawn(40, 30, 4).png().toBuffer(), await animation('gif', [10, 20]), await animation('webp', [10, 20]),
    await drawn(40, 30, 4).avif({ effort: 0 }).toBuffer(), tiff('MM', {}), bigTiff(), heif({ brand: 'mif1', config: 'av1C' }),
    Buffer.from('<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]><!-- --><svg width="5" height="5" viewBox="0 0 5 5">')
  ]
  let state = 42
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor(state / 2 ** 31 * below)
  }
  let sane = true
  const began = process.cpuUsage().user
  for (let n = 0; n < 20_000; n++) {
    const seed = seeds[n % seeds.length] ?? Buffer.alloc(0)
    const bytes = Buffer.from(seed.subarray(0, n % 3 === 0 ? random(seed.length) : Math.min(seed.length, 2000)))
    for (let flips = random(8); flips > 0 && bytes.length > 0; flips--) bytes[random(Math.min(bytes.length, 400))] = random(4) === 0 ? 0xff : random(256)
    const found = sniff(bytes)
    if (found?.format !== undefined) sane &&= isSane(found)
  }
  t.ok(sane)
  t.ok(process.cpuUsage().user - began < 8e6, 'under 0.4 ms each')
})

t.test('heads made to be slow are not', t => {
  const repeated = (start: string, unit: string): Buffer => latin(start + unit.repeat(MAX_HEAD_BYTES / unit.length))
  const slow = [
    repeated('\xff\xd8\xff', '\xff'), repeated('\xff\xd8', '\xff\xe0\0\x02'), repeated('GIF89a\x05\0\x05\0\0\0\0', '!\xff\0'), repeated('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x05\0\0\0\x05\x08\x02\0\0\0....', '\0\0\0\0'),
    repeated('\0\0\0\x14ftypavif\0\0\0\0mif1', '\0\0\0\x08meta'), repeated('\0\0\0\0ftypavif', 'mif1'), repeated('<!--', '-->'), repeated('', '<!-- -->'), repeated('', '<?a?>'), repeated('<!DOCTYPE svg ', '[>'), repeated('', '<!DOCTYPE svg>'),
    repeated('<svg ', 'width= '), repeated('<svg viewBox="', ' 0'), repeated('<?xml ', 'encoding '), repeated('', ' \n')
  ]
  for (const bytes of slow) {
    t.ok(cpuMs(() => sniff(bytes)) < 500, bytes.subarray(0, 16).toString('latin1'))
  }
  t.end()
})

t.test('no more than a bounded head is looked at', async t => {
  const padding = Buffer.alloc(2 * MAX_HEAD_BYTES, 0x20)
  t.equal(sniff(Buffer.concat([padding, Buffer.from('<svg/>')])), undefined)
})

t.test('every real picture is told as the engine tells it', { skip: noPictures }, async t => {
  const unlike: string[] = []
  let compared = 0
  for (const { file } of realPictures()) {
    const bytes = await realBytes(file)
    const metadata = await sharp(bytes).metadata().catch(() => undefined)
    if (metadata === undefined || file.endsWith('.svgz')) continue
    compared++
    const found = facts(bytes.subarray(0, MAX_HEAD_BYTES))
    const format = metadata.format === 'heif' ? metadata.compression === 'hevc' ? 'heic' : 'avif' : metadata.format
    const height = metadata.pageHeight ?? metadata.height
    const isLike = found.format === format && (found.orientation ?? 1) === (metadata.orientation ?? 1) && (found.alpha || !metadata.hasAlpha)
    const isSized = found.width === undefined || (found.width === metadata.width && found.height === height)
    const isProgressive = found.format !== 'jpeg' || found.progressive === metadata.isProgressive
    if (!isLike || !isSized || !isProgressive) unlike.push(file)
  }
  t.same(unlike, [])
  t.ok(compared > 250)
})

t.test('the size of nearly every real picture lies in its first 64 KiB', { skip: noPictures }, async t => {
  const unsized: string[] = []
  for (const { file, sharpDecode } of realPictures()) {
    const found = sniff((await realBytes(file)).subarray(0, HEAD_BYTES))
    if (sharpDecode === 'ok' && found?.format !== undefined && found.width === undefined) unsized.push(file)
  }
  // Metadata first; directories last; a drawing without a size.
  t.same(unsized.toSorted(), ['jpeg/extended-xmp.jpg', 'jpeg/gainmap-ultrahdr.jpg', 'svg/no-size.svg', 'tiff/cmyk.tif', 'tiff/lzw-16bit.tif', 'tiff/pyramid-tiled.tif'])
})

t.test('the memory of a decode is estimated by what the format makes of it', t => {
  const size = { width: 4000, height: 3000, alpha: false }
  const need = (more: object): number => (memoryNeed({ format: 'jpeg', ...size, ...more }) ?? Number.NaN) / 2 ** 20
  const baseline = need({ progressive: false })
  const order = [baseline, need({ format: 'png', progressive: false }), need({ progressive: true, coefficients: 1.5 }), need({ format: 'webp' }), need({ progressive: true, coefficients: 3 }), need({ format: 'avif' }), need({ format: 'avif', bitDepth: 10 })]
  t.same(order, order.toSorted((one, other) => one - other))
  t.ok(baseline < 20 && need({ format: 'avif' }) > 220, `${baseline} MB and ${need({ format: 'avif' })} MB`)
  for (const format of ['gif', 'svg', 'tiff', 'heic', 'png', 'webp']) t.ok(need({ format, progressive: true, frames: 'several' }) > baseline, format)
  t.equal(memoryNeed({ format: 'jpeg', alpha: false }), undefined)
  const gif: HeaderFacts = { format: 'gif', ...size }
  t.ok((memoryNeed(gif, 100) ?? 0) > 5 * (memoryNeed(gif) ?? 0), 'frames that are decoded together count')
  t.end()
})

const SOF = [0xff, 0xc0, 0, 17, 8, 0, 10, 0, 10, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]

function isSane ({ width, height, orientation, channels, frames, bitDepth }: HeaderFacts): boolean {
  const isWhole = (value: unknown): boolean => value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value > 0)
  return isWhole(width) && isWhole(height) && isWhole(channels) && isWhole(bitDepth) && (frames === 'several' || isWhole(frames)) &&
    (orientation === undefined || (orientation >= 1 && orientation <= 8))
}

function tiff (order: 'II' | 'MM', { next = 0, channels = 3 }): Buffer {
  const bytes = Buffer.alloc(200)
  const short = (value: number, at: number): number => order === 'II' ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at)
  const long = (value: number, at: number): number => order === 'II' ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at)
  bytes.write(order)
  short(42, 2)
  long(8, 4)
  const entries: Array<[number, number, number, number]> = [[256, 3, 1, 640], [257, 4, 1, 480], [258, 3, channels, 150], [262, 3, 1, 2], [274, 3, 1, 6], [277, 3, 1, channels]]
  short(entries.length, 8)
  for (const [n, [tag, type, count, value]] of entries.entries()) {
    const at = 10 + 12 * n
    short(tag, at)
    short(type, at + 2)
    long(count, at + 4)
    if (type === 3 && count === 1) short(value, at + 8)
    else long(value, at + 8)
  }
  long(next, 10 + 12 * entries.length)
  short(8, 150)
  return bytes
}

function bigTiff (): Buffer {
  const bytes = Buffer.alloc(100)
  bytes.write('MM')
  bytes.writeUInt16BE(43, 2)
  bytes.writeUInt16BE(8, 4)
  bytes.writeBigUInt64BE(16n, 8)
  bytes.writeBigUInt64BE(2n, 16)
  for (const [n, [tag, value]] of [[256, 640], [257, 480]].entries()) {
    const at = 24 + 20 * n
    bytes.writeUInt16BE(tag ?? 0, at)
    bytes.writeUInt16BE(3, at + 2)
    bytes.writeBigUInt64BE(1n, at + 4)
    bytes.writeUInt16BE(value ?? 0, at + 12)
  }
  return bytes
}

function box (type: string, content: readonly number[]): number[] {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + content.length)
  head.write(type, 4)
  return [...head, ...content]
}

function heif ({ brand, config, more = [], primary = 1, wide = false }: { brand: string, config: string, more?: number[], primary?: number, wide?: boolean }): Buffer {
  const extent = box('ispe', [0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 0, 200])
  const properties = box('ipco', [...extent, ...config === 'none' ? [] : box(config, [0x81, 0, 0, 0]), ...more])
  const numbers = [1, 2, 3].flatMap(number => wide ? [0, number] : [number])
  const other = wide ? [0, 0, 0, 7, 1, 0, 2] : [0, 7, 1, 2]
  const item = wide ? [0, 0, 0, 1, 3, ...numbers] : [0, 1, 3, ...numbers]
  const associations = box('ipma', [wide ? 1 : 0, 0, 0, wide ? 1 : 0, 0, 0, 0, 2, ...other, ...item])
  const pitm = wide ? [1, 0, 0, 0, 0, 0, 0, primary] : [0, 0, 0, 0, 0, primary]
  const meta = box('meta', [0, 0, 0, 0, ...box('pitm', pitm), ...box('iprp', [...properties, ...associations])])
  return Buffer.from([...box('ftyp', [...latin(brand), 0, 0, 0, 0, ...latin('mif1')]), ...meta])
}
