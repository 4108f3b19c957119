import { readFile, unlink } from 'node:fs/promises'
import { writeAside } from '../../cache/disk-write.ts'
import { isMissing } from '../../sources/file-faults.ts'

/** What is written down of an upload beside its bytes. */
export interface UploadRecord {
  /** Bytes; absent until the client tells. */
  readonly size?: number | undefined
  /** As the library decodes it. */
  readonly metadata?: Record<string, string | null> | undefined
  /** Milliseconds since the epoch. */
  readonly created: number
  /** What became of it: the path of the file below the root of the app. */
  readonly finished?: { readonly path: string, readonly at: number } | undefined
}

/** The name of an upload on disk: whose it is, where it goes, and the part that its URL tells, each of 128 bits. */
export const UPLOAD_NAME = /^[0-9a-f]{96}$/

/** Records of uploads, one file each, whole or not there. */
export class UploadRecords {
  readonly #directory: string

  constructor (directory: string) {
    this.#directory = directory
  }

  /** Undefined for what is not there, and for what a power loss damaged. @throws as the file system does */
  async read (id: string): Promise<UploadRecord | undefined> {
    try {
      const record: unknown = JSON.parse(await readFile(this.#path(id), 'utf8'))
      return isRecord(record) ? record : undefined
    } catch (error) {
      if (error instanceof SyntaxError || isMissing(error)) return undefined
      throw error
    }
  }

  /** @throws as the file system does */
  async write (id: string, record: UploadRecord): Promise<void> {
    await writeAside({ aside: this.#directory, path: this.#path(id), parts: [Buffer.from(JSON.stringify(record))], isFlushed: record.finished !== undefined })
  }

  /** Never throws. */
  async remove (id: string): Promise<void> {
    await unlink(this.#path(id)).catch(() => undefined)
  }

  #path (id: string): string {
    return `${this.#directory}/${id}.json`
  }
}

function isRecord (value: unknown): value is UploadRecord {
  return typeof value === 'object' && value !== null && 'created' in value && typeof value.created === 'number'
}
