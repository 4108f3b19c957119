import type { MountConfig } from '../config/schema.ts'
import type { HttpCache } from '../http-cache/http-cache.ts'
import { integrityOf, verifyingSender, type IntegrityPromises } from './integrity.ts'
import type { Sender } from './message.ts'
import type { Upstreams } from './registry.ts'

/** Who a mount asks, by the name of the upstream. */
export type SenderStack = (name: string) => Sender | undefined

/**
 * What stands between a mount and its upstreams, the nearest to the client first: the cache,
 * which keeps only what was verified, and the promises about files.
 *
 * @throws {ConfigError} where the mount's manifest cannot be read
 */
export async function senderStack (mount: MountConfig, { upstreams, httpCache }: { upstreams: Pick<Upstreams, 'named'>, httpCache: HttpCache | undefined }): Promise<SenderStack> {
  const promises = mount.integrity === undefined ? undefined : await integrityOf(mount.integrity)
  const known = new Map<string, Sender | undefined>()
  return function senderOf (name) {
    if (!known.has(name)) known.set(name, stacked(mount, name, { upstreams, httpCache, promises }))
    return known.get(name)
  }
}

function stacked (mount: MountConfig, name: string, { upstreams, httpCache, promises }: { upstreams: Pick<Upstreams, 'named'>, httpCache: HttpCache | undefined, promises: IntegrityPromises | undefined }): Sender | undefined {
  const upstream = upstreams.named(name)
  if (upstream === undefined) return undefined
  const { sharedCache, live, prefix, upstreamPath } = mount
  const below = upstreamPath.replace(/\/+$/, '')
  const direct = live ? upstream.live : upstream
  const verified = promises === undefined ? direct : verifyingSender(direct, promises, below)
  if (sharedCache === undefined || httpCache === undefined) return verified
  const root = prefix === '/' ? '' : prefix
  return httpCache.over(verified, {
    ...sharedCache,
    scope: `${prefix} ${name}`,
    publicPath: path => root + (path.startsWith(below) ? path.slice(below.length) : path),
    origins: upstream.config.origins.map(({ url }) => url)
  })
}
