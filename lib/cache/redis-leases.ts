import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { redisLease } from './redis-lease.ts'
import type { RedisLink } from './redis-link.ts'
import { redisStoreDefaults } from './redis-store.ts'
import type { MakingLease, VariantKey } from './store.ts'

/** Milliseconds between two tries: at first, and at most. */
const POLL_MS = 15
const MAX_POLL_MS = 150

/** Leases by a Redis, for variants that are kept elsewhere. */
export class RedisLeases {
  readonly #link: RedisLink
  readonly #leaseMs: number
  readonly #claimMs: number

  /**
   * @param link closed with it
   * @param options.leaseMs milliseconds after which the lease of an instance that died is another's
   * @param options.claimMs milliseconds that an instance waits for what another makes
   */
  constructor (link: RedisLink, { leaseMs, claimMs }: { leaseMs: number, claimMs: number } = redisStoreDefaults) {
    this.#link = link
    this.#leaseMs = leaseMs
    this.#claimMs = claimMs
  }

  /**
   * The lease, once nobody else has it; undefined where nobody can tell, or after a bounded wait.
   *
   * @returns `hasWaited`: another had it, and may have made the variant
   * @throws the signal's reason
   */
  async claim (key: VariantKey, signal: AbortSignal): Promise<{ readonly lease: MakingLease, readonly hasWaited: boolean } | undefined> {
    const facts = { place: `${this.#link.prefix}l:${key}`, token: randomUUID(), ms: this.#leaseMs }
    const end = performance.now() + this.#claimMs
    for (let pauseMs = POLL_MS; performance.now() < end; pauseMs = Math.min(pauseMs * 1.5, MAX_POLL_MS)) {
      signal.throwIfAborted()
      const answer = await this.#link.run(async redis => await redis.set(facts.place, facts.token, 'PX', facts.ms, 'NX'))
      if (answer === 'OK') return { lease: redisLease(this.#link, facts), hasWaited: pauseMs > POLL_MS }
      if (answer === undefined) return undefined
      await wait(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
    return undefined
  }

  async close (): Promise<void> {
    await this.#link.close()
  }
}
