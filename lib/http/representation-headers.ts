import type { Representation } from '../representation.ts'
import { formatHttpDate } from './http-date.ts'

const headerCache = new WeakMap<Representation, Record<string, string>>()

/** Headers that are the same each time a representation is sent whole. */
export function headersOf (representation: Representation): Record<string, string> {
  let headers = headerCache.get(representation)
  if (headers === undefined) {
    const { type, size, encoding, lastModified } = representation
    headers = { 'content-type': type, ...validatorsOf(representation) }
    if (lastModified !== undefined) headers['last-modified'] = modificationDate(lastModified)
    if (size !== undefined) Object.assign(headers, { 'content-length': String(size), 'accept-ranges': 'bytes' })
    if (encoding !== undefined) headers['content-encoding'] = encoding
    // A date in the future is that of this answer, so it is not for the next.
    if (lastModified === undefined || lastModified <= Date.now()) headerCache.set(representation, headers)
  }
  return headers
}

/** What a 304 repeats (RFC 9110 §15.4.5): the tag, or without one the date. */
export function validatorsOf ({ entityTag, lastModified }: Representation): Record<string, string> {
  if (entityTag !== undefined) return { etag: entityTag }
  return lastModified === undefined ? {} : { 'last-modified': modificationDate(lastModified) }
}

/** Never later than the answer itself (RFC 9110 §8.8.2.1), whatever a wrong clock wrote. */
function modificationDate (lastModified: number): string {
  return formatHttpDate(Math.min(lastModified, Date.now()))
}
