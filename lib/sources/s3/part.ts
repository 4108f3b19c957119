import { createHash } from 'node:crypto'
import type { Payload } from './payload.ts'

/** What is reserved at once. Clients that send byte by byte push against it: each chunk by itself would cost far more than it holds. */
const BLOCK_BYTES = 64 * 1024

/** Bytes that are gathered until they are sent, and hashed as they come. */
export class Part {
  readonly #limit: number
  readonly #blocks: Buffer[] = []
  readonly #hash = createHash('sha256')
  /** Bytes taken of the last block. */
  #filled = 0
  #bytes = 0

  /** @param limit the most bytes */
  constructor (limit: number) {
    this.#limit = limit
  }

  get bytes (): number {
    return this.#bytes
  }

  get isFull (): boolean {
    return this.#bytes === this.#limit
  }

  /** Copies what there is room for. @returns how many bytes that were */
  take (chunk: Buffer): number {
    const taken = chunk.subarray(0, this.#limit - this.#bytes)
    for (let at = 0; at < taken.length;) {
      if (this.#blocks.length === 0 || this.#filled === BLOCK_BYTES) this.#grow()
      const copied = taken.copy(this.#blocks.at(-1) as Buffer, this.#filled, at)
      this.#filled += copied
      at += copied
    }
    this.#hash.update(taken)
    this.#bytes += taken.length
    return taken.length
  }

  /** All of it. Nothing may be added any more. */
  payload (): Payload {
    const last = this.#blocks.length - 1
    // Of the last block no more than was filled: a small file may be kept for long.
    return { chunks: this.#blocks.map((block, place) => place === last && this.#filled < BLOCK_BYTES ? Buffer.from(block.subarray(0, this.#filled)) : block), bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }

  #grow (): void {
    this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES))
    this.#filled = 0
  }
}
