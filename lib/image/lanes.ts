/** What waits in a lane. */
interface Waiting {
  readonly placement: { readonly lane: string }
}

/** Waiting tasks by lane. The order of the Map is that of the turns, the order in a Set that of arrival. */
export class Lanes<E extends Waiting> {
  readonly #lanes = new Map<string, Set<E>>()
  /** How many wait. */
  size = 0

  add (entry: E): void {
    const { lane } = entry.placement
    const entries = this.#lanes.get(lane)
    if (entries === undefined) this.#lanes.set(lane, new Set([entry]))
    else entries.add(entry)
    this.size++
  }

  remove (entry: E): void {
    const { lane } = entry.placement
    const entries = this.#lanes.get(lane)
    if (entries?.delete(entry) !== true) return
    if (entries.size === 0) this.#lanes.delete(lane)
    this.size--
  }

  /** Whose turn it is. */
  first (): E | undefined {
    for (const entries of this.#lanes.values()) for (const entry of entries) return entry
    return undefined
  }

  /** Removes the one whose turn it is, and gives the turn to the next lane. */
  shift (entry: E): void {
    const { lane } = entry.placement
    const entries = this.#lanes.get(lane)
    this.remove(entry)
    if (entries === undefined || entries.size === 0) return
    this.#lanes.delete(lane)
    this.#lanes.set(lane, entries)
  }
}
