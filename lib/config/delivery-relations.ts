import { isDeepStrictEqual } from 'node:util'
import { cacheControl } from '../http/cache-control.ts'
import { redirectTarget } from '../upstream/redirect-target.ts'
import { attempt, list, record, type Loose } from './loose.ts'
import type { Mistake } from './mistakes.ts'
import { refuseBadOrigin } from './origin-url.ts'
import { Config } from './schema.ts'

const deliveries = ['serve', 'proxy', 'gateway', 'redirect', 'auto'] as const
type Delivery = typeof deliveries[number]

/** The deliveries that a key of a mount means something for, and what to do instead. All others mean something for each. */
const meaning: Record<string, { readonly for: readonly Delivery[], readonly instead?: string }> = {
  upstreamPath: { for: ['proxy', 'gateway', 'redirect', 'auto'] },
  live: { for: ['proxy', 'gateway', 'auto'] },
  sharedCache: { for: ['proxy', 'gateway', 'auto'], instead: 'write it at the source' },
  rewrite: { for: ['proxy', 'gateway', 'auto'] },
  redirect: { for: ['redirect', 'auto'] },
  integrity: { for: ['proxy', 'auto'] },
  digest: { for: ['serve'] },
  writing: { for: ['serve'] },
  images: { for: ['serve'] },
  index: { for: ['serve'] },
  listing: { for: ['serve'] },
  fallback: { for: ['serve'] },
  precompressed: { for: ['serve'] }
}

/** What of a mount means nothing for its delivery, or contradicts itself. */
export function deliveryMistakes (mount: Loose, path: string, drivers: ReadonlyMap<string, unknown>): Mistake[] {
  const delivery = deliveries.find(word => word === mount.delivery)
  if (delivery === undefined) return [] // told elsewhere
  return [
    ...sideMistakes(mount, path, { delivery, drivers }),
    ...Object.keys(meaning).flatMap(key => idleMistakes(mount, path, { key, delivery })),
    ...(delivery === 'serve' ? servedMistakes(mount, path, drivers) : upstreamMountMistakes(mount, path)),
    ...redirectMistakes(record(mount.redirect), `${path}.redirect`, delivery),
    ...(delivery === 'redirect' && mount.source !== undefined ? bucketMistakes(mount, path, drivers) : [])
  ]
}

/** The bytes come from a source, or from an upstream; clients are sent to an upstream, or to a bucket. */
function sideMistakes ({ source, upstream }: Loose, path: string, { delivery, drivers }: { delivery: Delivery, drivers: ReadonlyMap<string, unknown> }): Mistake[] {
  const isBucket = delivery === 'redirect' && source !== undefined
  const [needed, other, given, spare] = delivery === 'serve' || isBucket ? ['source', 'upstream', source, upstream] as const : ['upstream', 'source', upstream, source] as const
  const reason = isBucket ? 'because clients are sent to the bucket of the source' : `because delivery is "${delivery}"`
  const hint = delivery === 'auto' && drivers.get(String(source)) === 's3' ? ': clients are sent to a bucket by "redirect", and get its files by "serve"' : ''
  return [
    ...(given === undefined ? [{ path: `${path}.${needed}`, message: `Expected the name of ${needed === 'source' ? 'a source' : 'an upstream'}, ${reason}` }] : []),
    ...(spare === undefined ? [] : [{ path: `${path}.${other}`, message: `Expected none, ${reason}${hint}` }])
  ]
}

