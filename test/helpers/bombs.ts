// Hostile pictures, made by small code: none lies in the repository. What is large in them
// is told by a few bytes, or is a stream of zeros.
import { crc32, constants, deflateRawSync } from 'node:zlib'
import sharp from 'sharp'

const ZERO_BLOCK = 1024 * 1024

/** A zlib stream of so many zeros, at a thousandth of their size, made without making them. RFC 1950 */
export function zlibZeros (length: number): Buffer {
  const block = deflateRawSync(Buffer.alloc(ZERO_BLOCK), { level: 9, finishFlush: constants.Z_FULL_FLUSH })
  const rest = deflateRawSync(Buffer.alloc(length % ZERO_BLOCK), { level: 9 })
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE((length % 65521) * 65536 + 1) // Adler-32 of zeros
  return Buffer.concat([Buffer.from([0x78, 0x9c]), ...Array.from<Buffer>({ length: Math.floor(length / ZERO_BLOCK) }).fill(block), rest, checksum])
}

function u32 (value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function u32le (value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u16le (value: number): Buffer {
  return Buffer.from([value & 255, value >> 8])
}

function u24le (value: number): Buffer {
  return Buffer.from([value & 255, (value >> 8) & 255, value >> 16])
}

export const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

/** A PNG chunk with its CRC. */
export function pngChunk (type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data])
  return Buffer.concat([u32(data.length), named, u32(crc32(named))])
}

export interface PngShape {
  width: number
  height: number
  bitDepth?: number
  /** As PNG numbers them: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
  colour?: number
  interlaced?: boolean
  /** What the zeros are, in place of as many as the header says. */
  dataBytes?: number
  /** Between header and pixels. */
  chunks?: Buffer[]
}

const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]] as const

function pngBytes ({ width, height, bitDepth = 8, colour = 2, interlaced = false }: PngShape): number {
  const size = (columns: number, rows: number): number => columns === 0 ? 0 : rows * (1 + Math.ceil(columns * (CHANNELS[colour] ?? 1) * bitDepth / 8))
  if (!interlaced) return size(width, height)
  return ADAM7.reduce((sum, [x, y, dx, dy]) => sum + size(Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)), 0)
}

/** A black PNG of any size, valid unless told otherwise. */
export function png (shape: PngShape): Buffer {
  const { width, height, bitDepth = 8, colour = 2, interlaced = false, dataBytes = pngBytes(shape), chunks = [] } = shape
  const header = Buffer.concat([u32(width), u32(height), Buffer.from([bitDepth, colour, 0, 0, interlaced ? 1 : 0])])
  const palette = colour === 3 ? [pngChunk('PLTE', Buffer.alloc(3))] : []
  return Buffer.concat([pngSignature, pngChunk('IHDR', header), ...palette, ...chunks, pngChunk('IDAT', zlibZeros(dataBytes)), pngChunk('IEND')])
}

/** Bytes after which the pixels of a GIF's frame of one pixel end. */
const GIF_DOT = Buffer.from([2, 2, 0x44, 1, 0])

export interface GifShape {
  width: number
  height: number
  frames: number
  /** Each frame is as large as the canvas, though its pixels are not there. */
  wholeFrames?: boolean
}

/** A GIF of many frames of one pixel each: 23 bytes a frame. */
export function gif ({ width, height, frames, wholeFrames = false }: GifShape): Buffer {
  const screen = Buffer.concat([Buffer.from('GIF89a'), u16le(width), u16le(height), Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255])])
  const place = wholeFrames ? [u16le(width), u16le(height)] : [u16le(1), u16le(1)]
  const frame = Buffer.concat([Buffer.from([0x21, 0xf9, 4, 4, 1, 0, 0, 0, 0x2c, 0, 0, 0, 0]), ...place, Buffer.from([0]), GIF_DOT])
  return Buffer.concat([screen, ...Array.from<Buffer>({ length: frames }).fill(frame), Buffer.from([0x3b])])
}

