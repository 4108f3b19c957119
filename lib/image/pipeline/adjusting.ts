import type { Sharp } from 'sharp'
import { operationNames, operations, type Adjusted, type Operation, type OperationName } from '../../transform/operations.ts'
import type { Transform } from '../../transform/transform.ts'
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
  /** What a picture is afterwards. */
  readonly change?: Change
}

/** Every operation of the step, by name. */
const adjustments: Readonly<Partial<Record<OperationName, Adjustment>>> = {
  median: { at: place.median, mixes: true, isWindow: true },
  blur: { at: place.blur, mixes: true },
  sharp: { at: place.sharpen, mixes: true },
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
  clahe: { at: place.clahe, mixes: true, isWindow: true },
  dilate: { at: place.dilate, mixes: true },
  erode: { at: place.erode, mixes: true },
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

/** Changes colours and detail, in the order of the table. */
export const adjust: Step = async work => {
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
