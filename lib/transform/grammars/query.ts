import { show } from '../../config/mistakes.ts'
import { MediaError } from '../../errors.ts'
import type { Asked } from '../asked.ts'
import { ArgumentError, flag, word } from '../arguments.ts'
import { lastSegment } from '../../paths/last-segment.ts'
import { operationsByName, type OperationName } from '../operations.ts'
import type { Values } from '../transform.ts'
import { decode, isDownloadName, isPresetName, Problems } from './problems.ts'

export { formatQuery } from '../../url/query.ts'

/** What is done with parameters that name no operation. */
export interface QueryPolicy {
  readonly unknown: 'refuse' | 'ignore'
  /** Names that are passed over silently, or beginnings of names, with `*` at the end: `utm_*`. */
  readonly ignored: readonly string[]
}

/** Characters of a query. What comes in is bounded by the size of a request's headers alone. */
export const MAX_QUERY_LENGTH = 4096

/** Parameters that are no operations. */
const beside = new Map<string, 'preset' | 'info' | 'download' | 'auto'>([
  ['preset', 'preset'], ['p', 'preset'], ['info', 'info'], ['download', 'download'], ['dl', 'download'], ['auto', 'auto']
])

const knownNames = [...operationsByName.keys(), ...beside.keys()]

/** What imgix chooses by itself where it is told to. */
const autoWords = word(['format', 'compress'])
const infoFlag = flag()

interface Parameter {
  /** As the URL spells it. */
  readonly name: string
  readonly text: string
}

type Meaning = OperationName | 'preset' | 'info' | 'download' | 'auto'

/**
 * Reads the grammar `query`: `w=320&h=200&fit=cover&f=auto`. The order of parameters means
 * nothing. `fm=pjpg` and `auto=format,compress` are understood as imgix does: automatic format
 * goes before one that is named, a quality that is named before an automatic one.
 *
 * @param search without `?`; `+` is a space
 * @throws {MediaError} `bad-transform`, naming every parameter that is unknown, repeated
 *   (also under another name of the same operation) or malformed
 */
export function parseQuery (search: string, policy: QueryPolicy): Asked {
  if (search.length > MAX_QUERY_LENGTH) throw new MediaError('bad-transform', { detail: `The query has ${search.length} characters, more than ${MAX_QUERY_LENGTH}` })
  const problems = new Problems()
  return readParameters(meaningsOf(search, policy, problems), problems)
}

/** Whether any parameter asks for a variant or for facts about a picture. Cheap, and throws nothing. */
export function hasOperation (search: string): boolean {
  let start = 0
  while (start < search.length) {
    let end = search.indexOf('&', start)
    if (end === -1) end = search.length
    const part = search.slice(start, end)
    const equals = part.indexOf('=')
    const name = decodeSpaced(equals === -1 ? part : part.slice(0, equals)) ?? ''
    if (operationsByName.has(name) || (beside.get(name) ?? 'download') !== 'download') return true
    start = end + 1
  }
  return false
}

function meaningsOf (search: string, { unknown, ignored }: QueryPolicy, problems: Problems): Map<Meaning, Parameter> {
  const found = new Map<Meaning, Parameter>()
  for (const part of search.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decodeSpaced(equals === -1 ? part : part.slice(0, equals))
    const text = equals === -1 ? '' : decodeSpaced(part.slice(equals + 1))
    const meaning = name === undefined ? undefined : operationsByName.get(name) ?? beside.get(name)
    if (meaning === undefined && (unknown === 'ignore' || (name !== undefined && isIgnored(name, ignored)))) continue
    if (name === undefined || text === undefined) problems.add(`${show(part)} is not percent-encoded UTF-8 without NUL`)
    else if (meaning === undefined) problems.addUnknown('parameter', name, knownNames)
    else if (found.has(meaning)) problems.add(`Parameter ${repeated(meaning, found.get(meaning)?.name ?? '', name)}`)
    else found.set(meaning, { name, text })
  }
  return found
}

function readParameters (found: ReadonlyMap<Meaning, Parameter>, problems: Problems): Asked {
  const values: Values = {}
  let info = false
  let preset: string | undefined
  let download: string | undefined
  for (const [meaning, { name, text }] of found) {
    if (meaning === 'info') info = readWith(() => infoFlag.read(text), name, problems) ?? false
    else if (meaning === 'auto') continue
    else if (meaning === 'preset') {
      if (isPresetName(text)) preset = text
      else problems.add(`${name}: Expected the name of a preset, received ${show(text)}`)
    } else if (meaning === 'download') {
      download = lastSegment(text.trim())
      if (!isDownloadName(download)) problems.add(`${name}: Expected a name to save under, received ${show(text)}`)
    } else if (meaning === 'f' && isProgressive(text)) values.f = 'jpeg'
    else Object.assign(values, { [meaning]: problems.read(meaning, text, name) })
  }
  if (isProgressive(found.get('f')?.text ?? '')) values.progressive ??= true
  choose(values, found.get('auto'), problems)
  problems.refuse()
  return { values, info, ...preset === undefined ? {} : { preset }, ...download === undefined ? {} : { download } }
}

/** imgix has a format of its own for progressive JPEG. */
function isProgressive (format: string): boolean {
  return format.toLowerCase() === 'pjpg'
}


/** `auto=format,compress`. */
function choose (values: Values, auto: Parameter | undefined, problems: Problems): void {
  if (auto === undefined) return
  for (const part of auto.text.split(',')) {
    const chosen = readWith(() => autoWords.read(part), auto.name, problems)
    if (chosen === 'format') values.f = 'auto'
    if (chosen === 'compress') values.q ??= 'auto'
  }
}

function readWith<V> (read: () => V, name: string, problems: Problems): V | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    problems.add(`${name}: ${error.message}`)
    return undefined
  }
}

function decodeSpaced (text: string): string | undefined {
  return decode(text.includes('+') ? text.replaceAll('+', ' ') : text)
}

function isIgnored (name: string, ignored: readonly string[]): boolean {
  return ignored.some(pattern => pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern)
}

function repeated (meaning: string, first: string, second: string): string {
  return first === second ? `${first} is repeated` : `${meaning} is repeated, as ${first} and ${second}`
}
