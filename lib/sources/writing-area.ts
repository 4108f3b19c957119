import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises'
import { ASIDE_NAME } from './file-places.ts'
import { Claims } from './writing-claims.ts'
import { errnoOf } from './writing-faults.ts'
import { ownProcess, type Owner } from './writing-owner.ts'

// EXCL, NOFOLLOW: never through what someone else put there.
const DRAFT_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Of a file that was written, less what the umask takes: nobody but us writes it, nobody runs it. Until it is in its place its directory is closed to others. */
const FILE_MODE = 0o644

/** A file that is not finished. */
export interface AsideFile {
  readonly path: string
  readonly file: FileHandle
}

/** By what processes meet. */
export interface MeetingPlace {
  readonly locks: string
  readonly owner: Owner
}

/** The hidden directory below a root in which files are written before they are anything, and processes meet. */
export class WritingArea {
  readonly #drafts = new Set<string>()
  #owner: Promise<Owner> | undefined

  /** A new file of a name nobody knows. @throws as the file system does */
  async openDraft (root: string): Promise<AsideFile> {
    return await this.anew(root, async () => {
      const path = `${draftsOf(root)}/${randomBytes(16).toString('hex')}`
      const file = await open(path, DRAFT_FLAGS, FILE_MODE)
      this.#drafts.add(path)
      return { path, file }
    })
  }

  /** The file has gone from here, into its place or for good. */
  forget (path: string): void {
    this.#drafts.delete(path)
  }

  /** Does something in the area; where the area is not there, it is made. @throws what the action throws */
  async anew<T> (root: string, action: (place: MeetingPlace) => Promise<T>): Promise<T> {
    const place = { locks: locksOf(root), owner: await (this.#owner ??= ownProcess()) }
    try {
      return await action(place)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      // Not the root itself: what is not mounted is not written to.
      for (const path of [`${root}/${ASIDE_NAME}`, draftsOf(root), locksOf(root)]) await mkdir(path, { mode: 0o700 }).catch(ignoreThere)
      return await action(place)
    }
  }

  /** As `Writable.sweep`: drafts of this process that are under way stay. Never throws. */
  async sweep (root: string, olderThanMs: number): Promise<number> {
    const claims = new Claims(locksOf(root), await (this.#owner ??= ownProcess()))
    return await this.#sweepDrafts(draftsOf(root), olderThanMs) + await claims.sweep(olderThanMs)
  }

  async #sweepDrafts (directory: string, olderThanMs: number): Promise<number> {
    let count = 0
    for (const name of await readdir(directory).catch(() => [])) {
      const path = `${directory}/${name}`
      if (this.#drafts.has(path)) continue
      const age = await lstat(path).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0)
      // Another process may sweep as well.
      if (age > olderThanMs && await unlink(path).then(() => true, () => false)) count++
    }
    return count
  }
}

function draftsOf (root: string): string {
  return `${root}/${ASIDE_NAME}/drafts`
}

function locksOf (root: string): string {
  return `${root}/${ASIDE_NAME}/locks`
}

function ignoreThere (error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') throw error
}