function jpegSegment (marker: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xff, marker, (data.length + 2) >> 8, (data.length + 2) & 255]), data])
}

export interface JpegShape {
  width: number
  height: number
  components?: 1 | 3 | 4
  progressive?: boolean
  /** Scans of a progressive one, each over the whole picture. */
  scans?: number
  /** Bytes of pixels, in place of as many as the header says. */
  dataBytes?: number
  /** After the first marker. */
  segments?: Buffer[]
}

function huffmanTable (id: number, symbol: number): Buffer {
  return jpegSegment(0xc4, Buffer.from([id, 1, ...Array.from<number>({ length: 15 }).fill(0), symbol]))
}

function scanHeader (components: number[], [first, last]: [number, number]): Buffer {
  return jpegSegment(0xda, Buffer.from([components.length, ...components.flatMap(id => [id, 0]), first, last, 0]))
}

/** A grey JPEG of any size. Its codes are so chosen that the pixels are zero bits. ITU-T T.81 */
export function jpeg (shape: JpegShape): Buffer {
  const { width, height, components = 1, progressive = false, scans = 2, segments = [] } = shape
  const ids = Array.from({ length: components }, (_, index) => index + 1)
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8)
  const size = Buffer.from([8, height >> 8, height & 255, width >> 8, width & 255, components, ...ids.flatMap(id => [id, 0x11, 0])])
  const data = (bits: number): Buffer => Buffer.alloc(shape.dataBytes ?? Math.ceil(bits / 8) + 1)
  // One code of one bit: a whole block with nothing in it, or 16,384 of them.
  const tables = [jpegSegment(0xdb, Buffer.concat([Buffer.from([0]), Buffer.alloc(64, 1)])), huffmanTable(0x00, 0), huffmanTable(0x10, progressive ? 0xe0 : 0)]
  const pixels = progressive
    ? [scanHeader(ids, [0, 0]), data(blocks * components), ...Array.from({ length: scans - 1 }, (_, n) => [scanHeader([ids[n % components] ?? 1], [1, 63]), data(Math.ceil(blocks / 16_384) * 15)]).flat()]
    : [scanHeader(ids, [0, 63]), data(blocks * 2 * components)]
  return Buffer.concat([Buffer.from([0xff, 0xd8]), ...segments, ...tables, jpegSegment(progressive ? 0xc2 : 0xc0, size), ...pixels, Buffer.from([0xff, 0xd9])])
}

/** A comment in a JPEG, which may be a page or a program to those who do not look at the first bytes. */
export function jpegComment (text: string): Buffer {
  return jpegSegment(0xfe, Buffer.from(text))
}

export interface TiffShape {
  width: number
  height: number
  pages?: number
  /** Which page follows the last. */
  cyclic?: boolean
  /** The strip is a zlib stream of as many zeros as there are pixels. */
  deflated?: boolean
}

const IFD_ENTRIES = 9
const IFD_BYTES = 2 + IFD_ENTRIES * 12 + 4

/** A grey TIFF, little-endian: its pages share one strip. TIFF 6.0 */
export function tiff ({ width, height, pages = 1, cyclic = false, deflated = false }: TiffShape): Buffer {
  const strip = deflated ? zlibZeros(width * height) : Buffer.alloc(Math.min(width * height, 1024))
  const first = 8 + strip.length + strip.length % 2
  const entry = (tag: number, value: number): Buffer => Buffer.concat([u16le(tag), u16le(4), u32le(1), u32le(value)])
  const page = (index: number): Buffer => Buffer.concat([
    u16le(IFD_ENTRIES), entry(256, width), entry(257, height), entry(258, 8), entry(259, deflated ? 8 : 1), entry(262, 1), entry(273, 8), entry(277, 1), entry(278, height), entry(279, strip.length),
    u32le(index + 1 < pages ? first + (index + 1) * IFD_BYTES : cyclic ? first : 0)
  ])
  return Buffer.concat([Buffer.from('II*\0', 'latin1'), u32le(first), strip, Buffer.alloc(strip.length % 2), ...Array.from({ length: pages }, (_, index) => page(index))])
}

