import type { VariantKey } from './store.ts'

/** A use is written down at most this often, in milliseconds: ages of an hour are told apart, and hits stay reads. */
const NOTED_MS = 3_600_000

/** Keys that are remembered as written down: past that some are written down again. About 100 bytes each. */
const MAX_KEYS = 50_000

/** Which variants' uses were written down lately. */
export class RecentUses {
  #keys = new Set<VariantKey>()
  #until = 0

  /** Whether this use is to be written down; it counts as if it was. */
  isDue (key: VariantKey): boolean {
    if (this.#keys.has(key) && performance.now() < this.#until) return false
    if (this.#keys.size >= MAX_KEYS || performance.now() >= this.#until) {
      this.#keys = new Set()
      this.#until = performance.now() + NOTED_MS
    }
    this.#keys.add(key)
    return true
  }

  forget (key: VariantKey): void {
    this.#keys.delete(key)
  }
}
