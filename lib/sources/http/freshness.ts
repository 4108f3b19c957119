import { parseHttpDate } from '../../http/http-date.ts'
import type { Fields } from '../../upstream/message.ts'
import { joined, single } from './fields.ts'

/** What an origin says about how long its answer is good. */
export interface Freshness {
  /** Milliseconds from now; undefined where it does not say. */
  readonly ms: number | undefined
  /** Whether it may be remembered at all. */
  readonly storable: boolean
}

/**
 * The longest that an answer is believed, whatever its origin says. An origin pushes against it: a
 * lifetime of a year that was a mistake is healed within the hour, by one conditional request.
 */
export const MAX_FRESH_MS = 3_600_000

// token [ "=" ( token / quoted-string ) ], RFC 9111 §5.2. Sticky, so that the field is read in one linear pass.
const directive = /[ \t]*(?:([!#$%&'*+.^`|~\w-]+)(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?[ \t]*)?(?:,|$)/y

/**
 * How long an answer is fresh by its `Cache-Control`, `Expires` and `Age` (RFC 9111 §4.2), for a
 * cache that serves many: `s-maxage` goes before `max-age`. What is `private` or `no-cache` is asked for
 * each time, and so is what varies by everything. Of malformed fields the shortest life is believed.
 *
 * @param now milliseconds since the epoch, for an answer without a date of its own
 */
export function freshnessOf (headers: Fields, now = Date.now()): Freshness {
  const directives = directivesOf(joined(headers, 'cache-control'))
  const storable = !directives.has('no-store')
  if (!storable || directives.has('private') || directives.has('no-cache') || joined(headers, 'vary').includes('*')) return { ms: 0, storable }
  const seconds = directives.get('s-maxage') ?? directives.get('max-age')
  const expires = headers.expires
  if (seconds === undefined && expires === undefined) return { ms: undefined, storable }
  const lifetime = seconds === undefined ? lifetimeUntil(single(headers, 'expires'), single(headers, 'date'), now) : secondsOf(seconds)
  // An answer that says when it was made is as old as that, whatever it passed (RFC 9111 §4.2.3).
  const apparent = (now - (parseHttpDate(single(headers, 'date') ?? '') ?? now)) / 1000
  const age = Math.max(secondsOf(single(headers, 'age') ?? ''), apparent)
  return { ms: Math.min(MAX_FRESH_MS, Math.max(0, lifetime - age) * 1000), storable }
}

/** By lower-case names. Of one that is named twice the first counts (RFC 9111 §4.2.1). */
function directivesOf (field: string): Map<string, string> {
  const directives = new Map<string, string>()
  directive.lastIndex = 0
  while (directive.lastIndex < field.length) {
    const match = directive.exec(field)
    if (match === null) return directives.set(/no-store/i.test(field) ? 'no-store' : 'no-cache', '') // nobody knows what else it says
    const name = match[1]?.toLowerCase()
    if (name !== undefined && !directives.has(name)) directives.set(name, match[2] ?? match[3] ?? '')
  }
  return directives
}

/** RFC 9111 §1.2.2; what is no number is none. */
function secondsOf (text: string): number {
  return /^\d+$/.test(text) ? Number(text) : 0
}

/** A date that is none, such as `0`, lies in the past (RFC 9111 §5.3). */
function lifetimeUntil (expires: string | undefined, date: string | undefined, now: number): number {
  const end = expires === undefined ? undefined : parseHttpDate(expires)
  return end === undefined ? 0 : (end - (parseHttpDate(date ?? '') ?? now)) / 1000
}
