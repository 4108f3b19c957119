import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { purgeFromOutside } from './cache/purge-directory.ts'
import { RedisLedger } from './cache/purge-redis.ts'
import { EVERYTHING, originalTag, purgeTag } from './cache/purge-tags.ts'
import type { PurgeOutcome } from './cache/purges.ts'
import { RedisLink } from './cache/redis-link.ts'
import { RedisStore } from './cache/redis-store.ts'
import type { OnStoreFault } from './cache/store.ts'
import { MediaError } from './errors.ts'
import { decodePath } from './paths/request-path.ts'

/** A variant cache that servers share: `images.cache` of their configuration. */
export interface SharedCache {
  /** The directory, where they share no Redis. */
  readonly directory: string
  /** The URL of their Redis. It stands before the directory. */
  readonly redis?: string | undefined
  /** Where variants lie, if in neither: they stay until they are too old, and are not given any more. */
  readonly s3?: object | undefined
}

/** How a purge is made. */
export interface PurgeChoices {
  /** Told of faults of the cache, for the log. */
  readonly onFault?: OnStoreFault | undefined
  /** Milliseconds that servers have to take note. Default: 2000. */
  readonly waitMs?: number | undefined
}

/** What became of a purge. */
export interface Purged extends PurgeOutcome {
  /** The tag that was purged: `original:/photos/cat.jpg`, `prefix:/photos/`, `*`, or another. */
  readonly tag: string
  /** Variants whose bytes were removed, where that is known. */
  readonly found: number | undefined
}

/** An URL in full, or the path of one. */
const urlShape = /^(?:\/|https?:\/\/)/i

/**
 * The tag that stands for what is to be purged.
 *
 * @param what the URL of an original, with or without a host and a query; one that ends in `/`
 *   for everything below it; `*` for everything; or any other tag as it is
 * @throws {MediaError} `bad-request`, `bad-path`
 */
export function tagToPurge (what: string): string {
  if (what === EVERYTHING || !urlShape.test(what)) return purgeTag(what)
  const path = decodePath(what)
  return purgeTag(path.endsWith('/') ? `prefix:${path}` : originalTag(path))
}

/**
 * Purges variants beside the servers that keep them: once this settles nothing older is served
 * by any server that shares the cache, but those that are named as behind. Servers that are not
 * running learn of it when they start.
 *
 * @param what as {@link tagToPurge} takes it
 * @throws {MediaError} `bad-request`, `bad-path`; `not-found` where the directory is no variant
 *   cache; `unavailable` where the purge could not be written down, or Redis was lost
 *
 * @example
 * const { behind } = await purge('/photos/cat.jpg', { directory: '.cache' })
 */
export async function purge (what: string, cache: SharedCache, choices: PurgeChoices = {}): Promise<Purged> {
  const tag = tagToPurge(what)
  return { tag, ...cache.redis === undefined ? await purgeDirectory(cache.directory, tag, choices) : await purgeRedis(cache.redis, tag, { ...choices, isKept: cache.s3 === undefined }) }
}

async function purgeDirectory (directory: string, tag: string, { waitMs }: PurgeChoices): Promise<PurgeOutcome & { found: number }> {
  try {
    // Every server makes it at its start. Without it this is another directory, which stays as it is.
    await access(join(directory, 'purges'))
  } catch (cause) {
    throw new MediaError('not-found', { detail: 'No server keeps anything in this directory: nothing was purged', cause })
  }
  return await purgeFromOutside(directory, tag, waitMs).catch((error: Error) => {
    throw new MediaError('unavailable', { detail: 'The purge could not be written down in the cache directory', cause: error.cause ?? error })
  })
}

async function purgeRedis (url: string, tag: string, { onFault, waitMs, isKept }: PurgeChoices & { isKept: boolean }): Promise<PurgeOutcome & { found: number | undefined }> {
  const link = await RedisLink.open({ url, onFault })
  try {
    const { behind } = await new RedisLedger(link, waitMs).add(tag)
    return { behind, found: isKept ? await new RedisStore(link).purge(tag) : undefined }
  } finally {
    await link.close()
  }
}
