import { constants } from 'node:fs'
import { lstat, mkdir, open, readlink, rmdir, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isMissing } from './file-faults.ts'
import { ChangedMeanwhile, errnoOf } from './writing-faults.ts'

const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** What file systems answer that cannot flush a directory: they have nothing to flush then. */
const unflushable = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EBADF'])

/**
 * A directory that is held open. Its members are reached by its descriptor (`/proc/self/fd`): what is
 * done to them cannot be led elsewhere by a link that somebody puts in its path meanwhile.
 */
export class OpenDirectory {
  /** Its real path. */
  readonly path: string
  readonly #file: FileHandle
  readonly #base: string

  private constructor (path: string, { file, base }: { file: FileHandle, base: string }) {
    this.path = path
    this.#file = file
    this.#base = base
  }

  /**
   * @param path without links
   * @throws {ChangedMeanwhile} where it is no longer what it was
   * @throws as the file system does; `ENOTDIR` for what is no directory
   */
  static async open (path: string): Promise<OpenDirectory> {
    return await OpenDirectory.#opened(path, path)
  }

  static async #opened (asked: string, path: string): Promise<OpenDirectory> {
    const file = await open(asked, DIRECTORY_FLAGS)
    const base = `/proc/self/fd/${file.fd}`
    try {
      // One that was removed is told as such, behind its path.
      if (await readlink(base) === path) return new OpenDirectory(path, { file, base })
    /* c8 ignore next 3 -- only where there is no /proc: not on Linux, where the tests run */
    } catch {
      return new OpenDirectory(path, { file, base: path })
    }
    await file.close()
    throw new ChangedMeanwhile(path)
  }

  /** The path by which a member is reached while this is open. */
  member (name: string): string {
    return `${this.#base}/${name}`
  }

  /** Makes a directory in it that outlives a power loss, or opens the one that is there. @throws as `open` */
  async directory (name: string): Promise<OpenDirectory> {
    try {
      await mkdir(this.member(name))
      await this.flush()
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
      // Through a link it is not gone here: whoever asked finds out first where it leads.
      if ((await lstat(this.member(name)).catch(() => undefined))?.isSymbolicLink() !== false) throw new ChangedMeanwhile(this.path, { cause: error })
    }
    return await OpenDirectory.#opened(this.member(name), join(this.path, name))
  }

  /** Settles when what was done to its members outlives a power loss. @throws as the file system does */
  async flush (): Promise<void> {
    await this.#file.sync().catch(ignoreUnflushable)
  }

  /** Never throws. */
  async close (): Promise<void> {
    await this.#file.close().catch(() => undefined)
  }
}

/* c8 ignore next 3 -- no file system that tests can mount refuses it */
function ignoreUnflushable (error: unknown): void {
  if (!unflushable.has(errnoOf(error) ?? '')) throw error
}

/** Removes a directory, and those above it, as far as they are empty, and not the root. Never throws. */
export async function prune (path: string, root: string): Promise<void> {
  for (let empty = path; empty.startsWith(`${root}/`); empty = dirname(empty)) {
    try {
      const parent = await OpenDirectory.open(dirname(empty))
      try {
        await rmdir(parent.member(basename(empty)))
      } finally {
        await parent.close()
      }
    } catch (error) {
      // Somebody else removed it, or it never came to be: those above may be left to us.
      if (!(error instanceof ChangedMeanwhile) && !isMissing(error)) return
    }
  }
}
