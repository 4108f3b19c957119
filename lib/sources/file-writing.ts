import { statfs, unlink } from 'node:fs/promises'
import { MediaError } from '../errors.ts'
import type { Key } from '../paths/request-path.ts'
import type { FilePlaces } from './file-places.ts'
import { isSame } from './second-names.ts'
import type { FoundFile } from './source.ts'
import { WritingArea, type AsideFile } from './writing-area.ts'
import { FileDraft } from './writing-draft.ts'
import { ChangedMeanwhile, errnoOf, writingFault } from './writing-faults.ts'
import { KeyLocks } from './writing-locks.ts'
import { Place, type Looks } from './writing-place.ts'
import { checkTarget, targetOf, type Target } from './writing-target.ts'
import { timeAfter } from './writing-time.ts'
import type { Condition, Draft, DraftOptions, Writable, Written } from './writing.ts'

/** How often what changes amid its being looked at is looked at anew: each time somebody else got on. */
const ATTEMPTS = 100

/** From so many bytes on it is asked beforehand whether they fit. */
const LARGE_BYTES = 1024 * 1024

/** What a `file` source is written by. */
export interface FileWritingParts extends Looks {
  readonly places: FilePlaces
}

/**
 * Files below a root, written so that they are there whole or not at all. A draft is a file in a hidden
 * directory of the root; it is flushed, then gets its name while its key is locked, and then its directory
 * is flushed. What is there is replaced at once, by a rename; a name that is free is given without
 * replacing anything, so that also files of those who know no locks stay.
 *
 * Its mode is 0644 less the umask, whatever the file had that it replaces. A link that was its name is
 * replaced, and not what the link leads to. Below mount points of other file systems nothing is written.
 */
export class FileWriting implements Writable {
  readonly #parts: FileWritingParts
  readonly #area = new WritingArea()
  readonly #locks = new KeyLocks(this.#area)

  constructor (parts: FileWritingParts) {
    this.#parts = parts
  }

  async begin (key: Key, { size }: DraftOptions = {}): Promise<Draft> {
    return await settled(key, async () => {
      const target = await targetOf(this.#parts.places, key)
      await checkTarget(target)
      if (size !== undefined && size >= LARGE_BYTES) await checkRoom(target.root, size)
      const draft = await this.#area.openDraft(target.root)
      return new FileDraft(this.#area, draft, async (aside, condition) => await this.#commit(target, aside, condition))
    })
  }

  async remove (key: Key, condition?: Condition): Promise<FoundFile | undefined> {
    return await this.#locked([key], async ([place]) => {
      const current = await place.look()
      condition?.(current?.found)
      if (current === undefined) return undefined
      await place.clear()
      await place.prune()
      return current.found
    })
  }

  async move (from: Key, to: Key, conditions: { readonly from?: Condition | undefined, readonly to?: Condition | undefined } = {}): Promise<Written> {
    return await this.#locked([from, to], async ([source, place]) => {
      const moved = await source.look()
      conditions.from?.(moved?.found)
      if (moved === undefined) throw new MediaError('not-found')
      // Elsewhere it would lead elsewhere.
      if (moved.stats.isSymbolicLink()) throw new MediaError('conflict', { detail: 'A link is not moved' })
      const current = await place.look()
      if (isOne(source.target, place.target)) throw new MediaError('conflict', { detail: 'The file has this name already' })
      conditions.to?.(current?.found)
      // Of two names for one file a rename would leave both.
      if (current !== undefined && isSame(current.stats, moved.stats)) await source.clear()
      else await place.takeFrom(source, moved, current)
      await source.prune()
      return { found: await place.found(), replaced: current?.found }
    })
  }

  async sweep (olderThanMs: number): Promise<number> {
    const root = await this.#parts.places.root().catch(() => undefined)
    return root === undefined ? 0 : await this.#area.sweep(root, olderThanMs)
  }

  async #commit (begun: Target, { path, file }: AsideFile, condition: Condition | undefined): Promise<Written> {
    return await this.#locked([begun.key], async ([place]) => {
      const current = await place.look()
      condition?.(current?.found)
      const stats = await file.stat({ bigint: true })
      if (stats.nlink === 0n) throw new MediaError('unavailable', { detail: 'What was uploaded was removed before it was finished' })
      const time = timeAfter(stats, current?.stats)
      if (time !== undefined) {
        await file.utimes(time, time)
        await file.sync()
      }
      if (await place.take(path, current !== undefined)) await unlink(path).catch(() => undefined)
      try {
        await place.flush()
        return { found: place.described(await file.stat({ bigint: true })), replaced: current?.found }
      } catch (error) {
        // What is not certain to outlive a power loss is not told to be there. What it replaced is gone, though.
        if (current === undefined) await place.giveUp(stats)
        throw error
      }
    }, [begun])
  }

  /** Does something while the places of some keys are locked and held open. @throws {MediaError} and what the action throws */
  async #locked<T> (keys: readonly Key[], action: (places: [Place, Place]) => Promise<T>, guesses?: readonly Target[]): Promise<T> {
    let targets = guesses
    return await settled(keys.join(' '), async () => {
      const locked = targets ?? await this.#targets(keys)
      return await this.#locks.hold((locked[0] as Target).root, locked.map(({ lock }) => lock), async () => {
        targets = await this.#targets(keys)
        if (targets.some(({ root, lock }, place) => root !== locked[place]?.root || lock !== locked[place]?.lock)) throw new ChangedMeanwhile()
        return await this.#opened(targets, action)
      })
    })
  }

  async #opened<T> (targets: readonly Target[], action: (places: [Place, Place]) => Promise<T>): Promise<T> {
    const places: Place[] = []
    try {
      for (const target of targets) places.push(await Place.open(target, this.#parts))
      return await action(places as [Place, Place])
    } catch (error) {
      // A directory that was made for what did not come is not left.
      for (const place of places) await place.withdraw()
      throw error
    } finally {
      for (const place of places) await place.close()
    }
  }

  async #targets (keys: readonly Key[]): Promise<Target[]> {
    return await Promise.all(keys.map(async key => await targetOf(this.#parts.places, key)))
  }
}

function isOne (a: Target, b: Target): boolean {
  return a.name === b.name && a.directory === b.directory && a.missing.join('/') === b.missing.join('/')
}

/** @throws {MediaError} `insufficient-storage` */
async function checkRoom (root: string, size: number): Promise<void> {
  const { bavail, bsize } = await statfs(root)
  if (size > bavail * bsize) throw new MediaError('insufficient-storage', { context: { path: root } })
}

/** Does something anew for as long as others change, or remove, what it looks at. @throws what it throws: errors of the file system as ours */
async function settled<T> (what: string, action: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile) && errnoOf(error) !== 'ENOENT') throw await writingFault(error, what)
    }
  }
  throw new MediaError('conflict', { detail: 'Others keep changing what lies above this file' })
}
