/** Who waits for a place. */
interface Waiter {
  readonly enter: () => void
  isGone: boolean
}

/** So many at once; others wait in line, each as long as it wants to. */
export class Places {
  #free: number
  readonly #maxWaiting: number
  #line: Waiter[] = []
  #waiting = 0

  constructor (places: number, maxWaiting: number) {
    this.#free = places
    this.#maxWaiting = maxWaiting
  }

  /** Takes a place, if one is free. */
  take (): boolean {
    if (this.#free === 0) return false
    this.#free--
    return true
  }

  /**
   * Waits in line.
   *
   * @param enter called once, when a place is there and taken
   * @returns what leaves the line; undefined where the line is full
   */
  wait (enter: () => void): (() => void) | undefined {
    if (this.#waiting >= this.#maxWaiting) return undefined
    const waiter = { enter, isGone: false }
    this.#line.push(waiter)
    this.#waiting++
    return () => {
      if (waiter.isGone) return
      waiter.isGone = true
      this.#waiting--
      // Who left is forgotten when half of the line are such.
      if (this.#line.length > 64 && this.#waiting < this.#line.length / 2) this.#line = this.#line.filter(({ isGone }) => !isGone)
    }
  }

  /** Gives a place back: whoever waits longest has it. */
  leave (): void {
    for (let next = this.#line.shift(); next !== undefined; next = this.#line.shift()) {
      if (next.isGone) continue
      next.isGone = true
      this.#waiting--
      next.enter()
      return
    }
    this.#free++
  }
}
