import { bodyOf, type KeptBody } from './entry.ts'
import { Pieces } from './pieces.ts'
import type { Spool } from './spool.ts'

/** Bytes that stay in memory after they were written, for readers who are just behind. */
const RECENT_BYTES = 256 * 1024

/** Bytes that are written, or given to a reader, at once. */
const BATCH_BYTES = 256 * 1024

/**
 * Where the bytes of an arriving body are: in `memory` all of them; on `disk`, but for the latest;
 * or, where they are not kept, none but those that a reader still wants (`through`).
 */
export class Tape {
  readonly #pieces = new Pieces()
  readonly #onProgress: () => void
  #mode: 'memory' | 'disk' | 'through' = 'memory'
  #spool: Spool | undefined
  #written = 0
  #flushing: Promise<void> | undefined

  /** @param onProgress told when bytes were written, or will not be */
  constructor (onProgress: () => void) {
    this.#onProgress = onProgress
  }

  get mode (): 'memory' | 'disk' | 'through' {
    return this.#mode
  }

  /** Bytes so far. */
  get end (): number {
    return this.#pieces.end
  }

  /** Bytes that are on disk. */
  get written (): number {
    return this.#written
  }

  add (piece: Buffer): void {
    this.#pieces.add(piece)
    this.#flush()
  }

  /** From now on bytes go to disk. */
  spoolTo (spool: Spool): void {
    this.#spool = spool
    this.#mode = 'disk'
    this.#flush()
  }

  /** From now on they are not kept. What was written can still be read. */
  stopKeeping (): void {
    this.#mode = 'through'
  }

  /** Lets go of what every reader has. @param slowest the least position of a reader */
  release (slowest: number): void {
    if (this.#mode === 'through') this.#pieces.release(Math.max(this.#written, slowest))
  }

  /** Some bytes from a position on: none where they are not there yet. Synchronous where they are in memory. */
  read (position: number): readonly Buffer[] | Promise<readonly Buffer[]> {
    if (position >= this.#pieces.start || this.#spool === undefined) return this.#pieces.from(position, BATCH_BYTES)
    return this.#spool.read(position, Math.min(BATCH_BYTES, this.#written - position)).then(bytes => [bytes])
  }

  /** That was all. @returns the body, where it is kept; undefined where it is not */
  async finish (): Promise<KeptBody | undefined> {
    if (this.#mode === 'memory') return bodyOf(Buffer.concat(this.#pieces.from(0, Infinity)))
    while (this.#mode === 'disk' && this.#written < this.end) {
      this.#flush()
      await this.#flushing
    }
    return this.#mode === 'disk' ? await this.#spool?.finish() : undefined
  }

  /** Nobody reads any more. */
  async close (): Promise<void> {
    this.#mode = 'through'
    await this.#flushing
    await this.#spool?.close()
  }

  #flush (): void {
    if (this.#mode !== 'disk' || this.#flushing !== undefined || this.#spool === undefined) return
    this.#flushing = this.#write(this.#spool).finally(() => {
      this.#flushing = undefined
      this.#onProgress()
      if (this.#written < this.end) this.#flush() // added when the last write was over and nobody knew yet
    })
  }

  async #write (spool: Spool): Promise<void> {
    while (this.#mode === 'disk' && this.#written < this.end) {
      const pieces = this.#pieces.from(this.#written, BATCH_BYTES)
      if (!await spool.append(pieces)) {
        this.stopKeeping()
        return
      }
      this.#written += pieces.reduce((sum, piece) => sum + piece.length, 0)
      this.#pieces.release(this.#written - RECENT_BYTES)
      this.#onProgress()
    }
  }
}
