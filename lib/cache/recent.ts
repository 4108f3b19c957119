/**
 * What was looked up lately: at most twice `size` entries, those unused for the longest gone
 * first, in two generations. A hit costs one or two lookups and no allocation.
 */
export class Recent<K, V> {
  readonly #size: number
  #young = new Map<K, V>()
  #old = new Map<K, V>()

  /** @param size entries of a generation: whoever sends ever new names pushes against it */
  constructor (size: number) {
    this.#size = size
  }

  get (key: K): V | undefined {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const older = this.#old.get(key)
    if (older !== undefined) this.set(key, older)
    return older
  }

  set (key: K, value: V): void {
    this.#young.set(key, value)
    if (this.#young.size < this.#size) return
    this.#old = this.#young
    this.#young = new Map()
  }

  delete (key: K): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear (): void {
    this.#young.clear()
    this.#old.clear()
  }
}
