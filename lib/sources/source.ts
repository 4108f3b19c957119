import type { Key } from '../paths/request-path.ts'
import type { Found } from './found.ts'
import type { Writable } from './writing.ts'

export type { Found, FoundDirectory, FoundFile } from './found.ts'

/** One member of a directory. */
export interface Entry {
  readonly name: string
  readonly kind: 'file' | 'directory'
  /** Bytes, for files. */
  readonly size?: number
  /** Milliseconds since the epoch. */
  readonly lastModified?: number
}

/** Members of a directory, and whether there are more than were asked for. */
export interface Listing {
  readonly entries: readonly Entry[]
  readonly truncated: boolean
}

/**
 * Where originals live. `test/contracts/source.ts` holds every driver to this.
 *
 * Whatever a source hides (dotfiles, links that leave the root, what is neither file nor
 * directory) is missing to every method alike.
 */
export interface Source {
  /**
   * Reads a key itself out of what stands below a mount in a request target, as it was sent,
   * where keys are no paths. Every key that it gives names a file, if anything.
   *
   * @throws {MediaError} a code of status 400
   */
  readonly keyOf?: ((raw: string) => Key) | undefined
  /**
   * What a key names, or undefined where it names nothing. Opens nothing.
   *
   * @throws {MediaError} `forbidden` where the store refuses us, `out-of-descriptors`, `internal`
   */
  stat (key: Key): Promise<Found | undefined> | Found | undefined
  /**
   * The members of a directory in order of name, at most `limit`; undefined where the key names no directory.
   *
   * @throws {MediaError} as `stat`
   */
  list (key: Key, limit: number): Promise<Listing | undefined>
  /** Where its files can be written. */
  readonly writing?: Writable | undefined
  /** Releases what the source keeps open. Requests in flight finish first. */
  close (): Promise<void>
}
