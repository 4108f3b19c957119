import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { namesIn } from './disk-shards.ts'
import { writeAside } from './disk-write.ts'
import { FIRST_MARK, marksIn, newMark, removeOutdated, type Marks } from './purge-marks.ts'
import { EVERYTHING, tagName } from './purge-tags.ts'
import { MAX_TAG_BYTES } from './record.ts'

/** Purges of others that are looked up at once; of more, everything in memory is forgotten. */
const MAX_TOLD = 100

/** Purges that wait to be written down; past that all is purged. */
const MAX_UNWRITTEN = 1000

/** Where files are written before they are renamed, in the cache directory. */
export const ASIDE = 'tmp'

const everything = tagName(EVERYTHING)

/** What a listing of the directory told. */
interface Listing {
  /** Tags that others purged since the last one; undefined where there is nothing new. */
  readonly news: readonly string[] | undefined
  /** All marks that are there, in order. */
  readonly marks: readonly string[]
}

/**
 * Marks as a directory of small files, `purges/<name of the tag>.<mark>`, each holding its tag. The
 * listing is the whole state: made by one atomic rename each, never rewritten, so that nothing has to
 * be locked or compacted. A tag's greatest mark counts, and marks below that of `*` never do;
 * these are removed later. A directory without a mark of `*` gets one: the first of all where it is
 * new, or one that purges everything where it lost its marks.
 */
export class MarkDirectory {
  /** Where the marks lie. */
  readonly path: string
  readonly #aside: string
  readonly #variants: string
  readonly #maxMarks: number
  /** Only ever grows, but by a mark of `*`: a listing that raced with a removal makes nothing come back. */
  readonly #known = new Map<string, string>()
  /** Purges that could not be written down: tried again. */
  readonly #unwritten = new Set<string>()
  #isRead = false

  /**
   * @param directory the cache directory
   * @param maxMarks tags whose last purge is remembered
   */
  constructor (directory: string, maxMarks: number) {
    this.path = join(directory, 'purges')
    this.#aside = join(directory, ASIDE)
    this.#variants = join(directory, 'variants')
    this.#maxMarks = maxMarks
  }

  /** The greatest mark of each tag, by its name. */
  get known (): ReadonlyMap<string, string> {
    return this.#known
  }

  /** Makes the directories. @throws as the file system does; so does all below that waits */
  async make (): Promise<void> {
    for (const directory of [this.path, this.#aside]) await mkdir(directory, { recursive: true, mode: 0o700 })
  }

  /** Where nothing could be read, everything before now is purged. */
  begin (): void {
    if (!this.#known.has(everything)) this.#known.set(everything, newMark())
  }

  /** Writes a mark that is greater than all there were, and the greatest of its tag. */
  async write (tag: string): Promise<string> {
    const name = tagName(tag)
    for (;;) {
      const before = await marksIn(this.path)
      const mark = newMark([...before.values()].flat())
      await this.#writeMark(name, mark, tag)
      const after = await marksIn(this.path)
      if (before.size > this.#maxMarks && tag !== EVERYTHING) await this.write(EVERYTHING)
      if (after.get(name)?.at(-1) !== mark) continue // a purge of the same tag that began before this one, by a clock ahead
      await removeOutdated(this.path, after)
      return mark
    }
  }

  /** Marks a tag in this process only, until it can be written down. */
  remember (tag: string): void {
    this.#known.set(tagName(tag), newMark([...this.#known.values()]))
    this.#unwritten.add(this.#unwritten.size < MAX_UNWRITTEN ? tag : EVERYTHING)
  }

  /** Writes down what is only remembered. */
  async writeRemembered (): Promise<void> {
    for (const tag of this.#unwritten) {
      await this.write(tag)
      this.#unwritten.delete(tag)
    }
  }

  /** Takes over what others wrote. */
  async list (): Promise<Listing> {
    let marks = await marksIn(this.path)
    if (!marks.has(everything)) {
      await this.#writeMark(everything, await this.#isNew() ? FIRST_MARK : newMark([...this.#known.values()]), EVERYTHING)
      marks = await marksIn(this.path)
    }
    // What was told before anything could be read had a mark of its own: nothing is named by it any more.
    if (!this.#isRead && this.#unwritten.size === 0) this.#known.clear()
    const isFirst = !this.#isRead
    this.#isRead = true
    const fresh = this.#merge(marks)
    // At the start there is nothing in memory to forget, and there may be thousands.
    const news = fresh.length === 0 ? undefined : isFirst ? [] : await this.#tagsOf(fresh)
    return { news, marks: [...marks.values()].flat().toSorted() }
  }

  async #writeMark (name: string, mark: string, tag: string): Promise<void> {
    await writeAside({ aside: this.#aside, path: join(this.path, `${name}.${mark}`), parts: [Buffer.from(tag)], isFlushed: true })
  }

  /** Whether nothing was ever kept here that a lost purge could have meant. */
  async #isNew (): Promise<boolean> {
    return this.#known.size === 0 && (await namesIn(this.#variants)).length === 0
  }

  /** Takes over what is greater than what is known. What `*` has overtaken counts no more. */
  #merge (marks: Marks): Array<[name: string, mark: string]> {
    const all = [this.#known.get(everything) ?? '', marks.get(everything)?.at(-1) ?? ''].toSorted().at(-1) ?? ''
    const fresh: Array<[string, string]> = []
    for (const [name, own] of marks) {
      const known = this.#known.get(name) ?? ''
      const greater = own.filter(mark => mark > known && mark >= all)
      const greatest = greater.at(-1)
      if (greatest === undefined) continue
      this.#known.set(name, greatest)
      for (const mark of greater) fresh.push([name, mark])
    }
    for (const [name, mark] of this.#known) if (mark < all) this.#known.delete(name)
    return fresh
  }

  async #tagsOf (fresh: ReadonlyArray<[name: string, mark: string]>): Promise<string[]> {
    if (fresh.length > MAX_TOLD) return [EVERYTHING]
    return await Promise.all(fresh.map(async ([name, mark]) => await this.#tagOf(name, mark)))
  }

  /** The tag a mark was made for; where that cannot be read, everything. */
  async #tagOf (name: string, mark: string): Promise<string> {
    try {
      const tag = await readFile(join(this.path, `${name}.${mark}`), 'utf8')
      return tag.length <= MAX_TAG_BYTES && tagName(tag) === name ? tag : EVERYTHING
    } catch {
      return EVERYTHING
    }
  }
}
