import { isWeak } from '../http/entity-tag.ts'
import type { Fields, UpstreamRequest } from './message.ts'

/** An answer whose rest can be fetched anew when its connection dies: what it promised. */
export interface Download {
  readonly entityTag: string
  readonly encoding: string | string[] | undefined
  /** Where it begins within the representation. */
  readonly start: number
  /** Its last byte, where that is known. */
  readonly end: number | undefined
  /** Size of the representation, where that is known. */
  readonly size: number | undefined
}

/**
 * What makes an answer one that can be resumed: a strong validator (RFC 9110 §8.8.1), and a
 * known beginning. Undefined for every other.
 */
export function downloadOf ({ method }: UpstreamRequest, status: number, headers: Fields): Download | undefined {
  const { etag: entityTag, 'content-encoding': encoding } = headers
  if (method !== 'GET' || typeof entityTag !== 'string' || isWeak(entityTag) || !/^"[\x21\x23-\x7e\x80-\xff]*"$/.test(entityTag)) return undefined
  if (status === 206) {
    const range = rangeOf(headers)
    return range === undefined || !hasLengthOf(range, headers) ? undefined : { entityTag, encoding, ...range }
  }
  if (status !== 200) return undefined
  const length = lengthOf(headers)
  return { entityTag, encoding, start: 0, end: length === undefined ? undefined : length - 1, size: length }
}

/** The same request, for what is missing. */
export function requestOfRest (request: UpstreamRequest, { entityTag, start, end }: Download, received: number): UpstreamRequest {
  const { 'if-none-match': _none, 'if-modified-since': _since, 'if-match': _match, 'if-unmodified-since': _unmodified, ...headers } = request.headers
  return { ...request, headers: { ...headers, range: `bytes=${start + received}-${end ?? ''}`, 'if-range': entityTag } }
}

/**
 * The download as the answer that goes on with it tells it: from exactly the byte that is missing
 * to the end, of the same representation. Undefined where the answer is anything else.
 */
export function restOf (download: Download, received: number, { status, headers }: { status: number, headers: Fields }): Download | undefined {
  const { entityTag, encoding, start, end, size } = download
  const range = rangeOf(headers)
  if (status !== 206 || range === undefined || headers.etag !== entityTag || (headers['content-encoding'] ?? encoding) !== encoding) return undefined
  const isOfSameSize = size === undefined || range.size === undefined || range.size === size
  // Of a whole whose end nobody has told, the rest has to tell it.
  const reachesEnd = range.end === (end ?? (range.size === undefined ? undefined : range.size - 1))
  return range.start === start + received && isOfSameSize && reachesEnd && hasLengthOf(range, headers) ? { ...download, end: range.end } : undefined
}

function hasLengthOf ({ start, end }: { start: number, end: number }, headers: Fields): boolean {
  return (lengthOf(headers) ?? end - start + 1) === end - start + 1
}

/** The length a head promises; undefined where it promises none. */
export function lengthOf (headers: Fields): number | undefined {
  const field = headers['content-length']
  return typeof field === 'string' && /^\d{1,15}$/.test(field) ? Number(field) : undefined
}

function rangeOf (headers: Fields): { start: number, end: number, size: number | undefined } | undefined {
  const [, start, end, size] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(String(headers['content-range'] ?? '')) ?? []
  if (start === undefined) return undefined
  return { start: Number(start), end: Number(end), size: size === '*' ? undefined : Number(size) }
}
