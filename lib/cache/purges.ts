import { EVERYTHING, purgeTag, tagName, tagsCovering } from './purge-tags.ts'

/** What became of a purge. */
export interface PurgeOutcome {
  /** Instances that share the variants and did not take note in time. */
  readonly behind: readonly string[]
}

/**
 * What is purged so far.
 *
 * @param marks the last purge of each tag, by `tagName`; a later one is a greater string. `*` always has one.
 * @param tags what is purged since the last news
 */
export type PurgeNews = (marks: ReadonlyMap<string, string>, tags: readonly string[]) => void

/** Where purges are written down, for all instances that share variants, and for those that start later. */
export interface PurgeLedger {
  /** Tells what is purged so far before it settles, and everything later. */
  open (tell: PurgeNews): Promise<void>
  /**
   * Writes a purge down and tells of it; waits, a bounded time, until every instance has taken note.
   *
   * @throws {MediaError} `unavailable` where it could not be made known to others
   */
  add (tag: string): Promise<PurgeOutcome>
  close (): Promise<void>
}

/** Called with each tag that is purged, by whoever, after generations have changed. `isOwn`: by this instance, which removes what instances share. */
export type PurgeListener = (tag: string, isOwn: boolean) => unknown

const everything = tagName(EVERYTHING)

/**
 * Purges as generations. What names a variant includes the generation of its original's tags
 * when it was described. A purge changes the generation of all it covers, so that nothing older,
 * in whatever store, nor what is being made at that moment, is ever addressed again. That stores
 * then remove the bytes is for the space, and for who asked that they be gone.
 */
export class Purges {
  readonly #ledger: PurgeLedger
  readonly #listeners: PurgeListener[] = []
  readonly #own = new Set<string>()
  readonly #removing = new Set<Promise<unknown>>()
  #marks: ReadonlyMap<string, string> = new Map()
  #version = 0

  private constructor (ledger: PurgeLedger) {
    this.#ledger = ledger
  }

  static async open (ledger: PurgeLedger = new LocalLedger()): Promise<Purges> {
    const purges = new Purges(ledger)
    await ledger.open((marks, tags) => purges.#learn(marks, tags))
    return purges
  }

  /** Changes when any generation does: what `generationOf` gave may be kept until then. */
  get version (): number {
    return this.#version
  }

  /** The generation of what has these tags: it changes with each purge that covers one of them, and never comes back. */
  generationOf (tags: readonly string[]): string {
    let generation = this.#marks.get(everything) ?? ''
    if (this.#marks.size === 1) return generation
    for (const tag of tagsCovering(tags)) {
      const mark = this.#marks.get(tagName(tag))
      if (mark !== undefined && mark > generation) generation = mark
    }
    return generation
  }

  /** Listeners that return a promise are waited for by `purge`. They do not throw. */
  onPurge (listener: PurgeListener): void {
    this.#listeners.push(listener)
  }

  /**
   * Purges what a tag covers. Once this settles nothing older is given here, nor by any
   * instance but those that are named as behind.
   *
   * @param text `*`, `original:/photos/cat.jpg`, `prefix:/photos/`, or any other tag
   * @throws {MediaError} `bad-request`; `unavailable` where other instances could not be told: try again
   */
  async purge (text: string): Promise<PurgeOutcome> {
    const tag = purgeTag(text)
    this.#own.add(tag)
    try {
      return await this.#ledger.add(tag)
    } finally {
      this.#own.delete(tag)
      await Promise.all(this.#listeners.map(async listener => await listener(tag, true)))
    }
  }

  async close (): Promise<void> {
    await this.#ledger.close()
    await Promise.all(this.#removing)
  }

  #learn (marks: ReadonlyMap<string, string>, tags: readonly string[]): void {
    this.#marks = marks
    this.#version++
    for (const tag of tags) {
      if (this.#own.has(tag)) continue // `purge` tells of it, after
      for (const listener of this.#listeners) {
        const removal = Promise.resolve(listener(tag, false))
        this.#removing.add(removal)
        void removal.finally(() => this.#removing.delete(removal))
      }
    }
  }
}

/** Purges of one process whose variants nobody shares and nothing outlives. */
export class LocalLedger implements PurgeLedger {
  #marks = new Map([[everything, markOf(0)]])
  #count = 0
  readonly #maxMarks: number
  #tell: PurgeNews = () => undefined

  constructor (maxMarks = MAX_MARKS) {
    this.#maxMarks = maxMarks
  }

  async open (tell: PurgeNews): Promise<void> {
    this.#tell = tell
    tell(this.#marks, [])
  }

  async add (tag: string): Promise<PurgeOutcome> {
    this.#count++
    const isMuch = tag === EVERYTHING || this.#marks.size > this.#maxMarks
    this.#marks = isMuch ? new Map() : this.#marks
    this.#marks.set(isMuch ? everything : tagName(tag), markOf(this.#count))
    this.#tell(this.#marks, isMuch ? [EVERYTHING] : [tag])
    return { behind: [] }
  }

  async close (): Promise<void> {
    // Nothing is held.
  }
}

/** The most tags whose last purge is remembered; at more, everything is purged and it begins anew. Whoever may purge pushes against it. */
export const MAX_MARKS = 20_000

/** A number as a string that is greater for a greater number. */
export function markOf (count: number): string {
  return count.toString().padStart(16, '0')
}
