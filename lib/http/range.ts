/** Bytes `start` to `end`, both inclusive, as `Content-Range` counts them. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * How many ranges one request may name before `Range` is ignored and the whole sent.
 * A client pushes against it: each part costs a header and a read (RFC 9110 §17.15).
 */
export const MAX_RANGES = 64

/** A `Range` field, against a size: what to send. */
export type RangeDecision = 'whole' | 'unsatisfiable' | readonly ByteRange[]

// ranges-specifier, RFC 9110 §14.1.1. The unit is case-insensitive.
const specifier = /^bytes[ \t]*=(.*)$/i
const rangeSpec = /^(\d*)-(\d*)$/

/**
 * Reads a `Range` field. A unit other than bytes, a malformed set, or one with more than
 * `limit` members is ignored (`'whole'`, RFC 9110 §14.2); a set of which no member lies
 * within the representation is `'unsatisfiable'`. Overlapping ranges are coalesced, in the
 * place of the one named first (RFC 9110 §15.3.7.2).
 *
 * @param field the field's value
 * @param size the representation's length in bytes
 * @param limit the most ranges that are served
 */
export function parseRange (field: string, size: number, limit = MAX_RANGES): RangeDecision {
  const set = specifier.exec(field)?.[1]
  if (set === undefined) return 'whole'
  const ranges: ByteRange[] = []
  let named = 0
  for (const text of set.split(',')) {
    const item = text.trim()
    if (item === '') continue // empty list members are legal (RFC 9110 §5.6.1.2)
    if (++named > limit) return 'whole'
    const range = parseOne(item, size)
    if (range === 'whole') return 'whole'
    if (range !== undefined) ranges.push(range)
  }
  if (named === 0) return 'whole'
  return ranges.length === 0 ? 'unsatisfiable' : coalesce(ranges)
}

/** One range: `undefined` where it lies outside, `'whole'` where it makes the field one to ignore. */
function parseOne (item: string, size: number): ByteRange | undefined | 'whole' {
  const match = rangeSpec.exec(item)
  if (match === null) return 'whole'
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return 'whole'
    const suffix = Number(last)
    if (suffix === 0) return undefined
    // Satisfiable by RFC 9110 §14.1.1, yet no Content-Range can name a part of nothing.
    if (size === 0) return 'whole'
    return { start: Math.max(0, size - suffix), end: size - 1 }
  }
  const start = Number(first)
  if (last !== '' && isBefore(last, first)) return 'whole'
  if (start >= size) return undefined
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}

/**
 * Compares digits as numbers of any length, in linear time: beyond 2^53 Number would call
 * them equal, and reading 16 KiB of digits as a BigInt is not linear.
 */
function isBefore (a: string, b: string): boolean {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return x.length === y.length ? x < y : x.length < y.length
}

function coalesce (ranges: ByteRange[]): readonly ByteRange[] {
  if (ranges.length === 1) return ranges
  const sorted = ranges.map((range, place) => ({ ...range, place })).toSorted((a, b) => a.start - b.start)
  const merged: typeof sorted = []
  for (const range of sorted) {
    const last = merged.at(-1)
    if (last !== undefined && range.start <= last.end) {
      last.end = Math.max(last.end, range.end)
      last.place = Math.min(last.place, range.place)
    } else {
      merged.push(range)
    }
  }
  return merged.toSorted((a, b) => a.place - b.place).map(({ start, end }) => ({ start, end }))
}

/** The value of `Content-Range` (RFC 9110 §14.4); without a range, the one a 416 carries. */
export function contentRange (size: number, range?: ByteRange): string {
  return range === undefined ? `bytes */${size}` : `bytes ${range.start}-${range.end}/${size}`
}
