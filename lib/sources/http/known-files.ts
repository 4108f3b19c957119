/** What of a file is known for a time. */
interface Costly {
  /** Bytes that it takes in memory. It stays the same. */
  readonly overhead: number
}

/** Files of a generation that are known: clients that ask for ever new ones push against it. */
export const KNOWN_FILES = 10_000

/** Bytes of what is known of them. Clients choose how long their names are, and origins how long their tags. */
export const KNOWN_BYTES = 24 * 1024 * 1024

/** Files that were asked for lately, in two generations, each of so many files and bytes: those unused for the longest go first. */
export class KnownFiles<T extends Costly> {
  #young = new Map<string, T>()
  #old = new Map<string, T>()
  #bytes = 0

  get (key: string): T | undefined {
    const known = this.#young.get(key)
    if (known !== undefined) return known
    const older = this.#old.get(key)
    if (older !== undefined) this.set(key, older)
    return older
  }

  set (key: string, known: T): void {
    this.#bytes += known.overhead - (this.#young.get(key)?.overhead ?? 0)
    this.#young.set(key, known)
    if (this.#young.size < KNOWN_FILES && this.#bytes < KNOWN_BYTES) return
    this.#old = this.#young
    this.#young = new Map()
    this.#bytes = 0
  }

  delete (key: string): void {
    this.#bytes -= this.#young.get(key)?.overhead ?? 0
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear (): void {
    this.#young.clear()
    this.#old.clear()
    this.#bytes = 0
  }
}
