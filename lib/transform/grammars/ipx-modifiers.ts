import type { OperationName } from '../operations.ts'

/** What a modifier means: texts for operations of ours, or undefined where its arguments mean nothing we have. */
export type Modifier = (args: readonly string[]) => ReadonlyArray<readonly [OperationName, string]> | undefined

/** One argument, or what stands for none. */
function one (name: OperationName, absent = ''): Modifier {
  return args => args.length > 1 ? undefined : [[name, args[0] === undefined || args[0] === '' ? absent : args[0]]]
}

/** Up to `most` arguments, with what stands for those that are absent. */
function several (name: OperationName, absent: readonly string[], most = absent.length): Modifier {
  return args => args.length > most ? undefined : [[name, absent.map((text, place) => args[place] === undefined || args[place] === '' ? text : args[place]).join(',')]]
}

/** One argument; further ones may only say what holds anyway. */
function fixed (name: OperationName, absent: string, anyway: (args: readonly string[]) => boolean): Modifier {
  return args => anyway(args) ? one(name, absent)(args.slice(0, 1)) : undefined
}

/** The arguments of sharp's `gravity` and `strategy` numbers. */
const numberedPositions: Readonly<Record<string, string>> = {
  0: 'center', 1: 'top', 2: 'right', 3: 'bottom', 4: 'left', 5: 'top-right', 6: 'bottom-right', 7: 'bottom-left', 8: 'top-left', 16: 'entropy', 17: 'attention'
}

const position: Modifier = args => {
  const [text = ''] = args
  const named = Object.hasOwn(numberedPositions, text) ? numberedPositions[text] as string : text.replace(/^(left|right)-/, '$1 ')
  return one('position')([named, ...args.slice(1)])
}

const FACTOR = /^(?:\d{1,4}(?:\.\d{0,9})?|\.\d{1,9})$/

/** A factor as a percentage of change. What is no number stays, and is refused where it is read. */
function percentage (factor: string): string {
  return FACTOR.test(factor) ? String(Number(((Number(factor) - 1) * 100).toFixed(4))) : factor
}

const ANGLE = /^-?\d{1,4}(?:\.\d{0,9})?$/

/** IPX takes turns beyond a whole one. */
function angle (degrees: string): string {
  return ANGLE.test(degrees) ? String(Number((Number(degrees) % 360).toFixed(4))) : degrees
}

const modulate: Modifier = args => {
  const [brightness = '', saturation = '', hue = '', lightness = ''] = args
  const parts = [['bri', percentage(brightness)], ['sat', percentage(saturation)], ['hue', angle(hue)], ['lightness', lightness]] as const
  return args.length > 4 ? undefined : parts.filter(([, text]) => text !== '')
}

function only (name: OperationName, convert: (text: string) => string): Modifier {
  return args => args.length > 1 ? undefined : [[name, convert(args[0] ?? '')]]
}

const rotate: Modifier = args => args.join('') === '' ? [['orient', 'auto']] : only('rot', angle)(args)
const extract: Modifier = args => [['rect', args.join(',')]]
const extend: Modifier = args => args[4] === undefined || args[4] === 'background' ? several('pad', ['0', '0', '0', '0'])(args.slice(0, 4)) : undefined
const square: Modifier = ([width = '', height, slope, ...more]) => {
  return more.length === 0 && (height === undefined || height === width) && (slope === undefined || slope === '3') ? [['clahe', width]] : undefined
}

/**
 * The modifiers of IPX 3 and 4 by name, without those that decide about each other: sizes,
 * `enlarge`, `flip`, `flop`, `flatten`, `animated`. Arguments that may be left out there are so
 * here, with what sharp takes for them.
 */
export const ipxModifiers: ReadonlyMap<string, Modifier> = new Map<string, Modifier>([
  ['q', one('q')], ['quality', one('q')],
  ['f', one('f')], ['format', one('f')],
  ['fit', one('fit')],
  ['pos', position], ['position', position],
  ['b', one('bg')], ['background', one('bg')],
  ['kernel', one('kernel')],
  ['trim', one('trim')],
  ['extend', extend],
  ['extract', extract], ['crop', extract],
  ['rotate', rotate],
  ['autoorient', one('orient')],
  ['sharpen', several('sharp', ['1', '1', '2'])],
  ['median', one('median', '3')],
  ['blur', one('blur', '0.8')],
  ['dilate', one('dilate', '1')], ['erode', one('erode', '1')],
  ['clahe', square],
  ['gamma', fixed('gamma', '2.2', ([value, out, ...more]) => more.length === 0 && (out === undefined || out === value))],
  ['negate', fixed('invert', '', ([, ...more]) => more.length === 0)],
  ['normalize', one('normalise')],
  ['threshold', fixed('threshold', '128', ([, grey = 'true', ...more]) => more.length === 0 && /^(?:true|1)$/.test(grey))],
  ['linear', several('linear', ['1', '0'])],
  ['modulate', modulate],
  ['brightness', only('bri', percentage)], ['saturation', only('sat', percentage)],
  ['hue', only('hue', angle)], ['lightness', one('lightness')],
  ['tint', one('tint')],
  ['grayscale', one('greyscale')],
  ['unflatten', one('unflatten')]
])
