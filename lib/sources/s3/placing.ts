import { randomUUID } from 'node:crypto'
import { MediaError } from '../../errors.ts'
import type { Key } from '../../paths/request-path.ts'
import type { Condition, Written } from '../writing.ts'
import { S3Failure, type S3Client, type S3Object, type WriteOptions } from './client.ts'
import { fileOf, type KnownObject } from './description.ts'
import type { ObjectNames } from './names.ts'

/** How often a condition is asked anew because somebody else was faster. Whoever writes one key all the time pushes against it. */
const MAX_TRIES = 8

/** The metadata by which a writer knows what it wrote itself, where the answer was lost. */
const MARK = 'draft'

/** Metadata that one object has and no other. */
export type Mark = Readonly<Record<string, string>>

/** Metadata for one object that is written. */
export function newMark (): Mark {
  return { [MARK]: randomUUID() }
}

/** What a store is to look at. */
type Expected = Pick<WriteOptions, 'ifMatch' | 'ifNoneMatch'>

/** An object that is to be at a key. */
export interface Placing {
  readonly key: Key
  readonly name: string
  readonly size: number
  /** As it is stored with it. */
  readonly mark: Mark
  readonly condition: Condition | undefined
  /** Makes it so, on what the store looks at. @returns its tag, where that is told */
  store (expected: Expected): Promise<string | undefined>
}

/**
 * Puts objects in their places, each on what is there. What a store looks at by itself (`If-Match`,
 * `If-None-Match`) is certain whoever else writes; what it does not is looked at right before.
 */
export class Places {
  readonly #client: S3Client
  readonly #names: ObjectNames
  /** Whether the store compares tags without their quotes, as Ceph did before version 17. */
  #areTagsBare = false

  constructor (client: S3Client, names: ObjectNames) {
    this.#client = client
    this.#names = names
  }

  /** The field that holds a tag, as this store compares it. */
  match (entityTag: string): string {
    return this.#areTagsBare ? entityTag.slice(1, -1) : entityTag
  }

  /** A refusal although the tag is the same: it may be by its quotes. */
  doubt (): void {
    this.#areTagsBare = !this.#areTagsBare
  }

  /** @throws {MediaError} `conflict` where a directory has the key, or a file that of a directory above it */
  async check (key: Key): Promise<void> {
    const above = key.split('/').slice(0, -1).map((_, place, segments) => segments.slice(0, place + 1).join('/') as Key)
    const [isDirectory, ...files] = await Promise.all([this.isDirectory(key), ...above.map(async each => await this.#client.head(this.#names.writable(each)))])
    if (isDirectory) throw new MediaError('conflict', { detail: 'A directory has this name' })
    if (files.some(file => file !== undefined)) throw new MediaError('conflict', { detail: 'A file has the name of a directory above this one' })
  }

  /** Whether anything is below a key. */
  async isDirectory (key: Key): Promise<boolean> {
    const prefix = this.#names.below(key)
    return prefix !== undefined && (await this.#client.list({ prefix, limit: 1 })).objects.length > 0
  }

  /** @throws what the condition throws, {MediaError} `conflict`, and what the store refuses */
  async put (placing: Placing): Promise<Written> {
    const { name, condition } = placing
    let before: S3Object | undefined
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const current = await this.#client.head(name)
      if (current !== undefined && isMarked(current, placing.mark)) return this.#written(placing, current, before)
      if (tries > 0 && current !== undefined && current.entityTag === before?.entityTag) this.doubt()
      before = current
      condition?.(current === undefined ? undefined : fileOf({ ...placing, client: this.#client }, current))
      const stored = await this.#store(placing, current)
      if (stored !== undefined) return this.#written(placing, stored, before)
    }
    throw new MediaError('conflict', { detail: 'Others write this all the time' })
  }

  /** @returns undefined where it is no longer what the condition was told */
  async #store (placing: Placing, current: S3Object | undefined): Promise<KnownObject | undefined> {
    const { size, condition } = placing
    let entityTag: string | undefined
    try {
      entityTag = await this.#onlyOn(condition === undefined ? {} : current === undefined ? { ifNoneMatch: '*' } : { ifMatch: this.match(current.entityTag) }, placing)
    } catch (error) {
      return await this.#despite(error, placing, current)
    }
    // Where it is another's by now, it was there all the same.
    const now = await this.#client.head(placing.name).catch(() => undefined)
    return now !== undefined && isMarked(now, placing.mark) ? now : { size, lastModified: Date.now(), ...(entityTag === undefined ? {} : { entityTag }) }
  }

  /** Some stores refuse whatever has a condition that they do not know. */
  async #onlyOn (expected: Expected, placing: Placing): Promise<string | undefined> {
    try {
      return await placing.store(expected)
    } catch (error) {
      if (placing.condition === undefined || !(error instanceof S3Failure) || error.status !== 501) throw error
      return await placing.store({})
    }
  }

  /**
   * What came of it, where the store said no, or nothing: it may be there all the same, the answer alone was lost.
   *
   * @returns undefined where somebody else was faster
   * @throws the error, where it is not known to be anything else
   */
  async #despite (error: unknown, placing: Placing, before: S3Object | undefined): Promise<S3Object | undefined> {
    if (!(error instanceof S3Failure)) throw error
    const isRefusal = error.status === 412 || error.status === 409
    const now = await this.#client.head(placing.name).catch(() => before)
    if (now !== undefined && isMarked(now, placing.mark)) return now
    // Ceph has status 500 for some of those who come too late.
    if (placing.condition !== undefined && (isRefusal || now?.entityTag !== before?.entityTag)) return undefined
    throw isRefusal ? new MediaError('conflict', { cause: error }) : error
  }

  #written (placing: Placing, object: KnownObject, before: S3Object | undefined): Written {
    const place = { ...placing, client: this.#client }
    return { found: fileOf(place, object), replaced: before === undefined ? undefined : fileOf(place, before) }
  }
}

/** Whether an object is the one that was written with a mark. */
export function isMarked ({ metadata }: S3Object, mark: Mark): boolean {
  return metadata[MARK] === mark[MARK]
}
