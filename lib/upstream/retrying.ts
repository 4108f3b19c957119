import { Readable } from 'node:stream'
import { isOfRequest } from './failures.ts'
import type { UpstreamRequest } from './message.ts'

/** Methods that may be sent again when nobody knows whether they arrived (RFC 9110 §9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Kept connections that turn out to be closed by their origin, before a request counts as failed. */
export const MAX_STALE = 2

/** What a failed attempt says of the origin, and whether another may be made. */
export interface Verdict {
  /** The fault is the client's, or our own policy's: nothing is gained by another attempt. */
  readonly isFinal: boolean
  /** Whether it tells of the origin. */
  readonly outcome: 'bad' | 'neutral'
  /** A connection that was kept was closed when the request came: no failure, as long as it happens seldom. */
  readonly isStale: boolean
}

interface Fault extends Error {
  readonly code?: string
  readonly socket?: { readonly bytesRead?: number } | null
}

/** Reads a failure before the head was there, or after. */
export function verdictOn (error: Fault, { body }: UpstreamRequest): Verdict {
  const { code } = error
  if (isOfRequest(error) || (body instanceof Readable && (body.errored === error || code === 'UND_ERR_ABORTED'))) return { isFinal: true, outcome: 'neutral', isStale: false }
  if (code === 'UPSTREAM_FORBIDDEN_ADDRESS') return { isFinal: true, outcome: 'neutral', isStale: false }
  const isStale = code === 'UND_ERR_SOCKET' && (error.socket?.bytesRead ?? 0) > 0
  // An origin that takes too long is not asked twice: that would double its load.
  return { isFinal: code === 'UND_ERR_HEADERS_TIMEOUT', outcome: 'bad', isStale }
}

/** Whether a request may be sent again at all. */
export function isRepeatable ({ method, body }: UpstreamRequest): boolean {
  return body === undefined && idempotent.has(method)
}
