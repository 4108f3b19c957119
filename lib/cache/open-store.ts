import { DiskStore } from './disk-store.ts'
import { MemoryStore } from './memory-store.ts'
import { DirectoryLedger } from './purge-directory.ts'
import { RedisLedger } from './purge-redis.ts'
import { WRITTEN } from './purge-tags.ts'
import { LocalLedger, Purges, type PurgeLedger } from './purges.ts'
import { RedisLeases } from './redis-leases.ts'
import { RedisLink } from './redis-link.ts'
import { RedisStore } from './redis-store.ts'
import { S3Store, type S3StoreOptions } from './s3-store.ts'
import type { OnStoreFault, VariantStore } from './store.ts'
import { TieredStore } from './tiered-store.ts'

/** Which tiers there are. */
export interface StoreOptions {
  readonly memoryBytes: number
  /** Where the tier on disk lies. */
  readonly directory: string
  /** 0: nothing is kept on disk. */
  readonly diskBytes: number
  /** The URL of a server that instances share, in place of the disk. */
  readonly redis?: string | undefined
  /** A bucket that instances share, in place of the disk: variants are then kept there rather than in Redis. */
  readonly s3?: Pick<S3StoreOptions, 'client' | 'prefix' | 'days'> | undefined
}

/** A variant cache, and the purges that reach it. Both are closed by their holder, the purges first. */
export interface OpenStore {
  readonly store: VariantStore
  readonly purges: Purges
}

/** A lower tier, and where its purges are written down. */
interface Lower {
  readonly lower: VariantStore | undefined
  readonly ledger: PurgeLedger
}

/** Opens memory over disk, Redis or a bucket. A tier that cannot be used is a fault that is told, and tried again. */
export async function openStore (options: StoreOptions, onFault: OnStoreFault): Promise<OpenStore> {
  const memory = new MemoryStore({ totalBytes: options.memoryBytes }, onFault)
  const { lower, ledger } = await openLower(options, onFault)
  const purges = await Purges.open(ledger)
  const store = lower === undefined ? memory : new TieredStore(memory, lower)
  purges.onPurge(async (tag, isOwn) => {
    if (tag === WRITTEN) return
    if (isOwn || !(store instanceof TieredStore)) await store.purge(tag)
    else store.forget(tag)
  })
  return { store, purges }
}

async function openLower (options: StoreOptions, onFault: OnStoreFault): Promise<Lower> {
  const { redis, directory, diskBytes, s3 } = options
  const link = redis === undefined ? undefined : await RedisLink.open({ url: redis, onFault })
  if (s3 !== undefined) return openBucket({ ...s3, onFault }, link, options)
  if (link !== undefined) {
    const ledger = new RedisLedger(link)
    return { lower: new RedisStore(link, {}, ledger), ledger }
  }
  if (diskBytes === 0) return { lower: undefined, ledger: new LocalLedger() }
  return { lower: await DiskStore.open({ directory, totalBytes: diskBytes, onFault }), ledger: new DirectoryLedger({ directory, onFault }) }
}

/**
 * A bucket tells nobody what was purged. Redis tells all instances, and gives leases. Without it a purge reaches
 * those that share the directory: what it covers is removed for all, but others go on with what they have in memory.
 */
function openBucket (options: S3StoreOptions, link: RedisLink | undefined, { directory, diskBytes }: StoreOptions): Lower {
  if (link !== undefined) return { lower: new S3Store({ ...options, leases: new RedisLeases(link) }), ledger: new RedisLedger(link) }
  return { lower: new S3Store(options), ledger: diskBytes === 0 ? new LocalLedger() : new DirectoryLedger({ directory, onFault: options.onFault }) }
}
