/** Bytes of a pooled buffer that are on their way, until each of them was passed over or given back. */
export class Loan {
  readonly #buffer: Buffer
  readonly #over: (buffer: Buffer) => void
  readonly #length: number
  /** Up to where bytes have been handed on or passed over. */
  #passed = 0
  /** Bytes that were neither passed over nor given back. */
  #owed: number

  /** @param over told once that nobody reads any byte any more */
  constructor (buffer: Buffer, length: number, over: (buffer: Buffer) => void) {
    this.#buffer = buffer
    this.#length = length
    this.#owed = length
    this.#over = over
  }

  /** A piece is handed on: nobody needs what stands before it, and after the pieces before it. */
  passTo (piece: Buffer): void {
    const start = piece.byteOffset - this.#buffer.byteOffset
    const skipped = start - this.#passed
    this.#passed = start + piece.length
    if (skipped > 0) this.giveBack(skipped)
  }

  /** Nobody needs what follows the last piece. */
  passRest (): void {
    const rest = this.#length - this.#passed
    this.#passed = this.#length
    if (rest > 0) this.giveBack(rest)
  }

  /** So many bytes of pieces are no longer read by anyone. More than are owed is a mistake, after which the buffer is not used again. */
  giveBack (count: number): void {
    if (this.#owed === 0) return
    this.#owed = count > this.#owed ? Infinity : this.#owed - count
    if (this.#owed === 0) this.#over(this.#buffer)
  }
}

/**
 * Buffers of a few sizes that are lent and come back, together at most so many bytes. One that does
 * not come back counts until it is collected.
 */
export class LoanPool {
  readonly #limit: number
  readonly #free = new Map<number, Buffer[]>()
  readonly #loans = new WeakMap<ArrayBufferLike, Loan>()
  readonly #collected = new FinalizationRegistry<number>(size => { this.#made -= size })
  readonly #over = (buffer: Buffer): void => this.putBack(buffer)
  #made = 0
  #idle = 0

  /** @param bytes the most that all buffers take together */
  constructor (bytes: number) {
    this.#limit = bytes
  }

  /** Bytes of buffers that wait to be used, and of all. */
  get bytes (): { free: number, made: number } {
    return { free: this.#idle, made: this.#made }
  }

  /** A buffer that is the caller's until it is lent or put back; undefined where there is none. */
  take (size: number): Buffer | undefined {
    const free = this.#free.get(size)?.pop()
    if (free !== undefined) {
      this.#idle -= size
      return free
    }
    if (this.#made + size > this.#limit) return undefined
    const buffer = Buffer.allocUnsafeSlow(size)
    this.#made += size
    this.#collected.register(buffer.buffer, size)
    return buffer
  }

  putBack (buffer: Buffer): void {
    const { length } = buffer
    let free = this.#free.get(length)
    if (free === undefined) this.#free.set(length, free = [])
    free.push(buffer)
    this.#idle += length
  }

  /** The first bytes of a buffer from `take`, which goes back by itself when the loan is over. */
  lend (buffer: Buffer, length: number): Buffer {
    this.#loans.set(buffer.buffer, new Loan(buffer, length, this.#over))
    return buffer.subarray(0, length)
  }

  /** The loan that bytes are a part of, where they are of one. */
  loanOf (piece: Buffer): Loan | undefined {
    return this.#loans.get(piece.buffer)
  }
}
