import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { RedisLink } from '../../cache/redis-link.ts'
import { releaseScript, renewScript } from '../../cache/redis-scripts.ts'
import { MediaError } from '../../errors.ts'
import type { AskRelease } from './local-locks.ts'

/** Milliseconds after which the lock of an instance that died ends. */
const LEASE_MS = 10_000

/** Milliseconds between two tries for a lock that another instance holds. */
const RETRY_MS = 100

/** Where holders are asked to let go. */
const CHANNEL = 'resumable-release'

/**
 * Takes a lock, or asks its holder to let go.
 * KEYS: the lock's. ARGV: token, milliseconds, channel, which lock.
 */
const takeScript = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 0`

interface Hold {
  readonly token: string
  readonly askRelease: AskRelease
  readonly renewal: NodeJS.Timeout
  /** When it is over if it is not renewed, by `performance.now()`. */
  until: number
}

/**
 * Locks that instances share by a Redis: leases, renewed while their holder lives. While Redis does not answer
 * nothing is locked; who holds a lock then goes on until its lease is over, and lets go. A Redis that lost
 * what it had may give a lock to a second holder: the first one lets go at its next renewal.
 */
export class RedisLocks {
  readonly #link: RedisLink
  readonly #leaseMs: number
  readonly #held = new Map<string, Hold>()

  constructor (link: RedisLink, leaseMs = LEASE_MS) {
    this.#link = link
    this.#leaseMs = leaseMs
    link.listen(CHANNEL, id => void this.#held.get(id)?.askRelease())
  }

  /** As `LocalLocks.take`. @throws {MediaError} `unavailable` where Redis does not answer */
  async take (id: string, askRelease: AskRelease, signal: AbortSignal): Promise<void> {
    const token = randomBytes(16).toString('hex')
    for (;;) {
      signal.throwIfAborted()
      const until = performance.now() + this.#leaseMs
      const taken = await this.#link.run(async redis => await redis.call('EVAL', takeScript, '1', this.#place(id), token, String(this.#leaseMs), `${this.#link.prefix}${CHANNEL}`, id))
      if (taken === undefined) throw new MediaError('unavailable', { detail: 'Uploads cannot be locked', headers: { 'retry-after': '1' } })
      if (taken === 1) {
        this.#hold(id, { token, askRelease, until })
        return
      }
      await wait(RETRY_MS)
    }
  }

  async give (id: string): Promise<void> {
    const hold = this.#held.get(id)
    if (hold === undefined) return
    clearInterval(hold.renewal)
    this.#held.delete(id)
    await this.#link.run(async redis => await redis.call('EVAL', releaseScript, '1', this.#place(id), hold.token))
  }

  #hold (id: string, { token, askRelease, until }: Omit<Hold, 'renewal'>): void {
    const renewal = setInterval(() => void this.#renew(id, hold), this.#leaseMs / 4).unref()
    const hold = { token, askRelease, renewal, until }
    this.#held.set(id, hold)
  }

  async #renew (id: string, hold: Hold): Promise<void> {
    const until = performance.now() + this.#leaseMs
    const renewed = await this.#link.run(async redis => await redis.call('EVAL', renewScript, '1', this.#place(id), hold.token, String(this.#leaseMs)))
    if (renewed === 1) hold.until = until
    else if (renewed === 0 || performance.now() > hold.until - this.#leaseMs / 4) void hold.askRelease()
  }

  #place (id: string): string {
    return `${this.#link.prefix}resumable:${id}`
  }
}
