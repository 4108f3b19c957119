import { didYouMean } from '../config/mistakes.ts'
import { MediaError } from '../errors.ts'
import type { Asked } from './asked.ts'
import { operationNames, operations, type Operation, type OperationName, type ValueOf } from './operations.ts'
import { canonical, settleDensity, type Transform, type Values } from './transform.ts'

/** What the URLs of one mount may ask for. Whoever writes URLs pushes against all of it. */
export interface TransformPolicy {
  /**
   * - `open`: everything within the limits. How many variants there can be is bounded by the
   *   variant cache alone.
   * - `snapped`: as {@link admit} tells.
   * - `presets`: `preset=NAME` and nothing beside it.
   * - `signed`: what a signed URL asks for.
   */
  readonly mode: 'open' | 'snapped' | 'presets' | 'signed'
  /** Sides that are made where sizes are snapped, in pixels, in any order. */
  readonly widths: readonly number[]
  /** Qualities that are made where they are snapped. */
  readonly qualities: readonly number[]
  readonly presets: Readonly<Record<string, Values>>
  /** Names that `mark` may have. */
  readonly overlays: ReadonlySet<string>
  /** Operations of one URL, those of its preset not counted. */
  readonly maxOperations: number
  /** Pixels of either side of the variant. */
  readonly maxDimension: number
  /** Pixels of one frame of the variant. */
  readonly maxOutputPixels: number
}

/**
 * Sides that are made by default, in pixels: the round numbers and screen widths that people
 * ask for, so that 320 × 200, 640 × 360, 1200 × 630 and the like stay what they are.
 */
export const defaultWidths: readonly number[] = [
  16, 20, 24, 32, 40, 48, 50, 60, 64, 72, 80, 90, 96, 100, 120, 128, 135, 144, 150, 160, 180, 192, 200, 216, 225, 240, 250, 256, 270, 288,
  300, 315, 320, 360, 384, 400, 405, 432, 450, 480, 500, 512, 540, 576, 600, 630, 640, 675, 720, 750, 768, 800, 810, 828, 900, 960,
  1000, 1024, 1080, 1152, 1200, 1280, 1350, 1440, 1500, 1600, 1620, 1800, 1920, 2000, 2048, 2160, 2400, 2560, 3000, 3200, 3840
]

/** Qualities that are made by default. */
export const defaultQualities: readonly number[] = [10, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95, 100]

/**
 * The transform that is made of what was asked: the preset and what the URL says beyond it,
 * within the limits, canonical.
 *
 * In mode `snapped`, so that nobody fills the cache by counting:
 * - pixel density is multiplied out, then the width rounds up to an allowed one, the height
 *   keeps the proportion that was asked for, and rounds up to an allowed side too. What is
 *   larger than the largest becomes smaller in proportion. With 77 sides, an original has at
 *   most 77 × 77 + 2 × 77 + 1 = 6,084 sizes without a ratio, and 77 × 279 × 2 with one;
 * - qualities round up in their list: 15 values with `auto`;
 * - every other number goes to the grid of its operation;
 * - `txt` is refused: anyone could write on your pictures.
 *
 * What a preset says stays exact, unless the URL changes its size. Not bounded by snapping are
 * colours (`bg` and `tint`: 2^32 and 2^24 values each), `rect` in pixels (a grid of 10), and
 * the product of many operations in one URL: `maxOperations` and the byte bound of the variant
 * cache are what holds there, or the modes `presets` and `signed`.
 *
 * @throws {MediaError} `bad-transform` (400), `image-too-large` (422), `forbidden` (403), each
 *   naming the parameter and the limit
 */
export function admit (asked: Asked, policy: TransformPolicy): Transform {
  const { values, preset } = asked
  const names = operationNames.filter(name => values[name] !== undefined)
  refuseByMode(names, asked, policy)
  if (asked.info) return canonical({})
  if (names.length > policy.maxOperations) throw badTransform(`${names.length} operations are more than the ${policy.maxOperations} that one URL may have`)
  const base = preset === undefined ? {} : presetOf(preset, policy)
  const merged = { ...base, ...Object.fromEntries(names.map(name => [name, values[name]])) }
  const transform = canonical(policy.mode === 'snapped' ? snap(merged, new Set(names), policy) : merged)
  refuseOverlay(transform, policy)
  refuseSize(transform, policy)
  return transform
}

