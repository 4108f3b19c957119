import { remoteRules } from '../upstream/remote-rules.ts'
import { deliveryMistakes } from './delivery-relations.ts'
import { attempt, list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'
import { promiseMistakes, tlsMistakes } from './named-files.ts'
import { refuseBadOrigin } from './origin-url.ts'

/** Tells a name that is none. */
type NeedName = (name: unknown, path: string) => Mistake[]

/**
 * What no schema can say about upstreams, and who refers to them. Reads the files that they name.
 *
 * @param config with its defaults
 * @param base the directory that relative paths start from
 * @param shown how a value may be shown
 */
export async function upstreamMistakes (config: Loose, base: string, shown: (value: unknown) => string): Promise<Mistake[]> {
  const upstreams = Object.entries(record(config.upstreams)).map(([name, upstream]) => [name, record(upstream)] as const)
  const sources = Object.entries(record(config.sources)).map(([name, source]) => [name, record(source)] as const)
  const mounts = list(config.mounts).map((mount, place) => [`mounts[${place}]`, record(mount)] as const)
  const drivers = new Map(sources.map(([name, { driver }]) => [name, driver]))
  const names = upstreams.map(([name]) => name)
  const needUpstream: NeedName = (name, path) => {
    return typeof name !== 'string' || names.includes(name) ? [] : [{ path, message: `Expected the name of an upstream but received ${shown(name)}${didYouMean(name, names)}` }]
  }
  const inFiles = await Promise.all([
    ...upstreams.map(async ([name, { tls }]) => await tlsMistakes(record(tls), spellPath(['upstreams', name, 'tls']), base)),
    ...mounts.map(async ([path, { integrity }]) => await promiseMistakes(record(integrity), `${path}.integrity`, base))
  ])
  return [
    ...upstreams.flatMap(([name, upstream]) => originMistakes(upstream, spellPath(['upstreams', name]))),
    ...sources.flatMap(([name, source]) => sourceMistakes(source, spellPath(['sources', name]), needUpstream)),
    ...mounts.flatMap(([path, { upstream }]) => needUpstream(upstream, `${path}.upstream`)),
    ...mounts.flatMap(([path, mount]) => deliveryMistakes(mount, path, drivers)),
    ...inFiles.flat()
  ]
}

function originMistakes ({ origins, tls, http2 }: Loose, path: string): Mistake[] {
  const { cert, key } = record(tls)
  const urls = list(origins).map(origin => record(origin).url)
  const isPlain = urls.length > 0 && urls.every(url => typeof url === 'string' && /^http:/i.test(url))
  const plain = (name: string): Mistake => ({ path: `${path}.${name}`, message: 'Expected none, because no origin has a URL with https:' })
  return [
    ...urls.flatMap((url, place) => attempt(`${path}.origins[${place}].url`, url, refuseBadOrigin)),
    ...twice(urls, `${path}.origins`),
    ...((cert === undefined) === (key === undefined) ? [] : [{ path: `${path}.tls`, message: 'Expected cert and key together' }]),
    ...(isPlain && tls !== undefined ? [plain('tls')] : []),
    ...(isPlain && http2 === true ? [plain('http2')] : [])
  ]
}

/** Two entries would have one server's failures counted apart, and its connections twice. */
function twice (urls: readonly unknown[], path: string): Mistake[] {
  const spellings = urls.map(url => typeof url === 'string' && attempt('', url, refuseBadOrigin).length === 0 ? new URL(url).href.replace(/\/$/, '') : undefined)
  return spellings.flatMap((url, place) => {
    const first = spellings.indexOf(url)
    return url === undefined || first === place ? [] : [{ path: `${path}[${place}].url`, message: `Expected a server of its own, but it is that of origins[${first}]: "weight" gives one a larger share` }]
  })
}

function sourceMistakes ({ driver, upstream, allow, addresses }: Loose, path: string, needUpstream: NeedName): Mistake[] {
  if (driver === 'http') return needUpstream(upstream, `${path}.upstream`)
  if (driver !== 'remote') return []
  return list(allow).flatMap((rule, place) => attempt(`${path}.allow[${place}]`, rule, text => remoteRules([text], { addresses: addresses === 'any' ? 'any' : 'public' })))
}
