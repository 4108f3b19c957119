import type { Readable } from 'node:stream'
import type { Representation } from '../representation.ts'
import type { Fields, UpstreamResponse } from '../upstream/message.ts'
import { cacheStatus, type Forwarded } from './cache-status.ts'

/**
 * What the cache did for an answer, for the log: `hit` (kept and fresh), `stale` (kept, and sent
 * although it is not), `revalidated` (kept, and its origin says that it still holds), `miss`,
 * `collapsed` (another request's answer), `pass` (not for keeping).
 */
export type CacheOutcome = 'hit' | 'stale' | 'revalidated' | 'miss' | 'collapsed' | 'pass'

interface AnswerHead {
  readonly status: number
  /** Fields to be sent as they are; where there is a representation, without those that describe it. Shared: never changed. */
  readonly headers: Readonly<Fields>
  readonly outcome: CacheOutcome
  /** Trailer fields, once the body has ended. */
  readonly trailers: () => Fields | undefined
}

/** A 200 that is kept, or on its way to be: preconditions, ranges and HEAD are decided by who sends it. */
export interface RepresentationAnswer extends AnswerHead {
  readonly representation: Representation
  readonly body?: undefined
}

/** Any other answer: it is sent as it is. */
export interface PlainAnswer extends AnswerHead {
  readonly representation?: undefined
  readonly body: Buffer | Readable
}

/** An answer from the cache, or through it. */
export type CacheAnswer = RepresentationAnswer | PlainAnswer

/** There are none. */
export function noTrailers (): undefined {
  return undefined
}

/** The origin's own answer, with what the cache has to say of it. */
export function passed ({ status, headers, body, trailers }: UpstreamResponse, forwarded: Forwarded): PlainAnswer {
  return { status, headers: { ...headers, 'cache-status': cacheStatus(headers['cache-status'], { status, ...forwarded }) }, body, trailers, outcome: 'pass' }
}
