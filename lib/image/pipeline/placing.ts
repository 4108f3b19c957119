import { background, isGrey } from './colour.ts'
import { area, flipped, rotated, rotatedBox, sameSize, turnedSize, turnOfOrientation, UPRIGHT, type Size } from './geometry.ts'
import { refuseLarge } from './original.ts'
import { frameByFrame, frameImage, queue, settle } from './picture.ts'
import { planRect, planSize } from './plan.ts'
import { rendered } from './rendering.ts'
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

async function rotateFreely (work: Work, rot: number): Promise<Work> {
  const { job, turn, picture } = work
  const { transform, format } = job
  const angle = turn.degrees + rot
  const corners = background(transform.bg, format)
  const size = shrunkBefore(work, rot)
  refuseLarge(Math.round(area(rotatedBox(size, angle))), job.limits)
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

/** The stored picture's size before it is rotated: no more pixels than the variant will have need of. */
function shrunkBefore ({ job: { transform, limits }, picture, turn }: Work, rot: number): Size {
  if (transform.rect !== undefined || transform.trim !== undefined) return picture.size
  const box = rotatedBox(turnedSize(picture.size, turn), rot)
  const upright = { width: Math.round(box.width), height: Math.round(box.height) }
  const { scaled, source } = planSize(transform, { picture: upright, scaledPixels: limits.inputPixels })
  const scale = Math.max(scaled.width / source.width, scaled.height / source.height)
  if (scale >= 1) return picture.size
  return { width: Math.max(1, Math.round(picture.size.width * scale)), height: Math.max(1, Math.round(picture.size.height * scale)) }
}

/** Cuts edges off, and notes the part that is used. */
export const crop: Step = async work => {
  const { transform: { trim, rect } } = work.job
  const trimmed = trim === undefined ? work : await trimEdges(work, trim === 'auto' ? TRIM_DIFFERENCE : trim)
  if (rect === undefined) return trimmed
  return { ...trimmed, crop: planRect(turnedSize(trimmed.picture.size, trimmed.turn), rect) }
}

/** Of 255: what the compression of a photograph does to an even edge. */
const TRIM_DIFFERENCE = 10
/** The engine looks for edges through a window of this side. */
const LEAST_TRIMMED = 3

async function trimEdges (work: Work, threshold: number): Promise<Work> {
  const { size, frames } = work.picture
  if (Math.min(size.width, size.height) < LEAST_TRIMMED) return work
  if (frames === 1) return await settle(await queue(work, place.trim, image => image.trim({ threshold })))
  // All frames lose what the first one can do without.
  const settled = await settle(work)
  const { info } = await rendered(frameImage(settled.picture, 0).trim({ threshold }).raw())
  const rect = { left: -(info.trimOffsetLeft ?? 0), top: -(info.trimOffsetTop ?? 0), width: info.width, height: info.height }
  return await queue(settled, place.cropFirst, image => image.extract(rect), { size: { width: rect.width, height: rect.height } })
}
