import { MediaError } from '../errors.ts'
import type { Reservation } from './parts.ts'

/** Bytes that are set aside ahead of those that come, so that not every chunk is counted by itself. */
const AHEAD_BYTES = 4 * 1024 * 1024

/** Room for a file whose size is not known: more is set aside as it comes, a good deal at once. */
export class Allowance {
  readonly #reservation: Reservation
  #reserved: number

  /** @param reserved bytes that were set aside already */
  constructor (reservation: Reservation, reserved: number) {
    this.#reservation = reservation
    this.#reserved = reserved
  }

  /** @param bytes that have come altogether @throws {MediaError} `quota-exceeded`, `unavailable` */
  reach (bytes: number): Promise<void> | undefined {
    return bytes <= this.#reserved ? undefined : this.#grow(bytes)
  }

  async #grow (bytes: number): Promise<void> {
    try {
      await this.#reservation.grow(bytes + AHEAD_BYTES)
      this.#reserved = bytes + AHEAD_BYTES
    } catch (error) {
      if (!(error instanceof MediaError) || error.code !== 'quota-exceeded') throw error
      await this.#reservation.grow(bytes) // there may be room for what came, and not for more
      this.#reserved = bytes
    }
  }
}
