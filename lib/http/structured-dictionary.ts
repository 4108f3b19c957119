/** A bare item of a structured field (RFC 9651 §3.3), as far as this project tells them apart. */
export type BareItem =
  | { readonly kind: 'integer', readonly value: number }
  | { readonly kind: 'bytes', readonly value: Buffer }
  | { readonly kind: 'other' }

const key = '[a-z*][a-z0-9_.*-]*'
const text = '"(?:[ !#-\\[\\]-~]|\\\\["\\\\])*"'
const bareItem = [
  '-?\\d{1,15}(?![\\d.])', // an integer
  '-?\\d{1,12}\\.\\d{1,3}(?![\\d.])', // a decimal
  text,
  '[A-Za-z*][A-Za-z0-9!#$%&\'*+.^_`|~:/-]*', // a token
  ':[A-Za-z0-9+/]*={0,2}:', // bytes
  '\\?[01]', // a boolean
  '@-?\\d{1,15}(?![\\d.])', // a date
  `%${text}` // a display string
].join('|')
const parameters = `(?:; *${key}(?:=(?:${bareItem}))?)*`
const innerList = `\\( *(?:(?:${bareItem})${parameters}(?: +(?:${bareItem})${parameters})* *)?\\)`

/** Sticky: each member is read in one pass, and from where the one before ended. */
const member = new RegExp(`(?<key>${key})(?:=(?:(?<item>${bareItem})|${innerList}))?${parameters}(?<end>[ \\t]*(?:,[ \\t]*|$))`, 'y')

/**
 * The members of a dictionary (RFC 9651 §3.2), without their parameters; of those of one name the
 * last. Several fields are one (§4.2).
 *
 * @returns undefined where it is malformed: such a field is ignored as a whole (RFC 9651 §4.2)
 */
export function parseDictionary (field: string | readonly string[]): Map<string, BareItem> | undefined {
  const input = withoutSpaces(typeof field === 'string' ? field : field.join(', '))
  const members = new Map<string, BareItem>()
  for (let at = 0; at < input.length;) {
    member.lastIndex = at
    const found = member.exec(input)
    if (found === null) return undefined
    const { key: name = '', item, end = '' } = found.groups ?? {}
    at = member.lastIndex
    if (at === input.length && end.includes(',')) return undefined // nothing follows
    members.delete(name)
    members.set(name, itemOf(item))
  }
  return members
}

/** Without the spaces around it, in one pass. */
function withoutSpaces (field: string): string {
  let [begin, end] = [0, field.length]
  while (begin < end && field[begin] === ' ') begin++
  while (begin < end && field[end - 1] === ' ') end--
  return field.slice(begin, end)
}

function itemOf (item: string | undefined): BareItem {
  if (item === undefined) return { kind: 'other' }
  if (/^-?\d+$/.test(item)) return { kind: 'integer', value: Number(item) }
  return item.startsWith(':') ? { kind: 'bytes', value: Buffer.from(item.slice(1, -1), 'base64') } : { kind: 'other' }
}
