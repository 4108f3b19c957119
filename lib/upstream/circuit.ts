/** What an exchange told of its origin; `neutral` is for what tells nothing, such as a client that left. */
export type Outcome = 'good' | 'bad' | 'neutral'

/** Whether requests pass: `probing` is one request on trial, `ejected` none. */
export type CircuitPosition = 'up' | 'ejected' | 'probing'

/** When a circuit opens. */
export interface CircuitOptions {
  /** Failures in a row that open it. */
  readonly ejectAfter: number
  /** Milliseconds until the first trial; each trial that fails doubles them. */
  readonly ejectMs: number
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
}

/**
 * Milliseconds up to which the time out doubles, where `ejectMs` itself is not more. An origin
 * that stays dead pushes against it; one that came back waits for a trial no longer than this.
 */
export const LONGEST_EJECTION_MS = 60_000

/**
 * Takes one origin out of use after failures in a row, and lets one request at a time try it
 * when the time is over. What was under way before says nothing any more: each ejection begins a
 * turn, and an outcome of an older turn is not counted. Only a good outcome makes it forget its
 * failures, so that a trial that fails is one too many.
 */
export class Circuit {
  readonly #options: CircuitOptions
  #position: CircuitPosition = 'up'
  #failures = 0
  /** Trials that failed since it last was well, and what led to the first. */
  #ejections = 0
  #retryAt = 0
  #turn = 0

  constructor (options: CircuitOptions) {
    this.#options = options
  }

  get position (): CircuitPosition {
    return this.#position
  }

  /** In a row. */
  get failures (): number {
    return this.#failures
  }

  /** Whether a request may pass now. */
  get open (): boolean {
    return this.#position === 'up' || (this.#position === 'ejected' && this.#options.now() >= this.#retryAt)
  }

  /** Milliseconds until a request may pass: 0 where one may now, or where the trial under way decides. */
  get waitMs (): number {
    return this.#position === 'ejected' ? Math.max(0, this.#retryAt - this.#options.now()) : 0
  }

  /** A request passes; after an ejection it is the trial. @returns its turn, for what comes of it */
  pass (): number {
    if (this.#position === 'ejected') this.#position = 'probing'
    return this.#turn
  }

  /**
   * The head of an answer came: a trial need not wait for the end of a long body. Its failures
   * are not forgotten: the next one, of this body too, ejects again.
   */
  trust (turn: number): void {
    if (this.#position !== 'probing' || turn !== this.#turn) return
    this.#position = 'up'
  }

  settle (turn: number, outcome: Outcome): void {
    if (turn !== this.#turn) return
    if (outcome === 'good') {
      this.#position = 'up'
      this.#failures = 0
      this.#ejections = 0
    } else if (outcome === 'bad') {
      this.#failures++
      if (this.#failures >= this.#options.ejectAfter) this.#eject()
    } else if (this.#position === 'probing') {
      this.#position = 'ejected' // and the next request may try: its time is over
    }
  }

  /** There is reason to believe that it is well again: the next request may try. */
  retryNow (): void {
    this.#retryAt = 0
  }

  #eject (): void {
    const { ejectMs, now } = this.#options
    this.#position = 'ejected'
    this.#retryAt = now() + Math.min(ejectMs * 2 ** this.#ejections, Math.max(ejectMs, LONGEST_EJECTION_MS))
    this.#ejections++
    this.#turn++
  }
}
