import type { RedisLink } from '../cache/redis-link.ts'
import type { StoreFault } from '../cache/store.ts'
import type { RateCounter, Tell, Use } from './counter.ts'

/** Where it is written down that Redis went or came back. */
export interface RateLog {
  warn (facts: object, message: string): void
  info (facts: object, message: string): void
}

/** What happens while Redis does not answer. */
export interface Without {
  /** For the log. */
  readonly consequence: string
  add (key: string, use: Use, tell: Tell): void
}

/**
 * Adds, and sees to it that the window ends: one that has no end, or one later than a changed configuration allows, gets it.
 * KEYS: the window's. ARGV: cost, milliseconds. Gives what is used, and the milliseconds that are left.
 */
const addScript = `
local current = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > tonumber(ARGV[2]) then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {current, left}`

/**
 * Counts in a Redis that instances share. While that does not answer, or refuses, another way is
 * taken, and the log says so once.
 */
export class RedisCounter implements RateCounter {
  readonly #link: RedisLink
  readonly #without: Without
  readonly #log: RateLog
  #isGone = false
  #cause: StoreFault | undefined

  /** @param link closed with the counter */
  constructor (link: RedisLink, without: Without, log: RateLog) {
    this.#link = link
    this.#without = without
    this.#log = log
  }

  /** Asks whether Redis is there, so that the log tells before the first client. */
  async probe (cause?: StoreFault): Promise<void> {
    this.#cause = cause
    this.#see(await this.#link.run(async redis => await redis.ping()) !== undefined)
  }

  /** Why Redis may be found not to answer. */
  blame (cause: StoreFault): void {
    this.#cause = cause
  }

  add (key: string, use: Use, tell: Tell): void {
    void this.#add(key, use, tell)
  }

  async close (): Promise<void> {
    await this.#link.close()
  }

  async #add (key: string, use: Use, tell: Tell): Promise<void> {
    const place = `${this.#link.prefix}rate:${key}`
    const answer = await this.#link.run(async redis => await redis.call('EVAL', addScript, '1', place, String(use.cost), String(use.windowMs)))
    this.#see(answer !== undefined)
    if (answer === undefined) {
      this.#without.add(key, use, tell)
    } else {
      const [current, ttl] = answer as [number, number]
      tell(null, { current, ttl })
    }
  }

  /** Tells each change once, however many requests meet it. */
  #see (isThere: boolean): void {
    if (isThere !== this.#isGone) return
    this.#isGone = !isThere
    if (isThere) this.#log.info({}, 'Redis counts for limits again')
    else this.#log.warn({ err: this.#cause }, `Redis does not count for limits: ${this.#without.consequence}`)
  }
}
