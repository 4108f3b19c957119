import { lstat, mkdir, readdir, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { openAside } from '../cache/disk-write.ts'
import { fileFault } from '../sources/file-faults.ts'
import { bytesOf } from './file-bytes.ts'

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
  read (): AsyncGenerator<Buffer> {
    return bytesOf(this.#file)
  }

  /** Removes what processes that ended have left, if it is older than so many milliseconds. Never throws. */
  static async sweep (directory: string, olderThanMs: number): Promise<void> {
    const names = await readdir(directory).catch(() => [])
    for (const name of names) {
      const path = join(directory, name)
      const found = await lstat(path).catch(() => undefined)
      if (found?.isFile() === true && Date.now() - found.mtimeMs > olderThanMs) await unlink(path).catch(() => undefined)
    }
  }

  /** Never throws. */
  async discard (): Promise<void> {
    await this.#file.close().catch(() => undefined)
    await unlink(this.path).catch(() => undefined)
  }
}
