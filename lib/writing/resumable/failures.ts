import { ERRORS } from '@tus/server'
import { MediaError, type FailureCode } from '../../errors.ts'
import { TUS_VERSION } from './protocol.ts'

/** How the library says what went wrong. */
interface TusError { readonly status_code: number, readonly body: string }

const codes = new Map<number, FailureCode>([[400, 'bad-request'], [404, 'not-found'], [409, 'conflict'], [410, 'not-found'], [413, 'body-too-large'], [501, 'not-implemented']])

/** What the library failed with, as a failure of ours; what is neither its nor ours stays what it is. */
export function failureOf (error: unknown): unknown {
  if (error === ERRORS.ABORTED) return new MediaError('locked', { detail: 'Another request has taken this upload over' })
  if (!isTusError(error)) return error
  const code = codes.get(error.status_code) ?? 'internal'
  return new MediaError(code, { status: error.status_code, cause: error, ...(code === 'internal' ? {} : { detail: error.body.trim() }) })
}

/** Every answer of the protocol tells its version (tus 1.0, Core Protocol), a refusal too. */
export function withVersion (error: unknown): unknown {
  if (!(error instanceof MediaError)) return error
  const { code, statusCode: status, detail, context, cause, headers } = error
  return new MediaError(code, { status, headers: { ...headers, 'tus-resumable': TUS_VERSION }, cause, ...(detail === undefined ? {} : { detail }), ...(context === undefined ? {} : { context }) })
}

function isTusError (error: unknown): error is TusError {
  return typeof error === 'object' && error !== null && 'status_code' in error && 'body' in error
}
