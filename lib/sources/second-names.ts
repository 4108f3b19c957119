import type { BigIntStats } from 'node:fs'
import { link, rename, unlink } from 'node:fs/promises'
import { errnoOf } from './writing-faults.ts'

/** What file systems answer that have no second names, or give none to this file. */
const unlinkable = new Set(['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Whether two looks were at one file, by whatever name. */
export function isSame (one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.dev === other.dev
}

/** A second name is never given over what is there already: not even over what came from who knows no locks. @returns whether the first is left */
export async function linkOrRename (from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (!unlinkable.has(errnoOf(error) ?? '')) throw error
    await rename(from, to)
    return false
  }
}

/** Removes a name, unless somebody who knows no locks did so first. @throws as the file system does */
export async function removeName (path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
