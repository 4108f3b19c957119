import type { Config } from '../config/schema.ts'
import type { HttpCache } from '../http-cache/http-cache.ts'
import type { Sender } from '../upstream/message.ts'
import { namesResolver } from '../upstream/names-resolver.ts'
import type { Upstreams } from '../upstream/registry.ts'
import { remoteUpstreams } from '../upstream/remote-upstreams.ts'
import type { Senders } from './registry.ts'
import { oneForAll } from './remote-cache.ts'

/** Who the sources of a configuration ask for files that lie elsewhere: upstreams, behind the cache where a source wants it. */
export function sendersOf ({ sources, mounts }: Pick<Config, 'sources' | 'mounts'>, { upstreams, httpCache }: { upstreams: Upstreams, httpCache: HttpCache | undefined }): Senders {
  /** One for all sources: clients name the hosts, and upstreams' own names are not to wait behind all of them. */
  const lookup = namesResolver()
  /** What is kept is purged by the URLs of the first mount that shows it. */
  const kept = (name: string, sender: Sender, below = ''): Sender => {
    const source = sources[name]
    const policy = source !== undefined && 'sharedCache' in source ? source.sharedCache : undefined
    if (policy === undefined || httpCache === undefined) return sender
    const prefix = mounts.find(mount => mount.source === name)?.prefix.replace(/^\/$/, '') ?? ''
    return httpCache.over(sender, { ...policy, scope: `source ${name}`, publicPath: path => prefix + (path.startsWith(below) ? path.slice(below.length) : path) })
  }
  return {
    upstream (name, source) {
      const upstream = upstreams.named(source.upstream)
      if (upstream === undefined) throw new TypeError(`There is no upstream ${source.upstream}`)
      return { sender: kept(name, upstream, source.path.replace(/\/+$/, '')), bases: upstream.config.origins.map(({ url }) => url) }
    },
    remote (name, source) {
      const servers = remoteUpstreams(name, source, { lookup })
      const senderOf = (url: URL): Sender => servers.senderOf(url)
      const { sender, to } = oneForAll(name, senderOf)
      const front = kept(name, sender)
      return { senderOf: front === sender ? senderOf : ({ origin }) => to(origin, front), close: async () => await servers.close() }
    }
  }
}
