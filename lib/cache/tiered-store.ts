import { MemoryStore } from './memory-store.ts'
import type { MakingLease, NewVariant, StoredVariant, VariantKey, VariantStore } from './store.ts'

/** Milliseconds between two times that the lower tier is told what was used in memory: else its eviction takes what is asked for most. */
const USES_MS = 1_800_000

/** Memory before a store that outlives the process, or is shared. */
export class TieredStore implements VariantStore {
  readonly #memory: MemoryStore
  readonly #lower: VariantStore
  /** Changes with each purge: what was on its way up during one is not given, since nobody knows which came first. */
  #purges = 0
  readonly #uses: NodeJS.Timeout

  /** Both are closed with it. @param usesMs milliseconds between two tellings of uses */
  constructor (memory: MemoryStore, lower: VariantStore, usesMs = USES_MS) {
    this.#memory = memory
    this.#lower = lower
    this.#uses = setInterval(() => this.#tellUses(), usesMs).unref()
  }

  get (key: VariantKey): StoredVariant | undefined | Promise<StoredVariant | undefined> {
    return this.#memory.get(key) ?? this.#getBelow(key)
  }

  peek (key: VariantKey): StoredVariant | undefined {
    return this.#memory.get(key)
  }

  async put (key: VariantKey, variant: NewVariant): Promise<void> {
    await this.#memory.put(key, variant)
    await this.#lower.put(key, variant)
  }

  async purge (tag: string): Promise<number | undefined> {
    this.forget(tag)
    const found = await this.#lower.purge(tag)
    this.forget(tag)
    return found
  }

  /** Forgets what is in memory alone: for a purge by another instance, which removes what both share. */
  forget (tag: string): void {
    this.#purges++
    this.#memory.forget(tag)
  }

  async claim (key: VariantKey, signal: AbortSignal): Promise<MakingLease | StoredVariant | undefined> {
    const purges = this.#purges
    const claimed = await this.#lower.claim?.(key, signal)
    return claimed === undefined || 'release' in claimed ? claimed : this.#raise(key, claimed, purges)
  }

  async close (): Promise<void> {
    clearInterval(this.#uses)
    this.#tellUses()
    await this.#memory.close()
    await this.#lower.close()
  }

  async #getBelow (key: VariantKey): Promise<StoredVariant | undefined> {
    const purges = this.#purges
    const found = await this.#lower.get(key)
    return found === undefined ? undefined : this.#raise(key, found, purges)
  }

  #raise (key: VariantKey, found: StoredVariant, purges: number): StoredVariant | undefined {
    if (purges !== this.#purges) return undefined
    if (found.bytes !== undefined) this.#memory.keep(key, { ...found, bytes: found.bytes })
    return found
  }

  #tellUses (): void {
    if (this.#lower.touch === undefined) return
    for (const key of this.#memory.takeUsed()) this.#lower.touch(key)
  }
}
