import type { MountAccess } from '../access/mount-access.ts'
import type { MountConfig } from '../config/schema.ts'
import { MediaError } from '../errors.ts'
import type { MountImages } from '../image/mount-images.ts'
import { originalPath } from '../image/places.ts'
import { isBelowAny } from '../paths/folded.ts'
import { decodePath, pathBelow, type RequestPath } from '../paths/request-path.ts'
import type { Source } from '../sources/source.ts'
import type { WritableParts } from '../writing/open.ts'
import { namedPath, type NamedPath } from './named-path.ts'

/** The files of a mount that this server sends itself. */
export interface ServedFiles {
  readonly source: Source
  readonly images?: MountImages | undefined
  readonly writing: WritableParts | undefined
}

/** A mount as the API knows it. */
export interface ApiMount {
  readonly config: MountConfig
  /** As clients see it, without a trailing slash; `''` at the root. */
  readonly prefix: string
  readonly access: MountAccess
  /** Undefined where another server has its files, or where they are named by whole URLs. */
  readonly files: ServedFiles | undefined
}

/** What a path names. */
export interface Located extends NamedPath, RequestPath {
  readonly mount: ApiMount
}

/** Which mount a path belongs to. */
export class ApiMounts {
  /** The longest prefix first. */
  readonly all: readonly ApiMount[]
  readonly #root: string
  readonly #isOwn: (target: string) => boolean
  readonly #isOfAnother: ReadonlyMap<ApiMount, (target: string) => boolean>

  /**
   * @param around.root the prefix of the app within its host
   * @param around.own that of the API, as clients see it: no file has a path below it
   */
  constructor (mounts: readonly ApiMount[], { root, own }: { readonly root: string, readonly own: string }) {
    this.all = mounts.toSorted((one, other) => other.prefix.length - one.prefix.length)
    this.#root = root
    this.#isOwn = isBelowAny([own])
    this.#isOfAnother = new Map(mounts.map(mount => [mount, isBelowAny(mount.access.others)]))
  }

  /**
   * The mount of a decoded path.
   *
   * @throws {MediaError} `bad-path`; `not-found` where no mount has it
   */
  locate (text: string): Located {
    const named = namedPath(text)
    const below = this.#below(named.path, named.target)
    // What a URL of this path would take for a variant of another file is no file's own.
    if (below.mount.access.pathOf(named.target) !== named.path) throw new MediaError('not-found')
    return { ...named, ...below }
  }

  /**
   * The mount that answers a request target, which may ask for a variant.
   *
   * @param target percent-encoded, with its query
   * @throws {MediaError} `bad-path`; `not-found` where none does
   */
  answering (target: string): Located {
    const written = decodePath(target)
    const original = decodePath(originalPath(target, { prefix: this.#root, root: this.#root }))
    const mount = [original, written].map(path => this.owner(path)).find(candidate => candidate !== undefined && pathBelow(candidate.access.pathOf(target), candidate.prefix) !== undefined)
    if (mount === undefined) throw new MediaError('not-found')
    const path = mount.access.pathOf(target)
    // IPX may put a path of another mount behind one of this.
    const below = this.#below(path, namedPath(path).target)
    if (below.mount !== mount) throw new MediaError('not-found')
    return { target, path, ...below }
  }

  /** The mount whose prefix a decoded path begins with, the longest of them. */
  owner (path: string): ApiMount | undefined {
    return this.all.find(({ prefix }) => pathBelow(path, prefix) !== undefined)
  }

  /** Mounts all of whose files lie below a decoded path that ends in a slash. */
  within (path: string): ApiMount[] {
    return this.all.filter(({ prefix }) => `${prefix}/`.startsWith(path))
  }

  /** Whether what a mount shows is another one's: however it is spelled, it is not found there. */
  isOfAnother (mount: ApiMount, target: string): boolean {
    return this.#isOwn(target) || this.#isOfAnother.get(mount)?.(target) === true
  }

  #below (path: string, target: string): RequestPath & { readonly mount: ApiMount } {
    const mount = this.owner(path)
    const below = mount === undefined || this.isOfAnother(mount, target) ? undefined : pathBelow(path, mount.prefix)
    if (mount === undefined || below === undefined) throw new MediaError('not-found')
    return { ...below, mount }
  }
}
