import type { RedisLink } from './redis-link.ts'
import { releaseScript, renewScript } from './redis-scripts.ts'
import type { MakingLease } from './store.ts'

/** A lease as Redis has it. */
interface LeaseFacts {
  readonly place: string
  readonly token: string
  /** Milliseconds until it ends by itself. */
  readonly ms: number
}

/** Holds a lease until it is released: renewed while this process lives, ended by Redis when it died. */
export function redisLease (link: RedisLink, { place, token, ms }: LeaseFacts): MakingLease {
  let isHeld = true
  const renewal = setInterval(() => {
    void link.run(async redis => await redis.call('EVAL', renewScript, '1', place, token, String(ms)))
  }, ms / 3).unref()
  return {
    async release () {
      if (!isHeld) return
      isHeld = false
      clearInterval(renewal)
      await link.run(async redis => await redis.call('EVAL', releaseScript, '1', place, token))
    }
  }
}
