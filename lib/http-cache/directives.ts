/** Directives by lower-case name, each with every value it was given: unquoted, `''` where it has none. */
export type Directives = ReadonlyMap<string, readonly string[]>

/** RFC 9111 §1.2.2: a greater number of seconds may overflow in a cache. */
export const MAX_SECONDS = 2_147_483_648

/** What stands for a value that is malformed: no number of seconds, and no list of names. */
const MALFORMED = '\0'

/** The value of a field that may have come several times, as one list (RFC 9110 §5.2). */
export function joined (field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? field.join(', ') : field
}

/**
 * The directives of `Cache-Control` (RFC 9111 §5.2), of a request or an answer. Nothing is
 * malformed as a whole: what cannot be read of one directive leaves the others as they are.
 */
export function parseDirectives (field: string | string[] | undefined): Directives {
  const directives = new Map<string, string[]>()
  for (const member of membersOf(joined(field) ?? '')) {
    if (member === '') continue
    const equals = member.indexOf('=')
    const name = (equals === -1 ? member : member.slice(0, equals)).trim().toLowerCase()
    const value = equals === -1 ? '' : valueOf(member.slice(equals + 1), member[equals - 1])
    const values = directives.get(name)
    if (values === undefined) directives.set(name, [value])
    else values.push(value)
  }
  return directives
}

/** Splits at commas outside of quotes. A quote that is never closed quotes nothing: else it would hide a `no-store`. */
function membersOf (text: string): string[] {
  const members: string[] = []
  let start = 0
  let isQuoted = false
  for (let place = 0; place < text.length; place++) {
    const character = text[place]
    if (isQuoted && character === '\\') place++
    else if (character === '"') isQuoted = !isQuoted
    else if (character === ',' && !isQuoted) {
      members.push(text.slice(start, place).trim())
      start = place + 1
    }
  }
  if (isQuoted) return text.split(',').map(member => member.trim())
  members.push(text.slice(start).trim())
  return members
}

/** No whitespace may stand around the equals sign. */
function valueOf (text: string, before: string | undefined): string {
  if (before === ' ' || before === '\t' || text === '' || text.startsWith(' ') || text.startsWith('\t')) return MALFORMED
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(text)
  return quoted?.[1]?.replaceAll(/\\(.)/gs, '$1') ?? text
}

/**
 * The seconds a directive gives; undefined where it is not there. A value that is none counts as
 * 0, of several that differ the least counts: either is then as stale as RFC 9111 §4.2.1 wants it.
 */
export function secondsOf (directives: Directives, name: string): number | undefined {
  const values = directives.get(name)
  return values === undefined ? undefined : Math.min(...values.map(value => deltaSeconds(value) ?? 0))
}

/** A number of seconds (RFC 9111 §1.2.2), undefined where the text is none. */
export function deltaSeconds (text: string): number | undefined {
  return /^\d+$/.test(text) ? Math.min(MAX_SECONDS, Number(text)) : undefined
}

/**
 * The fields that a directive such as `no-cache="set-cookie"` is limited to, by lower-case name;
 * undefined where it is not limited, or so badly that it is better taken as a whole.
 */
export function fieldsNamedBy (directives: Directives, name: string): readonly string[] | undefined {
  const values = directives.get(name) ?? []
  const names = values.flatMap(value => value.split(',').map(item => item.trim().toLowerCase()))
  return names.length > 0 && names.every(item => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(item)) ? names : undefined
}

const space = '[ \\t]*'
const key = '[a-z*][a-z0-9_.*-]*'
const bare = '(?:-?\\d{1,15}(?:\\.\\d{1,3})?|"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\["\\\\])*"|[A-Za-z*][!#$%&\'*+.^_`|~0-9A-Za-z:/-]*|:[A-Za-z0-9+/=]*:|\\?[01])'
const structuredMember = new RegExp(`${space}(${key})(?:=(${bare}))?((?:;${space}${key}(?:=${bare})?)*)${space}(,|$)`, 'y')

/**
 * The directives of a field such as `CDN-Cache-Control` (RFC 9213), which is a structured field:
 * undefined where it is none, or an empty one, and so to be ignored.
 */
export function parseTargeted (field: string | string[] | undefined): Directives | undefined {
  const text = joined(field)?.trim()
  if (text === undefined || text === '') return undefined
  const directives = new Map<string, string[]>()
  for (structuredMember.lastIndex = 0; ;) {
    const [, name, value = '', , end] = structuredMember.exec(text) ?? []
    if (name === undefined) return undefined
    if (value === '?0') directives.delete(name)
    else directives.set(name, [value === '?1' ? '' : value]) // of several, the last (RFC 8941 §3.2)
    if (end === '') return directives
  }
}
