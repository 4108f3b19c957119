import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { isAbsent } from './disk-faults.ts'
import { remove } from './disk-removal.ts'
import { BATCH, namesIn, shardName, SHARDS } from './disk-shards.ts'

/** What a file system gives out: a variant costs whole blocks. */
const BLOCK_BYTES = 4096

/** Variants that are compared at once to find the oldest. */
const SAMPLE = 512

/** Of a sample that is not everything, only this part is surely old. */
const OLD_PART = 0.25

/** What is left free below the bound when room is made, so that not every write has to make room. */
const SPARE_PART = 0.05

/** Shards that have been looked at before the first write: the rest is like them. */
const FIRST_SHARDS = 8

/** One shard is looked at again for every so many bytes written, and no more often than for every so many of the bound. */
const RESURVEY_BYTES = 1_048_576
const RESURVEY_PART = 1 / 4096

interface Aged {
  readonly path: string
  readonly bytes: number
  /** Milliseconds since the epoch. */
  readonly used: number
}

/**
 * How much of its bound a directory of variants takes, and what goes when that is too much:
 * what was unused for the longest, among a sample. No index is kept, in memory or on disk: each
 * shard's sum is learned by looking at it, a few before the first write, the rest little by
 * little, and learned anew as more is written, since other processes write to it too.
 */
export class DiskSpace {
  readonly #directory: string
  readonly #limit: number
  readonly #shards = new Float64Array(SHARDS).fill(-1)
  /** Bytes written to each shard since the start. */
  readonly #written = new Float64Array(SHARDS)
  #sum = 0
  #learned = 0
  /** Bytes of writes that are under way. */
  #reserved = 0
  #next = 0
  #unseen = 0
  #evicting: Promise<void> | undefined
  #learning: Promise<void> | undefined
  #isSurveying = false
  #isReady = false

  /**
   * @param directory where the shards lie
   * @param limit bytes, in whole blocks, of all files below it
   */
  constructor (directory: string, limit: number) {
    this.#directory = directory
    this.#limit = limit
  }

  /** Bytes taken: an estimate until every shard was looked at. */
  get bytes (): number {
    return (this.#learned === 0 ? 0 : this.#sum * SHARDS / this.#learned) + this.#reserved
  }

  /** Whether every shard was looked at. */
  get isLearned (): boolean {
    return this.#learned === SHARDS
  }

  /** Looks at one more shard; when it was the last, keeps to the bound. */
  async learn (): Promise<void> {
    await this.#survey(this.#turn())
    if (this.isLearned && this.bytes > this.#limit) await this.#makeRoom(0)
  }

  /** Makes room for a file. False where it cannot fit. Call `settle` when it was written, or was not. */
  async reserve (size: number): Promise<boolean> {
    const bytes = inBlocks(size)
    if (bytes > this.#limit) return false
    if (!this.#isReady) await (this.#learning ??= this.#learnFirst().finally(() => { this.#learning = undefined }))
    for (let tries = 0; this.bytes + bytes > this.#limit; tries++) {
      if (tries === 3) return false
      await this.#makeRoom(bytes)
    }
    this.#reserved += bytes
    return true
  }

  /** Ends a reservation. */
  settle (size: number, shard: number, isWritten: boolean): void {
    const bytes = inBlocks(size)
    this.#reserved -= bytes
    if (!isWritten) return
    this.#written[shard] = (this.#written[shard] ?? 0) + bytes
    if (this.#known(shard)) this.#set(shard, (this.#shards[shard] ?? 0) + bytes)
    this.#unseen += bytes
    if (this.#unseen < Math.max(RESURVEY_BYTES, this.#limit * RESURVEY_PART) || this.#isSurveying) return
    this.#unseen = 0
    this.#isSurveying = true
    void this.#survey(this.#turn()).catch(() => undefined).finally(() => { this.#isSurveying = false })
  }

  /** Makes room where the file system has less than the bound. */
  async shrink (size: number): Promise<void> {
    await this.#evictOnce(freed => freed >= Math.max(inBlocks(size), this.bytes * SPARE_PART))
  }

  /** Few variants are all counted: their shards are not alike. */
  async #learnFirst (): Promise<void> {
    for (let seen = 0; !this.isLearned && (this.#learned < FIRST_SHARDS || seen < SAMPLE);) seen += (await this.#survey(this.#turn())).length
    this.#isReady = true
  }

  async #makeRoom (bytes: number): Promise<void> {
    const target = Math.max(0, this.#limit * (1 - SPARE_PART) - bytes)
    await this.#evictOnce(() => this.bytes <= target)
  }

  async #evictOnce (isEnough: (freed: number) => boolean): Promise<void> {
    await (this.#evicting ??= this.#evict(isEnough).finally(() => { this.#evicting = undefined }))
  }

  async #evict (isEnough: (freed: number) => boolean): Promise<void> {
    let freed = 0
    for (let looked = 0; looked < SHARDS * 2 && !isEnough(freed);) {
      const sample: Array<Aged & { shard: number }> = []
      let shards = 0
      for (; shards < SHARDS && sample.length < SAMPLE; shards++) {
        const shard = this.#turn()
        for (const aged of await this.#survey(shard)) sample.push({ ...aged, shard })
      }
      looked += shards
      sample.sort((a, b) => a.used - b.used)
      const most = shards === SHARDS ? sample.length : Math.ceil(sample.length * OLD_PART)
      for (let n = 0; n < most && !isEnough(freed); n += BATCH) {
        const removals = await Promise.allSettled(sample.slice(n, Math.min(n + BATCH, most)).map(async ({ path, bytes, shard }) => {
          if (isEnough(freed)) return
          freed += bytes
          this.#set(shard, (this.#shards[shard] ?? 0) - bytes) // before it is gone: what runs beside this must not take more than is needed
          await remove(path)
        }))
        // All of them, before the first that failed is told: none goes on behind who asked.
        for (const removal of removals) if (removal.status === 'rejected') throw removal.reason
      }
    }
  }

  /** The next shard: they take turns, so that none is forgotten. */
  #turn (): number {
    const shard = this.#next
    this.#next = (shard + 1) % SHARDS
    return shard
  }

  #known (shard: number): boolean {
    return (this.#shards[shard] ?? -1) >= 0
  }

  #set (shard: number, bytes: number): void {
    if (this.#known(shard)) this.#sum -= this.#shards[shard] ?? 0
    else this.#learned++
    this.#shards[shard] = Math.max(0, bytes)
    this.#sum += Math.max(0, bytes)
  }

  async #survey (shard: number): Promise<Aged[]> {
    const directory = join(this.#directory, shardName(shard))
    const found: Aged[] = []
    const before = this.#written[shard] ?? 0
    const names = await namesIn(directory)
    for (let n = 0; n < names.length; n += BATCH) {
      await Promise.all(names.slice(n, n + BATCH).map(async name => {
        const aged = await ageOf(join(directory, name))
        if (aged !== undefined) found.push(aged)
      }))
    }
    // What was written meanwhile may have come after the listing: rather too much than too little.
    const meanwhile = (this.#written[shard] ?? 0) - before
    this.#set(shard, found.reduce((sum, { bytes }) => sum + bytes, meanwhile))
    return found
  }
}

/** Undefined for what went since it was listed, and for what is no file and no link: it is not ours to remove. */
async function ageOf (path: string): Promise<Aged | undefined> {
  try {
    const stats = await lstat(path)
    return stats.isDirectory() ? undefined : { path, bytes: inBlocks(stats.size), used: stats.mtimeMs }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** What a file of so many bytes takes on disk. */
export function inBlocks (size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
}
