import type { OriginBody } from './origin-body.ts'

/**
 * How long a body that came with a description waits until somebody opens it, in milliseconds: as
 * long as a picture waits for its turn in a quiet hour. Clients that ask and leave push against it.
 */
export const HOLD_MS = 10_000

/** Bodies that wait at the same time, each on a connection to its origin; of more the one that waits longest goes. */
export const MAX_HELD = 32

/** A body that waits, and how many may still open it. */
interface Waiting {
  claims: number
  timer: NodeJS.Timeout
}

/** Bodies that came with a description, and wait until somebody opens them. */
export class HeldBodies {
  readonly #holdMs: number
  readonly #waiting = new Map<OriginBody, Waiting>()

  constructor (holdMs = HOLD_MS) {
    this.#holdMs = holdMs
  }

  /** Bodies that wait now. */
  get size (): number {
    return this.#waiting.size
  }

  hold (body: OriginBody): void {
    if (body.destroyed) return
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined && this.#waiting.size >= MAX_HELD) this.#drop(oldest)
    const timer = setTimeout(() => this.#drop(body), this.#holdMs).unref()
    this.#waiting.set(body, { claims: 0, timer })
    body.once('close', () => this.take(body))
  }

  /** One more may open it. */
  claim (body: OriginBody): void {
    const waiting = this.#waiting.get(body)
    if (waiting === undefined) return
    waiting.claims++
    waiting.timer.refresh()
  }

  /** One who might have opened it will not: with the last of them it goes. */
  release (body: OriginBody): void {
    const waiting = this.#waiting.get(body)
    if (waiting !== undefined && --waiting.claims <= 0) this.#drop(body)
  }

  /** It waits no longer. */
  take (body: OriginBody): void {
    const waiting = this.#waiting.get(body)
    if (waiting === undefined) return
    clearTimeout(waiting.timer)
    this.#waiting.delete(body)
  }

  /** Nobody will come. */
  close (): void {
    for (const body of this.#waiting.keys()) this.#drop(body)
  }

  #drop (body: OriginBody): void {
    this.take(body)
    body.destroy()
  }
}
