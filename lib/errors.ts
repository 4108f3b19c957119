import { STATUS_CODES } from 'node:http'

/** One row of the table of failures: `[status, title]`, the title being the public words. */
type Row = readonly [status: number, title: string]

/**
 * Every failure this project answers with, by its stable code. `docs/errors.md` is
 * generated from this table and from {@link advice}.
 */
export const failures = {
  'bad-request': [400, 'The request is malformed'],
  'bad-path': [400, 'The path is malformed or not allowed'],
  'unauthorized': [401, 'Authentication is required'],
  'forbidden': [403, 'Access is refused'],
  'not-found': [404, 'Nothing is here'],
  'method-not-allowed': [405, 'This method is not allowed here'],
  'request-timeout': [408, 'The request did not arrive in time'],
  'client-error': [400, 'The request cannot be answered'],
  'bad-name': [400, 'No file may be named so'],
  'bad-digest': [400, 'The content is not what its digest says'],
  'bad-multipart': [400, 'The form is malformed'],
  'conflict': [409, 'The request conflicts with the present state'],
  'bad-transform': [400, 'The image operations are malformed or not allowed'],
  'precondition-failed': [412, 'A precondition of the request is false'],
  'body-too-large': [413, 'The request body is too large'],
  'uri-too-long': [414, 'The URL is too long'],
  'unsupported-media-type': [415, 'The media type of the request body is not supported'],
  'unsupported-image': [415, 'This file is no image of a kind that is made into variants'],
  'range-not-satisfiable': [416, 'None of the requested ranges lies within the file'],
  'unprocessable': [422, 'The request cannot be processed'],
  'broken-image': [422, 'The image is broken'],
  'image-too-large': [422, 'The image, or what is asked of it, is too large'],
  'image-too-costly': [422, 'The image takes too much time or memory'],
  'locked': [423, 'Another request is writing this'],
  'too-many-requests': [429, 'Too many requests'],
  'headers-too-large': [431, 'The request headers are too large'],
  'internal': [500, 'The server failed'],
  'not-implemented': [501, 'This is not implemented'],
  'bad-remote-url': [400, 'The URL of the remote file is malformed'],
  'remote-forbidden': [403, 'This address may not be asked for'],
  'upstream-refused': [502, 'The server behind this one refused the connection'],
  'upstream-unresolved': [502, 'The name of the server behind this one was not resolved'],
  'upstream-tls': [502, 'The server behind this one could not prove who it is'],
  'upstream-reset': [502, 'The server behind this one ended the connection'],
  'upstream-malformed': [502, 'The server behind this one answered what is no HTTP'],
  'upstream-status': [502, 'The server behind this one answered with an error'],
  'upstream-too-large': [502, 'The file on the server behind this one is too large'],
  'upstream-redirects': [502, 'The server behind this one redirects to where it may not be followed'],
  'upstream-content': [502, 'The file on the server behind this one is not what it has to be'],
  'bad-gateway': [502, 'The server behind this one failed'],
  'out-of-descriptors': [503, 'The server has too many files open'],
  'busy': [503, 'Too many images are being made'],
  'unavailable': [503, 'The server is not available'],
  'upstream-unavailable': [503, 'No server behind this one is well'],
  'upstream-busy': [503, 'Too many requests wait for the server behind this one'],
  'upstream-connect-timeout': [504, 'The server behind this one took too long to accept the connection'],
  'upstream-timeout': [504, 'The server behind this one took too long to answer'],
  'gateway-timeout': [504, 'The server behind this one did not answer in time'],
  'insufficient-storage': [507, 'There is no room for this file'],
  'quota-exceeded': [507, 'There is no more room for whoever writes'],
  'server-error': [500, 'The server cannot answer']
} as const satisfies Record<string, Row>

export type FailureCode = keyof typeof failures

