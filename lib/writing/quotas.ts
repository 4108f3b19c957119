import { randomUUID } from 'node:crypto'
import type { AccessLog } from '../access/access.ts'
import type { RedisLink } from '../cache/redis-link.ts'
import { MediaError } from '../errors.ts'
import type { Key } from '../paths/request-path.ts'
import type { Quotas, Reservation } from './parts.ts'
import type { QuotaCounter } from './quota-counter.ts'
import { JournalCounter } from './quota-journal.ts'
import type { Hold, Limits, Refusal, Sum } from './quota-ledger.ts'
import { RedisCounter } from './quota-redis.ts'

/** Milliseconds for which a write waits until it is known what was there before. */
const COUNT_WAIT_MS = 5000

/** Files that are told at once of what was there before. */
const BATCH = 500

export interface QuotasOptions {
  /** Where it is written down how much there is, where no Redis counts. Processes of one machine may share it. */
  readonly directory: string
  readonly mounts: ReadonlyArray<{ readonly prefix: string, readonly quotas: Limits }>
  /** Where instances count together. While it does not answer nobody writes to a mount with quotas. */
  readonly redis?: RedisLink | undefined
  /** What a mount holds: asked once, before anything was counted. */
  readonly walk: (mount: string) => AsyncIterable<{ readonly key: Key, readonly bytes: number }>
  readonly log: AccessLog
}

export interface OpenQuotas extends Quotas {
  /** What is kept of a mount, or of what a principal has written to it; undefined where that is not counted. @throws {MediaError} `unavailable` */
  usage (mount: string, principal?: string): Promise<Sum | undefined>
  close (): Promise<void>
}

/** Opens what counts for the mounts that have quotas; nothing is counted for others. @throws as the file system does */
export async function openQuotas ({ directory, mounts, redis, walk, log }: QuotasOptions): Promise<OpenQuotas> {
  const limited = new Map(mounts.filter(({ quotas }) => isLimited(quotas)).map(({ prefix, quotas }) => [prefix, quotas]))
  if (limited.size === 0) return unlimited
  const counter = redis === undefined ? await JournalCounter.open({ directory, log }) : new RedisCounter(redis, log)
  const quotas = new CountedQuotas({ counter, limited, walk, log })
  quotas.begin()
  return quotas
}

function isLimited ({ mount = {}, principal = {} }: Limits): boolean {
  return [mount.bytes, mount.files, principal.bytes, principal.files].some(limit => limit !== undefined)
}

const nothing = async (): Promise<void> => undefined
const free: Reservation = { grow: nothing, settle: nothing, release: nothing }

/** Where nobody has a quota. */
const unlimited: OpenQuotas = { reserve: async () => free, removed: nothing, moved: nothing, usage: nothing as () => Promise<undefined>, close: nothing }

/** Room whose key may be known only at its end. */
interface CountedReservation extends Reservation {
  settle (bytes: number, key?: Key): Promise<void>
}

interface CountedParts extends Pick<QuotasOptions, 'walk' | 'log'> {
  readonly counter: QuotaCounter
  readonly limited: ReadonlyMap<string, Limits>
}

/** {@link Quotas} over whatever counts. What others change in the store, past this server, is not seen. */
class CountedQuotas implements OpenQuotas {
  readonly #parts: CountedParts
  readonly #counting = new Map<string, Promise<void>>()
  #closed = false

  constructor (parts: CountedParts) {
    this.#parts = parts
  }

  /** Begins to count what was there before, without waiting. */
  begin (): void {
    for (const mount of this.#parts.limited.keys()) void this.#count(mount)
  }

  /** @param file `key` undefined where it is known only once the file is there: then `settle` is told it */
  async reserve ({ mount, key, bytes, principal }: { readonly mount: string, readonly key: Key | undefined, readonly bytes: number, readonly principal: string }): Promise<CountedReservation> {
    const limits = this.#parts.limited.get(mount)
    if (limits === undefined) return free
    const hold = { id: randomUUID(), mount, key, bytes, principal }
    await this.#take(hold, limits)
    return this.#reservation(hold, limits)
  }

  async removed (mount: string, key: Key): Promise<void> {
    if (this.#parts.limited.has(mount)) await this.#parts.counter.removed(mount, key)
  }

  async moved (mount: string, from: Key, to: Key): Promise<void> {
    if (this.#parts.limited.has(mount)) await this.#parts.counter.moved(mount, from, to)
  }

  async usage (mount: string, principal?: string): Promise<Sum | undefined> {
    if (!this.#parts.limited.has(mount)) return undefined
    await this.#whenCounted(mount)
    return await this.#parts.counter.usage(mount, principal)
  }

  async close (): Promise<void> {
    this.#closed = true
    await Promise.all(this.#counting.values())
    await this.#parts.counter.close()
  }

  #reservation (first: Hold, limits: Limits): CountedReservation {
    const { counter } = this.#parts
    let hold: Hold | undefined = first
    const end = (): Hold | undefined => {
      const ended = hold
      hold = undefined
      return ended
    }
    return {
      grow: async bytes => {
        if (hold === undefined || bytes <= hold.bytes) return
        const larger = { ...hold, bytes }
        await this.#take(larger, limits)
        hold = larger
      },
      settle: async (bytes, key) => {
        const ended = end()
        if (ended !== undefined) await counter.settle(ended, key ?? ended.key ?? '', bytes)
      },
      release: async () => {
        const ended = end()
        if (ended !== undefined) await counter.release(ended)
      }
    }
  }

  async #take (hold: Hold, limits: Limits): Promise<void> {
    let taken = await this.#parts.counter.take(hold, limits)
    if (taken === 'uncounted') {
      await this.#whenCounted(hold.mount)
      taken = await this.#parts.counter.take(hold, limits)
    }
    if (taken === 'uncounted') throw uncounted()
    if (taken !== undefined) throw exceeded(taken, limits)
  }

  /** Waits a while for what is being counted. @throws {MediaError} `unavailable` */
  async #whenCounted (mount: string): Promise<void> {
    if (await this.#parts.counter.isCounted(mount)) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(uncounted()), COUNT_WAIT_MS) })
    try {
      await Promise.race([this.#count(mount), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Counts what was there before, if nobody did. Never throws: who comes next tries again. */
  async #count (mount: string): Promise<void> {
    const counting = this.#counting.get(mount) ?? this.#walk(mount)
      .catch((error: unknown) => this.#parts.log.warn({ err: error, mount }, 'What a mount holds could not be counted: nobody can write to it'))
      .finally(() => this.#counting.delete(mount))
    this.#counting.set(mount, counting)
    await counting
  }

  async #walk (mount: string): Promise<void> {
    const { counter, walk, log } = this.#parts
    if (await counter.isCounted(mount)) return
    let batch: Array<[string, number]> = []
    let files = 0
    for await (const { key, bytes } of walk(mount)) {
      if (this.#closed) return
      batch.push([key, bytes])
      files++
      if (batch.length < BATCH) continue
      if (!await counter.found(mount, batch)) return
      batch = []
    }
    await counter.found(mount, batch)
    await counter.counted(mount)
    log.info({ mount, files }, 'What a mount holds was counted')
  }
}

function uncounted (): MediaError {
  return new MediaError('unavailable', { detail: 'It is being counted how much there is', headers: { 'retry-after': '5' } })
}

function exceeded ({ of: side, what }: Refusal, limits: Limits): MediaError {
  const most = limits[side]?.[what]
  return new MediaError('quota-exceeded', { detail: side === 'mount' ? `No more than ${most} ${what} are kept here` : `No more than ${most} ${what} are kept here of each who writes` })
}
