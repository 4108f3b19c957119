import type { AccessLog } from '../access/access.ts'
import type { RedisLink } from '../cache/redis-link.ts'
import { MediaError } from '../errors.ts'
import type { QuotaCounter, Taken } from './quota-counter.ts'
import type { Hold, Limits, Refusal, Sum } from './quota-ledger.ts'
import { countedScript, foundScript, moveScript, releaseScript, removeScript, renewScript, settleScript, takeScript } from './quota-redis-scripts.ts'

/** Milliseconds after which the room is free that an instance set aside of which nothing was heard. */
const LEASE_MS = 60_000

/** Milliseconds between two tries to tell Redis what happened while it was away. */
const RETRY_MS = 1000

/** What happened, and has to be told in order. */
interface Told { readonly script: string, readonly mount: string, readonly values: readonly string[] }

/**
 * {@link QuotaCounter} in a Redis that instances share. While it does not answer nothing can be set aside; what
 * happens meanwhile to what was is told when it is back, by the instance that knows of it. A Redis that lost what it
 * had is told by a new count, in which nobody in particular owns what is there.
 */
export class RedisCounter implements QuotaCounter {
  readonly #link: RedisLink
  readonly #log: AccessLog
  readonly #leaseMs: number
  readonly #holds = new Map<string, Hold>()
  /** In order; the first may be on its way. */
  readonly #owed: Told[] = []
  #telling: Promise<boolean> | undefined
  #wasTold = true
  readonly #renewing: NodeJS.Timeout
  readonly #retrying: NodeJS.Timeout

  constructor (link: RedisLink, log: AccessLog, leaseMs = LEASE_MS) {
    this.#link = link
    this.#log = log
    this.#leaseMs = leaseMs
    this.#renewing = setInterval(() => void this.#renew(), leaseMs / 4).unref()
    this.#retrying = setInterval(() => { if (this.#owed.length > 0) void this.#tellOwed() }, RETRY_MS).unref()
  }

  async take (hold: Hold, { mount = {}, principal = {} }: Limits): Promise<Taken> {
    if (!await this.#tellOwed()) throw away()
    const limits = [mount.bytes, mount.files, principal.bytes, principal.files].map(limit => String(limit ?? -1))
    const answer = await this.#certain(takeScript, hold.mount, [hold.id, hold.key === undefined ? '-' : `=${hold.key}`, String(hold.bytes), hold.principal, String(this.#leaseMs), ...limits])
    if (answer === 'uncounted') return 'uncounted'
    const [side, what] = (answer as string).split(' ')
    if (what !== undefined) return { of: side, what } as Refusal
    this.#holds.set(hold.id, hold)
    return undefined
  }

  async settle (hold: Hold, key: string, bytes: number): Promise<void> {
    this.#holds.delete(hold.id)
    await this.#tell({ script: settleScript, mount: hold.mount, values: [hold.id, key, String(bytes), hold.principal] })
  }

  async release (hold: Hold): Promise<void> {
    this.#holds.delete(hold.id)
    await this.#tell({ script: releaseScript, mount: hold.mount, values: [hold.id] })
  }

  async removed (mount: string, key: string): Promise<void> {
    await this.#tell({ script: removeScript, mount, values: [key] })
  }

  async moved (mount: string, from: string, to: string): Promise<void> {
    await this.#tell({ script: moveScript, mount, values: [from, to] })
  }

  async found (mount: string, files: ReadonlyArray<readonly [string, number]>): Promise<boolean> {
    return await this.#certain(foundScript, mount, files.flatMap(([key, bytes]) => [key, String(bytes)])) === 1
  }

  async counted (mount: string): Promise<void> {
    await this.#certain(countedScript, mount, [])
  }

  async isCounted (mount: string): Promise<boolean> {
    const answer = await this.#link.run(async redis => await redis.hexists(this.#keys(mount)[1] as string, 'counted'))
    if (answer === undefined) throw away()
    return answer === 1
  }

  async usage (mount: string, principal?: string): Promise<Sum> {
    const owner = principal === undefined ? '' : `=${principal}`
    const answer = await this.#link.run(async redis => await redis.hmget(this.#keys(mount)[1] as string, `bytes${owner}`, `files${owner}`))
    if (answer === undefined) throw away()
    return { bytes: Number(answer[0] ?? 0), files: Number(answer[1] ?? 0) }
  }

  async close (): Promise<void> {
    clearInterval(this.#renewing)
    clearInterval(this.#retrying)
    if (!await this.#tellOwed()) this.#log.warn({ changes: this.#owed.length }, 'Redis was not told what changed: its count of what is kept is wrong')
  }

  async #tell (told: Told): Promise<void> {
    this.#owed.push(told)
    await this.#tellOwed()
  }

  /** @returns whether nothing is owed any more */
  async #tellOwed (): Promise<boolean> {
    if (this.#owed.length === 0) return true
    return await (this.#telling ??= this.#tellAll().finally(() => { this.#telling = undefined }))
  }

  async #tellAll (): Promise<boolean> {
    for (let [next] = this.#owed; next !== undefined; [next] = this.#owed) {
      const isTold = await this.#run(next.script, next.mount, next.values) !== undefined
      if (isTold !== this.#wasTold) {
        this.#wasTold = isTold
        if (isTold) this.#log.info({}, 'Redis counts what is kept again')
        else this.#log.warn({}, 'Redis does not count what is kept: it is told when it is back, and until then nobody writes where there are quotas')
      }
      if (!isTold) return false
      this.#owed.shift()
    }
    return true
  }

  async #renew (): Promise<void> {
    const mounts = new Set([...this.#holds.values()].map(({ mount }) => mount))
    for (const mount of mounts) {
      const ids = [...this.#holds.values()].filter(hold => hold.mount === mount).map(({ id }) => id)
      await this.#run(renewScript, mount, [String(this.#leaseMs), ...ids])
    }
  }

  async #certain (script: string, mount: string, values: readonly string[]): Promise<unknown> {
    const answer = await this.#run(script, mount, values)
    if (answer === undefined) throw away()
    return answer
  }

  async #run (script: string, mount: string, values: readonly string[]): Promise<unknown> {
    return await this.#link.run(async redis => await redis.call('EVAL', script, '4', ...this.#keys(mount), ...values))
  }

  #keys (mount: string): string[] {
    return ['files', 'sums', 'holds', 'gone'].map(name => `${this.#link.prefix}quota:${name}:${mount}`)
  }
}

function away (): MediaError {
  return new MediaError('unavailable', { detail: 'It cannot be counted how much there is', headers: { 'retry-after': '1' } })
}
