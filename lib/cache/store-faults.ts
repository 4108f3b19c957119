import { StoreFault, type OnStoreFault } from './store.ts'

/** Milliseconds between two faults that are told: a disk that is gone fails with every request. */
const TELL_MS = 1000

/** Tells of a store's faults, one a second, and how many were kept back meanwhile. */
export class StoreFaults {
  readonly #tell: OnStoreFault
  #until = 0
  #untold = 0

  constructor (tell: OnStoreFault = () => undefined) {
    this.#tell = tell
  }

  report (what: string, cause?: unknown): void {
    const now = performance.now()
    if (now < this.#until) {
      this.#untold++
      return
    }
    this.#until = now + TELL_MS
    const more = this.#untold === 0 ? '' : ` (and ${this.#untold} more faults since the last that was told)`
    this.#untold = 0
    this.#tell(new StoreFault(`${what}${more}`, cause))
  }
}
