import type { Config } from '../config/schema.ts'
import type { HttpCache } from '../http-cache/http-cache.ts'
import type { Sender } from '../upstream/message.ts'
import type { Upstreams } from '../upstream/registry.ts'
import { remoteUpstreams } from '../upstream/remote-upstreams.ts'
import type { Senders } from './registry.ts'

/** Who the sources of a configuration ask for files that lie elsewhere: upstreams, behind the cache where a source wants it. */
export function sendersOf ({ sources }: Pick<Config, 'sources'>, { upstreams, httpCache }: { upstreams: Upstreams, httpCache: HttpCache | undefined }): Senders {
  const kept = (name: string, sender: Sender, place: string): Sender => {
    const source = sources[name]
    const policy = source !== undefined && 'sharedCache' in source ? source.sharedCache : undefined
    return policy === undefined || httpCache === undefined ? sender : httpCache.over(sender, { ...policy, scope: `source ${name} ${place}` })
  }
  return {
    upstream (name, source) {
      const upstream = upstreams.named(source.upstream)
      if (upstream === undefined) throw new TypeError(`There is no upstream ${source.upstream}`)
      return { sender: kept(name, upstream, ''), bases: upstream.config.origins.map(({ url }) => url) }
    },
    remote (name, source) {
      const servers = remoteUpstreams(name, source)
      return { senderOf: url => kept(name, servers.senderOf(url), url.origin), close: async () => await servers.close() }
    }
  }
}
