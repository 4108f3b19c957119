import sharp from 'sharp'
import { MediaError } from '../../errors.ts'
import { pointOfPosition } from './fits.ts'
import type { Size } from './geometry.ts'
import { readableOf, recognised } from './original.ts'
import { overlay } from './picture.ts'
import { rendered } from './rendering.ts'
import type { Work } from './work.ts'

/** An overlay without a scale keeps its own size, up to this part of the picture's width. */
const MARK_SHARE = 1 / 3
/** Pixels between what is laid over a picture and its edges, where nothing is said. */
export const DISTANCE = 10

/** Red, green, blue and opacity of each pixel. */
export interface Stamp extends Size {
  readonly bytes: Buffer
}

/** Lays the configured overlay over the picture. */
export async function layMark (work: Work): Promise<Work> {
  const { mark, 'mark-position': position = 'bottom-right', 'mark-tile': tile = false, 'mark-pad': pad = DISTANCE } = work.job.transform
  if (mark === undefined) return work
  const stamp = await markStamp(work)
  if (stamp === undefined) return work
  return tile ? await tiled(work, stamp, pad) : await stamped(work, stamp, { position, pad })
}

/** Lays a stamp at a position, its distance from the edges as far as there is room for it. */
export async function stamped (work: Work, { bytes, width, height }: Stamp, { position, pad }: { position: string, pad: number }): Promise<Work> {
  const { size } = work.picture
  const { x, y } = pointOfPosition(position)
  const place = (whole: number, part: number, at: number): number => {
    const room = Math.min(pad, Math.floor((whole - part) / 2))
    return Math.round(room + (whole - part - 2 * room) * at)
  }
  return await overlay(work, [{ input: bytes, raw: { width, height, channels: 4 }, left: place(size.width, width, x), top: place(size.height, height, y) }], { grey: false })
}

/** Repeats a stamp from the top left, its distances between. */
async function tiled (work: Work, stamp: Stamp, pad: number): Promise<Work> {
  const { size } = work.picture
  const right = Math.min(pad, size.width - stamp.width)
  const bottom = Math.min(pad, size.height - stamp.height)
  const { data, info } = await rendered(sharp(stamp.bytes, { raw: { width: stamp.width, height: stamp.height, channels: 4 } }).extend({ right, bottom, background: { r: 0, g: 0, b: 0, alpha: 0 } }).raw())
  return await overlay(work, [{ input: data, raw: { width: info.width, height: info.height, channels: 4 }, tile: true, gravity: 'northwest' }], { grey: false })
}

/** The overlay in the size it is laid over with; undefined where there is no room for one. */
async function markStamp ({ inputs, job: { transform, limits }, picture: { size } }: Work): Promise<Stamp | undefined> {
  const input = inputs[1]
  if (input === undefined) throw new MediaError('bad-transform', { detail: 'mark: there is no such overlay' })
  const { format, width: ownWidth = size.width } = await recognised(input, limits)
  const readable = await readableOf(input, format)
  const { 'mark-scale': scale, 'mark-alpha': opacity = 100 } = transform
  const width = Math.max(1, Math.round(scale === undefined ? Math.min(ownWidth, size.width * MARK_SHARE) : size.width * scale / 100))
  const image = sharp(readable, { limitInputPixels: limits.inputPixels, autoOrient: true, failOn: 'error' })
    .resize({ width: Math.min(width, size.width), height: size.height, fit: 'inside' })
    .toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' })
  const { data, info } = await rendered(image)
  if (opacity < 100) for (let at = 3; at < data.length; at += 4) data[at] = Math.round((data[at] as number) * opacity / 100)
  return { bytes: data, width: info.width, height: info.height }
}
