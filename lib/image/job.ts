import type { Readable } from 'node:stream'
import type { StoredFile } from '../sources/stored-file.ts'
import type { Transform } from '../transform/transform.ts'
import type { InputFormat, OutputFormat } from './format.ts'

/** Bounds that a job keeps inside the worker. Whoever chooses pictures or transforms pushes against them. */
export interface JobLimits {
  /** Pixels of one frame of the original. */
  readonly inputPixels: number
  /** Pixels of one frame of the variant. */
  readonly outputPixels: number
  /** Pixels of all frames that are decoded together. */
  readonly framePixels: number
  /** Pixels of either side of the variant. */
  readonly dimension: number
  /** Formats an original may have. */
  readonly inputs: readonly InputFormat[]
}

/** To make a variant. */
export interface VariantJob {
  readonly kind: 'variant'
  readonly transform: Transform
  /** Settled before: `auto` never comes here. */
  readonly format: OutputFormat
  readonly limits: JobLimits
}

/** To tell what an original is. */
export interface InfoJob {
  readonly kind: 'info'
  /** Whether the place where a picture was taken is told. */
  readonly gps: boolean
  readonly limits: JobLimits
}

/** To tell whether a picture may be kept, and what is kept in its place. */
export interface KeepJob {
  readonly kind: 'keep'
  /** Whether all of it is decoded, to see that it is whole. */
  readonly check: boolean
  /** Whether it is decoded and encoded anew: nothing but the picture stays. */
  readonly reencode: boolean
  /** What stays of what it tells about itself. */
  readonly metadata: 'all' | 'no-location' | 'none'
  /** Pixels of the longer side. */
  readonly maxSide?: number | undefined
  /** `inputPixels` bounds one frame and all of them together. */
  readonly limits: JobLimits
}

/** What an image worker is asked to do. Plain data: it crosses to another process as JSON. */
export type ImageJob = VariantJob | InfoJob | KeepJob

/** Where a worker gets bytes: it opens a stored file itself, the rest is sent to it. */
export type JobInput = StoredFile | Buffer | Readable

/** An input as the worker's own code sees it. */
export interface OpenInput {
  /** A path that names the open descriptor itself, for decoders that read as they go; undefined where the bytes were sent. Never to be given an SVG. */
  readonly path: string | undefined
  readonly size: number
  /** The first bytes, up to `length`. */
  head (length: number): Promise<Buffer>
  /** All of them. */
  bytes (): Promise<Buffer>
}

/** What a job came to. */
export interface ImageResult {
  /** The encoded variant; JSON for `info`; for `keep` what is kept in place of the original, nothing where that is kept as it came. */
  readonly bytes: Buffer
  /** Plain facts beside the bytes, such as the quality that `q=auto` chose. */
  readonly facts: { readonly width?: number, readonly height?: number, readonly quality?: number, readonly frames?: number }
}

/**
 * Does a job: the first input is the original, further ones are overlays. Runs in an image worker.
 *
 * @throws {MediaError} `unsupported-image` (415), `broken-image`, `image-too-large` (422), `bad-transform` (400)
 */
export type RunJob = (job: ImageJob, inputs: readonly OpenInput[], signal: AbortSignal) => Promise<ImageResult>
