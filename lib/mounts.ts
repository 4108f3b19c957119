import type { Strategy } from './access/access.ts'
import { mountAccess, mountOrder, type MountAccess, type MountOrder } from './access/mount-access.ts'
import { signatureStates } from './access/signature-states.ts'
import type { ApiParts, ApiPlace } from './api/open.ts'
import { loadPlugins, pluginsOf, type MountPlugin } from './config/load-plugins.ts'
import type { Config, MountConfig } from './config/schema.ts'
import { openHttpCache } from './http-cache/open.ts'
import type { CacheRules } from './http/cache-control.ts'
import { DigestMemory } from './http/digest-memory.ts'
import { placesOf, type Place } from './image/places.ts'
import { imagesOf, type Images, type MountedImages } from './image/registry.ts'
import { bucketParts, hooksByPrefix, proxyParts, redirectParts, type Asking, type GatewayPlaces, type ProxyParts, type RedirectParts } from './mount-parts.ts'
import { limitsOf, type MountLimits } from './rate/mount-limits.ts'
import { openSources } from './sources/registry.ts'
import type { S3Source } from './sources/s3.ts'
import { sendersOf } from './sources/senders.ts'
import type { Source } from './sources/source.ts'
import type { UpstreamHooks } from './upstream/hooks.ts'
import { openUpstreams, type UpstreamLog, type Upstreams } from './upstream/registry.ts'
import { rewritingSender } from './upstream/rewrite/rewriting-sender.ts'
import { senderStack, UpstreamCaches, type SenderStack } from './upstream/sender-stack.ts'
import type { WritableParts } from './writing/open.ts'
import type { FileEvent } from './writing/parts.ts'
import { isWritable } from './writing/writable-mounts.ts'

export type { FileEvent } from './writing/parts.ts'

/** How the bytes of a mount reach clients. */
export type Delivery = MountConfig['delivery']

/** What a mount's scope is made of; its routes are given theirs once their whole prefix is known. */
export interface MountParts<Request> {
  readonly delivery: Delivery
  readonly security: { readonly resourcePolicy: MountConfig['resourcePolicy'], readonly sandbox: 'svg' | 'active' | 'none', readonly passes: 'none' | 'own' | 'all' }
  readonly cache: CacheRules & { readonly passes: boolean }
  /** How much clients may ask for. */
  readonly limits: MountLimits
  /** Plugins of others. */
  readonly plugins: readonly MountPlugin[]
  /** What is checked before the first request; undefined where everybody may do everything. */
  readonly order: MountOrder | undefined
  /** Who may do what below one of its places. */
  authAt (prefix: string): MountAccess
  /** For delivery `serve`. */
  mountAt (prefix: string): Omit<MountConfig, 'source' | 'images' | 'access' | 'rateLimit' | 'plugins' | 'writing'> & { readonly writing: WritableParts | undefined } & (MountedImages & { readonly mayAsk: ((request: Request) => boolean) | undefined } | { readonly images: undefined }) & { readonly prefix: string, readonly source: Source, readonly listingAssets: string | undefined, readonly digests: DigestMemory | undefined }
  /** For what comes from an upstream. */
  proxyAt (prefix: string): ProxyParts<Request>
  /** For a whole API of an upstream. */
  gatewayAt (prefix: string): GatewayPlaces<Request>
  /** For clients that are sent to the upstream, or to the bucket. */
  redirectAt (prefix: string): RedirectParts<Request>
}

/** What stands around the mounts. */
export interface Surroundings<Request> {
  readonly log: UpstreamLog
  /** The prefix of the app within its host. */
  readonly root: string
  /** Where listings find their style and script. */
  readonly listingAssets: string
  /** What an app does its own way, by the prefix of the mount. */
  readonly hooks?: Readonly<Record<string, UpstreamHooks<Request>>> | undefined
  /** Plugins of others that it gives by name. */
  readonly extensions?: Readonly<Record<string, unknown>> | undefined
  /** Told of files that were written and deleted. */
  readonly onFileEvent?: ((event: FileEvent) => unknown) | undefined
}

/** Everything that the mounts of a configuration share: sources, image work, upstreams. */
export interface Mounts<Request> {
  readonly images: Images
  readonly upstreams: Upstreams
  /** Where their URLs begin, and what the scopes there are made of. */
  readonly places: ReadonlyArray<Place<MountConfig | ApiPlace> & { readonly parts: MountParts<Request> | ApiParts }>
  /** What there is to tell of how they are, and the signatures of their URLs. */
  details (strategies: ReadonlyMap<string, Strategy>): Array<{ readonly section: string, readonly states: () => Record<string, readonly unknown[]> }>
  /** Ends what goes on, once requests in flight have ended. */
  close (): Promise<void>
}

