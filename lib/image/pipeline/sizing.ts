import type { ResizeOptions } from 'sharp'
import { MediaError } from '../../errors.ts'
import type { Transform } from '../../transform/transform.ts'
import { adjusts, changes } from './adjusting.ts'
import { background, keepsAlpha, wayOfColours } from './colour.ts'
import { resizeOptions } from './encoders.ts'
import type { SmartCut } from './fits.ts'
import type { OutputFormat } from '../format.ts'
import { area, isWhole, sameSize, turnedSize, unturnedRect, UPRIGHT, type Rect, type Size, type Turn } from './geometry.ts'
import { frameByFrame, frameImage, queue, settle } from './picture.ts'
import { planSize, type Planned, type SizePlan } from './plan.ts'
import { rendered } from './rendering.ts'
import { place, type Step, type Work } from './work.ts'

/** Pixels of a side that a format can tell of. */
const formatSides: Partial<Record<OutputFormat, number>> = { jpeg: 65_500, webp: 16_383, avif: 16_384, gif: 65_535 }

/** Makes the size: every fit is one scaling and one cut, by the plan. */
export const size: Step = async work => {
  const { job: { transform, limits }, original, picture, turn } = work
  const planned: Planned = {
    picture: turnedSize(picture.size, turn),
    crop: work.crop,
    vector: original.vector,
    scaledPixels: Math.max(Math.min(limits.outputPixels, limits.framePixels / picture.frames), area(picture.size))
  }
  const asked = planSize(transform, planned)
  const within = withinLimits(work, asked.canvas)
  const plan = within === undefined ? asked : planSize({ ...transform, ...within, fit: 'inside' }, planned)
  refuseVariant(work, plan.canvas)
  const ready = await beforeSize(work)
  const chosen = plan.smart !== undefined && choosesAtOnce(ready, plan)
    ? await scaleTo(ready, plan.smart, { fit: 'cover', position: plan.smart.by })
    : await choose(await lay(ready, plan, turn), plan.smart)
  const canvas = sameSize(plan.canvas, chosen.picture.size) ? undefined : plan.canvas
  const sized: Work = { ...chosen, canvas, turn: UPRIGHT, crop: undefined, picture: { ...chosen.picture, place: transform.gamma === undefined ? chosen.picture.place : place.gammaOut } }
  // What follows is made for samples of eight bits.
  const isDeep = original.deep || wayOfColours(original, transform.cs) === 'wide-p3'
  return isDeep && changes(transform) ? await settle(sized) : sized
}

function mostOf ({ limits, format }: Work['job']): number {
  return Math.min(limits.dimension, formatSides[format] ?? limits.dimension)
}

/** The box of a variant that only the original's own size makes too large: nobody asked for a side of that length. */
function withinLimits ({ job, picture: { frames } }: Work, canvas: Size): { w: number, h: number } | undefined {
  const { transform: { w, h, fit, ar, pad = [] }, limits } = job
  if (fit !== undefined || ar !== undefined || (w !== undefined && h !== undefined)) return undefined
  const [top = 0, right = 0, bottom = 0, left = 0] = pad
  const box = { width: mostOf(job) - left - right, height: mostOf(job) - top - bottom }
  const pixels = Math.min(limits.outputPixels, limits.framePixels / frames) - (left + right) * canvas.height - (top + bottom) * canvas.width
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height, Math.sqrt(pixels / area(canvas)))
  return scale > 0 && scale < 1 ? { w: Math.max(1, Math.floor(canvas.width * scale)), h: Math.max(1, Math.floor(canvas.height * scale)) } : undefined
}

/** @throws {MediaError} `image-too-large` before anything of it is made */
function refuseVariant ({ job, picture: { frames } }: Work, canvas: Size): void {
  const { transform, limits, format } = job
  const [top = 0, right = 0, bottom = 0, left = 0] = transform.pad ?? []
  const variant = { width: canvas.width + left + right, height: canvas.height + top + bottom }
  const most = mostOf(job)
  const told = `The variant would have ${variant.width} × ${variant.height} pixels`
  if (Math.max(variant.width, variant.height) > most) {
    throw new MediaError('image-too-large', { detail: most < limits.dimension ? `${told}, and a side of ${format} has at most ${most}` : `${told}, more than dimension allows: ${most}` })
  }
  if (area(variant) > limits.outputPixels) throw new MediaError('image-too-large', { detail: `${told}, more than outputPixels allows: ${limits.outputPixels}` })
  if (frames > 1 && frames * area(variant) > limits.framePixels) throw new MediaError('image-too-large', { detail: `${told} in ${frames} frames, more than framePixels allows: ${limits.framePixels}` })
}

