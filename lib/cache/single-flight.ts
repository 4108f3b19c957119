/** Work under way for a key, and who waits for it. */
interface Flight<T> {
  readonly result: Promise<T>
  readonly controller: AbortController
  /** Callers that have not left. */
  waiting: number
}

/**
 * Work for one key is done once for all who ask for it at the same time. Who leaves is let go
 * at once; when all have left, the work's own signal aborts.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>()

  /** Keys that are worked on. */
  get size (): number {
    return this.#flights.size
  }

  /**
   * @param work called at most once for all who share the flight; it stops when its signal aborts
   * @param signal the caller's own: a caller without one never leaves
   * @throws what the work throws, for all who wait; the signal's reason for one who left
   */
  async run (key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const flight = this.#flights.get(key) ?? this.#start(key, work)
    flight.waiting++
    if (signal === undefined) return await flight.result
    return await new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason)
        this.#leave(key, flight, signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      void flight.result.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
    })
  }

  #start (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController()
    // The flight is on the list before its work can end.
    const flight: Flight<T> = { controller, waiting: 0, result: Promise.resolve().then(async () => await this.#fly(key, work, controller)) }
    this.#flights.set(key, flight)
    flight.result.catch(() => undefined) // everyone may have left before it failed
    return flight
  }

  async #fly (key: string, work: (signal: AbortSignal) => Promise<T>, controller: AbortController): Promise<T> {
    try {
      return await work(controller.signal)
    } finally {
      if (this.#flights.get(key)?.controller === controller) this.#flights.delete(key)
    }
  }

  #leave (key: string, flight: Flight<T>, reason: unknown): void {
    flight.waiting--
    if (flight.waiting > 0) return
    // Who comes now must not get the failure of a flight that others gave up.
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
    flight.controller.abort(reason)
  }
}
