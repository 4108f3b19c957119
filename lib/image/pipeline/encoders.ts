import type { AvifOptions, GifOptions, JpegOptions, KernelEnum, PngOptions, ResizeOptions, TiffOptions, WebpOptions } from 'sharp'
import type { OutputFormat } from '../format.ts'

/** The options of sharp for each output format. */
export interface EncoderOptions {
  readonly jpeg: JpegOptions
  readonly png: PngOptions
  readonly webp: WebpOptions
  readonly avif: AvifOptions
  readonly gif: GifOptions
  readonly tiff: TiffOptions
}

/** What a transform may ask of an encoder, within the bounds of the table of operations. */
export interface EncoderWishes {
  /** 1 to 100, on the format's own scale. PNG, GIF and TIFF are without loss and have none. */
  readonly quality?: number | undefined
  /** WebP and AVIF. */
  readonly lossless?: boolean | undefined
  /** 0 (fast) to 6 (few bytes). 2 is what each format has by default. */
  readonly effort?: number | undefined
  /** JPEG and PNG. */
  readonly progressive?: boolean | undefined
  /** JPEG and AVIF. */
  readonly subsampling?: '420' | '444' | undefined
}

/**
 * How each format is encoded where nothing else is asked. Chosen by measured CPU, bytes and
 * SSIM: docs/benchmarks.md has the table. Whoever changes a value here changes
 * every variant's bytes.
 */
export const encoderDefaults: EncoderOptions = Object.freeze({
  jpeg: Object.freeze({ quality: 80, progressive: false, optimiseCoding: true, chromaSubsampling: '4:2:0' }),
  png: Object.freeze({ compressionLevel: 3, adaptiveFiltering: true, progressive: false, palette: false }),
  // `mixed` lets each frame of an animation take what is smaller; a still picture has no use of it
  webp: Object.freeze({ quality: 82, effort: 2, mixed: true }),
  avif: Object.freeze({ quality: 52, effort: 2, chromaSubsampling: '4:2:0', tune: 'ssim' }),
  gif: Object.freeze({ effort: 4 }),
  // JPEG within TIFF would drop what is transparent
  tiff: Object.freeze({ compression: 'deflate', predictor: 'horizontal' })
})

/** How pixels are weighed where nothing else is asked. WebP's next step of quality makes up for the softer one, in as many bytes and less time. */
function defaultKernel (format: OutputFormat): keyof KernelEnum {
  return format === 'webp' ? 'cubic' : 'lanczos3'
}

/** What a decoder's own shrinking, which is coarse, leaves to be done by the kernel, at the least: a JPEG is otherwise decoded twice as large. */
const LEAST_REST = 1.75

/** How a size is made: from what, to what, for which format. */
export interface Resizing {
  readonly format: OutputFormat
  /** Pixels of the original's side to one of the variant's. */
  readonly shrink: number
  /** One of the table of operations. */
  readonly kernel?: keyof KernelEnum | undefined
}

/**
 * How a size is made. A JPEG is decoded at no less than 1.75 times the wanted size, a WebP at no
 * less than twice, which fits the same SSIM into fewer bytes; ADR 0012 tells what that costs and saves.
 *
 * @param isJpeg whether the original is one: its decoder shrinks to a half, a quarter or an eighth
 */
export function resizeOptions ({ format, shrink, kernel = defaultKernel(format) }: Resizing, isJpeg: boolean): Pick<ResizeOptions, 'kernel' | 'fastShrinkOnLoad'> {
  const byDecoder = [8, 4, 2].find(step => step <= shrink) ?? 1
  return { kernel, fastShrinkOnLoad: isJpeg && shrink / byDecoder >= LEAST_REST }
}

/**
 * The options of sharp for a format: the defaults, with what a transform asks for and the
 * format can do. The rest is ignored, so that one URL fits each format of a negotiation.
 *
 * @param wishes bounded before
 */
export function encoderOptions<F extends OutputFormat> (format: F, wishes: EncoderWishes = {}): EncoderOptions[F] {
  return optionsOf[format](wishes)
}

const optionsOf: { readonly [F in OutputFormat]: (wishes: EncoderWishes) => EncoderOptions[F] } = {
  jpeg: ({ quality, effort, progressive, subsampling }) => defined(encoderDefaults.jpeg, {
    quality,
    progressive,
    optimiseCoding: effort === undefined ? undefined : effort > 0,
    chromaSubsampling: ratioOf(subsampling)
  }),
  png: ({ effort, progressive }) => defined(encoderDefaults.png, { progressive, compressionLevel: effort === undefined ? undefined : 1 + effort }),
  webp: ({ quality, effort, lossless }) => defined(encoderDefaults.webp, { quality, effort, lossless }),
  avif: ({ quality, effort, lossless, subsampling }) => defined(encoderDefaults.avif, {
    quality,
    effort,
    lossless,
    // colours that are left out are lost
    chromaSubsampling: lossless === true ? '4:4:4' : ratioOf(subsampling)
  }),
  // 1 to 10, of which 4 is the default
  gif: ({ effort }) => defined(encoderDefaults.gif, { effort: effort === undefined ? undefined : 1 + Math.round(effort * 1.5) }),
  tiff: () => encoderDefaults.tiff
}

function ratioOf (subsampling: EncoderWishes['subsampling']): string | undefined {
  if (subsampling === undefined) return undefined
  return subsampling === '420' ? '4:2:0' : '4:4:4'
}

/** The defaults with what is asked for in their place. */
function defined<T extends object> (defaults: T, asked: { readonly [K in keyof T]?: T[K] | undefined }): T {
  return { ...defaults, ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) }
}
