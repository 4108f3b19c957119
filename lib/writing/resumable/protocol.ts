import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { MediaError } from '../../errors.ts'
import { hasBody } from '../../http/has-body.ts'
import { childKey, rootKey, type Key } from '../../paths/request-path.ts'

/** The version of the protocol that is spoken: https://tus.io/protocols/resumable-upload, 1.0. */
export const TUS_VERSION = '1.0.0'

const extensions = 'creation,creation-with-upload,creation-defer-length,termination,expiration'

/** The media type of what a request brings of a file. */
const PART_TYPE = 'application/offset+octet-stream'

/** What the library gets of a request. All else stays here: it would believe `X-HTTP-Method-Override` and what forwards. */
const passed = ['tus-resumable', 'upload-length', 'upload-defer-length', 'upload-offset', 'upload-metadata', 'content-type', 'content-length'] as const

/** What a client is told of what the library answers. It tells of CORS too, which is not its own business. */
const answered = ['tus-resumable', 'location', 'upload-offset', 'upload-length', 'upload-defer-length', 'upload-metadata', 'upload-expires', 'cache-control', 'connection'] as const

/** What stands between a directory and the ids of its uploads: no file can be named so. */
const UPLOADS = '.uploads'

const ID = /^[0-9a-f]{32}$/

/** What a client learns by `OPTIONS` (tus 1.0, Core Protocol); `Tus-Max-Size` is the mount's to add. */
export const discovery: Readonly<Record<string, string>> = { 'tus-resumable': TUS_VERSION, 'tus-version': TUS_VERSION, 'tus-extension': extensions }

/** Whether a request speaks the protocol, where others come to the same URLs. */
export function isResumable ({ headers }: { readonly headers: IncomingHttpHeaders }): boolean {
  return headers['tus-resumable'] !== undefined
}

/**
 * Reads the URL of an upload: the directory that it goes to, and its id. What is none is the directory itself.
 *
 * @throws {MediaError} `not-found` for what is no id that was ever given
 */
export function resumableAt (key: Key): { readonly directory: Key, readonly id: string | undefined } {
  const segments = key.split('/')
  const place = segments.indexOf(UPLOADS)
  if (place < 0) return { directory: key, id: undefined }
  const [id = '', ...more] = segments.slice(place + 1)
  if (!ID.test(id) || more.length > 0) throw new MediaError('not-found')
  return { directory: segments.slice(0, place).reduce(childKey, rootKey), id }
}

/**
 * Looks at a request by itself, more strictly than the library does, and gives what that may see of it.
 *
 * @param allowed methods
 * @throws {MediaError} `method-not-allowed`, `precondition-failed` for another version, `not-implemented` for
 *   concatenation, `unsupported-media-type`, `bad-request`
 */
export function checkedHeaders ({ method, headers, body }: { readonly method: string, readonly headers: IncomingHttpHeaders, readonly body: IncomingMessage }, allowed: readonly string[]): Headers {
  if (!allowed.includes(method)) throw new MediaError('method-not-allowed', { headers: { allow: [...allowed, 'OPTIONS'].join(', ') } })
  if (headers['tus-resumable'] !== TUS_VERSION) throw new MediaError('precondition-failed', { detail: `Tus-Resumable has to be ${TUS_VERSION}`, headers: { 'tus-version': TUS_VERSION } })
  if (headers['upload-concat'] !== undefined) throw new MediaError('not-implemented', { detail: 'Uploads are not concatenated here' })
  integerOf(headers, 'upload-length')
  checks.get(method)?.(headers, hasBody(body))
  const sent = passed.flatMap(name => headers[name] === undefined ? [] : [[name, String(headers[name])] as [string, string]])
  return new Headers(sent)
}

const checks = new Map<string, (headers: IncomingHttpHeaders, brings: boolean) => void>([
  ['POST', (headers, brings) => {
    const deferred = headers['upload-defer-length']
    if (deferred !== undefined && deferred !== '1') throw new MediaError('bad-request', { detail: 'Upload-Defer-Length can only be 1' })
    if ((deferred === undefined) === (headers['upload-length'] === undefined)) throw new MediaError('bad-request', { detail: 'Either Upload-Length or Upload-Defer-Length is needed' })
    if (brings) checkPartType(headers)
  }],
  ['PATCH', headers => {
    checkPartType(headers)
    if (integerOf(headers, 'upload-offset') === undefined) throw new MediaError('bad-request', { detail: 'Upload-Offset is needed' })
  }]
])

function checkPartType (headers: IncomingHttpHeaders): void {
  if (headers['content-type'] !== PART_TYPE) throw new MediaError('unsupported-media-type', { detail: `Content-Type has to be ${PART_TYPE}` })
}

/**
 * A field whose value is a count of bytes.
 *
 * @throws {MediaError} `bad-request` for what is none, for one in another spelling, and for what cannot be counted exactly
 */
export function integerOf (headers: IncomingHttpHeaders, name: 'upload-length' | 'upload-offset'): number | undefined {
  const field = headers[name]
  if (field === undefined) return undefined
  const value = Number(field)
  if (!Number.isSafeInteger(value) || value < 0 || String(value) !== field) throw new MediaError('bad-request', { detail: `${name === 'upload-length' ? 'Upload-Length' : 'Upload-Offset'} has to be a count of bytes` })
  return value
}

/** What a client is told of an answer of the library. */
export function answerHeaders (headers: Headers): Record<string, string> {
  return Object.fromEntries(answered.flatMap(name => {
    const value = headers.get(name)
    return value === null ? [] : [[name, value]]
  }))
}
