import { MediaError } from '../../errors.ts'
import { parseHttpDate } from '../../http/http-date.ts'
import type { UpstreamResponse } from '../../upstream/message.ts'
import { single, wholeNumber } from './fields.ts'

/* What is wrong with an answer, by the upstream's name. */

/** The longest that a client is told to wait, in seconds, whatever an origin says. */
const MAX_RETRY_AFTER = 3600

export function tooLarge (name: string, maxBytes: number): MediaError {
  return new MediaError('upstream-too-large', { detail: `The file of the upstream ${name} has more than ${maxBytes} bytes`, context: { upstream: name } })
}

/** Fewer bytes came than were told, or the end never did. */
export function endedEarly (name: string, cause?: unknown): MediaError {
  return new MediaError('upstream-reset', { detail: `The file of the upstream ${name} ended before its end`, context: { upstream: name }, cause })
}

export function tooLong (name: string): MediaError {
  return new MediaError('upstream-malformed', { detail: `The file of the upstream ${name} is longer than it was said to be`, context: { upstream: name } })
}

export function wrongContent (name: string, why: string, cause?: unknown): MediaError {
  return new MediaError('upstream-content', { detail: `The file of the upstream ${name} ${why}`, context: { upstream: name }, cause })
}

/** How a body failed: its connection, or its coding. */
export function bodyFailure (error: Error & { code?: string }, name: string): Error {
  const { code = '' } = error
  if (code === 'ERR_STREAM_PREMATURE_CLOSE') return endedEarly(name, error)
  return damaged.test(code) ? wrongContent(name, 'came damaged', error) : error
}

/** Codes of zlib and Brotli. */
const damaged = /^(?:Z_|ERR_+(?:ERROR|BROTLI|PADDING))/

/**
 * What an answer that brings no file means. A refusal is told as one, since whoever asks cannot
 * mend it by trying again; who is overloaded is waited for; everything else is the upstream's fault.
 */
export function statusFailure (name: string, { status, headers }: Pick<UpstreamResponse, 'status' | 'headers'>): MediaError {
  const context = { upstream: name, status }
  if (status === 401 || status === 403) return new MediaError('forbidden', { detail: `The upstream ${name} refuses the file`, context })
  if (status === 429 || status === 503) {
    const after = retryAfter(single(headers, 'retry-after'))
    return new MediaError('unavailable', { detail: `The upstream ${name} is not available`, context, ...(after === undefined ? {} : { headers: { 'retry-after': String(after) } }) })
  }
  if (status >= 300 && status < 400 && status !== 304) return new MediaError('upstream-redirects', { context })
  return new MediaError('upstream-status', { detail: `The upstream ${name} answered with status ${status}`, context })
}

/** Seconds, from either form (RFC 9110 §10.2.3). */
function retryAfter (field: string | undefined, now = Date.now()): number | undefined {
  const date = field === undefined ? undefined : parseHttpDate(field)
  const seconds = date === undefined ? wholeNumber(field) : Math.ceil((date - now) / 1000)
  return seconds === undefined ? undefined : Math.min(MAX_RETRY_AFTER, Math.max(1, seconds))
}