/** Opens what the mounts of a checked configuration need. @throws where a directory or a PEM file is gone since it was checked */
export async function openMounts<Request extends Asking> (config: Readonly<Config>, surroundings: Surroundings<Request>): Promise<Mounts<Request>> {
  const { log, root, listingAssets } = surroundings
  const hooks = hooksByPrefix(config, surroundings.hooks ?? {})
  const plugins = await loadPlugins(config, surroundings.extensions)
  const counter = [...config.mounts, config.api].some(limited => limited?.rateLimit !== undefined) ? await (await import('./rate/open-counter.ts')).openRateCounter(config.rateLimits, log) : undefined
  const upstreams = await openUpstreams(config, log)
  const httpCache = await openHttpCache(config, log)
  const sources = await openSources(config, sendersOf(config, { upstreams, httpCache }), log)
  httpCache?.purges.onPurge(() => sources.doubt())
  const digests = new DigestMemory()
  const images = imagesOf(config, sources, log)
  const writing = config.mounts.some(isWritable) ? await (await import('./writing/open.ts')).openWriting(config, { sources, images, log, root }) : undefined
  if (surroundings.onFileEvent !== undefined) writing?.events.on(surroundings.onFileEvent)
  const caches = new UpstreamCaches()
  const stacks = new Map<MountConfig, SenderStack>()
  for (const mount of config.mounts) if (mount.delivery !== 'serve') stacks.set(mount, await senderStack(mount, { upstreams, httpCache, caches }))
  const limits = new Map(config.mounts.map(mount => [mount, limitsOf(mount, counter)]))
  const api = config.api === undefined ? undefined : await (await import('./api/open.ts')).openApi(config, config.api, { root, counter, sources, images, writing, httpCache })
  const partsOf = (mount: MountConfig): MountParts<Request> => ({
    delivery: mount.delivery,
    security: { resourcePolicy: mount.resourcePolicy, sandbox: mount.permission === 'read-write' ? 'active' : mount.trustActiveContent ? 'none' : 'svg', passes: mount.delivery === 'serve' ? 'none' : mount.delivery === 'gateway' ? 'all' : 'own' },
    cache: { ...mount.cache, passes: mount.delivery !== 'serve' },
    limits: limits.get(mount) as MountLimits,
    plugins: pluginsOf(mount, plugins),
    order: mountOrder(config, mount, root),
    authAt: prefix => mountAccess(config, mount, { prefix, root }),
    mountAt: prefix => ({ ...mount, prefix, writing: writing?.at(mount, prefix), source: sources.of(mount), listingAssets: mount.listing ? root + listingAssets : undefined, digests: mount.digest ? digests : undefined, ...images.at(mount, prefix, root), mayAsk: mount.images.mode === 'signed' ? ({ isSigned }) => isSigned : undefined }),
    proxyAt: prefix => proxyParts(config, mount, { prefix, senderOf: stacks.get(mount) as SenderStack, hooks: hooks[mount.prefix] }),
    gatewayAt (prefix) {
      const { rewriterFor, ...parts } = proxyParts(config, mount, { prefix, senderOf: stacks.get(mount) as SenderStack, hooks: hooks[mount.prefix] })
      return { ...parts, connectionsOf: name => upstreams.connectionsOf(name), around: (sender, request) => rewritingSender(sender, rewriterFor(request.publicBase, sender.name)) }
    },
    redirectAt: prefix => mount.source === undefined ? redirectParts(config, mount, { prefix, hooks: hooks[mount.prefix] }) : bucketParts(mount, prefix, sources.named(mount.source) as S3Source)
  })
  return {
    images,
    upstreams,
    places: [...placesOf(config.mounts).map(({ mount, prefix }) => ({ mount, prefix, parts: partsOf(mount) })), ...api === undefined ? [] : [{ mount: api.place, prefix: api.place.prefix, parts: api.parts }]],
    details (strategies) {
      const described = { upstreams: Object.keys(config.upstreams).length === 0 ? undefined : () => upstreams.state(), signatures: signatureStates(strategies), events: writing === undefined || Object.keys(writing.events.state()).length === 0 ? undefined : () => writing.events.state() }
      return Object.entries(described).flatMap(([section, states]) => states === undefined ? [] : [{ section, states }])
    },
    async close () {
      await writing?.close()
      await images.close()
      await counter?.close()
      await httpCache?.close()
      await upstreams.close()
    }
  }
}
