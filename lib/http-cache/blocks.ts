import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'

/** Bytes of a body that have a checksum of their own. A client that reads slowly what was not checked before holds as much. */
export const BLOCK_BYTES = 512 * 1024

/** Checksums of a body that comes piece by piece, one for each block. */
export class BlockSums {
  readonly #sums: number[] = []
  #size = 0
  #sum = 0

  add (piece: Buffer): void {
    for (let at = 0; at < piece.length;) {
      const room = BLOCK_BYTES - this.#size % BLOCK_BYTES
      const part = piece.subarray(at, at + room)
      this.#sum = crc32(part, this.#sum)
      this.#size += part.length
      at += part.length
      if (part.length < room) continue
      this.#sums.push(this.#sum)
      this.#sum = 0
    }
  }

  /** Of all that was added. */
  get sums (): readonly number[] {
    return this.#size % BLOCK_BYTES === 0 ? [...this.#sums] : [...this.#sums, this.#sum]
  }
}

/** Bytes on disk are not those that were written there. */
export class DamagedBody extends Error {
  override readonly name = 'DamagedBody'
}

/** The part of a body that is read, in whole blocks. */
export interface BlockSpan {
  /** Where the first block begins, in bytes. */
  readonly start: number
  /** The last byte. */
  readonly end: number
}

/** The whole blocks that bytes `start` to `end` lie in. */
export function spanOf (start: number, end: number, size: number): BlockSpan {
  return { start: start - start % BLOCK_BYTES, end: Math.min(size, end - end % BLOCK_BYTES + BLOCK_BYTES) - 1 }
}

/**
 * Bytes `from` to `to` of a body out of its blocks, each block only when it proved to be what was written.
 *
 * @param stream the bytes of the span
 * @throws {DamagedBody} before the first wrong byte is given
 */
export async function * checked (stream: Readable, { start }: BlockSpan, { from, to, sums }: { from: number, to: number, sums: readonly number[] }): AsyncGenerator<Buffer, void> {
  let block: Buffer[] = []
  let begin = start
  let size = 0
  const proved = function * (): Generator<Buffer, void> {
    if (block.reduce((sum, piece) => crc32(piece, sum), 0) !== sums[begin / BLOCK_BYTES]) throw new DamagedBody('A block is not what was written')
    for (const piece of block) {
      const wanted = piece.subarray(Math.max(0, from - begin), Math.max(0, to + 1 - begin))
      begin += piece.length
      if (wanted.length > 0) yield wanted
    }
    block = []
    size = 0
  }
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let rest = chunk; rest.length > 0;) {
      const piece = rest.subarray(0, BLOCK_BYTES - size)
      block.push(piece)
      size += piece.length
      rest = rest.subarray(piece.length)
      if (size === BLOCK_BYTES) yield * proved()
    }
  }
  if (size > 0) yield * proved()
}
