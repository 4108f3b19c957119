import { lstat, mkdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, isAbsent } from './disk-faults.ts'
import { WHOLE_BODY_BYTES } from './disk-read.ts'
import { shardName, shardOf, SHARDS } from './disk-shards.ts'
import { writeAside } from './disk-write.ts'
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
    try {
      await this.#writeTrusted(shard, path, parts)
    } catch (error) {
      if (!isAbsent(error)) throw error
      this.#trusted.fill(0) // someone removed the directory: begin anew
      await this.makeDirectories()
      await this.#writeTrusted(shard, path, parts)
    }
  }

  /** @throws as the file system does */
  async makeDirectories (): Promise<void> {
    for (const directory of [this.variants, this.aside]) await mkdir(directory, { recursive: true, mode: 0o700 })
  }

  async #writeTrusted (shard: number, path: string, parts: readonly Buffer[]): Promise<void> {
    if (this.#trusted[shard] !== 1) await this.#trust(shard)
    await writeAside({ aside: this.aside, path, parts, isFlushed: (parts[1]?.length ?? 0) > WHOLE_BODY_BYTES })
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
