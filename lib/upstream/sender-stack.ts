import type { MountConfig } from '../config/schema.ts'
import type { CachedSender } from '../http-cache/cached-sender.ts'
import type { HttpCache } from '../http-cache/http-cache.ts'
import { changes } from '../http-cache/invalidation.ts'
import { integrityOf, verifyingSender, type IntegrityPromises } from './integrity.ts'
import type { Sender } from './message.ts'
import type { Upstreams } from './registry.ts'

/** Who a mount asks, by the name of the upstream. */
export type SenderStack = (name: string) => Sender | undefined

/** What all stacks share. */
export interface StackContext {
  readonly upstreams: Pick<Upstreams, 'named'>
  readonly httpCache: HttpCache | undefined
  readonly caches: UpstreamCaches
}

/**
 * What stands between a mount and its upstreams, the nearest to the client first: the cache,
 * which keeps only what was verified, and the promises about files.
 *
 * @throws {ConfigError} where the mount's manifest cannot be read
 */
export async function senderStack (mount: MountConfig, context: StackContext): Promise<SenderStack> {
  const promises = mount.integrity === undefined ? undefined : await integrityOf(mount.integrity)
  const known = new Map<string, Sender | undefined>()
  return function senderOf (name) {
    if (!known.has(name)) known.set(name, stacked(mount, name, { ...context, promises }))
    return known.get(name)
  }
}

function stacked (mount: MountConfig, name: string, { upstreams, httpCache, caches, promises }: StackContext & { promises: IntegrityPromises | undefined }): Sender | undefined {
  const upstream = upstreams.named(name)
  if (upstream === undefined) return undefined
  const { sharedCache, live, prefix, upstreamPath } = mount
  const below = upstreamPath.replace(/\/+$/, '')
  const direct = live ? upstream.live : upstream
  const verified = promises === undefined ? direct : verifyingSender(direct, promises, below)
  if (httpCache === undefined) return verified
  if (sharedCache === undefined) return mount.delivery === 'gateway' ? invalidating(verified, caches.of(name)) : verified
  const root = prefix === '/' ? '' : prefix
  const cached = httpCache.over(verified, {
    ...sharedCache,
    scope: `${prefix} ${name}`,
    publicPath: path => root + (path.startsWith(below) ? path.slice(below.length) : path),
    origins: upstream.config.origins.map(({ url }) => url)
  })
  caches.of(name).add(cached)
  return mount.delivery === 'gateway' ? invalidating(cached, caches.of(name)) : cached
}

/** What changes at an upstream by one mount is forgotten by the others (RFC 9111 §4.4). */
function invalidating (sender: Sender, caches: ReadonlySet<CachedSender>): Sender {
  return {
    name: sender.name,
    async send (request) {
      const response = await sender.send(request)
      if (changes(request.method, response.status)) await Promise.all([...caches].map(async cache => await cache.invalidate(request, response.headers)))
      return response
    }
  }
}

/** What is kept of each upstream, by whatever mount. */
export class UpstreamCaches {
  readonly #known = new Map<string, Set<CachedSender>>()

  of (name: string): Set<CachedSender> {
    let caches = this.#known.get(name)
    if (caches === undefined) this.#known.set(name, caches = new Set())
    return caches
  }
}