/** What a person who meets a code can do, for `docs/errors.md`. */
export const advice: Record<FailureCode, string> = {
  'bad-request': 'Correct the request; the log names what was wrong.',
  'bad-path': 'Send the path once percent-encoded, without dot segments or NUL. Below mounts of files (`delivery: serve`) it has to be UTF-8, without `%2F` and backslash; mounts of upstreams pass these on.',
  'unauthorized': 'Send credentials, or other ones: `WWW-Authenticate` says of which kind. The log line says what was wrong with those that were sent.',
  'forbidden': 'The log line says why. Where it names a `reason`, the rules of the mount (`access`) refused: see `docs/security.md`. Where it names a path, its owner and its mode, let the server\'s user read it.',
  'not-found': 'Check the spelling and the mount. Dotfiles, links that leave the root, FIFOs and devices are also answered so.',
  'method-not-allowed': 'Use a method named in `Allow`.',
  'request-timeout': 'Send the request faster.',
  'client-error': 'Its own status, 4xx, says what a host\'s route refused.',
  'bad-name': 'The detail tells what is wrong with the name; `docs/uploads.md` lists what names may be.',
  'bad-digest': 'Send the file again: it changed on its way, or its digest is of something else.',
  'bad-multipart': 'Send `multipart/form-data` (RFC 7578) with its boundary, whole, and within the limits that the detail names.',
  'conflict': 'Fetch the present state and try again.',
  'bad-transform': 'The detail names the parameter and what it may be; `docs/transforms.md` lists them all.',
  'precondition-failed': 'The file changed, or the tag is weak: fetch it anew. `If-Match` compares strongly.',
  'body-too-large': 'Send less.',
  'uri-too-long': 'Shorten the URL.',
  'unsupported-media-type': 'Send another media type.',
  'unsupported-image': 'The detail names the format that was found; `images.inputs` of the mount lists what is allowed.',
  'range-not-satisfiable': '`Content-Range: bytes */N` gives the size: ask below it.',
  'unprocessable': 'Correct the values; the log names them.',
  'broken-image': 'Replace the original: the detail tells what is wrong with it.',
  'image-too-large': 'Ask for less, or raise the limit that the detail names in `images.limits` of the mount.',
  'image-too-costly': 'Ask for less, or raise `images.deadlineMs` or `images.workerBytes`. The original is refused for a while.',
  'locked': 'Try again when the other request has ended.',
  'too-many-requests': 'Wait as `Retry-After` says; `RateLimit-Policy` tells how much there is, and `RateLimit` how much is left. The operator can raise `rateLimit` of the mount.',
  'headers-too-large': 'Send smaller headers: the limit is 16 KiB.',
  'internal': 'A fault of the server: look up the request id in the log.',
  'not-implemented': 'Use what the documentation names.',
  'bad-remote-url': 'Send the URL of the file as it is, percent-encoded where it holds `?`, `#` or `%`, or in base64url.',
  'remote-forbidden': 'The operator can allow the host, port and scheme in `allow` of the source; private addresses stay refused.',
  'upstream-refused': 'Try again; the operator should see whether the upstream that the detail names is running.',
  'upstream-unresolved': 'The operator should correct the host name in `upstreams`, or the resolver.',
  'upstream-tls': 'The operator should mend the certificate, or name its authority in `tls.ca` of the upstream.',
  'upstream-reset': 'Try again; the log tells at which point the connection ended.',
  'upstream-malformed': 'The log tells what was wrong with the answer.',
  'upstream-status': 'The log tells the status.',
  'upstream-too-large': 'The operator can raise `maxBytes` of the source.',
  'upstream-redirects': 'Ask for where it leads, if that is allowed.',
  'upstream-content': 'The detail tells what was expected.',
  'bad-gateway': 'Try again later.',
  'out-of-descriptors': 'Try again; the operator should raise the limit of open files.',
  'busy': 'Try again as `Retry-After` says; more cores, or fewer different variants, help for longer.',
  'unavailable': 'Try again as `Retry-After` says. Where access cannot be decided, or limits not be counted, the log tells which service did not answer.',
  'upstream-unavailable': 'Try again as `Retry-After` says; `/health/ready` tells which origins are out.',
  'upstream-busy': 'Try again as `Retry-After` says; the operator can raise `connections` or `maxWaiting` of the upstream.',
  'upstream-connect-timeout': 'Try again; the operator can raise `connectTimeoutMs`.',
  'upstream-timeout': 'Try again; the operator can raise `firstByteTimeoutMs`.',
  'gateway-timeout': 'Try again later.',
  'insufficient-storage': 'The operator should make room where the mount\'s files, or `uploads.directory`, lie. Nothing of the file was kept.',
  'quota-exceeded': 'Delete files, or ask the operator to raise `writing.quotas` of the mount. Nothing of the file was kept.',
  'server-error': 'Its own status, 5xx, says what a host\'s route failed with.'
}

