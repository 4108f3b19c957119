import { loadConfig } from '../lib/config/load.ts'
import { directoryConfig } from '../lib/config/options.ts'
import type { Config } from '../lib/config/schema.ts'
import { MediaError } from '../lib/errors.ts'
import { usesHttpCache } from '../lib/http-cache/open.ts'
import { purge as purgeShared, tagToPurge, type SharedCache } from '../lib/purge.ts'
import { reasonOf } from './reason.ts'
import { readEnvironment } from './environment.ts'
import { readArguments, UsageError } from './usage.ts'

/** `fastify-media purge WHAT`: has servers that share a variant cache forget an original, a prefix, a tag or everything. */
export default async function purge (args: string[], { waitMs }: { waitMs?: number } = {}): Promise<void> {
  const { values: { config: file }, positional: what } = readArguments(args, { config: { type: 'string' } })
  if (what === undefined) throw new UsageError('Expected what to purge: the path of an original, of a directory with a slash at its end, a tag, or *')
  try {
    tagToPurge(what)
  } catch (error) {
    throw new UsageError(`Expected what to purge but received ${what}: ${(error as Error).message}`)
  }
  const environment = await readEnvironment()
  const { config } = await loadConfig({ cwd: process.cwd(), environment, file, fallback: directoryConfig(environment.MEDIA_ROOT) })
  const caches = cachesOf(config)
  if (caches.length === 0) {
    return fail(config.images.cache.s3 !== undefined ? 'Variants are kept in a bucket, and nothing tells servers of a purge (images.cache.diskBytes is 0, and there is no redis): purge by the API of one' : 'Variants are kept in the memory of each server alone (images.cache.diskBytes is 0, and there is no redis): restart it')
  }
  const missing: string[] = []
  for (const each of caches) {
    const reason = await purgeOne(what, each, waitMs)
    if (reason !== undefined) missing.push(reason)
  }
  // A cache that no server has begun yet holds nothing that is older.
  if (missing.length === caches.length) for (const reason of missing) fail(reason)
}

interface Cache {
  readonly cache: SharedCache
  /** What it keeps, for one and for several. */
  readonly noun: readonly [string, string]
}

/** What origins answered goes first: of it variants are made. */
function cachesOf (config: Readonly<Config>): Cache[] {
  const { images: { cache }, httpCache, mounts } = config
  return [
    ...usesHttpCache(config) && httpCache.diskBytes > 0 ? [{ cache: { directory: httpCache.directory }, noun: ['answer', 'answers'] as const }] : [],
    ...mounts.some(({ delivery, images }) => delivery === 'serve' && images.mode !== 'off') && (cache.redis !== undefined || cache.diskBytes > 0) ? [{ cache, noun: ['variant', 'variants'] as const }] : []
  ]
}

/** @returns why there is nothing to purge, where that is so */
async function purgeOne (what: string, { cache, noun: [one, several] }: Cache, waitMs: number | undefined): Promise<string | undefined> {
  try {
    const { tag, found, behind } = await purgeShared(what, cache, { onFault: fault => console.error(reasonOf(fault)), waitMs })
    console.log(`Purged ${tag}${found === undefined ? '' : `: ${found} ${found === 1 ? one : several} removed`}`)
    if (behind.length > 0) fail(`Not every server took note in time; these may still give what is older: ${behind.join(', ')}`)
  } catch (error) {
    if (!(error instanceof MediaError)) throw error
    const reason = cache.redis === undefined ? `${cache.directory}: ${reasonOf(error)}` : reasonOf(error)
    if (error.code === 'not-found') return reason
    fail(reason)
  }
  return undefined
}

function fail (message: string): void {
  console.error(message)
  process.exitCode = 1
}
