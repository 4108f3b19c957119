import { MediaError } from '../errors.ts'

/** Seconds after which whoever found no place is told to come again. */
const RETRY_SECONDS = 1

/** Places for so many uploads at once: each holds a connection, a file and some buffers. */
export class UploadSlots {
  readonly #most: number
  #taken = 0

  constructor (most: number) {
    this.#most = most
  }

  /** @returns gives the place back; a second call does nothing @throws {MediaError} `unavailable` */
  take (): () => void {
    if (this.#taken >= this.#most) throw new MediaError('unavailable', { detail: 'Too many uploads are under way', headers: { 'retry-after': String(RETRY_SECONDS) } })
    this.#taken++
    let isTaken = true
    return () => {
      if (isTaken) this.#taken--
      isTaken = false
    }
  }
}