/** Choices for a {@link MediaError} beyond its code. */
export interface MediaErrorOptions {
  /** A status of the same class that says more than the code's own. */
  status?: number
  /** Public words for this one occurrence. Never a path of the machine. */
  detail?: string
  /** Facts for the log alone. */
  context?: Record<string, unknown>
  /** Response headers that belong to the failure, such as `Allow`. */
  headers?: Record<string, string>
  /** What happened underneath; logged, never sent. */
  cause?: unknown
}

/**
 * A failure with a stable `code`. Its `status` and public title come from {@link failures};
 * its `message` is for the log.
 */
export class MediaError extends Error {
  override readonly name = 'MediaError'
  readonly code: FailureCode
  readonly statusCode: number
  readonly detail: string | undefined
  readonly context: Record<string, unknown> | undefined
  readonly headers: Record<string, string> | undefined

  constructor (code: FailureCode, options: MediaErrorOptions = {}) {
    super(options.detail ?? failures[code][1], options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.statusCode = options.status ?? failures[code][0]
    this.detail = options.detail
    this.context = options.context
    this.headers = options.headers
  }
}

function isFailureCode (text: string): text is FailureCode {
  return Object.hasOwn(failures, text)
}

const codeOfStatus = new Map<number, FailureCode>()
for (const code of Object.keys(failures).filter(isFailureCode)) {
  // Several codes may share a status: the first is the general one, except for those of a gateway.
  if (!codeOfStatus.has(failures[code][0])) codeOfStatus.set(failures[code][0], code)
}
for (const code of ['bad-gateway', 'unavailable', 'gateway-timeout'] as const) codeOfStatus.set(failures[code][0], code)

/**
 * The code for an error that is not ours, by its HTTP status: that of the status, or the
 * general one of its class; `internal` for what is no error status.
 */
export function failureOfStatus (status: number): FailureCode {
  const code = codeOfStatus.get(status)
  if (code !== undefined) return code
  if (status >= 400 && status < 500) return 'client-error'
  return status >= 500 && status < 600 ? 'server-error' : 'internal'
}

/** A problem document (RFC 9457 §3.1) with this project's extension members. */
export interface Problem {
  /** Names the kind of problem for machines, as `code` does: the title is ours, not the status phrase. */
  type: string
  title: string
  status: number
  code: FailureCode
  detail?: string
  requestId?: string
}

/**
 * The problem document for a failure.
 *
 * @param code the failure's stable code
 * @param extra what this occurrence adds, or its status where that says more than the code's own
 */
export function problem (code: FailureCode, extra: { status?: number | undefined, detail?: string | undefined, requestId?: string | undefined } = {}): Problem {
  const [usual, title] = failures[code]
  const { status = usual } = extra
  return {
    type: `urn:fastify-media:${code}`,
    title: status === usual ? title : STATUS_CODES[status] ?? title,
    status,
    code,
    ...(extra.detail === undefined ? {} : { detail: extra.detail }),
    ...(extra.requestId === undefined ? {} : { requestId: extra.requestId })
  }
}
