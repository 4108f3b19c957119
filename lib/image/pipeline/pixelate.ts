import type { Size } from './geometry.ts'
import { ofPixels, settle } from './picture.ts'
import type { Pixels, Work } from './work.ts'

/** The picture, or each of its frames, in squares of one colour. @param side of a square, in pixels */
export async function pixelated (work: Work, side: number): Promise<Work> {
  const settled = await settle(work, 'raw')
  const { size, frames, pixels } = settled.picture
  /* c8 ignore next -- that is what settling gives */
  if (pixels === undefined) return settled
  // Nothing else holds these pixels: they change in place.
  const { bytes } = pixels
  const length = size.width * size.height * pixels.channels
  for (let index = 0; index < frames; index++) {
    work.signal.throwIfAborted()
    square({ bytes: bytes.subarray(index * length, (index + 1) * length), channels: pixels.channels }, size, side)
  }
  return ofPixels(settled, { bytes, channels: pixels.channels }, size)
}

function square (frame: Pixels, { width, height }: Size, side: number): void {
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const block = { left, top, right: Math.min(width, left + side), bottom: Math.min(height, top + side), width }
      fill(frame, block, mean(frame, block))
    }
  }
}

interface Block {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  /** Of the picture. */
  readonly width: number
}

/** What cannot be seen does not colour what can. */
function mean ({ bytes, channels }: Pixels, { left, top, right, bottom, width }: Block): number[] {
  const hasAlpha = channels % 2 === 0
  const colours = hasAlpha ? channels - 1 : channels
  const sums = Array.from({ length: channels }, () => 0)
  let weights = 0
  for (let y = top; y < bottom; y++) {
    for (let at = (y * width + left) * channels; at < (y * width + right) * channels; at += channels) {
      const weight = hasAlpha ? bytes[at + colours] as number : 255
      weights += weight
      for (let channel = 0; channel < colours; channel++) sums[channel] = (sums[channel] as number) + weight * (bytes[at + channel] as number)
    }
  }
  const means = sums.map(sum => weights === 0 ? 0 : Math.round(sum / weights))
  if (hasAlpha) means[colours] = Math.round(weights / ((right - left) * (bottom - top)))
  return means
}

function fill ({ bytes, channels }: Pixels, { left, top, right, bottom, width }: Block, colour: readonly number[]): void {
  for (let y = top; y < bottom; y++) {
    for (let at = (y * width + left) * channels; at < (y * width + right) * channels; at += channels) {
      for (let channel = 0; channel < channels; channel++) bytes[at + channel] = colour[channel] as number
    }
  }
}
