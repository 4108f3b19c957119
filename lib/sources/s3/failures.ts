import { MediaError, type FailureCode, type MediaErrorOptions } from '../../errors.ts'
import type { UpstreamResponse } from '../../upstream/message.ts'
import { single } from '../http/fields.ts'
import { discard } from '../http/discard.ts'
import { readXml } from './xml.ts'

/** What of an error's description is read, in bytes. */
const MAX_ERROR_BYTES = 64 * 1024

/** Seconds after which whoever meets a store that is away is told to come again, where nobody knows better. */
const RETRY_SECONDS = 1

/** A failure that the store told of, or that its silence is. */
export class S3Failure extends MediaError {
  /** The status of its answer; 0 where there was none. */
  readonly status: number
  /** S3's own code, such as `NoSuchKey`; `''` where it told none. */
  readonly reason: string

  constructor (code: FailureCode, { status, reason, ...options }: MediaErrorOptions & { status: number, reason: string }) {
    super(code, options)
    this.status = status
    this.reason = reason
  }
}

/** Codes of S3 that mean more than their status. */
const codes: Readonly<Record<string, FailureCode>> = {
  QuotaExceeded: 'insufficient-storage',
  ServiceQuotaExceeded: 'insufficient-storage',
  EntityTooLarge: 'body-too-large',
  KeyTooLongError: 'bad-name',
  InvalidObjectName: 'bad-name',
  ConditionalRequestConflict: 'conflict',
  NoSuchUpload: 'conflict'
}

/** What is passing: the same request may have another answer soon. */
const passing = new Set(['SlowDown', 'Throttling', 'ThrottlingException', 'RequestTimeout', 'BadDigest', 'InvalidDigest', 'XAmzContentSHA256Mismatch', 'InternalError', 'OperationAborted', 'ServiceUnavailable'])

/** Whether a status or a code of S3 says that another attempt may do. */
export function isPassing (status: number, reason: string): boolean {
  return (status >= 500 && status !== 501) || status === 429 || passing.has(reason)
}

/**
 * What an answer that is none means. What a client sees of it is the source's name; status and code are for
 * the log, and there is never a URL, which may be signed.
 */
export function failureOf (name: string, { status, headers }: Pick<UpstreamResponse, 'status' | 'headers'>, reason: string): S3Failure {
  const region = single(headers, 'x-amz-bucket-region')
  const facts = { status, reason, context: { store: name, status, ...(reason === '' ? {} : { reason }), ...(region === undefined ? {} : { region }) } }
  const code = codes[reason]
  if (code !== undefined) return new S3Failure(code, facts)
  if (isPassing(status, reason)) return new S3Failure('unavailable', { ...facts, detail: `The object store ${name} is not available`, headers: { 'retry-after': String(RETRY_SECONDS) } })
  if (status === 401 || status === 403) return new S3Failure('forbidden', { ...facts, detail: `The object store ${name} refuses this` })
  if (status === 412) return new S3Failure('precondition-failed', facts)
  if (status === 409) return new S3Failure('conflict', facts)
  // Never followed: a bucket that lies elsewhere is a matter of the configuration.
  if (status >= 300 && status < 400) return new S3Failure('upstream-redirects', { ...facts, detail: `The object store ${name} redirects to elsewhere` })
  return new S3Failure('upstream-status', { ...facts, detail: `The object store ${name} answered with an error` })
}

/** No answer came, or none whole. */
export function awayFailure (name: string, cause: MediaError): S3Failure {
  const after = cause.headers?.['retry-after'] ?? String(RETRY_SECONDS)
  return new S3Failure('unavailable', { status: 0, reason: '', detail: `The object store ${name} is not available`, context: { store: name, fault: cause.code }, headers: { 'retry-after': after }, cause })
}

/** An answer that tells what it was asked for, and tells it wrongly. */
export function wrongAnswer (name: string, why: string, cause?: unknown): MediaError {
  return new MediaError('upstream-malformed', { detail: `The object store ${name} gave an answer that is none`, context: { store: name, why }, cause })
}

/** S3's code out of an answer's body; `''` where there is none. Never throws. */
export async function reasonOf ({ body, headers }: UpstreamResponse): Promise<string> {
  if (!(single(headers, 'content-type') ?? 'application/xml').includes('xml')) {
    discard(body)
    return ''
  }
  let reason = ''
  try {
    await readXml(body, MAX_ERROR_BYTES, (path, text) => { if (path === 'Code') reason = text })
  } catch {
    return ''
  }
  return /^[A-Za-z0-9]{1,64}$/.test(reason) ? reason : ''
}
