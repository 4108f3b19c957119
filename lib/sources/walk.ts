import { createHash } from 'node:crypto'
import { childKey, rootKey, type Key } from '../paths/request-path.ts'
import type { Entry, Source } from './source.ts'

/** Members of one directory that are visited at most, so that memory is bounded: whoever fills a directory pushes against it. */
export const MAX_MEMBERS = 100_000

/** How often a path may come to what looks like the same directory: nested copies are rare, links that lead back are not. */
const MAX_ALIKE = 2

/** A directory on the way down, and how far it was visited. */
interface Level {
  readonly key: Key
  readonly entries: readonly Entry[]
  next: number
  readonly print: string
}

/**
 * Every file that a source shows, directory by directory in order of name. Only the directories
 * on the way down are held. A link that leads back up is followed twice and then left.
 *
 * @param onFault told of a directory that cannot be listed, or not wholly; the others are visited
 */
export async function * filesOf (source: Source, onFault: (directory: Key, error: unknown) => void): AsyncGenerator<Key, void, undefined> {
  const levels: Level[] = []
  const enter = async (key: Key): Promise<void> => {
    const level = await levelOf(source, key, error => onFault(key, error))
    if (level === undefined) return
    if (levels.filter(({ print }) => print === level.print).length < MAX_ALIKE) levels.push(level)
  }
  await enter(rootKey)
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const entry = level.entries[level.next++]
    if (entry === undefined) levels.pop()
    else if (entry.kind === 'directory') await enter(childKey(level.key, entry.name))
    else yield childKey(level.key, entry.name)
  }
}

async function levelOf (source: Source, key: Key, onFault: (error: unknown) => void): Promise<Level | undefined> {
  try {
    const listing = await source.list(key, MAX_MEMBERS)
    if (listing === undefined) {
      if (key === rootKey) throw new Error('It is not there')
      return undefined // it went since its parent was listed
    }
    const { entries, truncated } = listing
    if (truncated) onFault(new Error(`It has more than ${MAX_MEMBERS} members: the others are left out`))
    return { key, entries, next: 0, print: printOf(entries) }
  } catch (error) {
    onFault(error)
    return undefined
  }
}

/** The same for a directory that is come to by another path. */
function printOf (entries: readonly Entry[]): string {
  const hash = createHash('sha256')
  for (const { name, kind, size, lastModified } of entries) hash.update(`${name}/${kind} ${size} ${lastModified}\n`)
  return hash.digest('base64')
}
