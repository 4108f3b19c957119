import { MediaError } from '../../errors.ts'
import { typeOf } from '../../http/media-type.ts'
import type { Key } from '../../paths/request-path.ts'
import { Room } from '../room.ts'
import type { FoundFile } from '../source.ts'
import type { Condition, Draft, DraftOptions, Writable, Written } from '../writing.ts'
import { S3Failure, type S3Client, type S3Object } from './client.ts'
import { fileOf } from './description.ts'
import { S3Draft } from './draft.ts'
import type { ObjectNames } from './names.ts'
import { isMarked, newMark, Places, type Mark, type Placing } from './placing.ts'
import { Turns } from './turns.ts'

/** The largest object that a store copies by itself, in bytes. */
const MAX_COPIED_BYTES = 5 * 1024 ** 3

/** How often a condition about what is removed is asked anew. */
const MAX_TRIES = 8

/** Bytes of drafts that rest, kept in memory together. Forms of many files push against it: what is beyond goes in parts. */
const RESTING_BYTES = 32 * 1024 ** 2

/** What is written with. */
export interface S3WritingOptions {
  readonly client: S3Client
  readonly names: ObjectNames
  /** Bytes that are sent at once. */
  readonly partBytes: number
}

/**
 * Files of a bucket, written. Whoever writes one key in this process waits for who came before.
 *
 * What is certain whoever else writes: a file is there whole or not at all; and on condition, a file of up to
 * one part, which did not go in parts because it had to rest, replaces what the condition was told and nothing else, where the store looks at `If-Match` and
 * `If-None-Match` of PUT, as those of Amazon and Ceph do. For larger files, removals and moves it is where the
 * store looks at them there too, as Amazon's does and Ceph's (16) does not. Elsewhere what is there is looked
 * at right before: another process that writes in between is not noticed. Nor is anywhere a directory that comes
 * to be in that moment where a file is written, or the other way round.
 */
export class S3Writing implements Writable {
  readonly #client: S3Client
  readonly #names: ObjectNames
  readonly #partBytes: number
  readonly #places: Places
  readonly #turns = new Turns()
  readonly #uploads = new Set<string>()
  readonly #resting = new Room(RESTING_BYTES)

  constructor ({ client, names, partBytes }: S3WritingOptions) {
    this.#client = client
    this.#names = names
    this.#partBytes = partBytes
    this.#places = new Places(client, names)
  }

