import { Recent } from '../cache/recent.ts'
import { MediaError, type FailureCode } from '../errors.ts'

/** Why something is not made for a while. */
interface Refusal {
  readonly code: FailureCode
  readonly detail: string | undefined
  /** As `performance.now()` tells it. */
  readonly until: number
}

/** What became of the variants of an original. */
interface History {
  readonly made: boolean
  /** How many ended their worker since one was made. */
  readonly costly: number
}

/** Names that are remembered. */
const REMEMBERED = 10_000
/** Variants of one original that may end their worker, one after the other, until none is tried for a while. */
const MAX_COSTLY = 3

/**
 * What cannot be made is not tried again at once: a variant that failed, and an original in
 * every size where it ended its worker. Who made neither pushes against it: an original that
 * was made before is not refused for what one client asks of it, unless that happens often.
 */
export class Refusals {
  readonly #forMs: number
  readonly #refused = new Recent<string, Refusal>(REMEMBERED)
  readonly #histories = new Recent<string, History>(REMEMBERED)

  /** @param forMs how long, in milliseconds */
  constructor (forMs: number) {
    this.#forMs = forMs
  }

  /** @throws {MediaError} what was remembered of one of the names */
  check (...names: readonly string[]): void {
    for (const name of names) {
      const refusal = this.#refused.get(name)
      if (refusal === undefined) continue
      const { code, detail, until } = refusal
      if (performance.now() < until) throw new MediaError(code, detail === undefined ? {} : { detail })
      this.#refused.delete(name)
    }
  }

  /** A variant of the original was made: it can be. */
  made (original: string): void {
    this.#histories.set(original, { made: true, costly: 0 })
  }

  /** Remembers a failure that lies in the picture, or in what is asked of it. */
  remember ({ code, statusCode, detail }: MediaError, original: string, variant: string): void {
    if (statusCode !== 415 && statusCode !== 422) return
    const name = code === 'image-too-costly' && this.#isHostile(original) ? original : variant
    this.#refused.set(name, { code, detail, until: performance.now() + this.#forMs })
  }

  #isHostile (original: string): boolean {
    const { made = false, costly = 0 } = this.#histories.get(original) ?? {}
    const isHostile = !made || costly + 1 >= MAX_COSTLY
    this.#histories.set(original, { made, costly: isHostile ? 0 : costly + 1 })
    return isHostile
  }
}
