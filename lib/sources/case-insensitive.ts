import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileFault } from './file-faults.ts'

/** Names that differ only in letter case or Unicode composition fold to one. */
function fold (name: string): string {
  return name.normalize('NFC').toLowerCase()
}

/**
 * The path of the machine that a key names when letter case does not count: segment by
 * segment the exact name if it is there, else the first in order that folds to the same.
 * Reads one directory per segment, so it is asked only after the exact path was missing.
 */
export async function matchingPath (root: string, key: string, isHidden: (name: string) => boolean): Promise<string | undefined> {
  let path = root
  for (const segment of key.split('/')) {
    const names = await namesOf(path)
    const name = names.includes(segment) ? segment : firstOf(names, fold(segment))
    if (name === undefined || isHidden(name)) return undefined
    path = join(path, name)
  }
  return path
}

/** The first in order of the names that fold to the same. */
function firstOf (names: readonly string[], folded: string): string | undefined {
  let first: string | undefined
  for (const name of names) {
    if (fold(name) === folded && (first === undefined || name < first)) first = name
  }
  return first
}

/** A directory that may be entered but not read has no other spellings to offer. */
async function namesOf (path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    const fault = await fileFault(error, path)
    if (fault.code === 'not-found' || fault.code === 'forbidden') return []
    /* c8 ignore next 2 -- descriptors ran out, or the disk failed: no test can make either here */
    throw fault
  }
}
