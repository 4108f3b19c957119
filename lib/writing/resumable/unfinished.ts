import { MediaError } from '../../errors.ts'

/** How much may lie unfinished. */
export interface UnfinishedBounds {
  /** Uploads of one principal; those whom nobody knows are one together. They push against it, and against the next. */
  readonly uploads: number
  /** Bytes that one principal has announced. One upload is let in whatever its size. */
  readonly bytes: number
  /** Uploads altogether: everybody pushes against it, and against the next. */
  readonly totalUploads: number
  /** Bytes that were announced altogether. */
  readonly totalBytes: number
}

export const unfinishedBounds: UnfinishedBounds = { uploads: 1000, bytes: 2 ** 37, totalUploads: 20_000, totalBytes: 2 ** 40 }

interface Sum { uploads: number, bytes: number }

/**
 * The uploads that are not finished, as this process knows them: its own at once, those of other processes in the
 * same directory from its last look on. What is bounded is what was announced: what was sent is less.
 */
export class Unfinished {
  readonly #bounds: UnfinishedBounds
  readonly #bytes = new Map<string, number>()
  readonly #owners = new Map<string, Sum>()
  readonly #total: Sum = { uploads: 0, bytes: 0 }

  constructor (bounds: UnfinishedBounds = unfinishedBounds) {
    this.#bounds = bounds
  }

  /**
   * Counts a new upload.
   *
   * @param bytes as announced; the most that may come, where nothing is
   * @throws {MediaError} `quota-exceeded`, `insufficient-storage`
   */
  admit (id: string, bytes: number): void {
    const { uploads, bytes: most, totalUploads, totalBytes } = this.#bounds
    const owner = this.#owners.get(ownerOf(id)) ?? { uploads: 0, bytes: 0 }
    if (owner.uploads >= uploads || (owner.uploads > 0 && owner.bytes + bytes > most)) throw new MediaError('quota-exceeded', { detail: 'Finish or end other uploads first' })
    if (this.#total.uploads >= totalUploads || (this.#total.uploads > 0 && this.#total.bytes + bytes > totalBytes)) throw new MediaError('insufficient-storage', { detail: 'Too many uploads are unfinished' })
    this.count(id, bytes)
  }

  /** Counts what is there, within the bounds or not. */
  count (id: string, bytes: number): void {
    this.forget(id)
    const owner = this.#owners.get(ownerOf(id)) ?? { uploads: 0, bytes: 0 }
    this.#owners.set(ownerOf(id), owner)
    this.#bytes.set(id, bytes)
    for (const sum of [owner, this.#total]) {
      sum.uploads++
      sum.bytes += bytes
    }
  }

  forget (id: string): void {
    const bytes = this.#bytes.get(id)
    const owner = this.#owners.get(ownerOf(id))
    if (bytes === undefined || owner === undefined) return
    this.#bytes.delete(id)
    for (const sum of [owner, this.#total]) {
      sum.uploads--
      sum.bytes -= bytes
    }
    if (owner.uploads === 0) this.#owners.delete(ownerOf(id))
  }

  /** Bytes that whoever an upload is of has announced, beside it. */
  bytesLike (id: string): number {
    return this.#owners.get(ownerOf(id))?.bytes ?? 0
  }

  has (id: string): boolean {
    return this.#bytes.has(id)
  }

  /** Those that are counted now. */
  ids (): readonly string[] {
    return [...this.#bytes.keys()]
  }
}

/** The part of a name that tells whose it is. */
function ownerOf (id: string): string {
  return id.slice(0, 32)
}
