import { MediaError } from '../../errors.ts'
import { area, turnedSize, turnOfOrientation } from './geometry.ts'
import { describeOriginal, opened, readableOf, recognised, refuseBlank, refuseLarge } from './original.ts'
import type { Step, Work } from './work.ts'

/** Looks at the first bytes and the header, and opens the original without decoding it. */
export const open: Step = async work => {
  const [input] = work.inputs
  if (input === undefined) throw new TypeError('A job needs an original')
  const { job, tolerant } = work
  const facts = await recognised(input, job.limits)
  const readable = await readableOf(input, facts.format)
  if (tolerant) await refuseBlank(readable, job.limits)
  const original = await describeOriginal(readable, facts, job)
  if (original.vector) return openVector({ ...work, original }, readable)
  // Kept metadata would go on to say how the original lay.
  const upright = job.transform.meta === 'all' && original.orientation > 1 && job.transform.orient === undefined
  const picture = opened(readable, { original, job }, { tolerant, upright })
  return upright
    ? { ...work, original: { ...original, orientation: 1 }, picture: { ...picture, size: turnedSize(picture.size, turnOfOrientation(original.orientation)) } }
    : { ...work, original, picture }
}

/** What works on pixels before the size is made needs the pixels of the asked size, or it would blur. */
function openVector (work: Work, readable: string | Buffer): Work {
  const { original, job } = work
  const { w = 1, h = 1, dpr = 1, trim, rot = 0, rect } = job.transform
  const needsPixels = trim !== undefined || rot % 90 !== 0
  const { width, height } = original.size
  const most = Math.sqrt(job.limits.inputPixels / area(original.size))
  const scale = needsPixels && rect === undefined ? Math.min(most, Math.max(1, w * dpr / width, h * dpr / height)) : 1
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
  const described = { ...original, size }
  return { ...work, original: described, picture: opened(readable, { original: described, job }, { tolerant: false, density: scale === 1 ? undefined : 72 * scale }) }
}

/** Refuses what is too much before any of it is decoded. */
export const limits: Step = work => {
  const { original, job } = work
  const { transform } = job
  const pixels = original.frames * area(original.size)
  if (original.frames > 1 && pixels > job.limits.framePixels) {
    throw new MediaError('image-too-large', { detail: `The ${original.frames} frames have ${pixels} pixels, more than framePixels allows: ${job.limits.framePixels}` })
  }
  const isScaled = transform.w !== undefined || transform.h !== undefined
  const isDrawnWhole = transform.trim !== undefined || transform.rect !== undefined || (transform.rot ?? 0) % 90 !== 0 || !isScaled
  if (original.vector && isDrawnWhole) refuseLarge(area(original.size), job.limits)
  return work
}
