/** Requests under way, by who sent them. It is as large as what is open. */
export class UnderWay {
  readonly #most: number
  readonly #counts = new Map<string, number>()

  /** @param most requests of one client at once */
  constructor (most: number) {
    this.#most = most
  }

  /** Clients that have requests under way. */
  get size (): number {
    return this.#counts.size
  }

  /** @returns whether there is a place: it is the caller's until {@link UnderWay.end}, to be called once */
  begin (key: string): boolean {
    const count = this.#counts.get(key) ?? 0
    if (count >= this.#most) return false
    this.#counts.set(key, count + 1)
    return true
  }

  end (key: string): void {
    const count = this.#counts.get(key) ?? 0
    if (count > 1) this.#counts.set(key, count - 1)
    else this.#counts.delete(key)
  }
}
