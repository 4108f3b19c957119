import { MediaError } from '../errors.ts'
import type { Condition, Draft, Written } from './writing.ts'

/** Bytes that there is room for. */
export class Room {
  #left: number

  constructor (bytes: number) {
    this.#left = bytes
  }

  /** @throws {MediaError} `insufficient-storage` */
  take (bytes: number): void {
    if (bytes > this.#left) throw new MediaError('insufficient-storage')
    this.#left -= bytes
  }

  give (bytes: number): void {
    this.#left += bytes
  }
}

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
    try {
      this.#room.take(chunk.length)
    } catch (error) {
      await this.discard()
      throw error
    }
    this.bytes += chunk.length
    this.#chunks.push(chunk)
  }

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
