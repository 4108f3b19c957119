import { show } from '../../config/mistakes.ts'
import { ArgumentError, flag } from '../arguments.ts'
import type { Asked } from '../asked.ts'
import { operationsByName, type OperationName } from '../operations.ts'
import type { Values } from '../transform.ts'
import { lastSegment } from '../../paths/last-segment.ts'
import { ipxModifiers } from './ipx-modifiers.ts'
import { decode, isDownloadName, isPresetName, Problems } from './problems.ts'

export { formatIpx } from '../../url/ipx.ts'

/** Characters of the segment that holds the modifiers. Whoever writes URLs pushes against it. */
export const MAX_MODIFIERS_LENGTH = 4096

/** What the modifiers of a URL say, before those that decide about each other are settled. */
interface Told {
  readonly problems: Problems
  /** Under which name each operation, or other thing, was told. */
  readonly names: Map<string, string>
  readonly values: Values
  /** As `[width, height]`. */
  size?: readonly [number, number]
  flags: Set<'enlarge' | 'flip' | 'flop' | 'flatten' | 'info'>
  preset?: string
  download?: string
}

const onOff = flag()
const flags = new Set(['enlarge', 'flip', 'flop', 'flatten', 'info'] as const)
type FlagName = 'enlarge' | 'flip' | 'flop' | 'flatten' | 'info'

const others = ['s', 'resize', 'preset', 'p', 'download', 'dl', ...flags]
const knownNames = [...ipxModifiers.keys(), ...operationsByName.keys(), ...others]

/** Names of ours whose arguments are no list of numbers. */
const joiners: { readonly [N in OperationName]?: string } = { ar: ':', txt: '_', mark: '_' }

/**
 * Reads the grammar of IPX 3 and 4: `w_320,f_webp/photos/cat.jpg`. Modifiers are parted by `,`
 * or `&`, their arguments by `_`, `:` or `=`; `_` alone is none. The meaning is that of IPX:
 * `fit` is `cover` and counts for `s` alone, nothing is enlarged without `enlarge`, of `w`, `s`
 * and `h` together the first of these counts, frames are kept with `animated` or as GIF.
 * Operations that IPX does not have are taken under our own names.
 *
 * Other than there, pictures are upright by their EXIF orientation (`orient_none` leaves
 * them), `negate` leaves transparency alone, `animated_false` is no, `b` also goes behind
 * transparency, and what means nothing is refused.
 *
 * @param path what comes after the grammar's prefix, as it was sent
 * @returns what is asked, and the path of the original, as it was sent
 * @throws {MediaError} `bad-transform`, naming every modifier that is wrong
 */
export function parseIpx (path: string): { asked: Asked, path: string } {
  const end = path.indexOf('/')
  const modifiers = end === -1 ? path : path.slice(0, end)
  const told: Told = { problems: new Problems(), names: new Map(), values: {}, flags: new Set() }
  if (end === -1 || end === path.length - 1) told.problems.add('After the modifiers comes the path of a picture')
  if (modifiers === '') told.problems.add('Modifiers are missing; _ stands for none')
  if (modifiers.length > MAX_MODIFIERS_LENGTH) told.problems.add(`The modifiers have ${modifiers.length} characters, more than ${MAX_MODIFIERS_LENGTH}`)
  else if (modifiers !== '_' && modifiers !== '') for (const part of modifiers.split(/[&,]/)) readModifier(part, told)
  told.problems.refuse()
  return { asked: settle(told), path: path.slice(end + 1) }
}

function readModifier (part: string, told: Told): void {
  const { problems } = told
  const [name = '', ...raw] = part.split(/[:=_]/)
  const args = raw.map(decode)
  if (!args.every(text => text !== undefined)) return problems.add(`${show(part)} is not percent-encoded UTF-8 without NUL`)
  const modifier = ipxModifiers.get(name)
  if (modifier !== undefined) return readMeanings(modifier(args), { name, args, told })
  if (name === 's' || name === 'resize') return readSize(args, name, told)
  if (flags.has(name as FlagName)) return readFlag(args, name as FlagName, told)
  if (name === 'preset' || name === 'p' || name === 'download' || name === 'dl') return readName(args.join('_'), name, told)
  const operation = operationsByName.get(name)
  if (operation === undefined) return problems.addUnknown('modifier', name, knownNames)
  readMeanings([[operation, args.join(joiners[operation] ?? ',')]], { name, args, told })
}

