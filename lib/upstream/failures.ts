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
  return new MediaError(code, { detail: `${sentences[code] ?? 'No answer came from'} the upstream ${name}`, cause: error, context: { upstream: name, ...(origin === undefined ? {} : { origin }) } })
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
  const { code = '', message = '', errors } = error as { code?: string, message?: string, errors?: unknown[] }
  const known = codes[code]
  if (known !== undefined) return known
  if (Array.isArray(errors) && errors.length > 0) return failureCode(errors[0]) // every address failed: the first tells
  if (tls.test(code)) return 'upstream-tls'
  if (code.startsWith('HPE_') || code === 'UND_ERR_INVALID_ARG' || /^bad (?:response|upgrade)$/.test(message)) return 'upstream-malformed'
  return 'upstream-reset'
}
