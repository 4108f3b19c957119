import type { BigIntStats } from 'node:fs'
import { lstat, rename, unlink, utimes } from 'node:fs/promises'
import type { Describe } from './file-description.ts'
import { isSame, linkOrRename, removeName } from './second-names.ts'
import type { FoundFile, Source } from './source.ts'
import { OpenDirectory, prune } from './writing-directory.ts'
import { ChangedMeanwhile, errnoOf } from './writing-faults.ts'
import { directoryThere, hidden, statsAt, type Target } from './writing-target.ts'
import { timeAfter } from './writing-time.ts'

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

  /** Makes another place's file this one's, where it is not yet. Where that fails midway it is undone, unless something was replaced. @throws as `take` */
  async takeFrom (other: Place, moved: Present, current: Present | undefined): Promise<void> {
    const time = timeAfter(moved.stats, current?.stats)
    if (time !== undefined) await utimes(other.#path, time, time)
    const isUnderBoth = await this.take(other.#path, current !== undefined)
    try {
      await this.flush()
      if (isUnderBoth) await removeName(other.#path)
      await other.flush()
    } catch (error) {
      if (current === undefined) await this.#giveBack(other, moved.stats)
      throw error
    }
  }

  /** The file that came here goes where it came from, or stays there. Never throws. */
  async #giveBack (other: Place, stats: BigIntStats): Promise<void> {
    try {
      const [here, there] = [await statsAt(this.#path), await statsAt(other.#path)]
      if (here === undefined || !isSame(here, stats)) return
      if (there === undefined) await rename(this.#path, other.#path)
      // Where something else is by now it stays here.
      else if (isSame(there, stats)) await this.clear()
      await other.flush()
    } catch {
      // The failure that led here is told. The file has one of its names at least.
    }
  }

  /** Takes away the file that came here, if it still is that. Never throws. */
  async giveUp (stats: BigIntStats): Promise<void> {
    try {
      const here = await statsAt(this.#path)
      if (here !== undefined && isSame(here, stats)) await this.clear()
    } catch {
      // Who asks has a failure to tell already.
    }
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

/** Undefined where a file is there instead. */
async function directoryAt (path: string): Promise<OpenDirectory | undefined> {
  try {
    return await OpenDirectory.open(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}
