import { unlink, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { readFully } from '../sources/chunk-pool.ts'
import type { DiskLayout } from './disk-layout.ts'
import { shardOf } from './disk-shards.ts'
import { inBlocks, type DiskSpace } from './disk-space.ts'
import { headerFor, MAX_BODY_BYTES } from './record.ts'
import { StoreFault, type VariantFacts, type VariantKey } from './store.ts'

/** Where a variant is written to, piece by piece. */
export interface WritingPlace {
  readonly layout: DiskLayout
  readonly space: DiskSpace
  readonly key: VariantKey
  /** The file it becomes. */
  readonly path: string
  readonly facts: VariantFacts
  /** Told why it cannot go on, and how many bytes were wanted. */
  readonly onFault: (error: unknown, size: number) => void
}

/**
 * A variant that comes piece by piece: written aside, readable for who began it, and in its place
 * only when it is whole. Each method is called when the one before has settled, but `read`.
 */
export class DiskWriting {
  readonly #place: WritingPlace
  readonly #temporary: string
  readonly #file: FileHandle
  /** Bytes before the body. */
  readonly #start: number
  #size = 0
  #checksum = 0
  #reserved = 0
  #isOver = false
  #readers = 0
  #isClosed = false

  private constructor (place: WritingPlace, { path, file, start }: { path: string, file: FileHandle, start: number }) {
    this.#place = place
    this.#temporary = path
    this.#file = file
    this.#start = start
  }

  /** Undefined where that is impossible now, which is told. */
  static async open (place: WritingPlace): Promise<DiskWriting | undefined> {
    try {
      const { path, file } = await place.layout.openAside()
      return new DiskWriting(place, { path, file, start: headerFor(place.key, place.facts, { size: 0, checksum: 0 }).length })
    } catch (error) {
      place.onFault(error, 0)
      return undefined
    }
  }

  /** Bytes of the body so far. */
  get size (): number {
    return this.#size
  }

  /** Adds bytes. False where there is no room for them, or they cannot be written: then it never becomes whole. */
  async append (pieces: readonly Buffer[]): Promise<boolean> {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (this.#isOver || this.#size + bytes > MAX_BODY_BYTES) return false
    try {
      while (this.#reserved < this.#start + this.#size + bytes) {
        if (!await this.#place.space.reserve(bytes)) return false
        this.#reserved += inBlocks(bytes)
      }
      const { bytesWritten } = await this.#file.writev([...pieces], this.#start + this.#size)
      // The last blocks of a full disk take a part, without an error: that comes with the rest.
      if (bytesWritten < bytes) await this.#file.write(Buffer.concat(pieces), bytesWritten, bytes - bytesWritten, this.#start + this.#size + bytesWritten)
    } catch (error) {
      this.#place.onFault(error, bytes)
      return false
    }
    for (const piece of pieces) this.#checksum = crc32(piece, this.#checksum)
    this.#size += bytes
    return true
  }

  /** Bytes that were added, also after it is over, until it is closed. @throws {StoreFault} and as the file system does */
  async read (position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    this.#readers++
    try {
      const count = await readFully(this.#file.fd, buffer, 0, length, this.#start + position)
      if (count < length) throw new StoreFault('What was written is gone')
      return buffer
    } finally {
      this.#readers--
      await this.#closeUnread()
    }
  }

  /** That was all: it is in its place when this settles, or, where it is not wanted or cannot be, gone. @returns whether it is there */
  async finish (isWanted: boolean): Promise<boolean> {
    if (this.#isOver) return false
    this.#isOver = true
    const { layout, space, key, path, facts, onFault } = this.#place
    let isThere = false
    try {
      if (isWanted) {
        await this.#file.write(headerFor(key, facts, { size: this.#size, checksum: this.#checksum }), 0, this.#start, 0)
        await this.#file.datasync()
        await layout.place(shardOf(key), this.#temporary, path)
        isThere = true
      }
    } catch (error) {
      onFault(error, this.#size)
    } finally {
      if (!isThere) await unlink(this.#temporary).catch(() => undefined)
      if (this.#reserved > 0) space.settle(this.#reserved, shardOf(key), isThere)
    }
    return isThere
  }

  /** Nobody begins to read any more. */
  async close (): Promise<void> {
    this.#isClosed = true
    await this.finish(false)
    await this.#closeUnread()
  }

  /** Not while a read is under way: the descriptor's number may be another file's by then. */
  async #closeUnread (): Promise<void> {
    if (this.#isClosed && this.#readers === 0) await this.#file.close().catch(() => undefined)
  }
}
