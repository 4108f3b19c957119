import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rename, unlink, type FileHandle } from 'node:fs/promises'

// EXCL, NOFOLLOW: never through what someone else put there.
const WRITE_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** A file to be written. */
export interface AsideFile {
  /** A directory of the same file system, for what is not finished. */
  readonly aside: string
  readonly path: string
  readonly parts: readonly Buffer[]
  /** Whether it has to survive a power loss whole. For kill -9 the rename is enough. */
  readonly isFlushed: boolean
}

/** Writes a file that is there whole or not at all. @throws as the file system does */
export async function writeAside ({ aside, path, parts, isFlushed }: AsideFile): Promise<void> {
  const { path: temporary, file } = await openAside(aside)
  try {
    try {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0)
      const { bytesWritten } = await file.writev(parts)
      // The last blocks of a full disk take a part, without an error: that comes with the rest.
      if (bytesWritten < bytes) await file.writeFile(Buffer.concat(parts).subarray(bytesWritten))
      if (isFlushed) await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}

/** A new file of a name nobody knows, for what is not finished. @throws as the file system does */
export async function openAside (aside: string): Promise<{ path: string, file: FileHandle }> {
  const path = `${aside}/${randomBytes(16).toString('hex')}`
  return { path, file: await open(path, WRITE_FLAGS, 0o600) }
}
