import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { EVERYTHING } from './purge-tags.ts'
import { isWhole, parseRecord, recordHeader, refusalOf } from './record.ts'
import { redisLease } from './redis-lease.ts'
import type { RedisLink } from './redis-link.ts'
import { claimScript, forgetScript, keepScript } from './redis-scripts.ts'
import type { MakingLease, NewVariant, StoredVariant, VariantKey, VariantStore } from './store.ts'
import { WholeVariant } from './whole-variant.ts'

/** What is kept in Redis. Redis' own `maxmemory` bounds all of it together. */
export interface RedisStoreOptions {
  /** Milliseconds that a variant is kept. */
  ttlMs: number
  /** Bytes of the largest variant that is kept. */
  maxVariantBytes: number
  /** Milliseconds after which the lease of an instance that died is another's. */
  leaseMs: number
  /** Milliseconds that an instance waits for what another makes. */
  claimMs: number
}

/** What is kept where nothing else is said. */
export const redisStoreDefaults: RedisStoreOptions = { ttlMs: 2_592_000_000, maxVariantBytes: 8_388_608, leaseMs: 5000, claimMs: 30_000 }

/** Milliseconds between two looks for what another instance makes: at first, and at most. */
const POLL_MS = 15
const MAX_POLL_MS = 150

/** Variants of one tag that are remembered for a purge; at more, one goes. Many transforms of one original push against it. */
const MAX_TAGGED = 10_000

/** Milliseconds for a script that removes up to so many variants, and for commands with large values, for each of their MiB. */
const PURGE_MS = 5000
const MS_PER_MIB = 50

/** Keys that are looked through at once. */
const SCAN = 1000

/** Where what is purged is known: a position that Redis keeps, and what of it this instance knows. */
export interface PurgePosition {
  readonly redisKey: string
  readonly known: string
  /** Asks for what was missed. */
  catchUp (): void
}

/**
 * Variants in a Redis that instances share, facts and bytes in one value. With a purge position
 * each read compares it in the same command: who missed the news of a purge is given nothing.
 */
export class RedisStore implements VariantStore {
  readonly #link: RedisLink
  readonly #options: RedisStoreOptions
  readonly #position: PurgePosition | undefined
  readonly #writes = new Set<Promise<void>>()

  /** @param link closed with the store */
  constructor (link: RedisLink, options: Partial<RedisStoreOptions> = {}, position?: PurgePosition) {
    this.#link = link
    this.#options = { ...redisStoreDefaults, ...options }
    this.#position = position
  }

  async get (key: VariantKey): Promise<StoredVariant | undefined> {
    const place = this.#placeOf(key)
    const position = this.#position
    const found = await this.#link.run(async redis => await redis.mgetBuffer(position === undefined ? [place] : [place, position.redisKey]))
    const [record, at] = found ?? []
    if (position !== undefined && found !== undefined && at?.toString() !== position.known) {
      position.catchUp()
      return undefined
    }
    return record === undefined || record === null ? undefined : await this.#parsed(record, key)
  }

  async put (key: VariantKey, variant: NewVariant): Promise<void> {
    const refusal = refusalOf(variant)
    if (refusal !== undefined) this.#link.report(refusal)
    if (refusal !== undefined || variant.bytes.length > this.#options.maxVariantBytes) return
    const write = this.#write(key, variant)
    this.#writes.add(write)
    await write.finally(() => this.#writes.delete(write))
  }

  async purge (tag: string): Promise<number | undefined> {
    await Promise.all(this.#writes)
    if (tag === EVERYTHING) {
      await this.#scan('t:*', async (redis, keys) => await redis.unlink(...keys))
      return await this.#scan('v:*', async (redis, keys) => await redis.unlink(...keys))
    }
    const own = await this.#link.run(async redis => await forget(redis, this.#tagPlaceOf(tag)), PURGE_MS)
    if (!tag.startsWith('prefix:')) return own
    const below = await this.#scan(`t:original:${escaped(tag.slice('prefix:'.length))}*`, async (redis, keys) => {
      let found = 0
      for (const key of keys) found += await forget(redis, key)
      return found
    })
    return own === undefined || below === undefined ? undefined : own + below
  }

  async claim (key: VariantKey, signal: AbortSignal): Promise<MakingLease | StoredVariant | undefined> {
    const lease = { place: `${this.#link.prefix}l:${key}`, token: randomUUID(), ms: this.#options.leaseMs }
    const end = performance.now() + this.#options.claimMs
    for (let pauseMs = POLL_MS; performance.now() < end; pauseMs = Math.min(pauseMs * 1.5, MAX_POLL_MS)) {
      signal.throwIfAborted()
      const answer = await this.#link.run(async redis => await redis.callBuffer('EVAL', claimScript, '2', this.#placeOf(key), lease.place, lease.token, String(lease.ms)))
      if (answer === 1) return redisLease(this.#link, lease)
      if (answer === undefined) return undefined
      const made = Buffer.isBuffer(answer) ? await this.#parsed(answer, key) : undefined
      if (made !== undefined) return made
      await wait(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
    return undefined
  }

  async close (): Promise<void> {
    await Promise.all(this.#writes)
    await this.#link.close()
  }

  #placeOf (key: VariantKey): string {
    return `${this.#link.prefix}v:${key}`
  }

  #tagPlaceOf (tag: string): string {
    return `${this.#link.prefix}t:${tag}`
  }

  async #write (key: VariantKey, variant: NewVariant): Promise<void> {
    const record = Buffer.concat([recordHeader(key, variant), variant.bytes])
    const places = [this.#placeOf(key), ...new Set(variant.tags.map(tag => this.#tagPlaceOf(tag)))]
    const limitMs = 200 + record.length / 1_048_576 * MS_PER_MIB
    await this.#link.run(async redis => await redis.call('EVAL', keepScript, String(places.length), ...places, record, String(this.#options.ttlMs), String(MAX_TAGGED)), limitMs)
  }

  async #parsed (record: Buffer, key: VariantKey): Promise<StoredVariant | undefined> {
    const header = parseRecord(record, key)
    const body = typeof header === 'object' ? record.subarray(header.start) : undefined
    if (typeof header === 'object' && body !== undefined && isWhole(header, body)) return new WholeVariant(header.facts, body, 'redis')
    this.#link.report('What was kept as a variant in Redis is none')
    await this.#link.run(async redis => await redis.unlink(this.#placeOf(key)))
    return undefined
  }

  /** Does something with all keys that match, in bounded steps. Undefined where Redis is gone. */
  async #scan (pattern: string, action: (redis: Redis, keys: string[]) => Promise<number>): Promise<number | undefined> {
    let found = 0
    let cursor = '0'
    do {
      const step = await this.#link.run(async redis => await redis.scan(cursor, 'MATCH', `${escaped(this.#link.prefix)}${pattern}`, 'COUNT', SCAN), PURGE_MS)
      if (step === undefined) return undefined
      const [next, keys] = step
      const count = keys.length === 0 ? 0 : await this.#link.run(async redis => await action(redis, keys), PURGE_MS)
      if (count === undefined) return undefined
      found += count
      cursor = next
    } while (cursor !== '0')
    return found
  }
}

async function forget (redis: Redis, tagPlace: string): Promise<number> {
  return Number(await redis.call('EVAL', forgetScript, '1', tagPlace))
}

/** A glob pattern that matches the text itself. */
function escaped (text: string): string {
  return text.replaceAll(/[\\*?[\]^]/g, String.raw`\$&`)
}
