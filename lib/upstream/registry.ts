import { readFile } from 'node:fs/promises'
import { Pool, type buildConnector } from 'undici'
import type { Config, UpstreamConfig } from '../config/schema.ts'
import { OwnConnections } from './gateway/own-connections.ts'
import { guardedConnect, type TlsOptions } from './guarded-connect.ts'
import { startHealthChecks, type HealthChecks, type Probe } from './health-checks.ts'
import { namesResolver, type Resolver } from './names-resolver.ts'
import type { OriginState } from './peer.ts'
import { SocketBuffers } from './socket-buffers.ts'
import { Upstream } from './upstream.ts'

/** The upstreams of a configuration. */
export interface Upstreams {
  /** @returns undefined where there is none of the name */
  named (name: string): Upstream | undefined
  /** Connections to the origins of an upstream for what no pool carries. */
  connectionsOf (name: string): OwnConnections | undefined
  /**
   * Takes an origin out of service, or back: it gets no new requests.
   *
   * @param label as `state` tells it: `assets[0]`
   * @throws {RangeError} where there is none of the label
   */
  drain (label: string, draining?: boolean): void
  /** Ends bodies that came over connections for what has no end. */
  endLive (): void
  /** How the origins of each are. No addresses. */
  state (): Record<string, OriginState[]>
  close (): Promise<void>
}

/** Told what happens out of sight. */
export interface UpstreamLog {
  info (facts: object, message: string): void
  warn (facts: object, message: string): void
}

/** Nothing is connected to before the first request, or the first health check. @throws where a PEM file cannot be read */
export async function openUpstreams (config: Pick<Config, 'upstreams'>, log: UpstreamLog): Promise<Upstreams> {
  const buffers = new SocketBuffers()
  const lookup = namesResolver({ concurrency: 1 }) // beside that of remote sources, whose line clients can fill
  const open = new Map<string, OpenUpstream>()
  for (const [name, own] of Object.entries(config.upstreams)) open.set(name, await openUpstream(name, own, { log, buffers, lookup }))
  return {
    named: name => open.get(name)?.upstream,
    connectionsOf: name => open.get(name)?.connections,
    drain (label, draining = true) {
      const upstream = open.get(label.replace(/\[\d+\]$/, ''))?.upstream
      if (upstream === undefined) throw new RangeError(`There is no origin ${label}`)
      upstream.origins.drain(label, draining)
    },
    endLive () {
      for (const { upstream } of open.values()) upstream.endLive()
    },
    state: () => Object.fromEntries([...open].map(([name, { upstream }]) => [name, upstream.origins.state()])),
    async close () {
      await Promise.all([...open.values()].map(async each => await each.close()))
    }
  }
}

interface OpenUpstream {
  readonly upstream: Upstream
  readonly connections: OwnConnections
  readonly close: () => Promise<void>
}

async function openUpstream (name: string, config: UpstreamConfig, { log, buffers, lookup }: { log: UpstreamLog, buffers: SocketBuffers, lookup: Resolver }): Promise<OpenUpstream> {
  const { addresses, connectTimeoutMs, http2: allowH2, liveConnections, firstByteTimeoutMs, idleTimeoutMs, maxHeaderBytes } = config
  const tls = await readTls(config)
  const connect = guardedConnect({ addresses, connectTimeoutMs, tls, allowH2, lookup }, buffers.connector)
  const upstream = new Upstream(name, config, {
    connect,
    buffers,
    onEvent (event) {
      if (!('kind' in event)) log[event.state === 'up' || event.state === 'probing' ? 'info' : 'warn']({ upstream: name, ...event }, `An origin is ${event.state}`)
      else log.warn({ upstream: name, origin: event.origin, err: event.error }, event.kind === 'retried' ? 'A request is sent again' : 'The rest of a download is fetched')
    }
  })
  const checks = config.healthCheck === undefined ? undefined : checked(upstream, config.healthCheck, connect)
  return {
    upstream,
    connections: new OwnConnections({ name, origins: upstream.origins, connect: guardedConnect({ addresses, connectTimeoutMs, tls, lookup }), connections: liveConnections, firstByteTimeoutMs, idleTimeoutMs, maxHeaderBytes }),
    async close () {
      await checks?.stop()
      await upstream.close()
    }
  }
}

/** Checks have connections of their own: files that take all others do not make an origin unwell. */
function checked (upstream: Upstream, options: NonNullable<UpstreamConfig['healthCheck']>, connect: buildConnector.connector): HealthChecks {
  const pools = new Map(upstream.origins.all.map(origin => [origin, new Pool(origin.url.origin, { connect, connections: 1 })]))
  const probe: Probe = async (origin, path, signal) => {
    const { statusCode, body } = await (pools.get(origin) as Pool).request({ method: 'GET', path: origin.basePath + path, signal })
    await body.dump({ limit: 64 * 1024 })
    return statusCode
  }
  const checks = startHealthChecks(upstream.origins, options, probe)
  return {
    async stop () {
      await checks.stop()
      await Promise.all([...pools.values()].map(async pool => await pool.destroy()))
    }
  }
}

/** The PEM files that `tls` names. @throws where one cannot be read */
async function readTls ({ tls = {} }: UpstreamConfig): Promise<TlsOptions> {
  return { ca: await textOf(tls.ca), cert: await textOf(tls.cert), key: await textOf(tls.key), servername: tls.servername }
}

async function textOf (file: string | undefined): Promise<Buffer | undefined> {
  return file === undefined ? undefined : await readFile(file)
}
