import { watch, type FSWatcher } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MediaError } from '../errors.ts'
import { isAbsent } from './disk-faults.ts'
import { DiskStore } from './disk-store.ts'
import { ASIDE, MarkDirectory } from './mark-directory.ts'
import { Instances } from './purge-instances.ts'
import { purgeTag } from './purge-tags.ts'
import { MAX_MARKS, type PurgeLedger, type PurgeNews, type PurgeOutcome } from './purges.ts'
import { StoreFaults } from './store-faults.ts'
import type { OnStoreFault } from './store.ts'

/** Where purges are written down on disk. */
export interface DirectoryLedgerOptions {
  /** The cache directory. Every process that shares its variants has to name it. */
  directory: string
  onFault?: OnStoreFault | undefined
  /** Milliseconds that a purge waits for other processes. */
  waitMs?: number | undefined
  /** Tags whose last purge is remembered. */
  maxMarks?: number | undefined
}

/** Milliseconds between two looks, for file systems that tell nobody of changes. */
const LOOK_MS = 1000

/** Milliseconds within which two changes of a directory may bear the same time. */
const CLOCK_GRAIN_MS = 2000

/** Milliseconds that a purge waits for other processes, where nothing else is said. */
const WAIT_MS = 2000

/**
 * Purges as the marks of a directory: what another process writes there is seen at once where the
 * file system tells of changes, else within a second. A purge waits, a bounded time, until every
 * other process has taken note of it.
 */
export class DirectoryLedger implements PurgeLedger {
  readonly #marks: MarkDirectory
  readonly #faults: StoreFaults
  readonly #instances: Instances
  readonly #waitMs: number
  #tell: PurgeNews = () => undefined
  #looking: Promise<void> = Promise.resolve()
  #checking: Promise<void> = Promise.resolve()
  #isLookDue = false
  #isClosed = false
  #listed = -1
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined

  constructor ({ directory, onFault, waitMs = WAIT_MS, maxMarks = MAX_MARKS }: DirectoryLedgerOptions) {
    this.#marks = new MarkDirectory(directory, maxMarks)
    this.#faults = new StoreFaults(onFault)
    this.#instances = new Instances(join(directory, 'instances'), join(directory, ASIDE))
    this.#waitMs = waitMs
  }

  /** Never fails: until its directory can be used, purges are known to this process only. */
  async open (tell: PurgeNews): Promise<void> {
    // In this order, no purge is missed: who purges from now on waits for this process.
    await this.#attempt(async () => {
      await this.#marks.make()
      await this.#instances.join()
    })
    this.#watch()
    await this.#look()
    this.#marks.begin()
    this.#tell = tell
    tell(this.#marks.known, [])
    this.#timer = setInterval(() => { this.#checking = this.#lookIfChanged() }, LOOK_MS).unref()
  }

  async add (tag: string): Promise<PurgeOutcome> {
    try {
      await this.#marks.make()
      const mark = await this.#marks.write(tag)
      await this.#look()
      return { behind: await this.#instances.waitFor(mark, this.#waitMs) }
    } catch (error) {
      this.#marks.remember(tag)
      this.#tell(this.#marks.known, [tag])
      throw new MediaError('unavailable', { detail: 'The purge is not written down yet: only one instance knows of it', cause: error })
    }
  }

  async close (): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#watcher?.close()
    await this.#checking
    await this.#looking
    await this.#instances.leave()
  }

  /** Lists once more after what is under way: settles when all that was there at the call is known. */
  async #look (): Promise<void> {
    this.#isLookDue = true
    this.#looking = this.#lookAfter(this.#looking)
    await this.#looking
  }

  async #lookAfter (earlier: Promise<void>): Promise<void> {
    await earlier
    if (!this.#isLookDue || this.#isClosed) return // the earlier one began after the call, or nobody wants to know any more
    this.#isLookDue = false
    await this.#attempt(async () => await this.#list())
  }

  async #lookIfChanged (): Promise<void> {
    await this.#attempt(async () => {
      const { mtimeMs } = await stat(this.#marks.path)
      if (mtimeMs !== this.#listed || Date.now() - mtimeMs < CLOCK_GRAIN_MS) await this.#look()
      await this.#instances.beat()
      await this.#marks.writeRemembered()
    })
  }

  async #list (): Promise<void> {
    const { mtimeMs } = await stat(this.#marks.path)
    const { news, marks } = await this.#marks.list()
    this.#listed = mtimeMs
    if (news !== undefined) this.#tell(this.#marks.known, news)
    await this.#instances.note(marks)
  }

  #watch (): void {
    try {
      this.#watcher = watch(this.#marks.path, { persistent: false }, () => void this.#look())
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // No watch to be had, or no directory: the looks of each second do.
    }
  }

  /** Where the directory was removed: everything is purged, as the first look at the new one finds. */
  async #beginAnew (): Promise<void> {
    this.#watcher?.close()
    await this.#marks.make().catch(() => undefined)
    this.#watch()
    this.#listed = -1
  }

  async #attempt (action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (isAbsent(error) && !this.#isClosed) await this.#beginAnew()
      this.#faults.report('The purges in the cache directory cannot be read', error)
    }
  }
}

/**
 * Purges from a process that serves nothing: writes the purge down for all that share the
 * directory, waits, a bounded time, until they have taken note, and removes the bytes.
 *
 * @returns how many variants were removed, and the processes that have not taken note
 * @throws {MediaError} `bad-request`, `unavailable`
 */
export async function purgeFromOutside (directory: string, text: string, waitMs = WAIT_MS): Promise<PurgeOutcome & { found: number }> {
  const tag = purgeTag(text)
  const { behind } = await new DirectoryLedger({ directory, waitMs }).add(tag)
  const store = await DiskStore.open({ directory })
  try {
    return { behind, found: await store.purge(tag) }
  } finally {
    await store.close()
  }
}
