/** Bytes of one buffer for many small pieces: each would keep the whole buffer it came in. */
const POOLED_BYTES = 64 * 1024

/** Pieces smaller than this are copied together. An origin that sends byte by byte pushes against it. */
const SMALL_PIECE_BYTES = 16 * 1024

/** A run of bytes in pieces, of which those in front may be let go. */
export class Pieces {
  #pieces: Buffer[] = []
  #tail: Buffer | undefined
  #tailUsed = 0
  /** Where the first piece begins. */
  start = 0
  /** Where the last piece ends. */
  end = 0

  add (piece: Buffer): void {
    this.end += piece.length
    if (piece.length >= SMALL_PIECE_BYTES) {
      this.#tail = undefined
      this.#pieces.push(piece)
      return
    }
    for (let rest = piece; rest.length > 0;) rest = rest.subarray(this.#addToTail(rest))
  }

  /** The pieces from a position on, until there are at least so many bytes, or no more. */
  from (position: number, bytes: number): Buffer[] {
    const found: Buffer[] = []
    let size = 0
    let at = this.start
    for (const piece of this.#pieces) {
      const next = at + piece.length
      if (next > position && size < bytes) {
        const part = piece.subarray(Math.max(0, position - at))
        found.push(part)
        size += part.length
      }
      at = next
    }
    return found
  }

  /** Lets go of the pieces that end at or before a position. */
  release (position: number): void {
    let count = 0
    for (const piece of this.#pieces) {
      if (this.start + piece.length > position) break
      this.start += piece.length
      count++
    }
    if (count === this.#pieces.length) this.#tail = undefined // its piece would be given out again with what is added to it
    this.#pieces = count === 0 ? this.#pieces : this.#pieces.slice(count)
  }

  #addToTail (piece: Buffer): number {
    if (this.#tail === undefined || this.#tailUsed === this.#tail.length) {
      this.#tail = Buffer.allocUnsafeSlow(POOLED_BYTES)
      this.#tailUsed = 0
    } else {
      this.#pieces.pop() // it grows
    }
    const count = piece.copy(this.#tail, this.#tailUsed)
    this.#tailUsed += count
    this.#pieces.push(this.#tail.subarray(0, this.#tailUsed))
    return count
  }
}
