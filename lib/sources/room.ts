/** Bytes that there is room for. */
export class Room {
  #left: number

  constructor (bytes: number) {
    this.#left = bytes
  }

  /** @returns false where so much is not left: nothing is taken then */
  take (bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  give (bytes: number): void {
    this.#left += bytes
  }
}
