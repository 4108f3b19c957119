import sharp, { type Metadata, type SharpOptions } from 'sharp'
import { MediaError } from '../../errors.ts'
import { changes } from './adjusting.ts'
import { isGreySpace, keepsAlpha, wayOfColours } from './colour.ts'
import { engineFault } from './engine-faults.ts'
import { area } from './geometry.ts'
import type { HeaderFacts } from '../headers/facts.ts'
import type { OpenInput, JobLimits, VariantJob } from '../job.ts'
import { pixelsOf } from '../memory-need.ts'
import { rendered } from './rendering.ts'
import { HEAD_BYTES, sniff } from '../sniff.ts'
import { sanitiseSvg } from '../svg.ts'
import { place, type Original, type Picture, type Work } from './work.ts'

/** What the engine reads: a descriptor's path, or bytes. */
type Readable = string | Buffer

/**
 * What the first bytes tell.
 *
 * @throws {MediaError} `unsupported-image` where it is no image, or none that may come in; `image-too-large`
 */
export async function recognised (input: OpenInput, limits: JobLimits): Promise<HeaderFacts> {
  const facts = sniff(await input.head(HEAD_BYTES))
  if (facts === undefined) throw new MediaError('unsupported-image', { detail: input.size === 0 ? 'The file is empty' : 'This file is no image' })
  if (facts.format === undefined) throw new MediaError('unsupported-image', { detail: `This is ${facts.name}` })
  if (!limits.inputs.includes(facts.format)) throw new MediaError('unsupported-image', { detail: `Images of the format ${facts.format} are not accepted here` })
  if (facts.heicCodec === 'hevc') throw new MediaError('unsupported-image', { detail: 'This is a HEIC image with HEVC, which the engine cannot decode' })
  if (facts.format !== 'svg') refuseLarge(pixelsOf(facts) ?? 0, limits)
  return facts
}

/** @throws {MediaError} `image-too-large` naming the limit */
export function refuseLarge (pixels: number, { inputPixels }: JobLimits): void {
  if (pixels > inputPixels) throw new MediaError('image-too-large', { detail: `The image has ${pixels} pixels, more than inputPixels allows: ${inputPixels}` })
}

/** @param pixels of one frame @throws {MediaError} `image-too-large` naming the limit */
export function refuseFrames (frames: number, pixels: number, { framePixels }: JobLimits): void {
  if (frames > 1 && frames * pixels > framePixels) throw new MediaError('image-too-large', { detail: `The ${frames} frames have ${frames * pixels} pixels, more than framePixels allows: ${framePixels}` })
}

/** Where the engine reads an input from. An SVG given by path could have its neighbours loaded: it comes as bytes, sanitised. */
export async function readableOf (input: OpenInput, format: string): Promise<Readable> {
  if (format === 'svg') return sanitiseSvg(await input.bytes())
  return input.path ?? await input.bytes()
}

/** What an original is, without decoding it. @throws {MediaError} */
export async function describeOriginal (readable: Readable, facts: HeaderFacts, { transform, format, limits }: VariantJob): Promise<Original> {
  const first = await metadataOf(readable, facts, 0)
  const pages = first.pages ?? 1
  const page = transform.frame ?? 0
  if (page >= pages) throw new MediaError('bad-transform', { detail: `frame: the image has ${pages} of them, counted from 0` })
  const metadata = page === 0 ? first : await metadataOf(readable, facts, page)
  const isAnimation = facts.format === 'gif' || facts.format === 'webp'
  const keepsFrames = isAnimation && (format === 'gif' || format === 'webp') && transform.animated !== false && transform.frame === undefined
  const original: Original = {
    format: facts.format,
    size: { width: metadata.width, height: metadata.pageHeight ?? metadata.height },
    orientation: metadata.orientation ?? 1,
    pages,
    page,
    frames: keepsFrames ? pages : 1,
    delay: metadata.delay,
    loop: metadata.loop,
    space: metadata.space,
    deep: metadata.depth !== 'uchar',
    hasAlpha: metadata.hasAlpha,
    icc: metadata.icc,
    exif: metadata.exif,
    vector: facts.format === 'svg'
  }
  if (!original.vector) refuseLarge(area(original.size), limits)
  return original
}

