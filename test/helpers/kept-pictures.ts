import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { inputFormats } from '../../lib/image/format.ts'
import { Exif } from '../../lib/image/info/exif.ts'
import type { KeepJob } from '../../lib/image/job.ts'
import { runJob } from '../../lib/image/pipeline/pipeline.ts'
import { drawn, inputOf } from './pictures.ts'

export type PlacedFormat = 'jpeg' | 'png' | 'webp' | 'avif' | 'tiff'

/** XMP that tells a place in every way that is known, and a title. */
export const placedXmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" exif:GPSLatitude="48,51.5N" photoshop:City = 'Secretville' dc:format="a title" exif:GPSMapDatum=""><exif:GPSLongitude>2,21.1E</exif:GPSLongitude><Iptc4xmpCore:Location>Secret Street</Iptc4xmpCore:Location><photoshop:Headline>a headline</photoshop:Headline></rdf:Description></rdf:RDF></x:xmpmeta>`

/** A picture that tells who made it, and where. */
export async function placed (format: PlacedFormat, { width = 64, height = 48 } = {}): Promise<Buffer> {
  const image = sharp(await drawn(width, height).png().toBuffer()).withExif({
    IFD0: { Make: 'Camera', Copyright: 'Somebody' },
    IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 51/1 3000/100', GPSLongitudeRef: 'E', GPSLongitude: '2/1 21/1 600/100' }
  }).withXmp(placedXmp)
  return await image.toFormat(format, format === 'webp' ? { lossless: true } : {}).toBuffer()
}

/** Keeps a picture in this process. */
export async function keep (bytes: Buffer, rules: Partial<Omit<KeepJob, 'limits'>> = {}, maxPixels = 100_000_000): Promise<Buffer | undefined> {
  const limits = { inputPixels: maxPixels, outputPixels: maxPixels, framePixels: maxPixels, dimension: 1_000_000, inputs: inputFormats }
  const job: KeepJob = { kind: 'keep', check: true, reencode: false, metadata: 'all', limits, ...rules }
  const result = await runJob(job, [inputOf(Buffer.from(bytes))], new AbortController().signal)
  return result.bytes.length === 0 ? undefined : result.bytes
}

/** What is kept in the place of a picture that has to be changed. */
export async function changed (bytes: Buffer, rules: Parameters<typeof keep>[1]): Promise<Buffer> {
  const kept = await keep(bytes, rules)
  if (kept === undefined) throw new Error('The picture is kept as it came')
  return kept
}

/** What a picture tells of itself. */
export async function told (bytes: Buffer): Promise<{ place: boolean, maker: string | undefined, xmp: string | undefined, iptc: Buffer | undefined, orientation: number | undefined, hasProfile: boolean }> {
  const { exif, xmp, iptc, orientation, icc } = await sharp(bytes).metadata()
  const read = exif === undefined ? undefined : new Exif(exif)
  return { place: read?.place() !== undefined, maker: read?.facts().make, xmp: xmp?.toString(), iptc, orientation, hasProfile: icc !== undefined }
}

/** The pixels of all frames. */
export async function pixels (bytes: Buffer): Promise<Buffer> {
  return await sharp(bytes, { pages: -1 }).raw().toBuffer()
}

/** A JPEG with more segments behind its first two bytes. */
export function withSegments (jpeg: Buffer, ...segments: ReadonlyArray<readonly [marker: number, content: string | Buffer]>): Buffer {
  const made = segments.map(([marker, content]) => {
    const bytes = Buffer.from(content as string, 'latin1')
    return Buffer.concat([Buffer.from([0xff, marker, bytes.length + 2 >> 8, bytes.length + 2 & 0xff]), bytes])
  })
  return Buffer.concat([jpeg.subarray(0, 2), ...made, jpeg.subarray(2)])
}

/** A PNG with more chunks behind its header. */
export function withChunks (png: Buffer, ...chunks: ReadonlyArray<readonly [kind: string, content: string | Buffer]>): Buffer {
  const made = chunks.map(([kind, content]) => {
    const bytes = Buffer.concat([Buffer.from(kind), Buffer.from(content as string, 'latin1')])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(bytes.length - 4)
    sum.writeUInt32BE(crc32(bytes))
    return Buffer.concat([length, bytes, sum])
  })
  return Buffer.concat([png.subarray(0, 33), ...made, png.subarray(33)])
}

/** A GIF with an extension behind its screen and colour table. */
export function withExtension (gif: Buffer, label: number, ...blocks: readonly string[]): Buffer {
  const at = 13 + ((gif[10] ?? 0) & 0x80 ? 3 * 2 ** (((gif[10] ?? 0) & 7) + 1) : 0)
  const made = blocks.map(block => Buffer.concat([Buffer.from([block.length]), Buffer.from(block, 'latin1')]))
  return Buffer.concat([gif.subarray(0, at), Buffer.from([0x21, label]), ...made, Buffer.from([0]), gif.subarray(at)])
}

function box (type: string, ...content: ReadonlyArray<string | Buffer>): Buffer {
  const inside = Buffer.concat(content.map(part => Buffer.from(part as string, 'latin1')))
  const head = Buffer.from(`\0\0\0\0${type}`, 'latin1')
  head.writeUInt32BE(8 + inside.length)
  return Buffer.concat([head, inside])
}

/** A HEIC of HEVC: a header as a telephone writes it (ISO/IEC 23008-12), and nothing that could be decoded. */
export function heicOf (width: number, height: number): Buffer {
  const size = Buffer.alloc(8)
  size.writeUInt32BE(width, 0)
  size.writeUInt32BE(height, 4)
  const version = '\0\0\0\0'
  return Buffer.concat([
    box('ftyp', 'heic\0\0\0\0mif1heic'),
    box('meta', version,
      box('hdlr', version, '\0\0\0\0pict', '\0'.repeat(13)),
      box('pitm', version, '\0\x01'),
      box('iloc', version, '\x44\0\0\x01\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x10'),
      box('iinf', version, '\0\x01', box('infe', '\x02\0\0\0', '\0\x01\0\0hvc1\0')),
      box('iprp',
        box('ipco', box('hvcC', '\x01\x03\x70\0\0\0\xb0\0\0\0\0\0\x5d\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f\0'), box('ispe', version, size)),
        box('ipma', version, '\0\0\0\x01\0\x01\x02\x81\x02'))),
    box('mdat', '\0'.repeat(16))
  ])
}
