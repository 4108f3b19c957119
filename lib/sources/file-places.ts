import { constants, type BigIntStats } from 'node:fs'
import { access, lstat, realpath } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import type { Key } from '../paths/request-path.ts'
import { matchingPath } from './case-insensitive.ts'
import { fileFault, isMissing } from './file-faults.ts'

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

/** Where a key leads. */
export interface Located {
  readonly real: string
  readonly root: string
}

/** The directory below the root for what is not finished: no option shows it, in no letter case. */
export const ASIDE_NAME = '.uploads'

/** Which file of the machine is whose, below a root: what is hidden, and which links are followed. */
export class FilePlaces {
  readonly #options: FileSourceOptions
  readonly #visible: ReadonlySet<string>

  constructor (options: FileSourceOptions) {
    this.#options = options
    this.#visible = new Set(options.visibleDotNames)
  }

  readonly isHidden = (name: string): boolean => {
    return name.startsWith('.') && (!this.#visible.has(name) || name.toLowerCase() === ASIDE_NAME)
  }

  isHiddenKey (key: Key): boolean {
    return key !== '' && key.split('/').some(this.isHidden)
  }

  /** The real path of the root. Resolved anew each time: a root that is itself a link may be switched to another release. */
  async root (): Promise<string | undefined> {
    return await realPathOf(this.#options.root)
  }

  /** The real path a key names, and that of the root; undefined where it is missing, hidden, or leads outside. */
  async locate (key: Key): Promise<Located | undefined> {
    if (this.isHiddenKey(key)) return undefined
    const root = await this.root()
    if (root === undefined) return undefined
    const [real, path] = await this.resolve(root, key)
    return real !== undefined && this.isAllowed(real, path, root) ? { real, root } : undefined
  }

  /** The real path of what a key names below the root, if that is there, and the one that it was asked by. */
  async resolve (root: string, key: string): Promise<[real: string | undefined, asked: string]> {
    const path = join(root, key)
    const real = await realPathOf(path)
    if (real !== undefined || this.#options.caseInsensitive !== true) return [real, path]
    const matching = await matchingPath(root, key, this.isHidden)
    return matching === undefined ? [undefined, path] : [await realPathOf(matching), matching]
  }

  /** What a directory calls a member that is asked for by this name: where letter case does not count, as it is there. */
  async spelling (directory: string, name: string): Promise<string> {
    if (this.#options.caseInsensitive !== true || await isThere(join(directory, name))) return name
    const matching = await matchingPath(directory, name, this.isHidden)
    return matching === undefined ? name : basename(matching)
  }

  /** Whether links may lead from one path to the other. */
  isAllowed (real: string, asked: string, root: string): boolean {
    if (real === asked) return true
    if (this.#options.symlinks === 'deny') return false
    if (real === root) return true
    const below = withSeparator(root)
    const names = real.startsWith(below) ? real.slice(below.length).split(sep) : []
    if (this.#options.symlinks === 'follow') return names[0] !== ASIDE_NAME
    // A link inside the root must not reveal what is hidden there.
    return names.length > 0 && !names.some(this.isHidden)
  }
}

/** A path's parts below another, as a key; undefined where it lies elsewhere. */
export function keyBelow (real: string, root: string): string | undefined {
  const below = withSeparator(root)
  return real.startsWith(below) ? real.slice(below.length).split(sep).join('/') : undefined
}

function withSeparator (root: string): string {
  return root.endsWith(sep) ? root : root + sep
}

/** What a real path is, or undefined where it is neither file nor directory. @throws {MediaError} `forbidden` */
export async function look (real: string): Promise<BigIntStats | undefined> {
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

/** A path without links, or undefined where nothing is there. @throws {MediaError} as `fileFault` */
export async function realPathOf (path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw await fileFault(error, path)
  }
}

async function isThere (path: string): Promise<boolean> {
  return await lstat(path).then(() => true, () => false)
}
