import { constants, type BigIntStats } from 'node:fs'
import { access, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { MediaError } from '../errors.ts'
import type { Key } from '../paths/request-path.ts'
import { keyBelow, type FilePlaces } from './file-places.ts'
import { errnoOf } from './writing-faults.ts'

/** Where a key's file is, or would be: looked up, not held. */
export interface Target {
  readonly key: Key
  /** Real path of the root. */
  readonly root: string
  /** Real path of the deepest of its directories that is there. */
  readonly directory: string
  /** Names of those below it that are not. */
  readonly missing: readonly string[]
  /** What its directory calls it. */
  readonly name: string
  /** Whether a link is on its way: directories that a link leads to stay when they are empty. */
  readonly isLinked: boolean
  /** One for all keys of one file, also where letters and composition differ: by this it is locked. */
  readonly lock: string
}

/**
 * Where a key leads.
 *
 * @throws {MediaError} `forbidden` for what is hidden or leads outside; `conflict` for the root; `bad-name`; `unavailable` without a root
 */
export async function targetOf (places: FilePlaces, key: Key): Promise<Target> {
  if (key === '') throw directoryThere()
  if (places.isHiddenKey(key)) throw hidden()
  if (key.includes('\0')) throw new MediaError('bad-name')
  const root = await places.root()
  if (root === undefined) throw new MediaError('unavailable')
  const directories = key.split('/')
  const asked = directories.pop() as string
  const missing: string[] = []
  let [real, path] = await deepest(places, root, directories)
  while (real === undefined) {
    missing.unshift(directories.pop() as string)
    ;[real, path] = await deepest(places, root, directories)
  }
  if (!places.isAllowed(real, path, root)) throw hidden()
  const name = missing.length === 0 ? await places.spelling(real, asked) : asked
  const whole = join(real, ...missing, name)
  return { key, root, directory: real, missing, name, isLinked: real !== path, lock: (keyBelow(whole, root) ?? whole).normalize('NFC').toLowerCase() }
}

/** As {@link FilePlaces.resolve}; the root, which was resolved, is there. */
async function deepest (places: FilePlaces, root: string, directories: readonly string[]): Promise<[real: string | undefined, asked: string]> {
  return directories.length === 0 ? [root, root] : await places.resolve(root, directories.join('/'))
}

/**
 * Refuses, before a byte is written, what could not be put in its place as things are.
 *
 * @throws {MediaError} `conflict`
 * @throws as the file system does
 */
export async function checkTarget ({ directory, missing, name }: Target): Promise<void> {
  if (!(await lstat(directory)).isDirectory()) throw new MediaError('conflict', { detail: 'A file is where a directory would have to be' })
  await access(directory, constants.W_OK | constants.X_OK)
  const there = await statsAt(join(directory, missing[0] ?? name))
  if (missing.length === 0 && there?.isDirectory() === true) throw directoryThere()
}

/** What is at a path itself, be it a link; undefined where nothing is. @throws as the file system does */
export async function statsAt (path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export function hidden (): MediaError {
  return new MediaError('forbidden', { detail: 'No file may be written here' })
}

export function directoryThere (): MediaError {
  return new MediaError('conflict', { detail: 'A directory has this name' })
}
