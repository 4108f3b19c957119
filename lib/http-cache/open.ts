import type { Config } from '../config/schema.ts'
import { HttpCache } from './http-cache.ts'

/** Told what happens out of sight. */
interface CacheLog {
  warn (facts: object, message: string): void
}

/** Whether any mount or source keeps what origins answer. */
export function usesHttpCache ({ mounts, sources }: Pick<Config, 'mounts' | 'sources'>): boolean {
  return mounts.some(mount => mount.sharedCache !== undefined) || Object.values(sources).some(source => 'sharedCache' in source && source.sharedCache !== undefined)
}

/** The cache of a configuration, or nothing where no mount and no source keeps anything. */
export async function openHttpCache (config: Pick<Config, 'mounts' | 'sources' | 'httpCache'>, log: CacheLog): Promise<HttpCache | undefined> {
  return usesHttpCache(config) ? await HttpCache.open({ ...config.httpCache, onFault: fault => log.warn({ err: fault }, 'The HTTP cache failed') }) : undefined
}
