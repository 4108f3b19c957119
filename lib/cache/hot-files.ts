import type { ContentCoding, Representation } from '../representation.ts'
import type { Key } from '../paths/request-path.ts'
import type { Found, FoundFile, Source } from '../sources/source.ts'
import { CLOCK_GRAIN_MS } from '../sources/stored-file.ts'
import { HotRepresentation, type Keeper } from './hot-representation.ts'

/** What is kept in memory, and for how long it is believed. */
export interface HotFileOptions {
  /** Bytes of the largest file that is kept. */
  maxFileBytes: number
  /** Bytes of all that is kept together. */
  totalBytes: number
  /** The most files whose description is kept. */
  maxFiles: number
  /** Milliseconds between two looks at the source, per file that is asked for. */
  revalidateMs: number
  /** Milliseconds after that in which the old answer is given while the source is asked: for sources that answer slowly. */
  staleMs: number
}

/** What is kept where nothing else is said. */
export const hotFileDefaults: HotFileOptions = { maxFileBytes: 262_144, totalBytes: 67_108_864, maxFiles: 20_000, revalidateMs: 1000, staleMs: 0 }

/** What a representation costs beside its bytes: description, headers, map. Measured, so that many empty files are bounded too. */
const REPRESENTATION_BYTES = 1536

/**
 * The files asked for last, finished in memory: descriptions of all, bytes of the small.
 * One serves all sources; the file unused for the longest goes first.
 */
export class HotFiles implements Keeper<Entry> {
  readonly #options: HotFileOptions
  /** The order of use: the one unused for the longest is first, as a Set keeps the order of insertion. */
  readonly #entries = new Set<Entry>()
  #latest: Entry | undefined
  #bytes = 0
  #doubted = -Infinity

  constructor (options: Partial<HotFileOptions> = {}) {
    this.#options = { ...hotFileDefaults, ...options }
  }

  /** Bytes kept now, overhead included. */
  get bytes (): number {
    return this.#bytes
  }

  /** Files kept now. */
  get files (): number {
    return this.#entries.size
  }

  /** A source whose files are remembered here. Missing keys and directories are not. */
  over (source: Source): Source {
    const entries = new Map<Key, Entry>()
    const lookups = new Map<Key, Lookup>()
    const { revalidateMs, staleMs } = this.#options

    const lookUp = (key: Key): Lookup => {
      const begun = performance.now()
      const lookup: Lookup = {
        begun,
        found: Promise.resolve().then(() => source.stat(key)).then(found => this.#remember(entries, { key, begun }, found)).finally(() => {
          if (lookups.get(key) === lookup) lookups.delete(key)
        })
      }
      lookups.set(key, lookup)
      return lookup
    }

    return {
      stat: key => {
        const entry = entries.get(key)
        const isDoubted = entry !== undefined && entry.checked <= this.#doubted
        if (entry !== undefined && !isDoubted && performance.now() - entry.checked < revalidateMs) {
          this.#touch(entry)
          return entry.found
        }
        const underWay = lookups.get(key)
        const { found } = underWay !== undefined && underWay.begun > this.#doubted ? underWay : lookUp(key)
        if (entry === undefined || isDoubted || staleMs === 0 || performance.now() - entry.checked >= revalidateMs + staleMs) return found
        found.catch(() => {}) // the next who asks is told
        return entry.found
      },
      list: async (key, limit) => await source.list(key, limit),
      close: async () => await source.close()
    }
  }

  /** Every file is looked at anew when it is asked for next. Looks under way may have seen what was before: what they find is not believed either. */
  doubt (): void {
    this.#doubted = performance.now()
  }

  /** Called by a representation that has read its bytes. */
  grow (entry: Entry, bytes: number): void {
    if (!this.#entries.has(entry)) return // it was dropped meanwhile
    entry.bytes += bytes
    this.#bytes += bytes
    this.#trim()
  }

  drop (entry: Entry): void {
    if (!this.#entries.delete(entry)) return
    if (entry.entries.get(entry.key) === entry) entry.entries.delete(entry.key)
    this.#bytes -= entry.bytes
  }

  #remember (entries: Map<Key, Entry>, { key, begun }: { key: Key, begun: number }, found: Found | undefined): Found | undefined {
    const known = entries.get(key)
    if (known !== undefined && found?.kind === 'file' && known.isStill(found)) {
      known.checked = Math.max(known.checked, begun)
      this.#touch(known)
      return known.found
    }
    if (known !== undefined) this.drop(known)
    if (found?.kind !== 'file') return found
    const entry = new Entry({ key, begun }, entries, found)
    entry.found = this.#kept(found, entry)
    entries.set(key, entry)
    this.#entries.add(entry)
    this.#bytes += entry.bytes
    this.#trim()
    return entry.found
  }

  #kept (found: FoundFile, entry: Entry): FoundFile {
    const keep = (representation: Representation): Representation => new HotRepresentation(representation, { keeper: this, entry }, this.#options.maxFileBytes)
    const encoded = found.encoded === undefined
      ? undefined
      : Object.fromEntries(Object.entries(found.encoded).map(([coding, representation]) => [coding, keep(representation)])) as Partial<Record<ContentCoding, Representation>>
    return { ...found, representation: keep(found.representation), encoded }
  }

  #touch (entry: Entry): void {
    if (entry === this.#latest) return
    this.#latest = entry
    this.#entries.delete(entry)
    this.#entries.add(entry)
  }

  #trim (): void {
    for (const entry of this.#entries) {
      if (this.#bytes <= this.#options.totalBytes && this.#entries.size <= this.#options.maxFiles) return
      this.drop(entry)
    }
  }
}

/** A look at the source. */
interface Lookup {
  readonly begun: number
  readonly found: Promise<Found | undefined>
}

/** One file's place in the order of use. */
class Entry {
  readonly key: Key
  readonly entries: Map<Key, Entry>
  found: FoundFile
  bytes: number
  /** When the look began that last showed it, by a clock that nobody sets back. */
  checked: number
  readonly #seen = Date.now()

  constructor ({ key, begun }: { key: Key, begun: number }, entries: Map<Key, Entry>, found: FoundFile) {
    this.key = key
    this.checked = begun
    this.entries = entries
    this.found = found
    this.bytes = costOf(key, found)
  }

  /** Whether a new look at the source shows what is kept, beyond the doubt of a coarse clock. */
  isStill (found: FoundFile): boolean {
    return found.revision === this.found.revision && this.#seen - found.changed >= CLOCK_GRAIN_MS
  }
}

function costOf (key: Key, { revision, encoded = {} }: FoundFile): number {
  const representations = 1 + Object.keys(encoded).length
  return representations * (REPRESENTATION_BYTES + key.length * 2) + revision.length
}
