import { lstat, mkdir, rename, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, isAbsent } from './disk-faults.ts'
import { WHOLE_BODY_BYTES } from './disk-read.ts'
import { shardName, shardOf, SHARDS } from './disk-shards.ts'
import { openAside, writeAside } from './disk-write.ts'
import type { VariantKey } from './store.ts'

/** 43 characters of base64url: nothing else ever becomes part of a path. */
const keyShape = /^[\w-]{43}$/

/** Which file is whose below a cache directory, and how one comes there. */
export class DiskLayout {
  /** Where variants lie, by shard. */
  readonly variants: string
  /** Where what is not finished lies: in the same file system. */
  readonly aside: string
  /** Shards whose directory is known to be one. */
  readonly #trusted = new Uint8Array(SHARDS)

  constructor (directory: string) {
    this.variants = join(directory, 'variants')
    this.aside = join(directory, 'tmp')
  }

  /** A variant's file; undefined for what is no variant key. */
  pathOf (key: VariantKey): string | undefined {
    return keyShape.test(key) ? `${this.variants}/${shardName(shardOf(key))}/${key}` : undefined
  }

  /** Writes a variant's file: the whole of it is there when this settles, or nothing new. @throws as the file system does */
  async write (shard: number, path: string, parts: readonly Buffer[]): Promise<void> {
    await this.#inPlace(shard, async () => await writeAside({ aside: this.aside, path, parts, isFlushed: (parts[1]?.length ?? 0) > WHOLE_BODY_BYTES }))
  }

  /** Begins a file that is written piece by piece. @throws as the file system does */
  async openAside (): Promise<{ path: string, file: FileHandle }> {
    return await this.#anew(async () => await openAside(this.aside))
  }

  /** Puts a finished file from aside into its place. @throws as the file system does */
  async place (shard: number, temporary: string, path: string): Promise<void> {
    await this.#inPlace(shard, async () => await rename(temporary, path))
  }

  /** @throws as the file system does */
  async makeDirectories (): Promise<void> {
    for (const directory of [this.variants, this.aside]) await mkdir(directory, { recursive: true, mode: 0o700 })
  }

  async #inPlace (shard: number, action: () => Promise<void>): Promise<void> {
    await this.#anew(async () => {
      if (this.#trusted[shard] !== 1) await this.#trust(shard)
      await action()
    })
  }

  /** Where someone removed the directory, it is begun anew. */
  async #anew<T> (action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      if (!isAbsent(error)) throw error
      this.#trusted.fill(0)
      await this.makeDirectories()
      return await action()
    }
  }

  /** Makes a shard's directory, and makes sure that it is one: through a link, variants would be written elsewhere. */
  async #trust (shard: number): Promise<void> {
    const directory = join(this.variants, shardName(shard))
    if (!await madeDirectory(directory)) {
      await unlink(directory)
      await madeDirectory(directory)
    }
    this.#trusted[shard] = 1
  }
}

/** Makes a directory; false where something else is in its place. */
async function madeDirectory (directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { mode: 0o700 })
    return true
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    return (await lstat(directory)).isDirectory()
  }
}
