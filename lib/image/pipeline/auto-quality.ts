import sharp, { type Sharp } from 'sharp'
import type { OutputFormat } from '../format.ts'
import type { Size } from './geometry.ts'
import { rendered } from './rendering.ts'
import { ssim } from './ssim.ts'

/** How a format's quality is looked for. */
interface Search {
  readonly lowest: number
  readonly highest: number
  /** Structural similarity, of 1, that the reduced copy must keep. */
  readonly target: number
}

/**
 * By format: the target lies a little below the similarity that the default quality keeps on
 * half of 22 photographs (0.973, 0.973 and 0.960), so that even ones cost fewer bytes. Grain
 * lowers similarity more than it is seen to: above the highest it only costs. Below the lowest
 * gradients show bands, which the measure hardly sees. Formats without a quality are not searched.
 */
const searches: Partial<Record<OutputFormat, Search>> = {
  jpeg: { lowest: 50, highest: 86, target: 0.965 },
  webp: { lowest: 50, highest: 87, target: 0.968 },
  avif: { lowest: 38, highest: 62, target: 0.952 }
}

/** Encodings of the reduced copy: halving 38 qualities as often leaves one or two. */
const MAX_TRIES = 5
/** Pixels of the copy's longer side: what an encoding costs is bounded by it, whatever the variant's size. */
const SIDE = 384

/** A picture without its file: 8 bits a sample. */
interface Sample extends Size {
  readonly bytes: Buffer
  readonly channels: 1 | 2 | 3 | 4
}

/**
 * The lowest quality at which a picture looks alike, by the similarity of its lightness
 * (SSIM) between a reduced copy and the same encoded.
 *
 * @param encode gives an image with a quality, in the format and with all other choices of the variant
 * @returns undefined for formats that have no quality
 */
export async function findQuality (picture: Sample, format: OutputFormat, { encode, signal }: { encode: (image: Sharp, quality: number) => Sharp, signal: AbortSignal }): Promise<number | undefined> {
  const search = searches[format]
  if (search === undefined) return undefined
  const reduced = await reduce(picture)
  const original = await lightness(imageOf(reduced))
  let { lowest, highest } = search
  for (let tries = 0; tries < MAX_TRIES && lowest < highest; tries++) {
    signal.throwIfAborted()
    const quality = Math.floor((lowest + highest) / 2)
    const { data } = await rendered(encode(imageOf(reduced), quality))
    const kept = ssim(original, await lightness(sharp(data)), { width: reduced.width, height: reduced.height })
    if (kept >= search.target) highest = quality
    else lowest = quality + 1
  }
  return highest
}

function imageOf ({ bytes, width, height, channels }: Sample): Sharp {
  return sharp(bytes, { raw: { width, height, channels } })
}

/** A part of small pictures is all of them; of large ones, a smaller copy. */
async function reduce (picture: Sample): Promise<Sample> {
  const scale = SIDE / Math.max(picture.width, picture.height)
  if (scale >= 1) return picture
  const { data, info } = await rendered(imageOf(picture).resize({ width: SIDE, height: SIDE, fit: 'inside' }).raw())
  return { bytes: data, width: info.width, height: info.height, channels: info.channels }
}

async function lightness (image: Sharp): Promise<Buffer> {
  const { data } = await rendered(image.flatten({ background: '#808080' }).greyscale().toColourspace('b-w').raw({ depth: 'uchar' }))
  return data
}
