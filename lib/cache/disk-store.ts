import { mkdir, realpath, rmdir, unlink, utimes } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { LargeFiles } from '../sources/large-files.ts'
import { errorCode, isAbsent } from './disk-faults.ts'
import { DiskLayout } from './disk-layout.ts'
import { DamagedRecord, RecordReader } from './disk-read.ts'
import { BATCH, namesIn, shardName, shardOf, SHARDS } from './disk-shards.ts'
import { DiskSpace } from './disk-space.ts'
import { DiskSurvey } from './disk-survey.ts'
import { DiskVariant } from './disk-variant.ts'
import { remove } from './disk-removal.ts'
import { DiskWriting } from './disk-writing.ts'
import { covers, EVERYTHING } from './purge-tags.ts'
import { recordHeader, refusalOf, refusalOfFacts } from './record.ts'
import { RecentUses } from './recent-uses.ts'
import { StoreFaults } from './store-faults.ts'
import type { NewVariant, OnStoreFault, StoredVariant, VariantFacts, VariantKey, VariantStore } from './store.ts'

/** What is kept on disk, and where. */
export interface DiskStoreOptions {
  /** A directory that is this cache's alone; several processes may share it. Made where it is not there. */
  directory: string
  /** Bytes of all variants together, in blocks of 4 KiB. Whoever asks for many different variants pushes against it. */
  totalBytes?: number | undefined
  /** Reads large variants. One of its own where nothing is given. */
  files?: LargeFiles | undefined
  onFault?: OnStoreFault | undefined
  /** Milliseconds between two looks at what is there already, after the start. */
  surveyMs?: number | undefined
}

/** Bytes of all variants, where nothing else is said. */
export const DISK_STORE_BYTES = 4_294_967_296

/** Milliseconds without a write after one failed. */
const PAUSE_MS = 1000

/**
 * Variants as files: `variants/ab/<key>`, header and bytes in one. A file is written aside, in
 * `tmp`, and renamed: whoever is killed leaves a whole file or none. That is all kill -9 needs;
 * after a power loss a renamed file may hold zeros, which the checksum of a body finds that is read
 * whole; longer ones, which are streamed unchecked, are flushed before they are renamed.
 */
export class DiskStore implements VariantStore {
  readonly #layout: DiskLayout
  readonly #space: DiskSpace
  readonly #reader = new RecordReader()
  readonly #files: LargeFiles
  readonly #ownsFiles: boolean
  readonly #faults: StoreFaults
  readonly #uses = new RecentUses()
  readonly #writes = new Set<Promise<void>>()
  readonly #survey: DiskSurvey
  #pausedUntil = 0
  #closed = false

  private constructor (directory: string, options: DiskStoreOptions) {
    this.#layout = new DiskLayout(directory)
    this.#space = new DiskSpace(this.#layout.variants, options.totalBytes ?? DISK_STORE_BYTES)
    this.#files = options.files ?? new LargeFiles()
    this.#ownsFiles = options.files === undefined
    this.#faults = new StoreFaults(options.onFault)
    this.#survey = new DiskSurvey(this.#layout, this.#space, { faults: this.#faults, everyMs: options.surveyMs })
  }

  /** Never fails: a directory that cannot be used is a fault that is told, and tried again with each write. */
  static async open (options: DiskStoreOptions): Promise<DiskStore> {
    const asked = resolve(options.directory)
    let fault: unknown
    const directory = await mkdir(asked, { recursive: true, mode: 0o700 }).then(async () => await realpath(asked)).catch((error: unknown) => {
      fault = error
      return asked
    })
    const store = new DiskStore(directory, options)
    if (fault !== undefined) store.#faults.report('The cache directory cannot be used', fault)
    else await store.#attempt(async () => await store.#layout.makeDirectories())
    store.#survey.begin()
    return store
  }

  /** Bytes on disk, in blocks: an estimate until `isLearned`. */
  get bytes (): number {
    return this.#space.bytes
  }

  /** Whether everything that was there at the start has been counted. */
  get isLearned (): boolean {
    return this.#space.isLearned
  }

