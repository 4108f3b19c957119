import type { BigIntStats } from 'node:fs'
import { link, lstat, rename, unlink, utimes } from 'node:fs/promises'
import type { Describe } from './file-description.ts'
import type { FoundFile, Source } from './source.ts'
import { OpenDirectory, prune } from './writing-directory.ts'
import { ChangedMeanwhile, errnoOf } from './writing-faults.ts'
import { directoryThere, hidden, statsAt, type Target } from './writing-target.ts'

/** What file systems answer that have no second names, or give none to this file. */
const unlinkable = new Set(['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** What is there, and what it is as a file. */
export interface Present {
  readonly stats: BigIntStats
  readonly found: FoundFile
}

/** How files are looked at. */
export interface Looks {
  readonly describe: Describe
  /** As the source's own. */
  readonly stat: Source['stat']
}

/** The place of one key while it is locked: its directory is held open, if that is there. */
export class Place {
  readonly target: Target
  readonly #looks: Looks
  #directory: OpenDirectory | undefined
  /** The deepest directory that was made. */
  #made: string | undefined

  private constructor (target: Target, looks: Looks, directory: OpenDirectory | undefined) {
    this.target = target
    this.#looks = looks
    this.#directory = directory
  }

  /** @throws as `OpenDirectory.open` */
  static async open (target: Target, looks: Looks): Promise<Place> {
    return new Place(target, looks, target.missing.length === 0 ? await directoryAt(target.directory) : undefined)
  }

  /**
   * What is there now; undefined where nothing is.
   *
   * @throws {MediaError} `conflict` for a directory; `forbidden` for what the source hides, such as links that leave the root
   * @throws as the file system does
   */
  async look (): Promise<Present | undefined> {
    const stats = this.#directory === undefined ? undefined : await statsAt(this.#path)
    if (stats === undefined) return undefined
    if (stats.isDirectory()) throw directoryThere()
    if (stats.isFile()) return { stats, found: this.described(stats) }
    const found = stats.isSymbolicLink() ? await this.#looks.stat(this.target.key) : undefined
    if (found === undefined) throw hidden()
    if (found.kind === 'directory') throw directoryThere()
    return { stats, found }
  }

  /**
   * Gives a file this place.
   *
   * @param from its path by now
   * @param isTaken whether something is here, which it replaces
   * @returns whether it is still under the other path, too
   * @throws {ChangedMeanwhile} where something came here
   * @throws as the file system does
   */
  async take (from: string, isTaken: boolean): Promise<boolean> {
    await this.#makeDirectories()
    if (isTaken) {
      await rename(from, this.#path)
      return false
    }
    try {
      return await linkOrRename(from, this.#path)
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw new ChangedMeanwhile(this.target.key, { cause: error })
      throw error
    }
  }

  /** Makes another place's file this one's, where it is not yet. @throws as `take` */
  async takeFrom (other: Place, moved: Present, current: Present | undefined): Promise<void> {
    const time = timeAfter(moved.stats, current?.stats)
    if (time !== undefined) await utimes(other.#path, time, time)
    if (await this.take(other.#path, current !== undefined)) {
      await this.flush()
      await unlink(other.#path)
    } else {
      await this.flush()
    }
    await other.flush()
  }

  /** Takes away what is here. @throws as the file system does */
  async clear (): Promise<void> {
    await unlink(this.#path)
    await this.flush()
  }

  /** Settles when what was done here outlives a power loss. @throws as the file system does */
  async flush (): Promise<void> {
    await this.#directory?.flush()
  }

  /** What is here, to be told. @throws as the file system does */
  async found (): Promise<FoundFile> {
    return this.described(await lstat(this.#path, { bigint: true }))
  }

  /** Removes its directories, as far as they are empty now. Never throws. */
  async prune (): Promise<void> {
    const { root, directory, isLinked } = this.target
    if (!isLinked) await prune(directory, root)
  }

  /** Removes the directories that were made for what did not come. Never throws. */
  async withdraw (): Promise<void> {
    if (this.#made !== undefined) await prune(this.#made, this.target.directory)
  }

  /** Never throws. */
  async close (): Promise<void> {
    await this.#directory?.close()
  }

  /** Its member as the descriptor of its directory reaches it. */
  get #path (): string {
    return (this.#directory as OpenDirectory).member(this.target.name)
  }

  /** The file that is here, as what the key names. */
  described (stats: BigIntStats): FoundFile {
    const { root, key, name } = this.target
    return this.#looks.describe({ root, real: `${(this.#directory as OpenDirectory).path}/${name}` }, key, stats)
  }

  async #makeDirectories (): Promise<void> {
    if (this.#directory !== undefined) return
    let directory = await OpenDirectory.open(this.target.directory)
    try {
      for (const name of this.target.missing) {
        this.#made = `${directory.path}/${name}`
        const next = await directory.directory(name)
        await directory.close()
        directory = next
      }
      this.#directory = directory
    } finally {
      if (this.#directory === undefined) await directory.close()
    }
  }
}

/** Milliseconds by which a time of change may lie ahead: what lies further was set by somebody, and is no time of ours. */
const AHEAD_MS = 10_000

/**
 * When a file has to have been changed last, in seconds since the epoch, so that its tag is none that what it
 * replaces has, or had before: times of change differ by the grain of the kernel's clock, some milliseconds, or not
 * at all. Undefined where it is later already.
 */
export function timeAfter (stats: BigIntStats, current: BigIntStats | undefined): number | undefined {
  if (current === undefined || current.mtimeNs < stats.mtimeNs || current.mtimeMs > Date.now() + AHEAD_MS) return undefined
  // Two, since of one millisecond the way through a floating point number may take a part.
  return (Number(current.mtimeMs) + 2) / 1000
}

/** Undefined where a file is there instead. */
async function directoryAt (path: string): Promise<OpenDirectory | undefined> {
  try {
    return await OpenDirectory.open(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** A second name is never given over what is there already: not even over what came from who knows no locks. @returns whether the first is left */
async function linkOrRename (from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (!unlinkable.has(errnoOf(error) ?? '')) throw error
    await rename(from, to)
    return false
  }
}
