/* What everything that counts for limits has in common. */

/** What of a window is used up. The names are those of @fastify/rate-limit. */
export interface Count {
  /** With what was just added. */
  readonly current: number
  /** Milliseconds until the window ends. Negative where nothing is counted at the moment, so that nobody can be refused. */
  readonly ttl: number
}

/** What is added, and to a window of which length. */
export interface Use {
  readonly cost: number
  readonly windowMs: number
}

/** Told once: at once where no other server is asked. */
export type Tell = (error: Error | null, count?: Count) => void

/** Counts what clients use, each within a window that begins with its first use and ends whatever comes. */
export interface RateCounter {
  /**
   * Adds to what a client used.
   *
   * @param key who, and of what: as `lib/rate/keys.ts` writes it
   * @param tell gets `MediaError` `unavailable` where it cannot be counted and may not go on so
   */
  add (key: string, use: Use, tell: Tell): void
  close (): Promise<void>
}

/** Where nothing is counted. */
export const UNCOUNTED: Count = { current: 0, ttl: -1 }