/** What the engine has to do before it scales. */
async function beforeSize (work: Work): Promise<Work> {
  const { transform } = work.job
  const flat = flattensFirst(work) ? await flatten(work) : work
  const { gamma } = transform
  return gamma === undefined ? flat : await queue(flat, place.gammaIn, image => image.gamma(gamma))
}

/** Whether transparency may go at once: adjustments would change the background too. */
function flattensFirst ({ picture, job: { transform, format } }: Work): boolean {
  return picture.hasAlpha && background(transform.bg, format).alpha === 1 && wantsBackground(transform, format) && !adjusts(transform)
}

/** Whether nothing of the original's transparency is to stay. */
export function wantsBackground ({ bg }: Transform, format: OutputFormat): boolean {
  return bg !== undefined || !keepsAlpha(format)
}

async function flatten (work: Work): Promise<Work> {
  const { transform, format } = work.job
  const behind = background(transform.bg, format)
  return await queue(work, place.flatten, image => image.flatten({ background: behind }), { hasAlpha: false, grey: false })
}

/** Cuts, scales and turns, in the coordinates the picture is stored in: nothing is turned that is not kept. */
async function lay (work: Work, { source, scaled, cut }: Pick<SizePlan, 'source' | 'scaled' | 'cut'>, turn: Turn): Promise<Work> {
  const upright = turnedSize(work.picture.size, turn)
  let next = work
  if (!isWhole(source, upright)) next = await extract(next, unturnedRect(source, upright, turn), place.cropFirst)
  const stored = turnedSize(scaled, turn)
  if (!sameSize(stored, next.picture.size)) next = await scaleTo(next, stored, { fit: 'fill' })
  next = await turned(next, turn)
  return isWhole(cut, scaled) ? next : await extract(next, cut, place.crop)
}

async function scaleTo (work: Work, { width, height }: Size, how: Pick<ResizeOptions, 'fit' | 'position'>): Promise<Work> {
  const { picture, original, job: { format, transform: { kernel } } } = work
  const shrink = Math.min(picture.size.width / width, picture.size.height / height)
  const options = resizeOptions({ format, shrink, kernel }, original.format === 'jpeg')
  return await queue(work, place.resize, image => image.resize({ ...options, width, height, ...how }), { size: { width, height } })
}

/** Whether the engine may choose while it scales: nothing is turned, nor changed before it looks that is to be changed afterwards. */
function choosesAtOnce ({ picture, turn, job: { transform } }: Work, { source, scaled, cut }: SizePlan): boolean {
  const isStraight = turn.degrees === 0 && !turn.mirrored
  return isStraight && picture.frames === 1 && isWhole(source, picture.size) && isWhole(cut, scaled) && !changes(transform)
}

async function extract (work: Work, rect: Rect, at: number): Promise<Work> {
  return await queue(work, at, image => image.extract(rect), { size: { width: rect.width, height: rect.height } })
}

async function turned (work: Work, turn: Turn): Promise<Work> {
  if (turn.degrees === 0 && !turn.mirrored) return work
  const apply = (image: Work['picture']['image']): Work['picture']['image'] => {
    const mirrored = turn.mirrored ? image.flop() : image
    return turn.degrees === 0 ? mirrored : mirrored.rotate(turn.degrees)
  }
  if (work.picture.frames > 1) return await frameByFrame(work, apply)
  return await queue(work, place.turn, apply, { size: turnedSize(work.picture.size, turn) })
}

/** Keeps the part that the engine finds most to look at; of an animation, the part of its first frame. */
async function choose (work: Work, smart: SmartCut | undefined): Promise<Work> {
  if (smart === undefined || sameSize(smart, work.picture.size)) return work
  const settled = await settle(work)
  const { info } = await rendered(frameImage(settled.picture, 0).resize({ width: smart.width, height: smart.height, fit: 'cover', position: smart.by }).raw())
  return await extract(settled, { left: -(info.cropOffsetLeft ?? 0), top: -(info.cropOffsetTop ?? 0), width: smart.width, height: smart.height }, place.cropFirst)
}
