import type { Metadata } from 'sharp'
import { MediaError } from '../../errors.ts'
import { canonical, type Transform } from '../../transform/transform.ts'
import type { OutputFormat } from '../format.ts'
import { has } from '../headers/bytes.ts'
import type { HeaderFacts } from '../headers/facts.ts'
import type { KeepJob, OpenInput } from '../job.ts'
import { pixelsOf } from '../memory-need.ts'
import { engineFault } from '../pipeline/engine-faults.ts'
import { sharp } from '../pipeline/engine.ts'
import { readableOf } from '../pipeline/original.ts'
import { rendered } from '../pipeline/rendering.ts'
import { MAX_HEAD_BYTES, sniff } from '../sniff.ts'
import { sanitiseSvg } from '../svg.ts'
import { bare } from './bare.ts'
import { blankLocation } from './location.ts'
import { refuseCut } from './whole.ts'

/** Encodes the picture in a format, after a transform. @throws {MediaError} */
type Encode = (format: OutputFormat, transform: Transform) => Promise<Buffer>

/** How pictures are encoded that stand in for what came: better than a variant, since variants are made of them. */
const qualities: { readonly [F in OutputFormat]?: Pick<Transform, 'q' | 'chromasub'> } = {
  jpeg: { q: 92, chromasub: '444' },
  webp: { q: 92 },
  avif: { q: 75, chromasub: '444' }
}

/** Pixels of the picture that all is decoded for: no decoder stops early then. */
const SAMPLE = 32

/**
 * Tells whether a picture may be kept, and what is kept in its place: nothing where it is kept as it
 * came. Places and metadata are taken out of the bytes; a picture is encoded anew, in its own format
 * and in eight bits a sample, only where it has to be: where that is asked for, where it is scaled
 * down, and where a TIFF or an AVIF is to lose its metadata.
 *
 * Pictures that are not decoded here (BMP, icons, JPEG XL, HEIC with HEVC) are kept by what their
 * header tells, and refused where something would have to be done to them. Drawings are kept as they
 * are, or written anew without what runs or refers outside.
 *
 * @throws {MediaError} `broken-image`, `image-too-large`, `unsupported-image`
 */
export async function kept (job: KeepJob, input: OpenInput, encode: Encode): Promise<Buffer | undefined> {
  const head = await input.head(MAX_HEAD_BYTES)
  const facts = sniff(head)
  if (facts?.format === undefined) return unreadable(job, facts?.name ?? 'of a kind that is not known')
  refuseLarge(pixelsOf(facts) ?? 0, job)
  if (facts.format === 'svg') {
    const drawing = sanitiseSvg(await input.bytes())
    return changes(job) ? drawing : undefined
  }
  const readable = await readableOf(input, facts.format)
  const metadata = await metadataOf(readable, facts)
  if (job.check) await refuseCut(facts, input)
  if (metadata === undefined || facts.heicCodec === 'hevc') return await untold(job, input)
  // Of a document's pages, and of what HEIF counts as such, the first is decoded, as for variants.
  const frames = facts.format === 'gif' || facts.format === 'webp' ? metadata.pages ?? 1 : 1
  refuseLarge(metadata.width * (metadata.pageHeight ?? metadata.height) * frames, job)
  if (job.reencode || isTooLong(job, metadata)) return await remade(job, { facts, metadata, isLossless: head.includes('VP8L') }, encode)
  if (job.check) await decodeAll(readable, frames, job)
  if (job.metadata === 'all') return undefined
  return job.metadata === 'none' ? await withoutMetadata(input, { facts, metadata }, encode) : await withoutLocation(input)
}

function changes ({ reencode, metadata }: KeepJob): boolean {
  return reencode || metadata !== 'all'
}

/** @throws {MediaError} `unsupported-image` where it would have to be changed */
function unreadable (job: KeepJob, name: string): undefined {
  if (changes(job) || job.maxSide !== undefined) throw new MediaError('unsupported-image', { detail: `Pictures are changed here before they are kept, and this one cannot be: it is ${name}` })
  return undefined
}

/** What only tells its header can still lose its place. */
async function untold (job: KeepJob, input: OpenInput): Promise<Buffer | undefined> {
  if (job.metadata === 'no-location' && !job.reencode && job.maxSide === undefined) return await withoutLocation(input)
  return unreadable(job, 'of a kind that the engine does not decode')
}

