/** Seconds that the budget looks back on. */
const WINDOW_SECONDS = 10
/** Retries per second that are always free, so that a server with few requests may retry at all. */
const FREE_RETRIES_PER_SECOND = 1

/**
 * Bounds retries by the requests of the last seconds: when an upstream fails as a whole, each of
 * its clients' requests must not become several. Counts in slots of a second that are used
 * again, so that each call costs the same and no timer is needed.
 */
export class RetryBudget {
  readonly #share: number
  readonly #now: () => number
  readonly #requests = new Float64Array(WINDOW_SECONDS)
  readonly #retries = new Float64Array(WINDOW_SECONDS)
  #second: number

  /**
   * @param share retries for each request, from 0 to 1; at 0 nothing is free either
   * @param now milliseconds on a clock that never goes back
   */
  constructor (share: number, now: () => number = () => performance.now()) {
    this.#share = share
    this.#now = now
    this.#second = this.#present()
  }

  /** A request came: the first attempt of it. */
  request (): void {
    this.#advance()
    this.#requests[this.#second % WINDOW_SECONDS]! += 1
  }

  /** Whether there may be one retry more, which then is counted. */
  take (): boolean {
    if (this.#share <= 0) return false
    this.#advance()
    const allowed = Math.max(sum(this.#requests) * this.#share, FREE_RETRIES_PER_SECOND * WINDOW_SECONDS)
    if (sum(this.#retries) + 1 > allowed) return false
    this.#retries[this.#second % WINDOW_SECONDS]! += 1
    return true
  }

  #present (): number {
    return Math.floor(this.#now() / 1000)
  }

  /** Empties the slots of the seconds that have begun since. */
  #advance (): void {
    const second = this.#present()
    const begun = Math.min(second - this.#second, WINDOW_SECONDS)
    if (begun <= 0) return
    for (let past = 0; past < begun; past++) {
      this.#requests[(second - past) % WINDOW_SECONDS] = 0
      this.#retries[(second - past) % WINDOW_SECONDS] = 0
    }
    this.#second = second
  }
}

function sum (slots: Float64Array): number {
  let total = 0
  for (const slot of slots) total += slot
  return total
}
