import { MediaError } from '../errors.ts'
import { Room } from './room.ts'
import type { Condition, Draft, Written } from './writing.ts'

/** A draft in memory. */
export class MemoryDraft implements Draft {
  readonly #room: Room
  readonly #place: (chunks: readonly Buffer[], condition: Condition | undefined) => Written
  #chunks: Buffer[] | undefined = []
  bytes = 0

  constructor (room: Room, place: (chunks: readonly Buffer[], condition: Condition | undefined) => Written) {
    this.#room = room
    this.#place = place
  }

  async write (chunk: Buffer): Promise<void> {
    if (this.#chunks === undefined) throw new MediaError('internal', { detail: 'This draft is over' })
    if (!this.#room.take(chunk.length)) {
      await this.discard()
      throw new MediaError('insufficient-storage')
    }
    this.bytes += chunk.length
    this.#chunks.push(chunk)
  }

  /** Its memory is where it lies. */
  async rest (): Promise<void> {}

  async commit (condition?: Condition): Promise<Written> {
    if (this.#chunks === undefined) throw new MediaError('internal', { detail: 'This draft is over' })
    try {
      const written = this.#place(this.#chunks, condition)
      this.#chunks = undefined
      return written
    } finally {
      await this.discard()
    }
  }

  async discard (): Promise<void> {
    if (this.#chunks !== undefined) this.#room.give(this.bytes)
    this.#chunks = undefined
  }
}
