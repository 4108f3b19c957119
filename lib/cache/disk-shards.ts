import { readdir } from 'node:fs/promises'
import { isAbsent } from './disk-faults.ts'
import type { VariantKey } from './store.ts'

/** Directories that variants are spread over, by the first byte of their keys. */
export const SHARDS = 256

/** Calls to the file system at once. */
export const BATCH = 16

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The first byte of the hash that a key is. */
export function shardOf (key: VariantKey): number {
  return alphabet.indexOf(key.charAt(0)) * 4 + (alphabet.indexOf(key.charAt(1)) >> 4)
}

/** The name of a shard's directory. */
export function shardName (shard: number): string {
  return shard.toString(16).padStart(2, '0')
}

/** The names in a directory; none where there is no such directory. */
export async function namesIn (directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}