/** What is about upstreams means nothing for a bucket: its URLs are signed, and go to one client, for a while. */
function bucketMistakes ({ source, upstreamPath, redirect }: Loose, path: string, drivers: ReadonlyMap<string, unknown>): Mistake[] {
  const { upstreamPath: pathSchema, redirect: { properties } } = Config.properties.mounts.items.properties
  const idle = ['base', 'template', 'query', 'cache'].filter(key => !isDefault(record(redirect)[key], record(properties)[key])).map(key => `redirect.${key}`)
  if (!isDefault(upstreamPath, pathSchema)) idle.push('upstreamPath')
  const driver = drivers.get(String(source))
  return [
    ...(typeof driver !== 'string' || driver === 's3' ? [] : [{ path: `${path}.source`, message: `Expected a source of driver "s3", because delivery is "redirect": clients cannot be sent to one of driver "${driver}"` }]),
    ...idle.map(key => ({ path: `${path}.${key}`, message: 'Expected none, because clients are sent to the bucket of the source: it is for an upstream' }))
  ]
}

/** A key that would do nothing, silently. */
function idleMistakes (mount: Loose, path: string, { key, delivery }: { key: string, delivery: Delivery }): Mistake[] {
  const { for: meant, instead } = meaning[key] as typeof meaning[string]
  if (meant.includes(delivery) || isDefault(mount[key], record(Config.properties.mounts.items.properties)[key])) return []
  const hint = instead !== undefined && delivery === 'serve' ? `: ${instead}` : ''
  return [{ path: `${path}.${key}`, message: `Expected none, because delivery is "${delivery}": it is for ${inWords(meant)}${hint}` }]
}

/** A section is at its default when all that it holds is. */
export function isDefault (value: unknown, schema: unknown): boolean {
  const { default: ours, properties } = record(schema)
  if (value === undefined || isDeepStrictEqual(value, ours)) return true
  // What has no default is there or is not.
  if (ours === undefined || properties === undefined) return false
  return Object.entries(record(value)).every(([key, member]) => isDefault(member, record(properties)[key]))
}

function inWords (words: readonly string[]): string {
  const quoted = words.map(word => `"${word}"`)
  return quoted.length === 1 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)}`
}

function servedMistakes ({ source, listing }: Loose, path: string, drivers: ReadonlyMap<string, unknown>): Mistake[] {
  const driver = drivers.get(String(source))
  return listing === true && (driver === 'http' || driver === 'remote')
    ? [{ path: `${path}.listing`, message: `Expected false, because a source of driver "${driver}" cannot tell what a directory holds` }]
    : []
}

function upstreamMountMistakes ({ permission, live, sharedCache, integrity }: Loose, path: string): Mistake[] {
  const promises = record(integrity)
  const isEmpty = Object.keys(record(promises.files)).length === 0 && promises.manifest === undefined
  return [
    ...(permission === 'read-write' ? [{ path: `${path}.permission`, message: 'Expected "read", because this server writes nothing to an upstream: what a "gateway" passes on is for its origins to decide' }] : []),
    ...(live === true && sharedCache !== undefined ? [{ path: `${path}.sharedCache`, message: 'Expected none, because of "live": a body without an end is never kept' }] : []),
    ...(live === true && integrity !== undefined ? [{ path: `${path}.integrity`, message: 'Expected none, because of "live": a body without an end has no hash' }] : []),
    ...(promises.mandatory === true && isEmpty ? [{ path: `${path}.integrity.mandatory`, message: 'Expected files or a manifest beside it: without a hash every file is refused' }] : [])
  ]
}

function redirectMistakes ({ base, template, cache, proxyFor, userAgents }: Loose, path: string, delivery: Delivery): Mistake[] {
  const texts = list(userAgents).length > 0
  const named = list(proxyFor).includes('user-agent')
  return [
    ...attempt(`${path}.base`, base, refuseBadOrigin),
    ...attempt(`${path}.template`, template, text => redirectTarget({ prefix: '', base: 'https://example.com/base', template: text, query: 'drop' })),
    ...attempt(`${path}.cache`, cache, cacheControl),
    ...(delivery === 'auto' && named && !texts ? [{ path: `${path}.userAgents`, message: 'Expected at least one text, because proxyFor holds "user-agent"' }] : []),
    ...(delivery === 'auto' && texts && !named ? [{ path: `${path}.proxyFor`, message: 'Expected "user-agent" among them, because there are userAgents' }] : [])
  ]
}
