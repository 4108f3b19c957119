import { background, isGrey } from './colour.ts'
import { area, flipped, rotated, rotatedBox, sameSize, turnedSize, turnOfOrientation, UPRIGHT, type Rect, type Size } from './geometry.ts'
import { refuseFrames, refuseLarge } from './original.ts'
import { frameByFrame, queue, settle } from './picture.ts'
import { aside, copyOf, edgesOf, scaledRect, scaleOf, trimmed, usedPart } from './trimming.ts'
import { place, type Step, type Work } from './work.ts'

/** Finds what makes the picture upright. Right angles and mirrors are left to the step that makes the size: they cost little there. */
export const orient: Step = async work => {
  const { transform: { orient: asked = 'auto', rot = 0, flip } } = work.job
  const base = asked === 'auto' ? work.original.orientation : asked === 'none' ? 1 : Number(asked)
  const turn = turnOfOrientation(base)
  const straight = rot % 90 === 0
  const lying = straight ? { ...work, turn: rotated(turn, rot) } : await rotateFreely({ ...work, turn }, rot)
  return flip === undefined ? lying : { ...lying, turn: flipped(lying.turn, flip) }
}

/** Turns by any angle. What is used of the picture is found before: no more pixels are turned than the variant has need of. */
async function rotateFreely (work: Work, rot: number): Promise<Work> {
  const { job, turn, picture } = work
  const { trim, rect } = job.transform
  const angle = turn.degrees + rot
  const whole = rounded(rotatedBox(picture.size, angle))
  const copy = copyOf(picture.size)
  const small = trim === undefined ? undefined : await turnedBy(aside(work), copy, angle)
  const edges = small === undefined ? undefined : await edgesOf(small)
  const crop = usedPart(whole, edges, rect)
  const size = shrunkBefore(work, whole, crop)
  const turned = small !== undefined && sameSize(size, copy) ? small : await turnedBy(work, size, angle)
  const { size: now } = turned.picture
  return { ...turned, crop: sameSize(size, picture.size) || crop === undefined ? usedPart(now, edges, rect) : scaledRect(crop, whole, now) }
}

/** The picture in a size, turned by any angle. @throws {MediaError} `image-too-large` */
async function turnedBy (work: Work, size: Size, angle: number): Promise<Work> {
  const { job: { transform, format, limits }, turn, picture } = work
  const corners = background(transform.bg, format)
  const pixels = Math.round(area(rotatedBox(size, angle)))
  refuseLarge(pixels, limits)
  refuseFrames(picture.frames, pixels, limits)
  const shrunk = sameSize(size, picture.size) ? work : await queue(work, place.resize, image => image.resize({ ...size, fit: 'fill' }))
  const change = { hasAlpha: picture.hasAlpha || corners.alpha < 1, grey: picture.grey && isGrey(corners) && corners.alpha === 1 }
  const apply = (image: Work['picture']['image']): Work['picture']['image'] => (turn.mirrored ? image.flop() : image).rotate(angle, { background: corners })
  if (picture.frames > 1) {
    const all = await frameByFrame({ ...shrunk, picture: { ...shrunk.picture, size, grey: change.grey } }, apply)
    return { ...all, turn: UPRIGHT, picture: { ...all.picture, ...change } }
  }
  // The engine loses the profile of samples of sixteen bits where it adds an alpha channel.
  const ready = work.original.deep ? await settle(shrunk) : shrunk
  return await settle({ ...await queue(ready, place.rotate, apply, change), turn: UPRIGHT })
}

function rounded ({ width, height }: Size): Size {
  return { width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) }
}

/** Pixels that rounding may take of a part that is scaled. */
const ROUNDING = 2

/** The stored picture's size before it is rotated. */
function shrunkBefore ({ job, picture }: Work, whole: Size, crop: Rect | undefined): Size {
  const spare = crop === undefined ? 0 : ROUNDING / Math.min(crop.width, crop.height)
  const scale = scaleOf(job, whole, crop) + spare
  return scale >= 1 ? picture.size : rounded({ width: picture.size.width * scale, height: picture.size.height * scale })
}

/** Finds the part that is used: without edges, and what is asked of the rest. */
export const crop: Step = async work => {
  const { trim, rect, rot = 0 } = work.job.transform
  // It was found before a free rotation.
  if (rot % 90 !== 0) return work
  return trim === undefined ? { ...work, crop: usedPart(turnedSize(work.picture.size, work.turn), undefined, rect) } : await trimmed(work)
}