function readMeanings (meanings: ReadonlyArray<readonly [OperationName, string]> | undefined, { name, args, told }: { name: string, args: readonly string[], told: Told }): void {
  if (meanings === undefined) return told.problems.add(`${name}: arguments that are not supported, ${show(args.join('_'))}`)
  for (const [operation, text] of meanings) {
    if (isNew(operation, name, told)) Object.assign(told.values, { [operation]: told.problems.read(operation, text, name) })
  }
}

function isNew (meaning: string, name: string, { names, problems }: Told): boolean {
  const earlier = names.get(meaning)
  names.set(meaning, name)
  if (earlier !== undefined) problems.add(earlier === name ? `Modifier ${name} is repeated` : `Modifiers ${earlier} and ${name} say the same`)
  return earlier === undefined
}

/** `300x200`, or `300` for a square. */
function readSize (args: readonly string[], name: string, told: Told): void {
  const [, width, height = width] = /^(\d{1,9})(?:x(\d{1,9})?)?$/.exec(args.length === 1 ? args[0] ?? '' : '') ?? []
  if (width === undefined || height === undefined) return told.problems.add(`${name}: Expected WIDTHxHEIGHT, received ${show(args.join('_'))}`)
  const w = told.problems.read('w', width, name)
  const h = told.problems.read('h', height, name)
  if (isNew('size', name, told) && w !== undefined && h !== undefined) told.size = [w, h]
}

function readFlag (args: readonly string[], name: FlagName, told: Told): void {
  const text = args.join('_')
  if (!isNew(name, name, told)) return
  // Our own `flip` says which way.
  const way = name === 'flip' && !isOnOff(text) ? told.problems.read('flip', text) : undefined
  if (way !== undefined) {
    if (way.includes('v')) told.flags.add('flip')
    if (way.includes('h')) told.flags.add('flop')
  } else if (name === 'flatten' && !isOnOff(text)) readMeanings([['bg', text]], { name, args, told })
  else if (isOnOff(text)) {
    if (onOff.read(text)) told.flags.add(name)
  } else if (name !== 'flip') told.problems.add(`${name}: Expected 1 or 0, received ${show(text)}`)
}

function isOnOff (text: string): boolean {
  try {
    onOff.read(text)
    return true
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    return false
  }
}

function readName (text: string, name: string, told: Told): void {
  const isPreset = name === 'preset' || name === 'p'
  const given = isPreset ? text : lastSegment(text.trim())
  if (!isNew(isPreset ? 'preset' : 'download', name, told)) return
  if (!(isPreset ? isPresetName(given) : isDownloadName(given))) return told.problems.add(`${name}: Expected a name, received ${show(text)}`)
  if (isPreset) told.preset = given
  else told.download = given
}

/** What the modifiers come to together. */
function settle ({ values, size, flags: given, preset, download }: Told): Asked {
  const settled = fitted(values, size, given.has('enlarge'))
  if (given.has('flip') || given.has('flop')) settled.flip = given.has('flip') ? given.has('flop') ? 'hv' : 'v' : 'h'
  if (given.has('flatten')) settled.bg ??= '000000'
  if (settled.animated === undefined && settled.f !== undefined && settled.f !== 'gif') settled.animated = false
  return { values: settled, info: given.has('info'), ...preset === undefined ? {} : { preset }, ...download === undefined ? {} : { download } }
}

/** Each size modifier of IPX undoes those before it, which are applied in the order of their names: what is left of the sizes, as it is meant. */
function fitted ({ w, h, ar, fit, ...rest }: Values, size: Told['size'], enlarge: boolean): Values {
  if (w === undefined && size !== undefined) return { ...rest, w: size[0], h: size[1], fit: fit ?? 'cover', enlarge }
  const side: Values = w === undefined ? h === undefined ? {} : { h } : { w }
  if (ar !== undefined) return { ...rest, ...side, ar, fit: fit ?? 'cover', enlarge }
  return { ...rest, ...side, ...enlarge ? { enlarge } : {} }
}
