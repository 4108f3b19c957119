import { lstat, unlink } from 'node:fs/promises'
import { isAbsent } from './disk-faults.ts'

/** Removes a file. That another process was first is as good. @throws as the file system does */
export async function remove (path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}

/** Removes a file that was not written to for so many milliseconds. @throws as the file system does */
export async function removeOlder (path: string, ms: number): Promise<void> {
  try {
    if (Date.now() - (await lstat(path)).mtimeMs > ms) await unlink(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}
