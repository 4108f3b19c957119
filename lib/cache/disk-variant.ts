import type { ByteRange } from '../http/range.ts'
import { RepresentationChanged, type Body } from '../representation.ts'
import type { LargeFiles } from '../sources/large-files.ts'
import type { ReadRecord } from './disk-read.ts'
import { StoreFault, type StoredVariant } from './store.ts'

/** How a variant's file is opened, and looked at once more where it changed. */
interface Access {
  readonly files: LargeFiles
  again (): Promise<ReadRecord>
}

/** A variant out of a file: its bytes where they are few, else a way to them. */
export class DiskVariant implements StoredVariant {
  readonly type
  readonly tags
  readonly quality
  readonly size: number
  readonly bytes: Buffer | undefined
  readonly tier = 'disk'
  readonly #record: ReadRecord
  readonly #access: Access

  constructor (record: ReadRecord, access: Access) {
    const { facts, size } = record.header
    this.type = facts.type
    this.tags = facts.tags
    this.quality = facts.quality
    this.size = size
    this.bytes = record.body
    this.#record = record
    this.#access = access
  }

  async open (range: ByteRange = { start: 0, end: this.size - 1 }): Promise<Body> {
    if (this.bytes !== undefined) return this.bytes.subarray(range.start, range.end + 1)
    try {
      return await this.#openFile(this.#record, range).catch(async (error: unknown) => {
        // Another process noted a use, which is a change of the file: its bytes are the same.
        if (!(error instanceof RepresentationChanged)) throw error
        return await this.#openFile(await this.#access.again(), range)
      })
    } catch (error) {
      throw new StoreFault('A variant went after it was found', error)
    }
  }

  async #openFile ({ header, file }: ReadRecord, range: ByteRange): Promise<Body> {
    if (file === undefined || header.size !== this.size) throw new StoreFault('Another variant is in its place')
    return await this.#access.files.open(file, { start: header.start + range.start, end: header.start + range.end })
  }
}
