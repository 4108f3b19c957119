import { parseHttpDate } from '../http/http-date.ts'
import type { Fields } from '../upstream/message.ts'
import { deltaSeconds, MAX_SECONDS, parseDirectives, parseTargeted, secondsOf, type Directives } from './directives.ts'

/** What a mount decides about how long answers are kept. */
export interface FreshnessPolicy {
  /** The longest lifetime of an answer that tells none, in seconds. */
  readonly heuristicSeconds: number
  /** Seconds after its lifetime for which an answer is sent while a fresh one is fetched, where its origin says nothing of it. */
  readonly staleWhileRevalidateSeconds: number
  /** Seconds after its lifetime for which an answer is sent where its origin fails, where it says nothing of it. */
  readonly staleIfErrorSeconds: number
}

/** The head of an answer, and when it was asked for and received, in milliseconds since the epoch. */
export interface ReceivedHead {
  readonly status: number
  readonly fields: Fields
  readonly askedAt: number
  readonly receivedAt: number
  /** Whether its request carried cookies: then nothing is guessed about its lifetime. */
  readonly hadCookies: boolean
}

/** Until when an answer is what. Milliseconds since the epoch. */
export interface Freshness {
  /** When its age was 0, had it aged here all the time: the present age is `now - bornAt` (RFC 9111 §4.2.3). */
  readonly bornAt: number
  readonly freshUntil: number
  /** Until when it may be sent while a fresh one is fetched (RFC 5861 §3). */
  readonly staleWhileRevalidateUntil: number
  /** Until when it may be sent where the origin fails (RFC 5861 §4). */
  readonly staleIfErrorUntil: number
  /** Whether a client may ask for it although it is stale. */
  readonly mayBeStale: boolean
}

/** RFC 9110 §15.1: statuses whose lifetime may be guessed. 206 is never kept. */
const heuristicStatuses = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

/** The part of the time since its last change for which an answer is thought to stay as it is (RFC 9111 §4.2.2). */
const HEURISTIC_PART = 0.1

/** The directives that hold for a shared cache: those of `CDN-Cache-Control`, else of `Cache-Control`. */
export function directivesFor (fields: Fields): { directives: Directives, isTargeted: boolean } {
  const targeted = parseTargeted(fields['cdn-cache-control'])
  return targeted === undefined ? { directives: parseDirectives(fields['cache-control']), isTargeted: false } : { directives: targeted, isTargeted: true }
}

/** Reckons how long an answer is fresh, and what it may be used for after that (RFC 9111 §4.2, RFC 5861). */
export function freshnessOf (head: ReceivedHead, policy: FreshnessPolicy): Freshness {
  const { directives, isTargeted } = directivesFor(head.fields)
  const bornAt = birthOf(head)
  if (directives.get('no-cache')?.some(value => value === '') === true) return { bornAt, freshUntil: 0, staleWhileRevalidateUntil: 0, staleIfErrorUntil: 0, mayBeStale: false }
  const freshUntil = bornAt + lifetimeOf(head, { directives, isTargeted }, policy) * 1000
  const mustRevalidate = directives.has('must-revalidate') || directives.has('proxy-revalidate')
  const mayBeStale = !mustRevalidate && !directives.has('s-maxage')
  // `s-maxage` forbids what the mount alone would allow (RFC 9111 §5.2.2.10), not what its origin allows in the same breath.
  const after = (name: string, fallback: number): number => mustRevalidate ? 0 : freshUntil + (secondsOf(directives, name) ?? (mayBeStale ? fallback : 0)) * 1000
  return {
    bornAt,
    freshUntil,
    staleWhileRevalidateUntil: after('stale-while-revalidate', policy.staleWhileRevalidateSeconds),
    staleIfErrorUntil: after('stale-if-error', policy.staleIfErrorSeconds),
    mayBeStale
  }
}

/** RFC 9111 §4.2.3: the greater of what `Age` and `Date` tell; the time the answer took counts as its age. */
function birthOf ({ fields, askedAt, receivedAt }: ReceivedHead): number {
  const apparent = Math.max(0, receivedAt - dateOf({ fields, receivedAt }))
  const corrected = ageOf(fields) * 1000 + Math.max(0, receivedAt - askedAt)
  return receivedAt - Math.max(apparent, corrected)
}

/** The first `Age` (RFC 9111 §5.1), in seconds; 0 where there is none, or it is malformed. */
function ageOf (fields: Fields): number {
  const [first = ''] = String([fields.age ?? ''].flat()[0]).split(',')
  return deltaSeconds(first.trim()) ?? 0
}

/** When the answer was made, by its origin's clock; when it was received, where that is not told. */
function dateOf ({ fields, receivedAt }: Pick<ReceivedHead, 'fields' | 'receivedAt'>): number {
  return dateIn(fields.date) ?? receivedAt
}

/** In any letter case, as RFC 9111 §4.2 wants it of caches. */
function dateIn (field: string | string[] | undefined): number | undefined {
  if (typeof field !== 'string') return undefined
  return parseHttpDate(field.replaceAll(/[a-z]+/gi, word => /^gmt$/i.test(word) ? 'GMT' : `${word.charAt(0).toUpperCase()}${word.slice(1).toLowerCase()}`))
}

/** RFC 9111 §4.2.1, in seconds: what cannot be read, or is said twice, is no lifetime at all. */
function lifetimeOf (head: ReceivedHead, { directives, isTargeted }: { directives: Directives, isTargeted: boolean }, policy: FreshnessPolicy): number {
  const told = secondsOf(directives, 's-maxage') ?? secondsOf(directives, 'max-age')
  if (told !== undefined) return told
  const { fields } = head
  // A targeted field stands in the place of Expires as well (RFC 9213 §2.1).
  if (fields.expires !== undefined && !isTargeted) return Math.min(MAX_SECONDS, Math.max(0, ((dateIn(fields.expires) ?? 0) - dateOf(head)) / 1000))
  return heuristicLifetime(head, directives, policy)
}

function heuristicLifetime (head: ReceivedHead, directives: Directives, { heuristicSeconds }: FreshnessPolicy): number {
  const { status, fields, hadCookies } = head
  const modified = dateIn(fields['last-modified'])
  if (modified === undefined || hadCookies) return 0
  if (!heuristicStatuses.has(status) && !directives.has('public')) return 0
  if (directives.size === 0 && /\bno-cache\b/i.test(String(fields.pragma ?? ''))) return 0
  return Math.min(heuristicSeconds, Math.max(0, (dateOf(head) - modified) / 1000 * HEURISTIC_PART))
}
