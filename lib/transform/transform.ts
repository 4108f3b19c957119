import { operationNames, type OperationName, type ValueOf } from './operations.ts'

/** Values by operation, as a grammar read them: in any order, defaults and synonyms among them. */
export type Values = { [N in OperationName]?: ValueOf<N> | undefined }

/**
 * A canonical list of image operations: keys in the order of the table, values in their one
 * spelling, what changes nothing left out, frozen. Equal meaning = equal transform. Plain
 * data: it crosses process boundaries as JSON.
 */
export type Transform = Readonly<Values> & { readonly __canonical?: never }

/** Parts that mean nothing without another: they are left out with it. */
const dependents: ReadonlyArray<readonly [needed: OperationName, ...without: OperationName[]]> = [
  ['mark', 'mark-position', 'mark-alpha', 'mark-scale', 'mark-pad', 'mark-tile'],
  ['txt', 'txt-size', 'txt-color', 'txt-position', 'txt-pad']
]

/** What holds where nothing is said: saying it changes nothing. */
const defaults: Values = {
  animated: true, orient: 'auto', rot: 0, zoom: 1, dpr: 1, bri: 0, sat: 0, hue: 0, con: 0, gam: 0, lightness: 0, normalise: false, greyscale: false,
  invert: false, unflatten: false, meta: 'copyright', cs: 'srgb', lossless: false, 'mark-position': 'bottom-right', 'mark-alpha': 100, 'mark-tile': false,
  'txt-size': 24, 'txt-color': 'ffffff', 'txt-position': 'bottom-right'
}

/** Lists of numbers that change nothing. */
const idle: { readonly [N in OperationName]?: (values: readonly number[]) => boolean } = {
  rect: ([left, top, width, height]) => left === 0 && top === 0 && width === 1 && height === 1,
  pad: sides => sides.every(side => side === 0),
  sharp: ([amount]) => amount === 0,
  linear: ([factor, summand]) => factor === 1 && summand === 0
}

/**
 * The transform that the values mean. Pixel density is multiplied out, and a ratio becomes
 * the side that was not given. The input stays as it is.
 */
export function canonical (values: Values): Transform {
  const meant = { ...values }
  settleSides(meant)
  settleFit(meant)
  settlePosition(meant)
  settleTurns(meant)
  for (const [needed, ...without] of dependents) {
    if (meant[needed] === undefined) for (const name of without) delete meant[name]
  }
  if (meant.radius !== undefined && meant.mask === 'corners') delete meant.mask
  if (meant.frame !== undefined) delete meant.animated
  if (meant.tint !== undefined) meant.tint = meant.tint.slice(0, 6) // a tint has no opacity

  const kept: Values = {}
  for (const name of operationNames) {
    const value = meant[name]
    if (value === undefined || value === defaults[name]) continue
    if (Array.isArray(value) && idle[name]?.(value) === true) continue
    Object.assign(kept, { [name]: Array.isArray(value) ? Object.freeze([...value]) : value })
  }
  return Object.freeze(kept)
}

/** Multiplies the pixel density out. Changes what it is given. */
export function settleDensity (meant: Values): void {
  const { dpr = 1 } = meant
  for (const side of ['w', 'h'] as const) {
    const length = meant[side]
    if (length !== undefined) meant[side] = Math.max(1, Math.round(length * dpr))
  }
  delete meant.dpr
}

function settleSides (meant: Values): void {
  settleDensity(meant)
  const { w, h, ar } = meant
  if (w === undefined && h === undefined) {
    delete meant.enlarge
    delete meant.kernel
    return
  }
  if (ar === undefined) return
  if (w === undefined || h === undefined) {
    // A ratio cuts, and what is cut is not enlarged for it.
    if (meant.fit === undefined) {
      meant.fit = 'cover'
      meant.enlarge ??= false
    }
    meant.w = w ?? Math.max(1, Math.round((h ?? 1) * ar))
    meant.h = h ?? Math.max(1, Math.round((w ?? 1) / ar))
  }
  delete meant.ar
}

/** `scale-down` is what holds without a fit; `pad` is `contain` on white; with one side alone nothing has to fit. */
function settleFit (meant: Values): void {
  const { w, h } = meant
  if (w === undefined && h === undefined) {
    if (meant.ar === undefined) delete meant.fit
    else meant.fit ??= 'cover'
  }
  if (meant.fit === 'pad') {
    meant.fit = 'contain'
    meant.bg ??= 'ffffff'
  }
  if (meant.fit === 'scale-down') {
    meant.fit = 'inside'
    if (w !== undefined || h !== undefined) meant.enlarge = false
  }
  if (meant.fit === undefined && meant.enlarge === true) meant.fit = 'inside'
  if (meant.fit !== undefined && (w === undefined) !== (h === undefined)) meant.fit = 'inside'
  if (meant.fit === 'inside' && meant.enlarge === false) delete meant.fit
  if (meant.fit === undefined || meant.enlarge === true) delete meant.enlarge // as it is without it
}

/** A focal point is a position of its own, and means something only where something is cut. */
function settlePosition (meant: Values): void {
  if (meant.zoom === 1) delete meant.zoom
  const cuts = meant.fit === 'cover' || meant.zoom !== undefined
  if (meant.position === 'focalpoint') {
    delete meant.position
    meant.fx ??= 0.5
    meant.fy ??= 0.5
  }
  if (!cuts || meant.position !== undefined) {
    delete meant.fx
    delete meant.fy
  }
  const isSmart = meant.position === 'attention' || meant.position === 'entropy'
  if (meant.position === 'center' || (!cuts && (isSmart || meant.fit !== 'contain'))) delete meant.position
  if (meant.fx === undefined && meant.fy === undefined) return
  meant.fx ??= 0.5
  meant.fy ??= 0.5
  if (meant.fx === 0.5 && meant.fy === 0.5) {
    delete meant.fx
    delete meant.fy
  }
}

/** A turn of 370 degrees is one of 10; the first of the EXIF orientations leaves the picture as it is. */
function settleTurns (meant: Values): void {
  if (meant.rot !== undefined) meant.rot = turn(meant.rot)
  if (meant.hue !== undefined) meant.hue = turn(meant.hue)
  if (meant.orient === '1') meant.orient = 'none'
}

function turn (degrees: number): number {
  return Number(((degrees % 360 + 360) % 360).toFixed(4))
}

/** The transform in one text: equal transforms have the same, others another. For keys, not for URLs. */
export function transformText (transform: Transform): string {
  return JSON.stringify(transform)
}
