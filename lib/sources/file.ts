import { constants, type BigIntStats, type Dirent } from 'node:fs'
import { access, lstat, opendir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { typeOf, codingOf } from '../http/media-type.ts'
import { childKey, isAskable, type Key } from '../paths/request-path.ts'
import type { Representation } from '../representation.ts'
import { matchingPath } from './case-insensitive.ts'
import { fileFault, isMissing } from './file-faults.ts'
import { LargeFiles } from './large-files.ts'
import { revisionOf, type StoredFile } from './stored-file.ts'
import type { Entry, Found, FoundFile, Listing, Source } from './source.ts'

/** How the `file` driver finds files. */
export interface FileSourceOptions {
  /** The directory. It must exist. */
  root: string
  /** `inside`: links are followed while they stay below the root; `deny`: no link is followed; `follow`: wherever they lead. Default `inside`. */
  symlinks?: 'inside' | 'deny' | 'follow'
  /** Names with a leading dot that are shown all the same, such as `.well-known`. Default none. */
  visibleDotNames?: readonly string[]
  /** Whether `Cat.JPG` finds `cat.jpg` where the exact name is missing. Default false. */
  caseInsensitive?: boolean
}

/**
 * A directory of the machine as a source.
 *
 * @param largeFiles descriptors and buffers, best shared by all sources of a process
 * @throws where the directory is not there
 */
export async function fileSource (options: FileSourceOptions, largeFiles = new LargeFiles()): Promise<Source> {
  await realpath(options.root) // a missing root is found now, not by the first visitor
  const visible = new Set(options.visibleDotNames ?? [])

  function isHidden (name: string): boolean {
    return name.startsWith('.') && !visible.has(name)
  }

  /** The real path a key names, and that of the root; undefined where it is missing, hidden, or leads outside. */
  async function locate (key: Key): Promise<Located | undefined> {
    if (key !== '' && key.split('/').some(isHidden)) return undefined
    // Resolved anew each time: a root that is itself a link may be switched to another release.
    const root = await realPathOf(options.root)
    if (root === undefined) return undefined
    let path = join(root, key)
    let real = await realPathOf(path)
    if (real === undefined && options.caseInsensitive === true) {
      path = await matchingPath(root, key, isHidden) ?? path
      real = await realPathOf(path)
    }
    return real !== undefined && isAllowed(real, path, root) ? { real, root } : undefined
  }

  function isAllowed (real: string, asked: string, root: string): boolean {
    if (real === asked || options.symlinks === 'follow') return true
    if (options.symlinks === 'deny') return false
    if (real === root) return true
    const below = root.endsWith(sep) ? root : root + sep
    // A link inside the root must not reveal what is hidden there.
    return real.startsWith(below) && !real.slice(below.length).split(sep).some(isHidden)
  }

  return {
    async stat (key) {
      const located = await locate(key)
      const stats = located === undefined ? undefined : await look(located.real)
      if (located === undefined || stats === undefined) return undefined
      if (stats.isDirectory()) return directory
      const found = foundFile(located.real, key, stats, largeFiles)
      const canonical = canonicalKey(located)
      return canonical === undefined || canonical === key ? found : { ...found, canonical }
    },

    async list (key, limit) {
      const real = (await locate(key))?.real
      if (real === undefined) return undefined
      // U+FFFD stands for bytes that are no UTF-8: a URL would not give them back.
      const members = await membersOf(real, name => !isHidden(name) && !name.includes('\uFFFD') && isAskable(key, name))
      if (members === undefined) return undefined
      const found = await Promise.all(members.slice(0, limit).map(member => entryOf(member, real, key)))
      return { entries: found.filter(entry => entry !== undefined), truncated: members.length > limit } satisfies Listing
    },

    async close () {}
  }

  /** Unreadable members are left out rather than failing the listing of the others. */
  async function entryOf (member: Dirent, parent: string, key: Key): Promise<Entry | undefined> {
    const { name } = member
    try {
      // Only a link can lead elsewhere than to its parent's real path.
      const real = member.isSymbolicLink() ? (await locate(childKey(key, name)))?.real : join(parent, name)
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

/** Where a key leads. */
interface Located {
  readonly real: string
  readonly root: string
}

/** The key by which a file is known without links, where it lies below the root. */
function canonicalKey ({ real, root }: Located): string | undefined {
  const below = root.endsWith(sep) ? root : root + sep
  return real.startsWith(below) ? real.slice(below.length).split(sep).join('/') : undefined
}

/** What a real path is, or undefined where it is neither file nor directory. @throws {MediaError} `forbidden` */
async function look (real: string): Promise<BigIntStats | undefined> {
  try {
    const stats = await lstat(real, { bigint: true })
    if (!stats.isFile() && !stats.isDirectory()) return undefined
    // Asked now, so that HEAD and 304 are refused like GET: only opening would tell otherwise.
    await access(real, stats.isFile() ? constants.R_OK : constants.X_OK)
    return stats
  } catch (error) {
    if (isMissing(error)) return undefined
    throw await fileFault(error, real)
  }
}

const directory: Found = Object.freeze({ kind: 'directory' })

async function realPathOf (path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw await fileFault(error, path)
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

function foundFile (path: string, key: Key, stats: BigIntStats, largeFiles: LargeFiles): FoundFile {
  const size = Number(stats.size)
  const changed = Number(stats.ctimeMs)
  const stored: StoredFile = { path, revision: revisionOf(stats), size, changed }
  const coding = codingOf(key)
  const representation: Representation = {
    type: typeOf(key),
    size,
    // Size and time alone, so that replicas of one directory agree (RFC 9110 §8.8.1).
    entityTag: `"${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}"`,
    lastModified: Number(stats.mtimeMs),
    ...(coding === undefined ? {} : { encoding: coding }),
    stored,
    cacheOutcome: 'disk',
    open: range => largeFiles.open(stored, range)
  }
  return { kind: 'file', representation, revision: stored.revision, changed }
}
