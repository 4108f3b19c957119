import { area, isWhole, rotated, sameSize, turnedSize, unturnedRect, UPRIGHT, wholeOf, type Rect, type Size, type Turn } from './geometry.ts'
import { frameImage, queue, settle } from './picture.ts'
import { planRect, planSize } from './plan.ts'
import { rendered } from './rendering.ts'
import { place, type Work } from './work.ts'

/** What is left of a picture without its edges. */
interface Trimmed {
  readonly rect: Rect
  /** The size of the picture in which the edges were found. */
  readonly of: Size
}

/** Of 255: what the compression of a photograph does to an even edge. */
const TRIM_DIFFERENCE = 10
/** The engine looks for edges through a window of this side. */
const LEAST_TRIMMED = 3
/** Pixels of the copy in which edges are looked for first. Whoever asks for small variants of large pictures pushes against it. */
const COPY_PIXELS = 2_000_000
/** How much finer the copy has to be than the variant. */
const FINER = 2

/** The size of a copy to look for edges in. */
export function copyOf (size: Size): Size {
  const scale = Math.sqrt(COPY_PIXELS / area(size))
  const side = (pixels: number): number => Math.min(pixels, Math.max(LEAST_TRIMMED, Math.round(pixels * scale)))
  return { width: side(size.width), height: side(size.height) }
}

/**
 * Leaves edges of one colour out of what is used; all frames lose what the first one can do
 * without. They are looked for in a copy where the variant shows no difference, else in all pixels.
 */
export async function trimmed (work: Work): Promise<Work> {
  const { picture, turn, job: { transform } } = work
  const copy = copyOf(picture.size)
  const whole = turnedSize(picture.size, turn)
  if (Math.min(whole.width, whole.height) < LEAST_TRIMMED) return { ...work, crop: usedPart(whole, undefined, transform.rect) }
  if (picture.frames === 1 && !sameSize(copy, picture.size)) {
    // Without a kernel that rings: edges would grow by its echoes.
    const small = await queue(aside(work), place.resize, image => image.resize({ ...copy, fit: 'fill', kernel: 'linear' }), { size: copy })
    const crop = usedPart(whole, upright(await edgesOf(await settle(small)), turn), transform.rect)
    if (FINER * scaleOf(work.job, whole, crop) <= copy.width / picture.size.width) return { ...work, crop }
  }
  const settled = await settle(work)
  return { ...settled, crop: usedPart(whole, upright(await edgesOf(settled), turn), transform.rect) }
}

/** The same picture to be tried out: what is queued on it is not queued on the other. */
export function aside (work: Work): Work {
  return { ...work, picture: { ...work.picture, image: work.picture.image.clone() } }
}

/** How much of the upright picture's sides the variant has need of. */
export function scaleOf ({ transform, limits }: Work['job'], whole: Size, crop: Rect | undefined): number {
  const { scaled, source } = planSize(transform, { picture: whole, crop, scaledPixels: limits.inputPixels })
  return Math.max(scaled.width / source.width, scaled.height / source.height)
}

/** The same of the upright picture. */
function upright ({ rect, of }: Trimmed, turn: Turn): Trimmed {
  // A mirror undoes itself, with the rotation that follows it.
  const back = turn.mirrored ? turn : rotated(UPRIGHT, -turn.degrees)
  return { rect: unturnedRect(rect, of, back), of: turnedSize(of, turn) }
}

/** Where the edges of settled pixels end. */
export async function edgesOf ({ job: { transform: { trim = 'auto' } }, picture }: Work): Promise<Trimmed> {
  const { size } = picture
  if (Math.min(size.width, size.height) < LEAST_TRIMMED) return { rect: wholeOf(size), of: size }
  // One channel is enough to see how large it is.
  const { info } = await rendered(frameImage(picture, 0).trim({ threshold: trim === 'auto' ? TRIM_DIFFERENCE : trim }).extractChannel(0).raw())
  return { rect: { left: -(info.trimOffsetLeft ?? 0), top: -(info.trimOffsetTop ?? 0), width: info.width, height: info.height }, of: size }
}

/** The same part of the picture in another size, with every pixel that it touches. */
export function scaledRect ({ left, top, width, height }: Rect, from: Size, to: Size): Rect {
  const [across, down] = [to.width / from.width, to.height / from.height]
  const [x, y] = [Math.min(to.width - 1, Math.floor(left * across)), Math.min(to.height - 1, Math.floor(top * down))]
  return { left: x, top: y, width: Math.min(to.width, Math.ceil((left + width) * across)) - x, height: Math.min(to.height, Math.ceil((top + height) * down)) - y }
}

/**
 * The part of an upright picture that is used: what `rect` names of what edges leave.
 *
 * @throws {MediaError} `bad-transform` where it lies outside
 */
export function usedPart (picture: Size, edges: Trimmed | undefined, rect: readonly number[] | undefined): Rect | undefined {
  const left = edges === undefined ? wholeOf(picture) : scaledRect(edges.rect, edges.of, picture)
  const part = rect === undefined ? left : planRect(left, rect)
  const used = rect === undefined ? part : { ...part, left: left.left + part.left, top: left.top + part.top }
  return isWhole(used, picture) ? undefined : used
}