async function metadataOf (readable: Readable, { format }: HeaderFacts, page: number): Promise<Metadata> {
  try {
    return await sharp(readable, { page, limitInputPixels: false, failOn: 'none' }).metadata()
  } catch (error) {
    const fault = engineFault(error)
    // Kinds of HEIF that the engine lacks are no fault of the file; all of the other formats are known.
    if (!(fault instanceof MediaError) || fault.code !== 'unsupported-image' || format === 'avif' || format === 'heic') throw fault
    throw new MediaError('broken-image', { detail: 'The header of the image is damaged', cause: error })
  }
}

/** Rows of the copy in which {@link refuseBlank} looks. */
const ROWS = 64

/**
 * Refuses a JPEG of which less than half the rows are there: decoders fill in grey for the rest.
 *
 * @throws {MediaError} `broken-image`
 */
export async function refuseBlank (readable: Readable, limits: JobLimits): Promise<void> {
  const { data, info } = await rendered(sharp(readable, { failOn: 'none', limitInputPixels: limits.inputPixels }).resize({ width: ROWS, height: ROWS, fit: 'fill', kernel: 'nearest' }).raw())
  const length = info.width * info.channels
  const isBlank = (row: number): boolean => data.subarray(row * length, (row + 1) * length).every((sample, at) => sample === data[row * length + at % info.channels])
  let shown = info.height
  while (shown > 0 && isBlank(shown - 1)) shown--
  if (shown < ROWS / 2) throw new MediaError('broken-image', { detail: 'The image ends too early: most of it is missing' })
}

/** What decides how an original is opened, beside the job. */
export interface Opening {
  /** An original that ends too early is shown as far as it goes. */
  readonly tolerant: boolean
  /** Turned upright by the engine before anything else, where its metadata go along. */
  readonly upright?: boolean
}

/**
 * Whether the profile waits until the size is made, when a fraction of the pixels is left: a
 * third of the work on a Display P3 photo (ADR 0012). Not where other colours come in, or are
 * compared, before.
 */
function appliesLate (original: Original, { transform, format }: VariantJob): boolean {
  const { icc, space, deep, hasAlpha } = original
  if (icc === undefined || space !== 'srgb' || deep || wayOfColours(original, transform.cs) !== 'srgb') return false
  const isFlattened = hasAlpha && !keepsAlpha(format)
  return !isFlattened && !changes(transform) && transform.trim === undefined && transform.gamma === undefined && (transform.rot ?? 0) % 90 === 0
}

/** An original as a picture nothing was done to. */
export function opened (readable: Readable, { original, job }: Pick<Work, 'original' | 'job'>, { tolerant, upright = false }: Opening): Picture {
  const { limits, transform } = job
  const isLate = appliesLate(original, job)
  const options: SharpOptions = {
    ignoreIcc: isLate,
    sequentialRead: true,
    failOn: tolerant ? 'none' : 'error',
    // The size of an SVG is bounded where it is drawn: its own says nothing.
    limitInputPixels: original.vector ? false : original.frames > 1 ? limits.framePixels : limits.inputPixels,
    page: original.page,
    pages: original.frames,
    autoOrient: upright
  }
  const image = sharp(readable, options)
  return {
    image: wayOfColours(original, transform.cs) === 'wide-p3' ? image.pipelineColourspace('rgb16') : image,
    size: original.size,
    frames: original.frames,
    hasAlpha: original.hasAlpha,
    grey: isGreySpace(original.space),
    place: place.open,
    overlays: [],
    colours: isLate ? 'late' : 'original'
  }
}
