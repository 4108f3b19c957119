import type { Entry } from './entry.ts'
import { MAX_VARIANTS, type Resource } from './resource.ts'
import type { Shelf } from './shelf.ts'

/** Where an entry is kept. */
interface Place {
  readonly resource: Resource
  readonly shelf: Shelf
}

/** What of a resource is known costs this many bytes, its path beside it. Measured. */
const RESOURCE_BYTES = 2048

/** The part of the bound that bodies may take while they arrive, before they are kept. */
const ARRIVING_PART = 0.5

/** The answers of all scopes in memory: bounded in bytes, the one unused for the longest goes first. */
export class Memory {
  readonly #limit: number
  /** In the order of use, the latest last: a Map keeps the order of insertion. */
  readonly #places = new Map<Entry, Place>()
  #latest: Entry | undefined
  #bytes = 0
  #arriving = 0

  /** @param limit bytes of all answers together, with what each costs beside its own */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** Bytes kept now, overhead included, and those of bodies that are arriving. */
  get bytes (): number {
    return this.#bytes + this.#arriving
  }

  touch (entry: Entry): void {
    if (entry === this.#latest) return
    const place = this.#places.get(entry)
    if (place === undefined) return // still arriving
    this.#latest = entry
    entry.isUsed = true
    this.#places.delete(entry)
    this.#places.set(entry, place)
    const { entries } = place.resource
    if (entries.size === 1) return
    entries.delete(entry.selection) // so that of the variants too, the one unused for the longest is the first
    entries.set(entry.selection, entry)
  }

  /** Keeps an answer, in the place of the one before it. It may be gone at once where it is too large. */
  put (place: Place, entry: Entry): void {
    const { resource } = place
    const before = resource.entries.get(entry.selection)
    if (before !== undefined) this.drop(before, resource)
    resource.entries.set(entry.selection, entry)
    this.#places.set(entry, place)
    this.#latest = entry
    this.#bytes += costOf(entry, resource)
    for (const oldest of resource.entries.values()) {
      if (resource.entries.size <= MAX_VARIANTS) break
      this.drop(oldest, resource)
    }
    this.#trim()
  }

  /** Forgets an answer. */
  drop (entry: Entry, resource: Resource): void {
    if (resource.entries.get(entry.selection) === entry) resource.entries.delete(entry.selection)
    const place = this.#places.get(entry)
    if (place === undefined) return
    this.#places.delete(entry)
    this.#bytes -= costOf(entry, resource)
    if (this.#latest === entry) this.#latest = undefined
    place.shelf.tidy(resource)
  }

  /** Forgets all answers of a resource. */
  clear (resource: Resource): void {
    for (const entry of resource.entries.values()) this.drop(entry, resource)
    resource.entries.clear() // and those that are still arriving
  }

  /**
   * Makes room for a body that is arriving. Call `leave` with as many bytes when it is kept, or is not.
   *
   * @returns false where too many arrive already
   */
  arrive (bytes: number): boolean {
    if (this.#arriving + bytes > this.#limit * ARRIVING_PART) return false
    this.#arriving += bytes
    this.#trim()
    return true
  }

  leave (bytes: number): void {
    this.#arriving -= bytes
  }

  /** The answers that were asked for since this was last called. */
  takeUsed (): Entry[] {
    const used = [...this.#places.keys()].filter(entry => entry.isUsed)
    for (const entry of used) entry.isUsed = false
    this.#latest = undefined // so that its next use is noted
    return used
  }

  #trim (): void {
    for (const [oldest, { resource }] of this.#places) {
      if (this.bytes <= this.#limit) return
      this.drop(oldest, resource)
    }
  }
}

function costOf (entry: Entry, { path, tag }: Resource): number {
  return entry.cost + RESOURCE_BYTES + (path.length + tag.length) * 2
}
