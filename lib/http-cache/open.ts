import type { Config } from '../config/schema.ts'
import { HttpCache } from './http-cache.ts'

/** Told what happens out of sight. */
interface CacheLog {
  warn (facts: object, message: string): void
}

/** The cache of a configuration, or nothing where no mount and no source keeps anything. */
export async function openHttpCache ({ mounts, sources, httpCache }: Pick<Config, 'mounts' | 'sources' | 'httpCache'>, log: CacheLog): Promise<HttpCache | undefined> {
  const isUsed = mounts.some(mount => mount.sharedCache !== undefined) || Object.values(sources).some(source => 'sharedCache' in source && source.sharedCache !== undefined)
  return isUsed ? await HttpCache.open({ ...httpCache, onFault: fault => log.warn({ err: fault }, 'The HTTP cache failed') }) : undefined
}
