import { encode } from 'blurhash'
import { rgbaToThumbHash } from 'thumbhash'

/** A small picture of 8-bit samples: red, green, blue and alpha, colours not multiplied by alpha. */
export interface SmallPicture {
  readonly rgba: Uint8Array
  /** Pixels: no more than 100 across or down, which is where ThumbHash stops. */
  readonly width: number
  readonly height: number
}

/** A BlurHash of 4 × 3 waves, or 3 × 4 of a tall picture, or 4 × 4 of a square one. It has no alpha: what is transparent is white. */
export function blurHash ({ rgba, width, height }: SmallPicture): string {
  const across = width >= height * 0.9 ? 4 : 3
  const down = height >= width * 0.9 ? 4 : 3
  const opaque = new Uint8ClampedArray(rgba.length)
  for (let at = 0; at + 3 < rgba.length; at += 4) {
    const alpha = (rgba[at + 3] ?? 255) / 255
    for (let channel = at; channel < at + 3; channel++) opaque[channel] = 255 + alpha * ((rgba[channel] ?? 0) - 255)
    opaque[at + 3] = 255
  }
  return encode(opaque, width, height, across, down)
}

/** A ThumbHash in base64. It knows the aspect and alpha. */
export function thumbHash ({ rgba, width, height }: SmallPicture): string {
  return Buffer.from(rgbaToThumbHash(width, height, rgba)).toString('base64')
}
