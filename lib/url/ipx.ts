import type { Asked } from '../transform/asked.ts'
import type { OperationName } from '../transform/operations.ts'
import type { Values } from '../transform/transform.ts'
import { encode, order, spell } from './spelling.ts'

type Modifier = readonly [name: string, ...values: Array<string | number>]

/** Operations that have an IPX modifier of the same meaning. `_` parts numbers where we have commas. */
const renamed: { readonly [N in OperationName]?: string } = {
  bg: 'b', rot: 'rotate', rect: 'extract', normalise: 'normalize', greyscale: 'grayscale'
}

/** The gravities that every version of IPX knows as one word. */
const gravities: Readonly<Record<string, string>> = {
  'top-right': 'northeast', 'top-left': 'northwest', 'bottom-right': 'southeast', 'bottom-left': 'southwest'
}

/** Operations that are written together, or where what IPX takes for granted is another thing. */
const together = new Set<OperationName>(['w', 'h', 'fit', 'enlarge', 'animated', 'orient', 'flip', 'trim', 'position', 'sharp', 'bri', 'sat', 'hue', 'lightness', 'pad', 'invert'])

/**
 * What is asked as modifiers of IPX, without slashes: those of IPX where it has them, and
 * otherwise our own names in its manner, which no other server knows. `_` where nothing is asked.
 *
 * @throws {URIError} where a text holds half a character
 */
export function formatIpx ({ values, preset, info, download }: Asked): string {
  const modifiers = [...sizes(values), ...turns(values), ...colours(values)]
  for (const name of order) {
    const value = values[name]
    if (value === undefined || together.has(name)) continue
    modifiers.push([renamed[name] ?? name, ...typeof value === 'object' ? value : [spell(value)]])
  }
  if (preset !== undefined) modifiers.push(['preset', preset])
  if (info) modifiers.push(['info'])
  if (download !== undefined) modifiers.push(['download', download])
  return modifiers.map(write).join(',') || '_'
}

function write ([name, ...values]: Modifier): string {
  // An underscore that is no separator is written as one that the split does not see.
  return [name, ...values.map(value => encode(String(value)).replaceAll('_', '%5F'))].join('_')
}

/** IPX cuts where both sides are given, and enlarges where it is told to. */
function sizes ({ w, h, ar, fit, enlarge, position, pad, bg }: Values): Modifier[] {
  const modifiers: Modifier[] = []
  const hasSize = w !== undefined || h !== undefined
  const hasBoth = w !== undefined && h !== undefined
  const hasBox = hasBoth || ar !== undefined
  if (w !== undefined) modifiers.push(h === undefined ? ['w', w] : ['s', `${w}x${h}`])
  else if (h !== undefined) modifiers.push(['h', h])
  if (hasBox) modifiers.push(['fit', fitting(fit) ?? (hasBoth ? 'inside' : 'cover')])
  if (fit === 'pad' && bg === undefined && (hasSize || hasBox)) modifiers.push(['b', 'ffffff'])
  if (hasSize && fit !== 'scale-down' && (enlarge ?? fit !== undefined)) modifiers.push(['enlarge'])
  if (position !== undefined) modifiers.push(['pos', gravities[position] ?? position])
  if (pad !== undefined) modifiers.push(['extend', ...pad])
  return modifiers
}

function fitting (fit: Values['fit']): string | undefined {
  if (fit === 'scale-down') return 'inside'
  return fit === 'pad' ? 'contain' : fit
}

/** IPX keeps frames where it is told to, or where the format is GIF. */
function turns ({ animated, f, orient, flip, trim }: Values): Modifier[] {
  const modifiers: Modifier[] = []
  const byDefault = f === undefined || f === 'gif'
  if ((animated ?? true) !== byDefault) modifiers.push(byDefault ? ['a', '0'] : ['a'])
  if (orient !== undefined) modifiers.push(orient === 'auto' ? ['autoorient'] : ['orient', orient])
  if (flip?.includes('v') === true) modifiers.push(['flip'])
  if (flip?.includes('h') === true) modifiers.push(['flop'])
  if (trim !== undefined) modifiers.push(trim === 'auto' ? ['trim'] : ['trim', trim])
  return modifiers
}

/** Brightness and saturation are factors there, and percents of change here. */
function colours ({ bri, sat, hue, lightness, sharp, invert }: Values): Modifier[] {
  const modifiers: Modifier[] = []
  const isModulated = [bri, sat, hue, lightness].some(value => value !== undefined)
  if (isModulated) modifiers.push(['modulate', factor(bri), factor(sat), hue ?? 0, ...lightness === undefined ? [] : [lightness]])
  if (invert === true) modifiers.push(['negate'])
  if (sharp !== undefined) modifiers.push([sharp.length === 1 ? 'sharp' : 'sharpen', ...sharp])
  return modifiers
}

function factor (percent = 0): number {
  return Number((1 + percent / 100).toFixed(6))
}
