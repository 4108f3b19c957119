import type { InputFormat } from '../format.ts'

/** What the first bytes of a picture tell without decoding it. What they do not tell is left out. */
export interface HeaderFacts {
  readonly format: InputFormat
  /**
   * Pixels, as a decoder gives them before any EXIF orientation: of one frame or page. A HEIF
   * decoder applies rotation, mirroring and clipping itself, so they are applied here too.
   */
  readonly width?: number
  readonly height?: number
  /** Pixels a decoder makes to give `width` × `height`, where that is more: clipped HEIF pictures. */
  readonly codedPixels?: number
  /** EXIF orientation, 1 to 8. Left out: none was seen, it may still follow in the file. */
  readonly orientation?: number
  /** True where it is not known. */
  readonly alpha: boolean
  readonly frames?: number | 'several'
  /** A progressive JPEG or an interlaced PNG: nothing can be given out before all is read. */
  readonly progressive?: boolean
  /** Bits of one sample. */
  readonly bitDepth?: number
  /** Samples of one pixel. */
  readonly channels?: number
  /** Of a JPEG: coefficients stored for one pixel, 1.5 where colour has a quarter of the samples (4:2:0), 3 without. */
  readonly coefficients?: number
  readonly heicCodec?: 'av1' | 'hevc'
}

/** A format that is recognised so that a refusal can name it, and never decoded. */
export interface OtherFormat {
  readonly format: undefined
  /** With its article, as in "this is a BMP". */
  readonly name: string
}

/** Facts while a header is read. */
export type Draft = { -readonly [Name in keyof HeaderFacts]: HeaderFacts[Name] }
