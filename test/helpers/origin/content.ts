import { createHash, type Hash } from 'node:crypto'
import type { Readable } from 'node:stream'

const PIECE = 64 * 1024
/** A prime, so that no piece stands at the same place of the pattern as another: one lost, doubled or moved changes the hash. */
const PERIOD = 1_048_573

/** Pseudo-random bytes, the same in every run, twice in a row so that each piece is one slice. */
const pattern = ((): Buffer => {
  const once = Buffer.allocUnsafe(PERIOD)
  let state = 0x9E3779B9
  for (let at = 0; at < PERIOD; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    once[at] = state >>> 24
  }
  return Buffer.concat([once, once.subarray(0, PIECE)])
})()

/** A file of any size that takes no memory. */
export interface Content {
  readonly size: number
  /** Its bytes from one place up to another, in pieces that must not be changed. */
  pieces (from?: number, to?: number): Generator<Buffer>
  /** The same as one buffer. */
  bytes (from?: number, to?: number): Buffer
  /** SHA-256 of the whole, in hex. */
  readonly hash: string
}

/** Bytes that depend on their place, and so on a seed: contents of two seeds differ everywhere but by chance. */
export function content (size: number, seed = 0): Content {
  let hash: string | undefined
  const self: Content = {
    size,
    * pieces (from = 0, to = size) {
      for (let at = from; at < to;) {
        const start = (at + seed) % PERIOD
        const length = Math.min(PIECE, to - at)
        yield pattern.subarray(start, start + length)
        at += length
      }
    },
    bytes: (from = 0, to = size) => Buffer.concat([...self.pieces(from, to)]),
    get hash () {
      hash ??= hashOf(self.pieces())
      return hash
    }
  }
  return self
}

function hashOf (pieces: Iterable<Buffer>): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

/** What came of a body. */
export interface Taken {
  bytes: number
  /** SHA-256 in hex. */
  hash: string
  /** What the body failed with, if it did. */
  error: NodeJS.ErrnoException | undefined
}

/** Reads a body to its end or its failure, keeping its hash alone. */
export async function taken (body: Buffer | Readable): Promise<Taken> {
  const hash: Hash = createHash('sha256')
  let bytes = 0
  let error: NodeJS.ErrnoException | undefined
  try {
    for await (const piece of Buffer.isBuffer(body) ? [body] : body as AsyncIterable<Buffer>) {
      bytes += piece.length
      hash.update(piece)
    }
  } catch (failure) {
    error = failure as NodeJS.ErrnoException
  }
  return { bytes, hash: hash.digest('hex'), error }
}