/** @throws {MediaError} `image-too-large` */
function refuseLarge (pixels: number, { limits: { inputPixels } }: KeepJob): void {
  if (pixels > inputPixels) throw new MediaError('image-too-large', { detail: `The image has ${pixels} pixels, more than are kept here: ${inputPixels} (writing.images.maxPixels)` })
}

/** What a header tells, to us and to the engine. */
interface Told {
  readonly facts: HeaderFacts
  readonly metadata: Metadata
  /** Of a WebP: whether its pixels are exact (RFC 9649 §3). */
  readonly isLossless?: boolean
}

type Readable = Awaited<ReturnType<typeof readableOf>>

/** The engine's account of the header; undefined for a kind of HEIF that it does not decode. @throws {MediaError} `broken-image` */
async function metadataOf (readable: Readable, { format, width, frames }: HeaderFacts): Promise<Metadata | undefined> {
  try {
    return await sharp(readable, { limitInputPixels: false, failOn: 'none' }).metadata()
  } catch (error) {
    const fault = engineFault(error)
    if (!(fault instanceof MediaError) || fault.code !== 'unsupported-image') throw fault
    // Of a film in AVIF the size is told elsewhere.
    if ((format === 'avif' || format === 'heic') && (width !== undefined || frames === 'several')) return undefined
    throw new MediaError('broken-image', { detail: 'The header of the image is damaged', cause: error })
  }
}

/** @throws {MediaError} `broken-image` where any of it is damaged or missing */
async function decodeAll (readable: Readable, frames: number, { limits: { inputPixels } }: KeepJob): Promise<void> {
  await rendered(sharp(readable, { failOn: 'error', sequentialRead: true, limitInputPixels: inputPixels, pages: frames }).resize({ width: SAMPLE, withoutEnlargement: true }).raw())
}

function isTooLong ({ maxSide }: KeepJob, { width, height, pageHeight = height }: Metadata): boolean {
  return maxSide !== undefined && Math.max(width, pageHeight) > maxSide
}

async function remade (job: KeepJob, { facts, metadata, isLossless = false }: Told, encode: Encode): Promise<Buffer> {
  const { maxSide, reencode } = job
  const bytes = await encoded({ facts, metadata }, async format => await encode(format, canonical({
    ...format === 'webp' && isLossless ? { lossless: true } : qualities[format],
    cs: 'keep',
    meta: reencode || job.metadata === 'none' ? 'none' : 'all',
    ...(isTooLong(job, metadata) ? { w: maxSide, h: maxSide } : {})
  })))
  if (job.metadata === 'no-location') blankLocation(bytes)
  return bytes
}

/** @throws {MediaError} `unsupported-image` for what would lose all pages but one */
async function encoded ({ facts: { format, frames = 1 }, metadata }: Told, encode: (format: OutputFormat) => Promise<Buffer>): Promise<Buffer> {
  const isPaged = format === 'tiff' ? (metadata.pages ?? 1) > 1 : format !== 'gif' && format !== 'webp' && frames !== 1
  if (isPaged || format === 'svg' || format === 'heic') throw new MediaError('unsupported-image', { detail: `Pictures are encoded anew here, which cannot be done to ${isPaged ? 'several pages or frames of ' : ''}the format ${format}` })
  return await encode(format)
}

async function withoutLocation (input: OpenInput): Promise<Buffer | undefined> {
  const bytes = await input.bytes()
  if (has(bytes, 0, 'II+\0') || has(bytes, 0, 'MM\0+')) throw new MediaError('unsupported-image', { detail: 'Where a picture was taken is not kept here, and cannot be taken out of a BigTIFF' })
  return blankLocation(bytes) ? bytes : undefined
}

async function withoutMetadata (input: OpenInput, { facts, metadata }: Told, encode: Encode): Promise<Buffer | undefined> {
  const bytes = await input.bytes()
  const stripped = bare(bytes, facts.format, metadata.orientation ?? 1)
  if (stripped !== undefined) return stripped.equals(bytes) ? undefined : stripped
  if (facts.format === 'avif' && metadata.exif === undefined && metadata.xmp === undefined) return undefined
  return await encoded({ facts, metadata }, async format => await encode(format, canonical({ ...qualities[format], cs: 'keep', meta: 'none' })))
}
