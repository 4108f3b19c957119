import type { Fields } from '../upstream/message.ts'
import { joined } from './directives.ts'

/** By which name `Cache-Status` (RFC 9211) knows this cache. */
const NAME = 'fastify-media'

/** Why a request went on to the origin (RFC 9211 §2.2). */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale'

/** What the cache did with one request that it sent on. */
export interface Forwarded {
  readonly reason: ForwardReason
  /** The status of the origin's answer, where there was one. */
  readonly status?: number | undefined
  readonly isStored?: boolean
  /** Whether another request's answer served for this one. */
  readonly isCollapsed?: boolean
}

/**
 * The member of `Cache-Status` for an answer, behind those of the caches before this one.
 *
 * @param before the field as the origin sent it
 * @param forwarded undefined where the origin was not asked
 * @param ttlSeconds for how long it stays fresh, where that is of interest; negative for a stale answer
 */
export function cacheStatus (before: Fields[string] | undefined, forwarded: Forwarded | undefined, ttlSeconds?: number): string {
  let member = forwarded === undefined ? `${NAME}; hit` : `${NAME}; fwd=${forwarded.reason}`
  if (forwarded?.status !== undefined) member += `; fwd-status=${forwarded.status}`
  if (ttlSeconds !== undefined) member += `; ttl=${Math.floor(ttlSeconds)}`
  if (forwarded?.isStored === true) member += '; stored'
  if (forwarded?.isCollapsed === true) member += '; collapsed'
  const earlier = joined(before)
  return earlier === undefined || earlier.trim() === '' ? member : `${earlier}, ${member}`
}
