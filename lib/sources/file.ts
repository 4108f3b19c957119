import type { Dirent } from 'node:fs'
import { opendir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { childKey, isAskable, type Key } from '../paths/request-path.ts'
import { describing } from './file-description.ts'
import { fileFault, isMissing } from './file-faults.ts'
import { FilePlaces, look, type FileSourceOptions } from './file-places.ts'
import { FileWriting } from './file-writing.ts'
import { LargeFiles } from './large-files.ts'
import type { Entry, Found, Listing, Source } from './source.ts'

export type { FileSourceOptions } from './file-places.ts'

const directory: Found = Object.freeze({ kind: 'directory' })

/**
 * A directory of the machine as a source.
 *
 * @param largeFiles descriptors and buffers, best shared by all sources of a process
 * @throws where the directory is not there
 */
export async function fileSource (options: FileSourceOptions, largeFiles = new LargeFiles()): Promise<Source> {
  await realpath(options.root) // a missing root is found now, not by the first visitor
  const places = new FilePlaces(options)
  const describe = describing(largeFiles)

  async function stat (key: Key): Promise<Found | undefined> {
    const located = await places.locate(key)
    const stats = located === undefined ? undefined : await look(located.real)
    if (located === undefined || stats === undefined) return undefined
    return stats.isDirectory() ? directory : describe(located, key, stats)
  }

  return {
    stat,

    async list (key, limit) {
      const real = (await places.locate(key))?.real
      if (real === undefined) return undefined
      // U+FFFD stands for bytes that are no UTF-8: a URL would not give them back.
      const members = await membersOf(real, name => !places.isHidden(name) && !name.includes('\uFFFD') && isAskable(key, name))
      if (members === undefined) return undefined
      const found = await Promise.all(members.slice(0, limit).map(member => entryOf(member, real, key)))
      return { entries: found.filter(entry => entry !== undefined), truncated: members.length > limit } satisfies Listing
    },

    writing: new FileWriting({ places, describe, stat }),

    async close () {}
  }

  /** Unreadable members are left out rather than failing the listing of the others. */
  async function entryOf (member: Dirent, parent: string, key: Key): Promise<Entry | undefined> {
    const { name } = member
    try {
      // Only a link can lead elsewhere than to its parent's real path.
      const real = member.isSymbolicLink() ? (await places.locate(childKey(key, name)))?.real : join(parent, name)
      const stats = real === undefined ? undefined : await look(real)
      if (stats === undefined) return undefined
      const lastModified = Number(stats.mtimeMs)
      return stats.isDirectory()
        ? { name, kind: 'directory', lastModified }
        : { name, kind: 'file', size: Number(stats.size), lastModified }
    } catch {
      return undefined
    }
  }
}

/** Members that one listing reads at the most: whoever fills a directory pushes against it. */
const MAX_MEMBERS = 100_000

/** The members of a directory whose names are wanted, in order of name; undefined where it is no directory. */
async function membersOf (path: string, isWanted: (name: string) => boolean): Promise<Dirent[] | undefined> {
  const members: Dirent[] = []
  try {
    for await (const member of await opendir(path, { bufferSize: 256 })) {
      if (isWanted(member.name)) members.push(member)
      if (members.length === MAX_MEMBERS) break
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw await fileFault(error, path)
  }
  return members.toSorted((a, b) => a.name < b.name ? -1 : 1)
}
