import { MediaError } from '../errors.ts'
import { decodePath, encodeSegment } from '../paths/request-path.ts'

/** A path as a client of the API names it, and as a request for it would. */
export interface NamedPath {
  /** Decoded, with a slash in front. */
  readonly path: string
  /** Percent-encoded: the target of the request that is alike. */
  readonly target: string
}

/** A decoded path as it stands in URLs. */
export function targetOf (path: string): string {
  return path.split('/').map(encodeSegment).join('/')
}

/**
 * Reads a decoded path, and refuses what `decodePath` would of a request for it: a path of the API names what
 * the same path names in a URL, or nothing.
 *
 * @throws {MediaError} `bad-path`; `not-found` where it is longer than any name
 */
export function namedPath (text: string): NamedPath {
  // JSON can hold half of a character, which has no UTF-8 (RFC 8259 §8.2).
  if (/\p{Surrogate}/u.test(text)) throw new MediaError('bad-path', { detail: 'The path may hold only whole characters of Unicode' })
  const target = targetOf(text)
  return { path: decodePath(target), target }
}
