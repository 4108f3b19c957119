/** What keeps its bytes as long as there is room. */
interface Keeping {
  bytes: Buffer | undefined
  /** What it costs beside them, where that is known. */
  readonly overhead?: number
}

/** What an entry costs beside its bytes, where it does not tell. */
const ENTRY_BYTES = 512

/** Small files in memory: of all together no more than a bound, those unused for the longest gone first. */
export class KeptBytes {
  readonly #maxBytes: number
  /** In the order of use, as a Set keeps the order of insertion. */
  readonly #entries = new Set<Keeping>()
  #bytes = 0

  /** @param maxBytes of all together: whoever asks for many files pushes against it */
  constructor (maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes kept now, overhead included. */
  get bytes (): number {
    return this.#bytes
  }

  /** Keeps what has its bytes. */
  add (entry: Keeping): void {
    if (this.#entries.has(entry)) return
    this.#entries.add(entry)
    this.#bytes += costOf(entry)
    for (const oldest of this.#entries) {
      if (this.#bytes <= this.#maxBytes) return
      this.drop(oldest)
    }
  }

  /** It was used just now. */
  touch (entry: Keeping): void {
    if (this.#entries.delete(entry)) this.#entries.add(entry)
  }

  /** It is to be read anew when it is wanted again. */
  drop (entry: Keeping): void {
    if (!this.#entries.delete(entry)) return
    this.#bytes -= costOf(entry)
    entry.bytes = undefined
  }

  clear (): void {
    for (const entry of this.#entries) this.drop(entry)
  }
}

function costOf ({ bytes, overhead = ENTRY_BYTES }: Keeping): number {
  return (bytes?.length ?? 0) + overhead
}
