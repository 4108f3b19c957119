import { area, sameSize, turnedSize, turnOfOrientation } from './geometry.ts'
import { describeOriginal, opened, readableOf, recognised, refuseBlank, refuseFrames, refuseLarge } from './original.ts'
import { queue, settle } from './picture.ts'
import { place, type Step, type Work } from './work.ts'

/** Looks at the first bytes and the header, and opens the original without decoding it. */
export const open: Step = async work => {
  const [input] = work.inputs
  if (input === undefined) throw new TypeError('A job needs an original')
  const { job, tolerant } = work
  const facts = await recognised(input, job.limits)
  const readable = await readableOf(input, facts.format)
  if (tolerant) await refuseBlank(readable, job.limits)
  const original = await describeOriginal(readable, facts, job)
  if (original.vector) return await openVector({ ...work, original, picture: opened(readable, { original, job }, { tolerant }) })
  // Kept metadata would go on to say how the original lay.
  const upright = job.transform.meta === 'all' && original.orientation > 1 && job.transform.orient === undefined
  const picture = opened(readable, { original, job }, { tolerant, upright })
  return upright
    ? { ...work, original: { ...original, orientation: 1 }, picture: { ...picture, size: turnedSize(picture.size, turnOfOrientation(original.orientation)) } }
    : { ...work, original, picture }
}

/**
 * What works on pixels before the size is made needs the pixels of the asked size, or it would blur.
 * They are drawn at once: what is queued before a scaling, the engine does on a drawing of its own size.
 */
async function openVector (work: Work): Promise<Work> {
  const { original, job: { transform, limits } } = work
  const { w = 1, h = 1, dpr = 1, trim, rot = 0, rect } = transform
  if (trim === undefined && rot % 90 === 0) return work
  const { width, height } = original.size
  // No variant has use for more pixels than it may have itself.
  const most = Math.sqrt(Math.min(limits.inputPixels, limits.outputPixels) / area(original.size))
  const scale = rect === undefined ? Math.min(most, Math.max(1, w * dpr / width, h * dpr / height)) : 1
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
  refuseLarge(area(size), limits)
  // Not by dots per inch: of lengths in points the engine makes their square.
  const drawn = await settle(sameSize(size, original.size) ? work : await queue(work, place.resize, image => image.resize({ ...size, fit: 'fill' })))
  return { ...drawn, original: { ...original, size: drawn.picture.size } }
}

/** Refuses what is too much before any of it is decoded. */
export const limits: Step = work => {
  const { original, job } = work
  const { transform } = job
  refuseFrames(original.frames, area(original.size), job.limits)
  const isScaled = transform.w !== undefined || transform.h !== undefined
  const isDrawnWhole = transform.trim !== undefined || transform.rect !== undefined || (transform.rot ?? 0) % 90 !== 0 || !isScaled
  if (original.vector && isDrawnWhole) refuseLarge(area(original.size), job.limits)
  return work
}
