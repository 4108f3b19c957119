import sharp from 'sharp'
import { adjust } from './adjusting.ts'
import { decorate } from './decorating.ts'
import { encode } from './encoding.ts'
import { isShortJpeg } from './engine-faults.ts'
import { UPRIGHT } from './geometry.ts'
import { describeImage } from '../info/info.ts'
import type { ImageResult, InfoJob, KeepJob, OpenInput, RunJob, VariantJob } from '../job.ts'
import { kept } from '../keeping/keep.ts'
import { limits, open } from './opening.ts'
import { crop, orient } from './placing.ts'
import { size } from './sizing.ts'
import { place, type Original, type Step, type Work } from './work.ts'

/** What is done to make a variant, in order. */
const steps: readonly Step[] = [open, limits, orient, crop, size, adjust, decorate, encode]

/** What is known before the first step. */
const unopened: Original = {
  format: 'jpeg', size: { width: 0, height: 0 }, orientation: 1, pages: 0, page: 0, frames: 0, delay: undefined, loop: undefined,
  space: 'srgb', deep: false, hasAlpha: false, icc: undefined, exif: undefined, vector: false
}

/**
 * Does an image job, see {@link RunJob}. A JPEG that ends too early, as interrupted uploads
 * do, is shown as far as it goes, as browsers show it; whatever else is broken is refused.
 */
export const runJob: RunJob = async (job, inputs, signal) => {
  if (job.kind === 'info') return await tell(job, inputs, signal)
  if (job.kind === 'keep') return await keep(job, inputs, signal)
  try {
    return await makeVariant(job, { inputs, signal, tolerant: false })
  } catch (error) {
    if (!isShortJpeg(error)) throw error
    return await makeVariant(job, { inputs, signal, tolerant: true })
  }
}

async function tell (job: InfoJob, [input]: readonly OpenInput[], signal: AbortSignal): Promise<ImageResult> {
  if (input === undefined) throw new TypeError('A job needs an original')
  signal.throwIfAborted()
  const info = await describeImage(input, job)
  return { bytes: Buffer.from(JSON.stringify(info)), facts: {} }
}

async function keep (job: KeepJob, [input]: readonly OpenInput[], signal: AbortSignal): Promise<ImageResult> {
  if (input === undefined) throw new TypeError('A job needs an original')
  signal.throwIfAborted()
  const anew = async (format: VariantJob['format'], transform: VariantJob['transform']): Promise<Buffer> => {
    const { bytes } = await makeVariant({ kind: 'variant', transform, format, limits: job.limits }, { inputs: [input], signal, tolerant: false })
    return bytes
  }
  return { bytes: await kept(job, input, anew) ?? Buffer.alloc(0), facts: {} }
}

interface Undertaking {
  readonly inputs: readonly OpenInput[]
  readonly signal: AbortSignal
  readonly tolerant: boolean
}

async function makeVariant (job: VariantJob, { inputs, signal, tolerant }: Undertaking): Promise<ImageResult> {
  let work: Work = {
    job, inputs, signal, tolerant,
    original: unopened,
    picture: { image: sharp(), size: unopened.size, frames: 0, hasAlpha: false, grey: false, place: place.open, overlays: [], colours: 'original' },
    turn: UPRIGHT, crop: undefined, canvas: undefined, result: undefined
  }
  for (const step of steps) {
    signal.throwIfAborted()
    work = await step(work)
  }
  signal.throwIfAborted()
  return resultOf(work)
}

function resultOf ({ result, picture }: Work): ImageResult {
  /* c8 ignore next -- the last step makes it */
  if (result === undefined) throw new TypeError('Nothing was encoded')
  const { bytes, quality } = result
  return { bytes, facts: { width: picture.size.width, height: picture.size.height, ...(quality === undefined ? {} : { quality }), ...(picture.frames > 1 ? { frames: picture.frames } : {}) } }
}
