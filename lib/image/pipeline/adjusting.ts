import type { Sharp } from 'sharp'
import { MediaError } from '../../errors.ts'
import { operationNames, operations, type Adjusted, type Operation, type OperationName } from '../../transform/operations.ts'
import type { Transform } from '../../transform/transform.ts'
import { area } from './geometry.ts'
import type { Change } from './picture.ts'
import { frameByFrame, queue, settle } from './picture.ts'
import { place, type Step, type Work } from './work.ts'

/** How the engine does an adjustment. */
interface Adjustment {
  /** See {@link place}. */
  readonly at: number
  /** Whether a pixel depends on its neighbours: frames are then done one by one, lest they mix. */
  readonly mixes?: boolean
  /** Whether the engine joins it with others at the same place, which would otherwise take its place. */
  readonly joins?: boolean
  /** Whether its value is the side of a window, which the engine wants no larger than the picture. */
  readonly isWindow?: boolean
  /**
   * Processor time, of those that take much: nanoseconds for a pixel, and more for each step of
   * the value. Measured with sharp 0.35 at 3,840 × 2,560 pixels, less the same without it.
   */
  readonly cost?: readonly [pixel: number, step: number]
  /** What a picture is afterwards. */
  readonly change?: Change
}

/** Every operation of the step, by name. */
const adjustments: Readonly<Partial<Record<OperationName, Adjustment>>> = {
  median: { at: place.median, mixes: true, isWindow: true, cost: [120, 8] },
  blur: { at: place.blur, mixes: true, cost: [30, 0.5] },
  sharp: { at: place.sharpen, mixes: true, cost: [115, 0] },
  bri: { at: place.modulate, joins: true },
  sat: { at: place.modulate, joins: true },
  hue: { at: place.modulate, joins: true },
  con: { at: place.linear },
  // One of its two halves comes before scaling, and it keeps decoders from shrinking.
  gam: { at: place.gammaIn },
  normalise: { at: place.normalise },
  greyscale: { at: place.greyscale, change: { grey: true } },
  tint: { at: place.tint, change: { grey: false } },
  invert: { at: place.negate },
  threshold: { at: place.threshold },
  lightness: { at: place.modulate, joins: true },
  linear: { at: place.linear },
  clahe: { at: place.clahe, mixes: true, isWindow: true, cost: [420, 5.5] },
  dilate: { at: place.dilate, mixes: true, cost: [20, 5] },
  erode: { at: place.erode, mixes: true, cost: [20, 5] },
  unflatten: { at: place.unflatten, change: { hasAlpha: true } }
}

const adjusting = operationNames.filter(name => operations[name].step === 'adjust')

/** Whether a transform changes colours or detail. */
export function adjusts (transform: Transform): boolean {
  return adjusting.some(name => transform[name] !== undefined)
}

const decorating = operationNames.filter(name => operations[name].step === 'decorate')

/** Whether anything is done to the picture after its size is made. */
export function changes (transform: Transform): boolean {
  return adjusts(transform) || transform.fit === 'contain' || decorating.some(name => transform[name] !== undefined)
}

/** Nanoseconds of processor time that all of them may take together. Whoever asks for large variants pushes against it. */
const MAX_COST = 4e9

/** An alpha channel is a fourth one. */
const COST_WITH_ALPHA = 4 / 3

/** @throws {MediaError} `image-too-large` where more is asked than {@link MAX_COST} */
function refuseCostly ({ job: { transform }, picture: { size, frames, hasAlpha } }: Work): void {
  const costly = adjusting.filter(name => transform[name] !== undefined && adjustments[name]?.cost !== undefined)
  const each = costly.reduce((sum, name) => {
    const [pixel = 0, step = 0] = adjustments[name]?.cost ?? []
    const value: unknown = transform[name]
    return sum + pixel + step * (typeof value === 'number' ? value : 0)
  }, 0) * (hasAlpha ? COST_WITH_ALPHA : 1)
  const pixels = area(size) * frames
  if (pixels * each <= MAX_COST) return
  throw new MediaError('image-too-large', { detail: `${costly.join(', ')}: this takes too long for the ${pixels} pixels of the variant; ask for at most ${Math.floor(MAX_COST / each)}` })
}

/** Changes colours and detail, in the order of the table. */
export const adjust: Step = async work => {
  refuseCostly(work)
  let next = work
  for (const name of adjusting) {
    const value = work.job.transform[name]
    if (value !== undefined) next = await adjusted(next, name, value)
  }
  return next
}

async function adjusted (work: Work, name: OperationName, asked: unknown): Promise<Work> {
  const adjustment = adjustments[name]
  const { apply } = operations[name] as unknown as Operation<unknown>
  /* c8 ignore next -- a test holds the two tables to each other */
  if (adjustment === undefined || apply === undefined) throw new TypeError(`${name} cannot be done`)
  const { width, height } = work.picture.size
  const value = adjustment.isWindow === true && typeof asked === 'number' ? Math.min(asked, width, height) : asked
  const picture: Adjusted = { hasAlpha: work.picture.hasAlpha }
  const change = (image: Sharp): Sharp => apply(image, value, picture)
  if (work.picture.frames > 1 && adjustment.mixes === true) {
    const done = await frameByFrame(work, change)
    return { ...done, picture: { ...done.picture, ...adjustment.change } }
  }
  // Without colour is without colour, before or after scaling: the engine does it before.
  const at = name === 'greyscale' && work.picture.place <= place.crop ? work.picture.place : adjustment.at
  const ready = at === work.picture.place && adjustment.joins !== true && at === adjustment.at ? await settle(work) : work
  return await queue(ready, at, change, adjustment.change)
}
