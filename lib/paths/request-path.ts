import { MediaError } from '../errors.ts'

/**
 * A source's name for one file: decoded once, normalised, without a leading slash; the
 * empty key is the root. A raw URL path is never a key.
 */
export type Key = string & { readonly __brand: 'Key' }

function brand (text: string): Key {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where text becomes a key
  return text as Key
}

/** The key of a source's root. */
export const rootKey = brand('')

/** A path that names a file or, by its trailing slash, a directory. */
export interface RequestPath {
  readonly key: Key
  /** Whether the path ends in a slash: it means a directory. The root always does. */
  readonly directory: boolean
}

const plain = /^(?:\/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*))+\/?$/

/** Bytes of a decoded path; file systems end at 4096, and object stores at 1024. */
export const MAX_PATH_BYTES = 4096

/**
 * The path part of a request target, which may be in absolute form (RFC 9112 §3.2.2).
 * Query and fragment are cut off.
 */
export function rawPath (target: string): string {
  let start = 0
  if (target.charCodeAt(0) !== 47) {
    const match = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target)
    start = match === null ? 0 : match[0].length
  }
  let end = target.length
  for (let i = start; i < target.length; i++) {
    const code = target.charCodeAt(i)
    if (code === 63 || code === 35) { // ? or #
      end = i
      break
    }
  }
  return start === 0 && end === target.length ? target : target.slice(start, end)
}

/**
 * Decodes a request target's path once, and refuses whatever two readers could read
 * differently: dot segments, empty segments, encoded slashes, backslashes, control
 * characters, drive letters, malformed percent-encoding and overlong UTF-8.
 *
 * @param target `request.raw.url`
 * @returns the decoded path, beginning with a slash
 * @throws {MediaError} `bad-path`; `not-found` for a path longer than {@link MAX_PATH_BYTES}
 */
export function decodePath (target: string): string {
  const raw = rawPath(target)
  if (raw === '/' || (plain.test(raw) && raw.length <= MAX_PATH_BYTES)) return raw
  if (raw === '') return '/'
  if (!raw.startsWith('/')) throw refusal('must begin with a slash')
  if (/%2f/i.test(raw)) throw refusal('may not hold an encoded slash')
  const path = decode(raw)
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(path)) throw refusal('may not hold control characters or backslashes')
  const segments = path.slice(1).split('/')
  segments.forEach((segment, place) => {
    if (segment === '.' || segment === '..') throw refusal('may not hold dot segments')
    if (segment === '' && place !== segments.length - 1) throw refusal('may not hold empty segments')
    if (place === 0 && /^[A-Za-z]:/.test(segment)) throw refusal('may not begin with a drive letter')
  })
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw new MediaError('not-found', { detail: 'No name is as long as this path' })
  return path
}

/**
 * The key a decoded path names below a mount's prefix.
 *
 * @param path as {@link decodePath} gives it
 * @param prefix the mount's prefix without a trailing slash; `''` at the root
 * @returns undefined where the path lies outside the prefix
 */
export function pathBelow (path: string, prefix: string): RequestPath | undefined {
  if (!path.startsWith(prefix)) return undefined
  if (path.length === prefix.length) return { key: rootKey, directory: prefix === '' }
  if (path.charCodeAt(prefix.length) !== 47) return undefined
  const directory = path.endsWith('/')
  const end = directory ? path.length - 1 : path.length
  return { key: brand(path.slice(prefix.length + 1, end)), directory }
}

/**
 * What stands below a mount's prefix in a request target, as it was sent: without the query, and
 * without a slash in front.
 *
 * @throws {MediaError} `not-found` outside the prefix, or where the prefix itself is spelled otherwise
 */
export function rawBelow (target: string, prefix: string): string {
  const raw = rawPath(target)
  if (!raw.startsWith(`${prefix}/`)) throw new MediaError('not-found')
  return raw.slice(prefix.length + 1)
}

/** The key of a name within a directory. The name comes from a source or the configuration, never from a URL. */
export function childKey (directory: Key, name: string): Key {
  return brand(directory === '' ? name : `${directory}/${name}`)
}

/** Whether a URL can name a member of a directory: what {@link decodePath} refuses is better not listed. */
export function isAskable (directory: Key, name: string): boolean {
  try {
    return decodePath(`/${directory === '' ? '' : 'd/'}${encodeSegment(name)}`).endsWith(`/${name}`)
  } catch {
    return false
  }
}

/** Percent-encodes one segment for use in a URL, so that `decodePath` gives it back. */
export function encodeSegment (segment: string): string {
  return encodeURIComponent(segment)
}

function decode (raw: string): string {
  try {
    return decodeURIComponent(raw)
  } catch (cause) {
    throw refusal('is not percent-encoded UTF-8', cause)
  }
}

function refusal (why: string, cause?: unknown): MediaError {
  return new MediaError('bad-path', { detail: `The path ${why}`, cause })
}
