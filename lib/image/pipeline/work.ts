import type { OverlayOptions, Sharp } from 'sharp'
import type { InputFormat } from '../format.ts'
import type { Rect, Size, Turn } from './geometry.ts'
import type { OpenInput, VariantJob } from '../job.ts'

/** What is known of an original before a pixel of it is decoded. */
export interface Original {
  readonly format: InputFormat
  /** One frame, as stored. */
  readonly size: Size
  /** EXIF orientation, 1 to 8. */
  readonly orientation: number
  /** How many frames or pages there are. */
  readonly pages: number
  /** The first frame that is read, from 0. */
  readonly page: number
  /** How many frames are kept. */
  readonly frames: number
  /** Milliseconds that each frame stays. */
  readonly delay: readonly number[] | undefined
  /** How often the animation runs; 0 is for ever. */
  readonly loop: number | undefined
  /** Colour space by the engine's name, such as `srgb`, `cmyk`, `b-w`. */
  readonly space: string
  /** Whether samples have more than eight bits. */
  readonly deep: boolean
  readonly hasAlpha: boolean
  readonly icc: Buffer | undefined
  readonly exif: Buffer | undefined
  /** Drawn anew at any size. */
  readonly vector: boolean
}

/** A picture on its way: operations are queued on `image`, and nothing is decoded until it is settled or encoded. */
export interface Picture {
  readonly image: Sharp
  /** One frame, as it comes out of `image`. */
  readonly size: Size
  readonly frames: number
  /** Whether a pixel of it may be transparent. */
  readonly hasAlpha: boolean
  /** Whether it has one channel beside alpha. */
  readonly grey: boolean
  /** Where the engine, whose order is fixed, does the last operation queued. */
  readonly place: number
  /** What is queued to be laid over it. */
  readonly overlays: readonly OverlayOptions[]
  /** Whether colours are those of the file, of sRGB, or of the profile that goes along. `late`: the file's profile is applied when all else is done. */
  readonly colours: 'original' | 'late' | 'srgb' | 'carried'
  /** The pixels, where the picture is nothing but these: 8 bits a sample, frames one below the other. */
  readonly pixels?: Pixels | undefined
}

export interface Pixels {
  readonly bytes: Buffer
  readonly channels: 1 | 2 | 3 | 4
}

/** What the steps hand on. Each returns a new one. */
export interface Work {
  readonly job: VariantJob
  readonly inputs: readonly OpenInput[]
  readonly signal: AbortSignal
  /** Whether an original that ends too early is shown as far as it goes. */
  readonly tolerant: boolean
  readonly original: Original
  readonly picture: Picture
  /** What is still to be done to see the picture upright. */
  readonly turn: Turn
  /** The part of the upright picture that is used. */
  readonly crop: Rect | undefined
  /** The picture's place on a larger canvas. */
  readonly canvas: Rect | undefined
  /** What came of it. */
  readonly result: { readonly bytes: Buffer, readonly quality?: number | undefined } | undefined
}

/** One of the pipeline's steps. The loop asks the signal between them. */
export type Step = (work: Work) => Work | Promise<Work>

/** Where an operation stands in the order of the engine: sharp 0.35, src/pipeline.cc. */
export const place = {
  open: 0, trim: 1, cropFirst: 2, flatten: 3, gammaIn: 4, greyscale: 5, resize: 6, turn: 7, rotate: 8, crop: 9, extend: 10, median: 11, threshold: 12, dilate: 13, erode: 14, blur: 15,
  unflatten: 16, modulate: 17, sharpen: 18, composite: 19, gammaOut: 20, linear: 21, normalise: 22, clahe: 23, tint: 24, negate: 25
} as const
