import { contentRange, type ByteRange } from './range.ts'

/** A `multipart/byteranges` body (RFC 9110 §14.6) before any of its bytes is read. */
export interface MultipartPlan {
  /** The value of `Content-Type`. */
  readonly type: string
  /** Bytes of the whole body. */
  readonly length: number
  /** Each part's head, with the range whose bytes follow it. */
  readonly parts: ReadonlyArray<{ readonly head: Buffer, readonly range: ByteRange }>
  /** What closes the body. */
  readonly tail: Buffer
}

/**
 * Plans the body that carries several ranges.
 *
 * @param type the media type of the representation
 * @param size its bytes
 * @param boundary a token that does not occur in the content: random
 */
export function planMultipart (type: string, size: number, ranges: readonly ByteRange[], boundary: string): MultipartPlan {
  const parts = ranges.map((range, place) => ({
    range,
    head: Buffer.from(`${place === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${contentRange(size, range)}\r\n\r\n`, 'latin1')
  }))
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')
  const length = parts.reduce((sum, { head, range }) => sum + head.length + range.end - range.start + 1, tail.length)
  return { type: `multipart/byteranges; boundary=${boundary}`, length, parts, tail }
}
