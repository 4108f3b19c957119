import { MediaError, type FailureCode } from '../errors.ts'

const codes: Record<string, FailureCode> = {
  ECONNREFUSED: 'upstream-refused',
  EHOSTUNREACH: 'upstream-refused',
  ENETUNREACH: 'upstream-refused',
  EADDRNOTAVAIL: 'upstream-refused',
  ENOENT: 'upstream-refused',
  EACCES: 'upstream-refused',
  ENOTFOUND: 'upstream-unresolved',
  EAI_AGAIN: 'upstream-unresolved',
  EAI_FAIL: 'upstream-unresolved',
  ENODATA: 'upstream-unresolved',
  ETIMEDOUT: 'upstream-connect-timeout',
  UND_ERR_CONNECT_TIMEOUT: 'upstream-connect-timeout',
  UND_ERR_HEADERS_TIMEOUT: 'upstream-timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream-timeout',
  UND_ERR_HEADERS_OVERFLOW: 'upstream-malformed',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'upstream-reset',
  EPROTO: 'upstream-tls',
  UPSTREAM_FORBIDDEN_ADDRESS: 'remote-forbidden'
}

/** OpenSSL's and Node's names for what is wrong with a certificate or a handshake. */
const tls = /^(?:ERR_TLS|ERR_SSL|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_PURPOSE|INVALID_CA|PATH_LENGTH)/

/**
 * What went wrong with an upstream, as clients may know it: its name, never its address.
 *
 * @param error what undici or a socket says
 * @param name the upstream's
 * @param origin which of its origins, as logs know it
 */
export function upstreamFailure (error: unknown, name: string, origin?: string): MediaError {
  if (error instanceof MediaError) return error
  const code = failureCode(error)
  if (code === 'bad-request') return new MediaError(code, { cause: error, context: { upstream: name } })
  return new MediaError(code, { detail: `${sentences[code] ?? 'No answer came from'} the upstream ${name}`, cause: error, context: { upstream: name, ...(origin === undefined ? {} : { origin }) } })
}

const ofRequest = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'])

/** Whether a request could not be sent as it was asked for: no origin has a part in that. */
export function isOfRequest ({ code = '' }: Error & { code?: string }): boolean {
  return ofRequest.has(code)
}

const sentences: Partial<Record<FailureCode, string>> = {
  'upstream-refused': 'No connection could be made to',
  'upstream-unresolved': 'There is no address for',
  'upstream-tls': 'No trusted connection could be made to',
  'upstream-connect-timeout': 'No connection was made in time to',
  'upstream-timeout': 'No answer came in time from',
  'upstream-malformed': 'No valid HTTP came from',
  'upstream-reset': 'The connection was ended by',
  'remote-forbidden': 'There is no address that may be asked of'
}

function failureCode (error: unknown): FailureCode {
  const { name = '', code = '', message = '', errors } = error as { name?: string, code?: string, message?: string, errors?: unknown[] }
  if (ofRequest.has(code)) return 'bad-request'
  const known = codes[code]
  if (known !== undefined) return known
  if (Array.isArray(errors) && errors.length > 0) return failureCode(errors[0]) // every address failed: the first tells
  if (tls.test(code)) return 'upstream-tls'
  // undici asserts what it expects of an origin, and mostly its parser's errors have no code.
  if (name === 'HTTPParserError' || code === 'ERR_ASSERTION' || /^bad (?:response|upgrade)$/.test(message)) return 'upstream-malformed'
  return 'upstream-reset'
}