function riffChunk (name: string, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(name), u32le(data.length), data, Buffer.alloc(data.length % 2)])
}

/** A WebP with a canvas of any size and frames of one pixel. */
export async function webp ({ width, height, frames = 1 }: { width: number, height: number, frames?: number }): Promise<Buffer> {
  const dot = (await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).webp({ lossless: true }).toBuffer()).subarray(12)
  const animated = frames > 1
  const head = riffChunk('VP8X', Buffer.concat([Buffer.from([animated ? 2 : 0, 0, 0, 0]), u24le(width - 1), u24le(height - 1)]))
  const frame = riffChunk('ANMF', Buffer.concat([u24le(0), u24le(0), u24le(0), u24le(0), u24le(1), Buffer.from([0]), dot]))
  const body = animated ? [riffChunk('ANIM', Buffer.alloc(6)), ...Array.from<Buffer>({ length: frames }).fill(frame)] : [dot]
  const content = Buffer.concat([Buffer.from('WEBP'), head, ...body])
  return Buffer.concat([Buffer.from('RIFF'), u32le(content.length), content])
}

/** An AVIF of one colour: 39.7 megapixels in 1.2 kB. Making it takes a second and 800 MB. */
export async function flatAvif (side = 6300): Promise<Buffer> {
  return await sharp({ create: { width: side, height: side, channels: 3, background: '#888' }, limitInputPixels: false }).avif({ effort: 0, quality: 1 }).toBuffer()
}

/** A small AVIF whose header says another size than its pixels have. ISO/IEC 23008-12 §6.5.3 */
export async function lyingAvif (width: number, height: number): Promise<Buffer> {
  const bytes = await flatAvif(64)
  const at = bytes.indexOf('ispe') + 8
  bytes.writeUInt32BE(width, at)
  bytes.writeUInt32BE(height, at + 4)
  return bytes
}

/** Small valid pictures, one of each format. */
export async function smallPictures (): Promise<Record<string, Buffer>> {
  const noise = Buffer.from(Array.from({ length: 48 * 32 * 3 }, (_, index) => (index * 7919 + (index % 97) * 31) & 255))
  const picture = sharp(noise, { raw: { width: 48, height: 32, channels: 3 } })
  const frames = sharp(noise, { raw: { width: 48, height: 32, channels: 3, pageHeight: 16 } })
  return {
    'jpg': await picture.clone().jpeg().toBuffer(),
    'progressive.jpg': await picture.clone().jpeg({ progressive: true }).toBuffer(),
    'png': await picture.clone().png().toBuffer(),
    'interlaced.png': await picture.clone().png({ progressive: true }).toBuffer(),
    'palette.png': await picture.clone().png({ palette: true }).toBuffer(),
    'webp': await picture.clone().webp().toBuffer(),
    'lossless.webp': await picture.clone().webp({ lossless: true }).toBuffer(),
    'animated.gif': await frames.clone().gif().toBuffer(),
    'animated.webp': await frames.clone().webp().toBuffer(),
    'avif': await picture.clone().avif({ effort: 0 }).toBuffer(),
    'tiff': await picture.clone().tiff({ compression: 'lzw' }).toBuffer(),
    'jpeg.tiff': await picture.clone().tiff({ compression: 'jpeg' }).toBuffer(),
    'svg': Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="48" height="32"><rect width="24" height="32" fill="#f00"/><text x="5" y="20">A</text></svg>')
  }
}

/** Copies of bytes with bits turned over: the same ones each time. */
export function flipped (bytes: Buffer, { copies, bits = 8, seed = 1 }: { copies: number, bits?: number, seed?: number }): Buffer[] {
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }
  return Array.from({ length: copies }, () => {
    const copy = Buffer.from(bytes)
    for (let n = 0; n < bits; n++) {
      const at = random(copy.length)
      copy[at] = (copy[at] ?? 0) ^ (1 << random(8))
    }
    return copy
  })
}