function refuseByMode (names: readonly OperationName[], { preset, info }: Asked, { mode }: TransformPolicy): void {
  if (mode === 'presets' && preset === undefined && names.length === 0 && !info) throw badTransform('preset: this mount makes presets alone; ask with preset=NAME')
  if (mode === 'presets' && names.length > 0) throw badTransform(`${names.join(', ')}: this mount makes presets alone; ask with preset=NAME and nothing beside it`)
  if (mode === 'snapped' && names.includes('txt')) throw badTransform('txt: where sizes are snapped a URL may not write on pictures; the modes `open` and `signed` take it, and presets may hold it')
}

function presetOf (name: string, { presets }: TransformPolicy): Values {
  const values = Object.hasOwn(presets, name) ? presets[name] : undefined
  if (values === undefined) throw badTransform(`Unknown preset ${JSON.stringify(name)}${didYouMean(name, Object.keys(presets))}`)
  return values
}

function refuseOverlay ({ mark }: Transform, { overlays }: TransformPolicy): void {
  if (mark !== undefined && !overlays.has(mark)) throw badTransform(`mark: unknown overlay ${JSON.stringify(mark)}${didYouMean(mark, [...overlays])}`)
}

/** What is known before the original is: the sides that were asked for, with their border. */
function refuseSize ({ w = 0, h = 0, pad = [] }: Transform, { maxDimension, maxOutputPixels }: TransformPolicy): void {
  const [top = 0, right = 0, bottom = 0, left = 0] = pad
  const sides = { w: w + left + right, h: h + top + bottom }
  const border = pad.length > 0 ? ' with its pad' : ''
  for (const [name, length] of Object.entries(sides)) {
    if (length > maxDimension) throw new MediaError('image-too-large', { detail: `${name}: ${length} pixels${border} are more than the ${maxDimension} that a side may have` })
  }
  if (sides.w * sides.h > maxOutputPixels) throw new MediaError('image-too-large', { detail: `w, h: ${sides.w} × ${sides.h} pixels${border} are more than the ${maxOutputPixels} that a variant may have` })
}

const sizeNames = ['w', 'h', 'dpr', 'ar'] as const

/** @param own what the URL itself says */
function snap (merged: Values, own: ReadonlySet<OperationName>, policy: TransformPolicy): Values {
  const snapped: Values = { ...merged }
  for (const name of own) Object.assign(snapped, { [name]: snapValue(name, merged[name] as ValueOf<OperationName>) })
  if (own.has('q') && typeof merged.q === 'number') snapped.q = roundUp(merged.q, ascending(policy.qualities, 100))
  if (sizeNames.some(name => own.has(name))) snapSides(snapped, merged.dpr, ascending(policy.widths, policy.maxDimension))
  return snapped
}

function snapValue<N extends OperationName> (name: N, value: ValueOf<N>): ValueOf<N> {
  const { snap: toNeighbour } = (operations[name] as unknown as Operation<ValueOf<N>>).argument
  return toNeighbour === undefined ? value : toNeighbour(value)
}

/** @param dpr as it was asked for: what it leads to is rounded, not it */
function snapSides (snapped: Values, dpr: number | undefined, sides: readonly number[]): void {
  if (dpr !== undefined) snapped.dpr = dpr
  settleDensity(snapped)
  const largest = sides.at(-1) ?? 1
  const { w, h } = snapped
  const excess = Math.max(1, Math.max(w ?? 0, h ?? 0) / largest)
  if (w !== undefined) snapped.w = roundUp(w / excess, sides)
  if (h !== undefined) snapped.h = roundUp(w === undefined ? h / excess : Math.round(h * (snapped.w ?? w) / w), sides)
}

function ascending (allowed: readonly number[], maximum: number): readonly number[] {
  const within = allowed.filter(value => value <= maximum).toSorted((a, b) => a - b)
  return within.length > 0 ? within : [maximum]
}

/** The least allowed value that is not below; the largest where all are. */
function roundUp (value: number, allowed: readonly number[]): number {
  return allowed.find(candidate => candidate >= value) ?? allowed.at(-1) ?? value
}

function badTransform (detail: string): MediaError {
  return new MediaError('bad-transform', { detail })
}
