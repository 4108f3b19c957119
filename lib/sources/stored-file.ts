import { constants, type BigIntStats } from 'node:fs'
import { open, readlink, type FileHandle } from 'node:fs/promises'
import { RepresentationChanged, type StoredFile } from '../representation.ts'
import { fileFault, isMissing } from './file-faults.ts'

export type { StoredFile } from '../representation.ts'

/**
 * How long after a change the clock of a file system may still give a second change the
 * same time: within it, an equal revision proves nothing (2 s is FAT's and some NFS' grain).
 */
export const CLOCK_GRAIN_MS = 2000

/** Changes whenever the bytes may have. */
export function revisionOf (stats: BigIntStats): string {
  return `${stats.dev}-${stats.ino}-${stats.size}-${stats.mtimeNs}-${stats.ctimeNs}`
}

// NONBLOCK: a FIFO put in the file's place must not hang the open.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

/**
 * Opens a stored file, and makes sure that it is the one that was looked at: the same
 * inode, unchanged, reached without a link that was slipped into its path since.
 *
 * @throws {RepresentationChanged} where it is not
 * @throws {MediaError} `forbidden`, `out-of-descriptors`, `internal`
 */
export async function openStored (file: StoredFile): Promise<FileHandle> {
  let handle: FileHandle
  try {
    handle = await open(file.path, OPEN_FLAGS)
  } catch (error) {
    if (isMissing(error)) throw new RepresentationChanged(file.path, error)
    throw await fileFault(error, file.path)
  }
  try {
    const stats = await handle.stat({ bigint: true })
    if (revisionOf(stats) !== file.revision || await openedPath(handle, file.path) !== file.path) {
      throw new RepresentationChanged(file.path)
    }
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The path the kernel says was opened; where it does not tell, the one that was asked for. */
async function openedPath (handle: FileHandle, asked: string): Promise<string> {
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`)
  /* c8 ignore next 3 -- only where there is no /proc: not on Linux, where the tests run */
  } catch {
    return asked
  }
}