  async begin (key: Key, options: DraftOptions = {}): Promise<Draft> {
    const name = this.#names.writable(key)
    const put = async (placing: Placing): Promise<Written> => await this.#turns.take([key], async () => {
      await this.#places.check(key)
      return await this.#places.put(placing)
    })
    return new S3Draft({ client: this.#client, partBytes: this.#partBytes, uploads: this.#uploads, resting: this.#resting, put }, { key, name }, options)
  }

  async remove (key: Key, condition?: Condition): Promise<FoundFile | undefined> {
    const name = this.#names.writable(key)
    return await this.#turns.take([key], async () => {
      let before: S3Object | undefined
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const current = await this.#client.head(name)
        if (current === undefined && await this.#places.isDirectory(key)) throw isDirectory()
        if (tries > 0 && current?.entityTag === before?.entityTag) this.#places.doubt()
        const found = current === undefined ? undefined : fileOf({ client: this.#client, key, name }, current)
        condition?.(found)
        if (current === undefined || await this.#delete(name, condition === undefined ? undefined : current)) return found
        before = current
      }
      throw new MediaError('conflict', { detail: 'Others write this all the time' })
    })
  }

  async move (from: Key, to: Key, conditions: { readonly from?: Condition | undefined, readonly to?: Condition | undefined } = {}): Promise<Written> {
    const [name, target] = [this.#names.writable(from), this.#names.writable(to)]
    if (from === to) throw new MediaError('conflict', { detail: 'A file is moved to another name' })
    return await this.#turns.take([from, to], async () => {
      const original = await this.#client.head(name)
      if (original === undefined) throw await this.#places.isDirectory(from) ? isDirectory() : new MediaError('not-found')
      if (original.size > MAX_COPIED_BYTES) throw new MediaError('not-implemented', { detail: 'Within an object store files of up to 5 GiB are moved' })
      conditions.from?.(fileOf({ client: this.#client, key: from, name }, original))
      await this.#places.check(to)
      const mark = newMark()
      const written = await this.#copy({ name, original }, { key: to, name: target, condition: conditions.to, mark })
      try {
        await this.#leave(name, original)
      } catch (error) {
        throw written.replaced === undefined && await this.#isUndone(error, { name, target, mark }) ? error : underBoth(error)
      }
      return written
    })
  }

  async sweep (olderThanMs: number): Promise<number> {
    let swept = 0
    try {
      for await (const upload of this.#client.uploads.pending(this.#names.prefix)) {
        if (this.#uploads.has(upload.id) || !upload.object.startsWith(this.#names.prefix) || !(Date.now() - upload.begun >= olderThanMs)) continue
        await this.#client.uploads.abort(upload)
        swept++
      }
    } catch {
      // The store is away: another time.
    }
    return swept
  }

  /** @returns false where it is no longer what the condition was told */
  async #delete (name: string, expected: S3Object | undefined): Promise<boolean> {
    try {
      await this.#client.delete(name, expected === undefined ? {} : { ifMatch: this.#places.match(expected.entityTag) })
      return true
    } catch (error) {
      if (expected !== undefined && error instanceof S3Failure && (error.status === 412 || error.status === 409)) return false
      throw error
    }
  }

  /** Its type is that of its new name; all else that is stored with it stays. */
  async #copy ({ name, original }: { name: string, original: S3Object }, place: Pick<Placing, 'key' | 'name' | 'condition' | 'mark'>): Promise<Written> {
    const stored = { type: typeOf(place.key), fields: original.fields, metadata: { ...original.metadata, ...place.mark } }
    return await this.#places.put({
      ...place,
      size: original.size,
      store: async expected => {
        await this.#client.copy(name, place.name, { ...stored, ...expected, fromTag: this.#places.match(original.entityTag) })
        return undefined
      }
    })
  }

  /** What was copied goes, if it is still that. @throws {MediaError} `conflict` where it is not, and what the store refuses */
  async #leave (name: string, original: S3Object): Promise<void> {
    const now = await this.#client.head(name)
    if (now === undefined) return
    try {
      if (now.entityTag === original.entityTag && await this.#delete(name, original)) return
    } catch (error) {
      // It may have gone all the same: the answer alone was lost.
      if (await this.#client.head(name).catch(() => now) === undefined) return
      throw error
    }
    throw new MediaError('conflict', { detail: 'The file was replaced while it was moved' })
  }

  /**
   * Takes a copy away whose original stayed. Not where the store said nothing to that: it may still remove the
   * original, and the copy would be all there is. Nor what is another's by now.
   *
   * @returns whether the copy's name names nothing of ours
   */
  async #isUndone (failure: unknown, { name, target, mark }: { name: string, target: string, mark: Mark }): Promise<boolean> {
    if (failure instanceof S3Failure && failure.status === 0) return false
    try {
      if (await this.#client.head(name) === undefined) return false
      const copy = await this.#client.head(target)
      return copy === undefined || !isMarked(copy, mark) || await this.#delete(target, copy)
    } catch {
      return false
    }
  }
}

/** The same failure, which says what came of it. */
function underBoth (error: unknown): unknown {
  if (!(error instanceof MediaError)) return error
  const { code, detail, context, headers } = error
  return new MediaError(code, { detail: `${detail ?? error.message}: it is there under both names`, cause: error, ...(context === undefined ? {} : { context }), ...(headers === undefined ? {} : { headers }) })
}

function isDirectory (): MediaError {
  return new MediaError('conflict', { detail: 'A directory has this name' })
}
