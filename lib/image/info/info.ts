import type { Metadata, Sharp } from 'sharp'
import { isGreySpace } from '../pipeline/colour.ts'
import { dominantColour } from './dominant-colour.ts'
import { engineFault } from '../pipeline/engine-faults.ts'
import { sharp } from '../pipeline/engine.ts'
import { Exif, type ExifFacts, type Place } from './exif.ts'
import { mediaTypes, type InputFormat } from '../format.ts'
import { blurHash, thumbHash, type SmallPicture } from './hashes.ts'
import { iccName } from './icc-name.ts'
import type { InfoJob, OpenInput } from '../job.ts'
import { readableOf, recognised, refuseLarge } from '../pipeline/original.ts'
import type { HeaderFacts } from '../sniff.ts'

/** Pixels of the longer side of what colours and hashes are taken from. */
const SMALL = 64

/** Pixels of the longer side of the placeholder. */
const PLACEHOLDER = 20

/** Delays that are listed. A file's author pushes against it. */
const MAX_DELAYS = 1000

/** What `?info` tells of a picture. */
export interface ImageInfo {
  format: InputFormat
  /** Media type. */
  type: string
  /** Bytes of the file. */
  bytes: number
  /** Pixels of one frame, upright. */
  width: number
  height: number
  /** As the file has them, before it is turned upright. */
  stored: { width: number, height: number }
  /** EXIF orientation, 1 to 8. */
  orientation: number
  /** Frames of an animation, or pages. */
  frames: number
  /** Milliseconds, the first thousand. */
  delays?: number[]
  /** How often an animation runs; 0 for ever. */
  loop?: number
  alpha: boolean
  colourSpace: string
  /** The name of the embedded colour profile. */
  profile?: string
  /** Bits of one sample. */
  bitDepth: number
  channels: number
  /** Whether it is shown coarse first: a progressive JPEG, an interlaced PNG or GIF. */
  progressive: boolean
  /** Pixels per inch, as the file says. */
  density?: number
  exif?: ExifFacts
  /** Where it was taken. Only where the mount allows it. */
  place?: Place
  /** `#rrggbb` */
  dominantColour: string
  blurHash: string
  /** In base64. */
  thumbHash: string
  /** A data URI of a picture of 20 pixels. */
  placeholder: string
}

/**
 * Tells what a picture is: its header, and one small decode for colours and hashes. Of an
 * animation the first frame counts. Runs in an image worker.
 *
 * @throws {MediaError} `unsupported-image`, `broken-image`, `image-too-large`
 */
export async function describeImage (input: OpenInput, { gps, limits }: Pick<InfoJob, 'gps' | 'limits'>): Promise<ImageInfo> {
  const facts = await recognised(input, limits)
  const readable = await readableOf(input, facts.format)
  try {
    const image = sharp(readable, { failOn: 'none', limitInputPixels: false })
    const metadata = await image.metadata()
    if (facts.format !== 'svg') refuseLarge(metadata.width * (metadata.pageHeight ?? metadata.height), limits)
    const small = await smallPicture(image, metadata)
    return {
      ...headerInfo(facts, metadata),
      bytes: input.size,
      ...metadataInfo(metadata, gps),
      dominantColour: dominantColour(small.rgba),
      blurHash: blurHash(small),
      thumbHash: thumbHash(small),
      placeholder: await placeholder(small)
    }
  } catch (error) {
    throw engineFault(error)
  }
}

function headerInfo (facts: HeaderFacts, metadata: Metadata): Omit<ImageInfo, 'bytes' | 'dominantColour' | 'blurHash' | 'thumbHash' | 'placeholder'> {
  const { format } = facts
  const [width, height] = [metadata.width, metadata.pageHeight ?? metadata.height]
  const { orientation = 1 } = metadata
  const isTurned = orientation >= 5
  const isPaged = format === 'gif' || format === 'webp' || format === 'tiff'
  return {
    format,
    type: mediaTypes[format],
    width: isTurned ? height : width,
    height: isTurned ? width : height,
    stored: { width, height },
    orientation,
    // What HEIF counts as pages are tiles and thumbnails.
    frames: isPaged ? metadata.pages ?? 1 : 1,
    ...(metadata.delay === undefined ? {} : { delays: metadata.delay.slice(0, MAX_DELAYS), loop: metadata.loop ?? 0 }),
    alpha: metadata.hasAlpha,
    colourSpace: metadata.space,
    bitDepth: facts.bitDepth ?? metadata.bitsPerSample ?? (metadata.depth === 'uchar' ? 8 : 16),
    channels: metadata.channels,
    progressive: metadata.isProgressive
  }
}

function metadataInfo (metadata: Metadata, gps: boolean): Pick<ImageInfo, 'profile' | 'density' | 'exif' | 'place'> {
  const profile = metadata.icc === undefined ? undefined : iccName(metadata.icc)
  const exif = metadata.exif === undefined ? undefined : new Exif(metadata.exif)
  const facts = exif?.facts() ?? {}
  const place = gps ? exif?.place() : undefined
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(metadata.density === undefined ? {} : { density: metadata.density }),
    ...(Object.keys(facts).length === 0 ? {} : { exif: facts }),
    ...(place === undefined ? {} : { place })
  }
}

/** The picture upright, in sRGB, with alpha. */
async function smallPicture (image: Sharp, { depth, icc, space }: Metadata): Promise<SmallPicture> {
  const turned = image.clone().autoOrient().resize(SMALL, SMALL, { fit: 'inside', withoutEnlargement: true })
  // The engine takes deep pictures with a profile to Display P3 otherwise.
  const isDeepColour = depth !== 'uchar' && icc !== undefined && !isGreySpace(space)
  const inSrgb = isDeepColour ? turned.withIccProfile('srgb', { attach: false }) : turned
  const { data, info } = await inSrgb.toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { rgba: data, width: info.width, height: info.height }
}

async function placeholder ({ rgba, width, height }: SmallPicture): Promise<string> {
  const bytes = await sharp(rgba, { raw: { width, height, channels: 4 } })
    .resize(PLACEHOLDER, PLACEHOLDER, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 30, alphaQuality: 30, effort: 4 })
    .toBuffer()
  return `data:image/webp;base64,${bytes.toString('base64')}`
}
