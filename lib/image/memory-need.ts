import type { InputFormat } from './format.ts'
import type { HeaderFacts } from './headers/facts.ts'

/** Bytes that any decode takes beside its pixels: row buffers, tables, the decoder's own state. */
const FIXED_BYTES = 8 * 1024 * 1024

/** Bytes that a frame adds where several are read together: measured 0.6 per pixel, when the variant is small. */
const FRAME_BYTES_PER_PIXEL = 0.7

/**
 * The pixels a decoder makes of one frame, or undefined where the header does not tell.
 * To be held against a limit in place of width × height, which clipping makes small.
 */
export function pixelsOf (facts: HeaderFacts): number | undefined {
  if (facts.width === undefined || facts.height === undefined) return undefined
  return Math.max(facts.width * facts.height, facts.codedPixels ?? 0)
}

/**
 * Bytes per pixel of the original, measured with sharp 0.35 at 12 and 25 megapixels: growth
 * of the process' peak while a variant of 320 pixels is made, rounded up.
 */
const BYTES_PER_PIXEL: Readonly<Record<InputFormat, (facts: HeaderFacts) => number>> = {
  // Shrinks while it reads; a progressive one keeps all its coefficients, of two bytes each.
  jpeg: ({ progressive, coefficients, channels = 4 }) => progressive === true ? 0.5 + 2 * (coefficients ?? channels) : 0.4,
  // Row by row; an interlaced one is gathered whole.
  png: facts => facts.progressive === true ? 1.5 * frameBytes(facts) : 2,
  webp: ({ frames }) => frames === 'several' ? 13 : 5.1,
  gif: () => 13,
  // As the renderer draws into a canvas, and the pipeline takes a copy.
  svg: () => 8,
  // A strip may be the whole picture.
  tiff: facts => 2 + frameBytes(facts),
  avif: ({ bitDepth = 8 }) => bitDepth > 8 ? 26.5 : 20,
  heic: ({ bitDepth = 8 }) => bitDepth > 8 ? 26.5 : 20
}

/** Bytes of a decoded pixel. */
function frameBytes ({ bitDepth = 8, channels = 4 }: HeaderFacts): number {
  return channels * Math.ceil(bitDepth / 8)
}

/**
 * Estimates the bytes that decoding an original takes, for admission. What is made of it
 * comes on top: about 8 bytes per pixel of the variant.
 *
 * @param frames how many are decoded together
 * @returns undefined where the header does not tell the size
 */
export function memoryNeed (facts: HeaderFacts, frames = 1): number | undefined {
  const pixels = pixelsOf(facts)
  if (pixels === undefined) return undefined
  return Math.ceil(FIXED_BYTES + pixels * (BYTES_PER_PIXEL[facts.format](facts) + FRAME_BYTES_PER_PIXEL * (frames - 1)))
}
