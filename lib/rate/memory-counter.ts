import type { RateCounter, Tell, Use } from './counter.ts'

interface Window {
  current: number
  /** By `performance.now()`. */
  end: number
  /** Whether it was used again since it was last passed over. */
  isUsed: boolean
}

/** Windows that are passed over at most before one is forgotten: the work that one new client can cause. */
const MAX_PASSED = 16

/**
 * Counts in this process. When it is full, one is forgotten for each new one: by turns, who was seen again since
 * the last turn is passed over. So windows that ended and clients that came once go before those who keep coming,
 * and a flood of ever new addresses does not free who was counted out. Not covered: a flood of new clients that
 * each come twice.
 */
export class MemoryCounter implements RateCounter {
  readonly #windows = new Map<string, Window>()
  readonly #maxClients: number
  /** Where the next turn begins. A new window is behind it. */
  #turn: MapIterator<[string, Window]>

  /** @param maxClients windows that are kept: whoever has many addresses pushes against it */
  constructor (maxClients: number) {
    this.#maxClients = maxClients
    this.#turn = this.#windows.entries()
  }

  /** Windows that are kept, some of which may have ended. */
  get size (): number {
    return this.#windows.size
  }

  add (key: string, { cost, windowMs }: Use, tell: Tell): void {
    const now = performance.now()
    let window = this.#windows.get(key)
    if (window === undefined) {
      if (this.#windows.size >= this.#maxClients) this.#forgetOne(now)
      window = { current: cost, end: now + windowMs, isUsed: false }
      this.#windows.set(key, window)
    } else if (window.end <= now) {
      window.current = cost
      window.end = now + windowMs
      window.isUsed = true
    } else {
      window.current += cost
      window.isUsed = true
    }
    tell(null, { current: window.current, ttl: window.end - now })
  }

  async close (): Promise<void> {
    this.#windows.clear()
  }

  #forgetOne (now: number): void {
    for (let passed = 0; ; passed++) {
      const [key, window] = this.#next()
      if (window.end <= now || !window.isUsed || passed === MAX_PASSED) {
        this.#windows.delete(key)
        return
      }
      window.isUsed = false
    }
  }

  /** The same iterator goes on: a new one would look through all the places that were left empty. */
  #next (): [string, Window] {
    const next = this.#turn.next()
    if (next.done !== true) return next.value
    this.#turn = this.#windows.entries()
    return this.#turn.next().value as [string, Window]
  }
}
