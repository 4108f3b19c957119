import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'

/** Up to this many bytes are sent in one piece. */
const WHOLE_BYTES = 64 * 1024

/** Bytes that are sent to a store, as often as it takes, and the hash by which it knows them. */
export interface Payload {
  readonly chunks: readonly Buffer[]
  readonly bytes: number
  /** SHA-256 in hexadecimal: it is signed with the request, and the store refuses other bytes. */
  readonly sha256: string
}

/** The payload of nothing. */
export const nothing: Payload = Object.freeze({ chunks: [], bytes: 0, sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' })

export function payloadOf (bytes: Buffer | string): Payload {
  const chunk = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  return { chunks: [chunk], bytes: chunk.length, sha256: createHash('sha256').update(chunk).digest('hex') }
}

/** A body for one attempt. A large one goes in pieces, so that as long as the store takes some it is not said to be silent. */
export function bodyOf ({ chunks, bytes }: Payload): Buffer | Readable {
  return bytes <= WHOLE_BYTES ? Buffer.concat(chunks) : Readable.from(pieces(chunks), { objectMode: false })
}

function * pieces (chunks: readonly Buffer[]): Generator<Buffer> {
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += WHOLE_BYTES) yield chunk.subarray(at, at + WHOLE_BYTES)
  }
}
