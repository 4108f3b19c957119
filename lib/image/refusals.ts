import { Recent } from '../cache/recent.ts'
import { MediaError, type FailureCode } from '../errors.ts'
import type { ImageJob } from './job.ts'

/** Why something is not made for a while. */
interface Refusal {
  readonly code: FailureCode
  readonly detail: string | undefined
  /** As `performance.now()` tells it. */
  readonly until: number
}

/** Names that are remembered. */
const REMEMBERED = 10_000
/** What hardly costs more than reading the original: a size, a cut, a format. */
const plainOperations: ReadonlySet<string> = new Set(['w', 'h', 'fit', 'enlarge', 'position', 'fx', 'fy', 'frame', 'animated', 'q', 'meta', 'cs', 'chromasub'])
/** Pixels of either side of a variant that is plain. */
const PLAIN_SIDE = 1024

/** Whether a job that ends its worker speaks against the original, and not against what is asked of it. */
export function isPlain (job: ImageJob): boolean {
  if (job.kind !== 'variant') return true
  const { w = 0, h = 0 } = job.transform
  return w + h > 0 && Math.max(w, h) <= PLAIN_SIDE && Object.keys(job.transform).every(name => plainOperations.has(name))
}

/**
 * What cannot be made is not tried again at once: a variant that failed, and an original in
 * every size where it ended its worker though little was asked of it. Whoever asks much of a
 * sound original pushes against it: that alone is refused.
 */
export class Refusals {
  readonly #forMs: number
  readonly #refused = new Recent<string, Refusal>(REMEMBERED)

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

  /** Remembers a failure that lies in the picture, or in what is asked of it. */
  remember ({ code, statusCode, detail }: MediaError, { original, variant, wasPlain }: { original: string, variant: string, wasPlain: boolean }): void {
    if (statusCode !== 415 && statusCode !== 422) return
    this.#refused.set(code === 'image-too-costly' && wasPlain ? original : variant, { code, detail, until: performance.now() + this.#forMs })
  }
}
