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
    const lookups = new Map<Key, Promise<Found | undefined>>()
    const { revalidateMs, staleMs } = this.#options

    const lookUp = async (key: Key): Promise<Found | undefined> => {
      try {
        return this.#remember(entries, key, await source.stat(key))
      } finally {
        lookups.delete(key)
      }
    }

    return {
      stat: key => {
        const entry = entries.get(key)
        if (entry !== undefined && performance.now() - entry.checked < revalidateMs) {
          this.#touch(entry)
          return entry.found
        }
        let lookup = lookups.get(key)
        if (lookup === undefined) lookups.set(key, lookup = lookUp(key))
        if (entry === undefined || staleMs === 0 || performance.now() - entry.checked >= revalidateMs + staleMs) return lookup
        lookup.catch(() => {}) // the next who asks is told
        return entry.found
      },
      list: async (key, limit) => await source.list(key, limit),
      close: async () => await source.close()
    }
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

  #remember (entries: Map<Key, Entry>, key: Key, found: Found | undefined): Found | undefined {
    const known = entries.get(key)
    if (known !== undefined && found?.kind === 'file' && known.isStill(found)) {
      known.checked = performance.now()
      this.#touch(known)
      return known.found
    }
    if (known !== undefined) this.drop(known)
    if (found?.kind !== 'file') return found
    const entry = new Entry(key, entries, found, costOf(key, found))
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

/** One file's place in the order of use. */
class Entry {
  readonly key: Key
  readonly entries: Map<Key, Entry>
  found: FoundFile
  bytes: number
  checked = performance.now() // a clock that nobody sets back
  readonly #seen = Date.now()

  constructor (key: Key, entries: Map<Key, Entry>, found: FoundFile, bytes: number) {
    this.key = key
    this.entries = entries
    this.found = found
    this.bytes = bytes
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
