import { watch, type FSWatcher } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MediaError } from '../errors.ts'
import { isAbsent } from './disk-faults.ts'
import { namesIn } from './disk-space.ts'
import { DiskStore } from './disk-store.ts'
import { writeAside } from './disk-write.ts'
import { Instances } from './purge-instances.ts'
import { FIRST_MARK, marksIn, newMark, removeOutdated, type Marks } from './purge-marks.ts'
import { EVERYTHING, purgeTag, tagName } from './purge-tags.ts'
import { MAX_MARKS, type PurgeLedger, type PurgeNews, type PurgeOutcome } from './purges.ts'
import { MAX_TAG_BYTES } from './record.ts'
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

/** Purges of others that are looked up at once; of more, everything in memory is forgotten. */
const MAX_TOLD = 100

/** Purges that wait to be written down; past that all is purged. */
const MAX_UNWRITTEN = 1000

const everything = tagName(EVERYTHING)

/**
 * Purges as a directory of small files, `purges/<name of the tag>.<mark>`, each holding its tag. The
 * listing is the whole state: made by one atomic rename each, never rewritten, so that nothing has to
 * be locked or compacted. A tag's greatest mark counts, and marks below that of `*` never do;
 * these are removed later. A directory without a mark of `*` gets one: the first of all where it is
 * new, or one that purges everything where it lost its marks.
 */
export class DirectoryLedger implements PurgeLedger {
  readonly #directory: string
  readonly #aside: string
  readonly #variants: string
  readonly #faults: StoreFaults
  readonly #instances: Instances
  readonly #waitMs: number
  readonly #maxMarks: number
  /** Only ever grows, but by a mark of `*`: a listing that raced with a removal makes nothing come back. */
  readonly #marks = new Map<string, string>()
  #tell: PurgeNews = () => undefined
  #looking: Promise<void> = Promise.resolve()
  #checking: Promise<void> = Promise.resolve()
  #isLookDue = false
  #isRead = false
  #isClosed = false
  /** Purges that could not be written down: tried again. */
  readonly #unwritten = new Set<string>()
  #listed = -1
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined

  constructor ({ directory, onFault, waitMs = WAIT_MS, maxMarks = MAX_MARKS }: DirectoryLedgerOptions) {
    this.#directory = join(directory, 'purges')
    this.#aside = join(directory, 'tmp')
    this.#variants = join(directory, 'variants')
    this.#faults = new StoreFaults(onFault)
    this.#instances = new Instances(join(directory, 'instances'), this.#aside)
    this.#waitMs = waitMs
    this.#maxMarks = maxMarks
  }

