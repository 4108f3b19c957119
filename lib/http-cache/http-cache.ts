import { DiskStore } from '../cache/disk-store.ts'
import { DirectoryLedger } from '../cache/purge-directory.ts'
import { originalTag } from '../cache/purge-tags.ts'
import { LocalLedger, Purges, type PurgeOutcome } from '../cache/purges.ts'
import { SingleFlight } from '../cache/single-flight.ts'
import type { OnStoreFault } from '../cache/store.ts'
import { decodePath, rawPath } from '../paths/request-path.ts'
import { tagToPurge } from '../purge.ts'
import type { LargeFiles } from '../sources/large-files.ts'
import type { Sender } from '../upstream/message.ts'
import { CachedSender } from './cached-sender.ts'
import { DiskTier } from './disk-tier.ts'
import type { KeepingPolicy } from './fetcher.ts'
import { Keeper } from './keeper.ts'
import type { Scope } from './lookup.ts'
import { Memory } from './memory.ts'
import { Normaliser } from './selection.ts'
import { Shelf } from './shelf.ts'
import { Unkept } from './unkept.ts'

/** How one mount or source uses the cache. */
export interface CachePolicy extends KeepingPolicy {
  /** What is kept under one scope is one: requests for the same path below it are for the same. All who use one name it by the same public paths. */
  readonly scope: string
  /** The path of a URL as clients know it, for a path below the origin: by it, it is purged. Without it, `/scope/path`. */
  readonly publicPath?: ((path: string) => string) | undefined
  /** The URLs of the upstream's servers, with their base paths: for `Location` of unsafe requests. */
  readonly origins?: readonly string[] | undefined
}

/** How much is kept, and where. */
export interface HttpCacheOptions {
  readonly memoryBytes: number
  /** 0: nothing is kept on disk. */
  readonly diskBytes: number
  /** A directory that is this cache's alone; several processes may share it. */
  readonly directory: string
  readonly onFault?: OnStoreFault | undefined
  /** Reads large bodies. One of its own where nothing is given. */
  readonly files?: LargeFiles | undefined
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined
}

/** Milliseconds between two times that the disk is told what was used in memory: else its eviction takes what is asked for most. */
const USES_MS = 1_800_000

/**
 * A shared cache of HTTP answers (RFC 9111): memory over disk, both bounded in bytes, one for all
 * upstreams. What is purged is written down beside it, for all processes that share it.
 */
export class HttpCache {
  readonly purges: Purges
  readonly #keeper: Keeper
  readonly #normaliser = new Normaliser()
  readonly #scopes = new Map<string, Scope>()
  readonly #now: () => number
  readonly #uses: NodeJS.Timeout

  private constructor (purges: Purges, keeper: Keeper, now: () => number) {
    this.purges = purges
    this.#keeper = keeper
    this.#now = now
    this.#uses = setInterval(() => this.#tellUses(), USES_MS).unref()
    purges.onPurge(async (tag, isOwn) => await this.#forget(tag, isOwn))
  }

  /** A directory that cannot be used is a fault that is told, and tried again. */
  static async open ({ memoryBytes, diskBytes, directory, onFault, files, now = Date.now }: HttpCacheOptions): Promise<HttpCache> {
    const disk = diskBytes === 0 ? undefined : new DiskTier(await DiskStore.open({ directory, totalBytes: diskBytes, onFault, files }))
    const purges = await Purges.open(disk === undefined ? new LocalLedger() : new DirectoryLedger({ directory, onFault }))
    return new HttpCache(purges, new Keeper(new Memory(memoryBytes), disk, memoryBytes), now)
  }

  /** Bytes in memory, overhead included. */
  get memoryBytes (): number {
    return this.#keeper.memory.bytes
  }

  /** An upstream behind the cache. */
  over (sender: Sender, { scope, publicPath, origins = [], ...policy }: CachePolicy): CachedSender {
    let known = this.#scopes.get(scope)
    if (known === undefined) this.#scopes.set(scope, known = this.#newScope(scope, publicPath ?? (path => `/${scope}${path}`)))
    return new CachedSender({ sender, policy, scope: known, keeper: this.#keeper, origins, now: this.#now })
  }

  /**
   * Forgets what is kept of a URL, with all its queries and variants. Once this settles nothing
   * older is given here, nor by any process that shares the directory but those that are named as behind.
   *
   * @param what the path of a URL as clients know it; one that ends in `/` for all below it; `*` for everything
   * @throws {MediaError} `bad-request`, `bad-path`; `unavailable` where others could not be told: try again
   */
  async purge (what: string): Promise<PurgeOutcome> {
    return await this.purges.purge(tagToPurge(what))
  }

  /** Bodies that are arriving end; what was kept whole stays on disk. */
  async close (): Promise<void> {
    clearInterval(this.#uses)
    this.#tellUses()
    await this.purges.close()
    await this.#keeper.close()
  }

  #newScope (scope: string, publicPath: (path: string) => string): Scope {
    const { purges } = this
    const tagOf = (path: string): string => originalTag(decoded(publicPath(rawPath(path))))
    return {
      shelf: new Shelf(scope, this.#normaliser, { tagOf, generationOf: tag => purges.generationOf([tag]) }),
      flights: new SingleFlight(),
      lookups: new SingleFlight(),
      unkept: new Unkept()
    }
  }

  async #forget (tag: string, isOwn: boolean): Promise<void> {
    for (const { shelf } of this.#scopes.values()) {
      for (const resource of shelf.take(tag)) this.#keeper.memory.clear(resource)
    }
    // Who purges removes from disk what others share.
    if (isOwn) await this.#keeper.disk?.purge(tag)
  }

  #tellUses (): void {
    this.#keeper.disk?.touch(this.#keeper.memory.takeUsed())
  }
}

/** As those who purge spell it; a path that cannot be spelled so is purged by its prefix, or as it is. */
function decoded (path: string): string {
  try {
    return decodePath(path)
  } catch {
    return path
  }
}
