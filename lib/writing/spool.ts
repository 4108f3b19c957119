import { mkdir, unlink, type FileHandle } from 'node:fs/promises'
import { openAside } from '../cache/disk-write.ts'
import { fileFault } from '../sources/file-faults.ts'

/** Bytes that are read at once. */
const READ_BYTES = 1_048_576

/** Bytes on disk that are no file of a mount yet: what has to be known whole before it is known what becomes of it. */
export class Spooled {
  readonly path: string
  readonly #file: FileHandle
  bytes = 0

  private constructor (path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  /** @throws {MediaError} `insufficient-storage`, `forbidden` */
  static async open (directory: string): Promise<Spooled> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const { path, file } = await openAside(directory)
      return new Spooled(path, file)
    } catch (error) {
      throw await fileFault(error, directory)
    }
  }

  /** @throws {MediaError} `insufficient-storage` */
  async write (chunk: Buffer): Promise<void> {
    try {
      await this.#file.writeFile(chunk)
    } catch (error) {
      throw await fileFault(error, this.path)
    }
    this.bytes += chunk.length
  }

  /** All of it, from the start. */
  async * read (): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.bytes;) {
      const { bytesRead, buffer } = await this.#file.read({ buffer: Buffer.allocUnsafe(Math.min(READ_BYTES, this.bytes - at)), position: at })
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  /** Never throws. */
  async discard (): Promise<void> {
    await this.#file.close().catch(() => undefined)
    await unlink(this.path).catch(() => undefined)
  }
}