  /** Never fails: until its directory can be used, purges are known to this process only. */
  async open (tell: PurgeNews): Promise<void> {
    // In this order, no purge is missed: who purges from now on waits for this process.
    await this.#attempt(async () => {
      await this.#makeDirectories()
      await this.#instances.join()
    })
    this.#watch()
    await this.#look()
    if (!this.#marks.has(everything)) this.#marks.set(everything, newMark())
    this.#tell = tell
    tell(this.#marks, [])
    this.#timer = setInterval(() => { this.#checking = this.#lookIfChanged() }, LOOK_MS).unref()
  }

  async add (tag: string): Promise<PurgeOutcome> {
    try {
      await this.#makeDirectories()
      const mark = await this.#write(tag)
      await this.#look()
      return { behind: await this.#instances.waitFor(mark, this.#waitMs) }
    } catch (error) {
      this.#marks.set(tagName(tag), newMark([...this.#marks.values()]))
      this.#unwritten.add(this.#unwritten.size < MAX_UNWRITTEN ? tag : EVERYTHING)
      this.#tell(this.#marks, [tag])
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

  /** Writes a mark that is greater than all there were, and the greatest of its tag. */
  async #write (tag: string): Promise<string> {
    const name = tagName(tag)
    for (;;) {
      const before = await marksIn(this.#directory)
      const mark = newMark([...before.values()].flat())
      await this.#writeMark(name, mark, tag)
      const after = await marksIn(this.#directory)
      if (before.size > this.#maxMarks && tag !== EVERYTHING) await this.#write(EVERYTHING)
      if (after.get(name)?.at(-1) !== mark) continue // a purge of the same tag that began before this one, by a clock ahead
      await removeOutdated(this.#directory, after)
      return mark
    }
  }

  async #writeMark (name: string, mark: string, tag: string): Promise<void> {
    await writeAside({ aside: this.#aside, path: join(this.#directory, `${name}.${mark}`), parts: [Buffer.from(tag)], isFlushed: true })
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
      const { mtimeMs } = await stat(this.#directory)
      if (mtimeMs !== this.#listed || Date.now() - mtimeMs < CLOCK_GRAIN_MS) await this.#look()
      await this.#instances.beat()
      for (const tag of this.#unwritten) {
        await this.#write(tag)
        this.#unwritten.delete(tag)
      }
    })
  }

  async #list (): Promise<void> {
    const { mtimeMs } = await stat(this.#directory)
    let marks = await marksIn(this.#directory)
    if (!marks.has(everything)) {
      await this.#writeMark(everything, await this.#isNew() ? FIRST_MARK : newMark([...this.#marks.values()]), EVERYTHING)
      marks = await marksIn(this.#directory)
    }
    // What was told before anything could be read had a mark of its own: nothing is named by it any more.
    if (!this.#isRead && this.#unwritten.size === 0) this.#marks.clear()
    const isFirst = !this.#isRead
    this.#isRead = true
    const fresh = this.#merge(marks)
    this.#listed = mtimeMs
    // At the start there is nothing in memory to forget, and there may be thousands.
    if (fresh.length > 0) this.#tell(this.#marks, isFirst ? [] : await this.#tagsOf(fresh))
    await this.#instances.note([...marks.values()].flat().toSorted())
  }

  /** Whether nothing was ever kept here that a lost purge could have meant. */
  async #isNew (): Promise<boolean> {
    return this.#marks.size === 0 && (await namesIn(this.#variants)).length === 0
  }

  /** Takes over what is greater than what is known. What `*` has overtaken counts no more. */
  #merge (marks: Marks): Array<[name: string, mark: string]> {
    const all = [this.#marks.get(everything) ?? '', marks.get(everything)?.at(-1) ?? ''].toSorted().at(-1) ?? ''
    const fresh: Array<[string, string]> = []
    for (const [name, own] of marks) {
      const known = this.#marks.get(name) ?? ''
      const greater = own.filter(mark => mark > known && mark >= all)
      const greatest = greater.at(-1)
      if (greatest === undefined) continue
      this.#marks.set(name, greatest)
      for (const mark of greater) fresh.push([name, mark])
    }
    for (const [name, mark] of this.#marks) if (mark < all) this.#marks.delete(name)
    return fresh
  }

  async #tagsOf (fresh: ReadonlyArray<[name: string, mark: string]>): Promise<string[]> {
    if (fresh.length > MAX_TOLD) return [EVERYTHING]
    return await Promise.all(fresh.map(async ([name, mark]) => await this.#tagOf(name, mark)))
  }

  /** The tag a mark was made for; where that cannot be read, everything. */
  async #tagOf (name: string, mark: string): Promise<string> {
    try {
      const tag = await readFile(join(this.#directory, `${name}.${mark}`), 'utf8')
      return tag.length <= MAX_TAG_BYTES && tagName(tag) === name ? tag : EVERYTHING
    } catch {
      return EVERYTHING
    }
  }

  #watch (): void {
    try {
      this.#watcher = watch(this.#directory, { persistent: false }, () => void this.#look())
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // No watch to be had, or no directory: the looks of each second do.
    }
  }

  /** Where the directory was removed: everything is purged, as the first look at the new one finds. */
  async #beginAnew (): Promise<void> {
    this.#watcher?.close()
    await this.#makeDirectories().catch(() => undefined)
    this.#watch()
    this.#listed = -1
  }

  async #makeDirectories (): Promise<void> {
    for (const directory of [this.#directory, this.#aside]) await mkdir(directory, { recursive: true, mode: 0o700 })
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
