import { cacheControl } from '../http/cache-control.ts'
import { redirectTarget } from '../upstream/redirect-target.ts'
import { remoteRules } from '../upstream/remote-rules.ts'
import { attempt, list, record, type Loose } from './loose.ts'
import { didYouMean, spellPath, type Mistake } from './mistakes.ts'

/** What no schema can say about upstreams, and who refers to them. */
export function upstreamMistakes (config: Loose, shown: (value: unknown) => string): Mistake[] {
  const upstreams = Object.entries(record(config.upstreams)).map(([name, upstream]) => [name, record(upstream)] as const)
  const names = upstreams.map(([name]) => name)
  const needUpstream = (name: unknown, path: string): Mistake[] => {
    return typeof name !== 'string' || names.includes(name) ? [] : [{ path, message: `Expected the name of an upstream but received ${shown(name)}${didYouMean(name, names)}` }]
  }
  return [
    ...upstreams.flatMap(([name, upstream]) => originMistakes(upstream, spellPath(['upstreams', name]))),
    ...Object.entries(record(config.sources)).flatMap(([name, source]) => sourceMistakes(record(source), spellPath(['sources', name]), needUpstream)),
    ...list(config.mounts).flatMap((mount, place) => mountMistakes(record(mount), `mounts[${place}]`, needUpstream))
  ]
}

function originMistakes ({ origins, tls }: Loose, path: string): Mistake[] {
  const { cert, key } = record(tls)
  return [
    ...list(origins).flatMap((origin, place) => attempt(`${path}.origins[${place}].url`, record(origin).url, refuseBadOrigin)),
    ...((cert === undefined) === (key === undefined) ? [] : [{ path: `${path}.tls`, message: 'Expected cert and key together' }])
  ]
}

function refuseBadOrigin (text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new TypeError('Expected a URL such as http://10.0.0.5:8080/assets')
  if (url.username !== '' || url.password !== '') throw new TypeError('Expected a URL without user and password: send such as a header, by a hook')
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(text.replace(/^[a-z]+:\/\/[^/]*/i, ''))) throw new TypeError('Expected a URL without dot segments')
}

function sourceMistakes ({ driver, upstream, allow, addresses }: Loose, path: string, needUpstream: (name: unknown, path: string) => Mistake[]): Mistake[] {
  if (driver === 'http') return needUpstream(upstream, `${path}.upstream`)
  if (driver !== 'remote') return []
  return list(allow).flatMap((rule, place) => attempt(`${path}.allow[${place}]`, rule, text => remoteRules([text], { addresses: addresses === 'any' ? 'any' : 'public' })))
}

function mountMistakes ({ delivery, source, upstream, redirect, integrity }: Loose, path: string, needUpstream: (name: unknown, path: string) => Mistake[]): Mistake[] {
  const [needed, other, given, spare] = delivery === 'serve' ? ['source', 'upstream', source, upstream] as const : ['upstream', 'source', upstream, source] as const
  if (typeof delivery !== 'string') return []
  const { base, template, cache } = record(redirect)
  return [
    ...(integrity === undefined || delivery === 'proxy' || delivery === 'auto' ? [] : [{ path: `${path}.integrity`, message: `Expected none, because delivery is "${delivery}": it is for files that come through, by "proxy" or "auto"` }]),
    ...attempt(`${path}.redirect.base`, base, refuseBadOrigin),
    ...attempt(`${path}.redirect.template`, template, text => redirectTarget({ prefix: '', base: 'https://example.com/base', template: text, query: 'drop' })),
    ...attempt(`${path}.redirect.cache`, cache, cacheControl),
    ...needUpstream(upstream, `${path}.upstream`),
    ...(given === undefined ? [{ path: `${path}.${needed}`, message: `Expected the name of ${needed === 'source' ? 'a source' : 'an upstream'}, because delivery is "${delivery}"` }] : []),
    ...(spare === undefined ? [] : [{ path: `${path}.${other}`, message: `Expected none, because delivery is "${delivery}"` }])
  ]
}
