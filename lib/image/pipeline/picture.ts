import sharp, { type OutputInfo, type OverlayOptions, type Sharp } from 'sharp'
import { inSrgb, inWorkingColours } from './colour.ts'
import { rendered } from './rendering.ts'
import { place, type Picture, type Pixels, type Work } from './work.ts'

/** What an operation changes beside pixels. */
export type Change = Partial<Omit<Picture, 'image' | 'pixels' | 'place'>>

/**
 * Queues an operation. The engine works in an order of its own, whatever the order of calls:
 * what it would do too early waits until all before is settled into pixels.
 *
 * @param at where the engine does it, see {@link place}
 */
export async function queue (work: Work, at: number, apply: (image: Sharp) => Sharp, change: Change = {}): Promise<Work> {
  const ready = at < work.picture.place ? await settle(work) : work
  const { picture } = ready
  return { ...ready, picture: { ...picture, ...change, image: apply(picture.image), place: at, pixels: undefined } }
}

/** Queues pictures to be laid over each frame. */
export async function overlay (work: Work, overlays: readonly OverlayOptions[], change: Change = {}): Promise<Work> {
  if (work.picture.frames > 1) {
    const laid = await frameByFrame(work, frame => frame.composite([...overlays]))
    return { ...laid, picture: { ...laid.picture, ...change, hasAlpha: change.hasAlpha ?? work.picture.hasAlpha } }
  }
  const ready = work.picture.place > place.composite ? await settle(work) : work
  const all = [...ready.picture.overlays, ...overlays]
  return await queue(ready, place.composite, image => image.composite([...all]), { ...change, overlays: all })
}

/** Decodes, and does what is queued: afterwards the picture is pixels, and any operation can be queued. */
export async function settle (work: Work, into: 'raw' | 'any' = 'any'): Promise<Work> {
  if (work.picture.pixels !== undefined) return work
  work.signal.throwIfAborted()
  return carries(work) && into === 'any' ? await settleCarried(work) : await settleRaw(work)
}

/** What was laid over an opaque picture left it opaque: its alpha channel tells nothing. */
export function opaque ({ overlays, hasAlpha }: Picture, image: Sharp): Sharp {
  return overlays.length > 0 && !hasAlpha ? image.removeAlpha() : image
}

/** Whether a profile or metadata must go along with the pixels. Animations do without. */
function carries ({ job: { transform: { meta, cs } }, original }: Work): boolean {
  return original.frames === 1 && (meta === 'all' || cs === 'p3' || (cs === 'keep' && original.icc !== undefined))
}

async function settleCarried (work: Work): Promise<Work> {
  const image = opaque(work.picture, inWorkingColours(work))
  const kept = work.job.transform.meta === 'all' ? image.keepExif().keepXmp() : image
  const { data, info } = await rendered(kept.png({ compressionLevel: 0 }))
  const size = { width: info.width, height: info.height }
  const settled: Picture = { ...work.picture, image: sharp(data, { limitInputPixels: false }), size, place: place.open, overlays: [], colours: work.job.transform.cs === undefined ? 'srgb' : 'carried', pixels: undefined }
  return { ...work, picture: settled }
}

async function settleRaw (work: Work): Promise<Work> {
  const image = opaque(work.picture, inSrgb(work))
  const { data, info } = await rendered(image.raw({ depth: 'uchar' }))
  const { frames } = work.picture
  return ofPixels({ ...work, picture: { ...work.picture, colours: 'srgb' } }, { bytes: data, channels: info.channels }, { width: info.width, height: info.height / frames })
}

/** The picture that has these pixels. @param size of one frame */
export function ofPixels (work: Work, pixels: Pixels, size: Picture['size']): Work {
  const { frames } = work.picture
  const image = sharp(pixels.bytes, {
    limitInputPixels: false,
    pages: frames,
    raw: { width: size.width, height: size.height * frames, channels: pixels.channels, ...(frames > 1 ? { pageHeight: size.height } : {}) }
  })
  return { ...work, picture: { ...work.picture, image, size, place: place.open, overlays: [], pixels } }
}

/** The pixels of one frame. */
export function frameOf ({ size, pixels }: Picture, index: number): { bytes: Buffer, channels: 1 | 2 | 3 | 4 } | undefined {
  if (pixels === undefined) return undefined
  const length = size.width * size.height * pixels.channels
  return { bytes: pixels.bytes.subarray(index * length, (index + 1) * length), channels: pixels.channels }
}

/** Does for each frame what the engine cannot do for frames together: it sees them as one tall picture. */
export async function frameByFrame (work: Work, apply: (image: Sharp) => Sharp): Promise<Work> {
  const settled = await settle(work)
  const { picture } = settled
  let joined: Buffer | undefined
  let last: OutputInfo | undefined
  for (let index = 0; index < picture.frames; index++) {
    work.signal.throwIfAborted()
    const frame = frameImage(picture, index)
    const { data, info } = await rendered(withColours(picture, apply(frame)).raw({ depth: 'uchar' }))
    joined ??= Buffer.allocUnsafe(data.length * picture.frames)
    data.copy(joined, index * data.length)
    last = info
  }
  /* c8 ignore next -- there is no picture without a frame */
  if (joined === undefined || last === undefined) return settled
  return ofPixels(settled, { bytes: joined, channels: last.channels }, { width: last.width, height: last.height })
}

/** One frame as a picture of its own. */
export function frameImage (picture: Picture, index: number): Sharp {
  const frame = frameOf(picture, index)
  // With a profile that goes along it is no bare pixels, and never an animation.
  if (frame === undefined) return picture.image.clone()
  return sharp(frame.bytes, { limitInputPixels: false, raw: { ...picture.size, channels: frame.channels } })
}

function withColours ({ grey }: Picture, image: Sharp): Sharp {
  return grey ? image.toColourspace('b-w') : image
}
