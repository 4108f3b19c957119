import type { DiskWriting } from '../cache/disk-writing.ts'
import { BlockSums } from './blocks.ts'
import type { DiskTier, Spot } from './disk-tier.ts'
import type { StoredBody } from './stored-body.ts'

/** A body on its way to the disk. */
export class Spool {
  readonly #disk: DiskTier
  readonly #key: string
  readonly #writing: DiskWriting
  readonly #sums = new BlockSums()

  private constructor (disk: DiskTier, key: string, writing: DiskWriting) {
    this.#disk = disk
    this.#key = key
    this.#writing = writing
  }

  /** Undefined where nothing can be written now. */
  static async open (disk: DiskTier, spot: Spot): Promise<Spool | undefined> {
    const begun = await disk.beginBody(spot)
    return begun === undefined ? undefined : new Spool(disk, begun.key, begun.writing)
  }

  /** False where it cannot go on. */
  async append (pieces: readonly Buffer[]): Promise<boolean> {
    for (const piece of pieces) this.#sums.add(piece)
    return await this.#writing.append(pieces)
  }

  /** @throws as the file system does */
  async read (position: number, length: number): Promise<Buffer> {
    return await this.#writing.read(position, length)
  }

  /** What was written, whole, in its place; undefined where that failed. */
  async finish (): Promise<StoredBody | undefined> {
    const { size } = this.#writing
    if (!await this.#writing.finish(true)) return undefined
    return await this.#disk.body({ key: this.#key, size, sums: this.#sums.sums }, true)
  }

  /** Nobody reads from it any more; what is not finished is forgotten. */
  async close (): Promise<void> {
    await this.#writing.close()
  }
}