  async get (key: VariantKey): Promise<StoredVariant | undefined> {
    const path = this.#layout.pathOf(key)
    if (path === undefined) return undefined
    try {
      const record = await this.#reader.read(path, key, this.#uses.isDue(key))
      return new DiskVariant(record, { files: this.#files, again: async () => await this.#reader.read(path, key, false) })
    } catch (error) {
      this.#uses.forget(key)
      if (isAbsent(error)) return undefined
      if (error instanceof DamagedRecord || errorCode(error) === 'ELOOP') await this.#discard(path, error)
      else this.#faults.report('A variant cannot be read', error)
      return undefined
    }
  }

  async put (key: VariantKey, variant: NewVariant): Promise<void> {
    const path = this.#layout.pathOf(key)
    const refusal = path === undefined ? 'Expected a variant key but received something else' : refusalOf(variant)
    if (path === undefined || refusal !== undefined) {
      this.#faults.report(refusal ?? '')
      return
    }
    if (this.#closed || performance.now() < this.#pausedUntil) return
    const write = this.#write(path, key, variant)
    this.#writes.add(write)
    await write.finally(() => this.#writes.delete(write))
  }

  /**
   * Begins to keep a variant that comes piece by piece; undefined where nothing can be kept now. A
   * purge does not wait for it, nor does `close`: whoever began it ends it.
   */
  async begin (key: VariantKey, facts: VariantFacts): Promise<DiskWriting | undefined> {
    const path = this.#layout.pathOf(key)
    if (path === undefined || refusalOfFacts(facts) !== undefined || this.#closed || performance.now() < this.#pausedUntil) return undefined
    return await DiskWriting.open({ layout: this.#layout, space: this.#space, key, path, facts, onFault: (error, size) => void this.#pause(error, size) })
  }

  /** Forgets one variant. */
  async remove (key: VariantKey): Promise<void> {
    const path = this.#layout.pathOf(key)
    await Promise.all(this.#writes) // one that began before is not to come after
    if (path !== undefined) await this.#attempt(async () => await remove(path))
  }

  async purge (tag: string): Promise<number> {
    await Promise.all(this.#writes) // what began before the purge is found by it
    let found = 0
    for (let shard = 0; shard < SHARDS; shard++) {
      const directory = join(this.#layout.variants, shardName(shard))
      const names = await this.#attempt(async () => await namesIn(directory)) ?? []
      for (let n = 0; n < names.length; n += BATCH) {
        const removed = await Promise.all(names.slice(n, n + BATCH).map(async name => await this.#attempt(async () => await this.#purgeOne(join(directory, name), tag))))
        found += removed.filter(Boolean).length
      }
    }
    return found
  }

  touch (key: VariantKey): void {
    const path = this.#layout.pathOf(key)
    if (path === undefined || !this.#uses.isDue(key)) return
    const now = new Date()
    utimes(path, now, now).catch(() => undefined) // it went meanwhile, which its next reader sees
  }

  async close (): Promise<void> {
    this.#closed = true
    this.#survey.stop()
    await Promise.all(this.#writes)
    if (this.#ownsFiles) await this.#files.close()
  }

  async #write (path: string, key: VariantKey, variant: NewVariant): Promise<void> {
    const header = recordHeader(key, variant)
    const size = header.length + variant.bytes.length
    const shard = shardOf(key)
    let isReserved = false
    let isWritten = false
    try {
      isReserved = await this.#space.reserve(size)
      if (!isReserved) return
      await this.#layout.write(shard, path, [header, variant.bytes])
      isWritten = true
      this.#uses.isDue(key)
    } catch (error) {
      await this.#pause(error, size)
    } finally {
      if (isReserved) this.#space.settle(size, shard, isWritten)
    }
  }

  /** After a write that failed: the disk is full, or gone. */
  async #pause (error: unknown, size: number): Promise<void> {
    this.#faults.report('A variant cannot be kept', error)
    this.#pausedUntil = performance.now() + PAUSE_MS
    if (['ENOSPC', 'EDQUOT'].includes(errorCode(error))) await this.#attempt(async () => await this.#space.shrink(size))
  }

  async #purgeOne (path: string, tag: string): Promise<boolean> {
    try {
      const isMeant = tag === EVERYTHING || (await this.#reader.readHeader(path)).facts.tags.some(own => covers(tag, own))
      if (isMeant) await unlink(path)
      return isMeant
    } catch (error) {
      if (isAbsent(error)) return false
      if (!(error instanceof DamagedRecord)) throw error
      await this.#discard(path, error)
      return false
    }
  }

  /** Removes what lies in a variant's place and is none. */
  async #discard (path: string, cause: unknown): Promise<void> {
    this.#faults.report('What was kept as a variant is none', cause)
    await unlink(path).catch(async () => await rmdir(path)).catch(() => undefined)
  }

  async #attempt<T> (action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action()
    } catch (error) {
      this.#faults.report('The cache directory cannot be used', error)
      return undefined
    }
  }
}
