import type { Static } from 'typebox'
import { RedisLink } from '../cache/redis-link.ts'
import type { StoreFault } from '../cache/store.ts'
import type { RateLimits } from '../config/access-schema.ts'
import { MediaError } from '../errors.ts'
import { UNCOUNTED, type RateCounter } from './counter.ts'
import { MemoryCounter } from './memory-counter.ts'
import { RedisCounter, type RateLog, type Without } from './redis-counter.ts'

export type RateLimitsConfig = Static<typeof RateLimits>

/**
 * What all mounts of an app count with: memory, or a Redis that instances share. A Redis that is
 * not there does not keep the app from starting: the log tells, and `whenRedisFails` holds.
 */
export async function openRateCounter ({ redis: url, whenRedisFails, maxClients }: RateLimitsConfig, log: RateLog): Promise<RateCounter> {
  if (url === undefined) return new MemoryCounter(maxClients)
  let counter: RedisCounter | undefined
  let early: StoreFault | undefined
  const link = await RedisLink.open({
    url,
    onFault (fault) {
      early ??= fault
      counter?.blame(fault)
    }
  })
  counter = new RedisCounter(link, ways[whenRedisFails](maxClients), log)
  await counter.probe(early)
  return counter
}

const ways: Record<RateLimitsConfig['whenRedisFails'], (maxClients: number) => Without> = {
  open: () => ({
    consequence: 'nothing is limited until it is back',
    add: (_key, _use, tell) => tell(null, UNCOUNTED)
  }),
  closed: () => ({
    consequence: 'what is limited is answered 503 until it is back',
    add: (_key, _use, tell) => tell(new MediaError('unavailable', { context: { reason: 'Redis does not answer' }, headers: { 'retry-after': '1' } }))
  }),
  local: maxClients => {
    const memory = new MemoryCounter(maxClients)
    return {
      consequence: 'this instance counts for itself until it is back',
      add: (key, use, tell) => memory.add(key, use, tell)
    }
  }
}
