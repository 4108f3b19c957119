import type { Static } from 'typebox'
import type { RemoteSource } from '../config/upstream-schema.ts'
import { guardedConnect, type Resolver } from './guarded-connect.ts'
import type { Sender } from './message.ts'
import { Upstream, type UpstreamOptions } from './upstream.ts'

/** Hosts that connections are kept to. Clients that name ever other hosts, where a rule allows many, push against it. */
const MAX_HOSTS = 256

/** Who is asked for files whose URL a client names: an upstream for each origin, made when it is first asked. */
export interface RemoteUpstreams {
  senderOf (url: URL): Sender
  close (): Promise<void>
}

/**
 * @param name by which problems call all of them: that of the source
 * @param config what of the source's is about connections
 * @param options `lookup`: a resolver that is shared with others
 */
export function remoteUpstreams (name: string, config: Static<typeof RemoteSource>, { lookup, ...options }: Pick<UpstreamOptions, 'onEvent'> & { lookup?: Resolver } = {}): RemoteUpstreams {
  const { addresses, connections, connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs } = config
  const connect = guardedConnect({ addresses, connectTimeoutMs, lookup })
  const known = new Map<string, Upstream>() // in order of their last use
  const make = (origin: string): Upstream => new Upstream(name, {
    origins: [{ url: origin, weight: 1, drain: false }],
    balance: 'round-robin',
    addresses,
    host: 'origin',
    connections,
    liveConnections: 1,
    maxWaiting: 1024,
    connectTimeoutMs,
    firstByteTimeoutMs,
    idleTimeoutMs,
    liveIdleTimeoutMs: idleTimeoutMs,
    keepAliveMs: 4000,
    maxHeaderBytes: 64 * 1024,
    retries: 1,
    retryBudget: 0.2,
    resumes: 3,
    ejectAfter: 5,
    ejectMs: 10_000,
    http2: false
  }, { connect, ...options })
  return {
    senderOf ({ origin }) {
      const upstream = known.get(origin) ?? make(origin)
      known.delete(origin)
      known.set(origin, upstream)
      if (known.size > MAX_HOSTS) retireOldest()
      return upstream
    },
    async close () {
      await Promise.all([...known.values()].map(async upstream => await upstream.close()))
    }
  }

  function retireOldest (): void {
    const [[origin, upstream] = []] = known
    if (origin === undefined || upstream === undefined) return
    known.delete(origin)
    void upstream.retire()
  }
}
