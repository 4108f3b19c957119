import { signer, signTarget, type SigningKey, type SignOptions } from '../signing/signer.ts'
import type { OperationName, ValueOf } from '../transform/operations.ts'
import type { Values } from '../transform/transform.ts'
import { write, type UrlOptions, type UrlState } from './write.ts'

export { signTarget as sign }
export type { OperationName, SigningKey, SignOptions, UrlOptions, ValueOf, Values }

/** What {@link ImageUrl.resize} takes. */
export interface Resize {
  /** Pixels: whole ones, from 1. */
  width?: number
  /** Pixels: whole ones, from 1. */
  height?: number
  /** Width divided by height. */
  aspectRatio?: number
  /** How the picture meets both sides. */
  fit?: ValueOf<'fit'>
  /** Whether a small original is enlarged. */
  enlarge?: boolean
  /** What stays where something is cut. */
  position?: ValueOf<'position'>
  /** The place that stays in sight, in parts of the original's sides: from 0 (left, top) to 1. */
  focus?: { x: number, y: number }
  /** How many times nearer: 2 shows half of each side. */
  zoom?: number
  /** Pixels of the screen to one of the page: width and height are multiplied by it. */
  dpr?: number
  /** How pixels are weighed when the size changes. */
  kernel?: ValueOf<'kernel'>
}

/** A region in pixels, or in fractions of the picture where no number is above 1. */
export interface Region {
  left: number
  top: number
  width: number
  height: number
}

/** What a `<picture>` is made of. */
export interface PictureSources {
  sources: Array<{ type: string, srcset: string, sizes?: string }>
  /** For browsers that know none of the types. */
  img: { src: string, srcset: string, sizes?: string }
}

/** The URL of a picture, or of a variant of it. Each method gives another one, and leaves this as it is. */
export class ImageUrl {
  readonly #state: UrlState

  /** @param state how far it is known; use {@link url} */
  constructor (state: UrlState) {
    this.#state = state
  }

  /** The size, and how the picture is brought to it. */
  resize ({ width, height, aspectRatio, focus, ...rest }: Resize): ImageUrl {
    return this.#with({ w: width, h: height, ar: aspectRatio, fx: focus?.x, fy: focus?.y, ...rest })
  }

  /** Cuts a region out before anything is resized. */
  crop ({ left, top, width, height }: Region): ImageUrl {
    return this.#with({ rect: [left, top, width, height] })
  }

  /** The format; `auto` is the best that the browser accepts. */
  format (format: ValueOf<'f'>): ImageUrl {
    return this.#with({ f: format })
  }

  /** Quality from 1 to 100; `auto` is the lowest that looks alike. */
  quality (quality: ValueOf<'q'>): ImageUrl {
    return this.#with({ q: quality })
  }

  /** @param sigma of a Gaussian, in pixels, from 0.3 to 100. The server refuses what is out of range */
  blur (sigma: number): ImageUrl {
    return this.#with({ blur: sigma })
  }

  /** @param amount from 0 to 100. The server refuses what is out of range */
  sharpen (amount: number): ImageUrl {
    return this.#with({ sharp: [amount] })
  }

  /** @param degrees clockwise, from -360 to 360. The server refuses what is out of range */
  rotate (degrees: number): ImageUrl {
    return this.#with({ rot: degrees })
  }

  /** Left to right (`h`), top to bottom (`v`), or both. */
  flip (direction: ValueOf<'flip'>): ImageUrl {
    return this.#with({ flip: direction })
  }

  /** What shows where the picture does not. */
  background (colour: string): ImageUrl {
    return this.#with({ bg: colour.replace('#', '') })
  }

  /** Without colour. */
  greyscale (): ImageUrl {
    return this.#with({ greyscale: true })
  }

  /** Any operation of `docs/transforms.md` by its name; `undefined` takes it away. */
  set<N extends OperationName> (name: N, value: ValueOf<N> | undefined): ImageUrl {
    return new ImageUrl({ ...this.#state, values: { ...this.#state.values, [name]: value } })
  }

  /** A transform of the server's configuration; what is set beside it goes before what it says. */
  preset (name: string): ImageUrl {
    return new ImageUrl({ ...this.#state, preset: name })
  }

  /** To be saved instead of shown. @param name to save it under; without it, its own */
  download (name = ''): ImageUrl {
    return new ImageUrl({ ...this.#state, download: name })
  }

  /**
   * Signs every URL that comes of it. On servers alone: a key in a page is no secret.
   * `expiresIn` counts from here, so that all URLs of one page expire together.
   *
   * @throws {TypeError} in a browser, and where id, method or address is malformed
   * @throws {RangeError} for a secret shorter than 32 bytes, and times that are none or over
   * @example url('/private/cat.jpg').resize({ width: 320 }).signed({ id: '2026-11', secret }, { expiresIn: 3600 })
   */
  signed (key: SigningKey, options: SignOptions = {}): ImageUrl {
    return new ImageUrl({ ...this.#state, sign: signer(key, options) })
  }

  /** The URL of facts about the original, as JSON. */
  info (): string {
    const { path, options, sign } = this.#state
    return write({ path, options, values: {}, ...sign === undefined ? {} : { sign } }, true)
  }

  toString (): string {
    return write(this.#state, false)
  }

  toJSON (): string {
    return this.toString()
  }

  /**
   * The `srcset` for several widths in pixels, or for several pixel densities. A height that
   * is set keeps its proportion to the width that is set.
   *
   * @example url('/cat.jpg').srcset([320, 640]) // '/cat.jpg?w=320 320w, /cat.jpg?w=640 640w'
   */
  srcset (sizes: readonly number[] | { densities: readonly number[] }): string {
    if ('densities' in sizes) return sizes.densities.map(density => `${this.#with({ dpr: density }).toString()} ${density}x`).join(', ')
    return sizes.map(width => `${this.#at(width).toString()} ${width}w`).join(', ')
  }

  /**
   * What a `<picture>` is made of: a source for each format, and an image for the rest, in the
   * format that is set or that of the original.
   */
  sources ({ widths, formats, sizes }: { widths: readonly number[], formats: ReadonlyArray<Exclude<ValueOf<'f'>, 'auto'>>, sizes?: string }): PictureSources {
    const told = sizes === undefined ? {} : { sizes }
    return {
      sources: formats.map(format => ({ type: `image/${format}`, srcset: this.format(format).srcset(widths), ...told })),
      img: { src: (widths.length > 0 ? this.#at(Math.max(...widths)) : this).toString(), srcset: this.srcset(widths), ...told }
    }
  }

  #at (width: number): ImageUrl {
    const { w, h } = this.#state.values
    return this.#with({ w: width, ...w === undefined || h === undefined ? {} : { h: Math.max(1, Math.round(h * width / w)) } })
  }

  #with (values: Values): ImageUrl {
    const told = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
    return new ImageUrl({ ...this.#state, values: { ...this.#state.values, ...told } })
  }
}

/**
 * The URL of a picture, to be told what is asked of it. Runs in browsers, and needs nothing.
 *
 * @param path that of the file, as it is named: not percent-encoded
 * @throws {TypeError} for a path with dot segments, which no server is asked for
 * @throws {URIError} where the path, or a text, holds half a character
 * @example url('/photos/cat.jpg').resize({ width: 320 }).format('auto').toString() // '/photos/cat.jpg?w=320&f=auto'
 */
export function url (path: string, options: UrlOptions = {}): ImageUrl {
  if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(path)) throw new TypeError(`Expected a path without dot segments, received ${path}`)
  return new ImageUrl({ path, options: { ...options }, values: {} })
}
