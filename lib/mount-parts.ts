import { ConfigError, didYouMean, spellPath } from './config/mistakes.ts'
import type { Config, MountConfig } from './config/schema.ts'
import { cacheControl } from './http/cache-control.ts'
import type { SenderStack } from './upstream/sender-stack.ts'
import { withoutTrailingSlash } from './paths/prefix.ts'
import { presignedTarget } from './sources/presigned-target.ts'
import type { S3Source } from './sources/s3.ts'
import type { UpstreamPlace } from './upstream/client-request.ts'
import type { GatewayParts } from './upstream/gateway/ask.ts'
import type { HookedUpstream } from './upstream/hooked.ts'
import type { UpstreamHooks } from './upstream/hooks.ts'
import type { Sender } from './upstream/message.ts'
import { proxyTest, redirectTarget } from './upstream/redirect-target.ts'
import { publicRewriters } from './upstream/rewrite/public-rewriters.ts'
import type { ResponseRewriter } from './upstream/rewrite/response-rewriter.ts'

/** A mount of an upstream. */
export interface ProxyParts<Request> extends HookedUpstream<Request>, UpstreamPlace {
  readonly vary: string | undefined
  readonly ownsCors: boolean
  /** How answers are changed, by the URL under which clients reach the root of this server. */
  readonly rewriterFor: (publicBase: string | undefined, upstream?: string) => ResponseRewriter
  /** Whether bodies are changed too. */
  readonly changesText: boolean
}

type RewriterFor = (publicBase: string | undefined) => ResponseRewriter

/** A mount behind which another server's API stands. */
export interface GatewayPlaces<Request> extends GatewayParts<Request>, UpstreamPlace {
  readonly ownsCors: boolean
}

/** A mount whose clients are sent elsewhere. */
export interface RedirectParts<Request> {
  readonly prefix: string
  readonly status: 302 | 307
  readonly cacheControl: string
  readonly vary: string | undefined
  readonly needsProxy: ((headers: Readonly<Record<string, string | string[] | undefined>>) => boolean) | undefined
  locationOf (request: Request): string | Promise<string>
}

/** What is read of a request here. */
export interface Asking {
  readonly raw: { readonly url?: string | undefined, readonly method?: string | undefined }
  readonly query: unknown
  /** The URL under which its client reaches the root of this server, where that is told. */
  readonly publicBase: string | undefined
  /** Whether its URL was signed. */
  readonly isSigned: boolean
}

/** Hooks by the prefixes of mounts. @throws {ConfigError} where a key is the prefix of no mount with an upstream: its hooks would never be called */
export function hooksByPrefix<Hooks> ({ mounts }: Readonly<Config>, hooks: Readonly<Record<string, Hooks>>): Record<string, Hooks> {
  const prefixes = mounts.filter(({ upstream }) => upstream !== undefined).map(({ prefix }) => prefix)
  const known = Object.entries(hooks).map(([key, own]) => [withoutTrailingSlash(key), own] as const)
  const wrong = known.filter(([key]) => !prefixes.includes(key))
  if (wrong.length > 0) throw new ConfigError(wrong.map(([key]) => ({ path: spellPath(['upstreamHooks', key]), message: `Expected the prefix of a mount with an upstream${didYouMean(key, prefixes)}` })))
  return Object.fromEntries(known)
}

/** What sends the requests of a mount on to its upstream. */
export function proxyParts<Request> ({ upstreams }: Readonly<Config>, mount: MountConfig, { prefix, senderOf, hooks }: { prefix: string, senderOf: SenderStack, hooks: UpstreamHooks<Request> | undefined }): ProxyParts<Request> {
  const { upstream = '', upstreamPath, rewrite, delivery } = mount
  const { host = 'origin' } = upstreams[upstream] ?? {}
  const rewritersOf = (name: string): RewriterFor => publicRewriters({ ...rewrite, origins: (upstreams[name]?.origins ?? []).map(({ url }) => new URL(url.replace(/\/+$/, '') + upstreamPath)), mountPrefix: prefix })
  const own = rewritersOf(upstream)
  // Any of them may be the one that a hook names.
  const rewriters = new Map(hooks?.resolve === undefined ? [] : Object.keys(upstreams).map(name => [name, name === upstream ? own : rewritersOf(name)]))
  return {
    prefix,
    upstream: senderOf(upstream) as Sender,
    upstreamPath,
    host,
    vary: delivery === 'auto' ? proxyTest(mount.redirect).vary : undefined,
    ownsCors: mount.cors !== undefined,
    hooks,
    named: senderOf,
    rewriterFor: (publicBase, name = upstream) => (rewriters.get(name) ?? own)(publicBase),
    changesText: rewrite.urls || rewrite.replace.length > 0
  }
}

/** Where the clients of a mount are sent. */
export function redirectParts<Request extends Asking> ({ upstreams }: Readonly<Config>, mount: MountConfig, { prefix, hooks }: { prefix: string, hooks: UpstreamHooks<Request> | undefined }): RedirectParts<Request> {
  const { redirect: { base, template = '{path}', query, status, cache, ...rules }, upstream = '', upstreamPath, delivery } = mount
  const locations = new Map(Object.entries(upstreams).map(([name, { origins }]) => {
    const { url = '' } = origins.find(({ drain }) => !drain) ?? origins[0] ?? {}
    return [name, redirectTarget({ prefix, base: base ?? `${url.replace(/\/+$/, '')}${upstreamPath}`, template, query })]
  }))
  const locate = ({ raw: { url = '/' } }: Request, name: string): string => {
    const locationOf = locations.get(name)
    if (locationOf === undefined) throw new TypeError(`Expected resolve to name an upstream but received ${name}`)
    return locationOf(url)
  }
  const { needsProxy, vary } = delivery === 'auto' ? proxyTest(rules) : { needsProxy: undefined, vary: undefined }
  return {
    prefix,
    status,
    cacheControl: cacheControl(cache),
    vary,
    needsProxy,
    async locationOf (request) {
      const resolved = await hooks?.resolve?.(request)
      return locate(request, typeof resolved === 'object' ? resolved.name : resolved ?? upstream)
    }
  }
}

/** Clients are sent to a bucket by URLs that are signed for each of them: nobody may keep these for another. */
export function bucketParts<Request extends Asking> ({ redirect: { status } }: MountConfig, prefix: string, source: S3Source): RedirectParts<Request> {
  return { prefix, status, cacheControl: 'no-store', vary: undefined, needsProxy: undefined, locationOf: presignedTarget(prefix, source) }
}
