import { DiskStore } from './disk-store.ts'
import { MemoryStore } from './memory-store.ts'
import { DirectoryLedger } from './purge-directory.ts'
import { RedisLedger } from './purge-redis.ts'
import { LocalLedger, Purges, type PurgeLedger } from './purges.ts'
import { RedisLink } from './redis-link.ts'
import { RedisStore } from './redis-store.ts'
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
}

/** A variant cache, and the purges that reach it. Both are closed by their holder, the purges first. */
export interface OpenStore {
  readonly store: VariantStore
  readonly purges: Purges
}

/** Opens memory over disk or Redis. A tier that cannot be used is a fault that is told, and tried again. */
export async function openStore (options: StoreOptions, onFault: OnStoreFault): Promise<OpenStore> {
  const memory = new MemoryStore({ totalBytes: options.memoryBytes }, onFault)
  const { lower, ledger } = await openLower(options, onFault)
  const purges = await Purges.open(ledger)
  const store = lower === undefined ? memory : new TieredStore(memory, lower)
  purges.onPurge(async (tag, isOwn) => {
    if (isOwn || !(store instanceof TieredStore)) await store.purge(tag)
    else store.forget(tag)
  })
  return { store, purges }
}

async function openLower ({ redis, directory, diskBytes }: StoreOptions, onFault: OnStoreFault): Promise<{ lower: VariantStore | undefined, ledger: PurgeLedger }> {
  if (redis !== undefined) {
    const link = await RedisLink.open({ url: redis, onFault })
    const ledger = new RedisLedger(link)
    return { lower: new RedisStore(link, {}, ledger), ledger }
  }
  if (diskBytes === 0) return { lower: undefined, ledger: new LocalLedger() }
  return { lower: await DiskStore.open({ directory, totalBytes: diskBytes, onFault }), ledger: new DirectoryLedger({ directory, onFault }) }
}
