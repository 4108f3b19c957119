import type { FastifyInstance } from 'fastify'
import { resolveConfig } from '../../lib/config/resolve.ts'
import type { ConfigInput, UpstreamConfig } from '../../lib/config/schema.ts'
import { guardedConnect, type Resolver } from '../../lib/upstream/guarded-connect.ts'
import { OwnConnections } from '../../lib/upstream/gateway/own-connections.ts'
import { Upstream } from '../../lib/upstream/upstream.ts'
import client from '../../plugins/client.ts'
import conditional from '../../plugins/conditional.ts'
import cors, { type CorsOptions } from '../../plugins/cors.ts'
import errors from '../../plugins/errors.ts'
import gatewayPlugin, { type GatewayMount } from '../../plugins/gateway.ts'
import staticFiles from '../../plugins/static.ts'
import telemetry from '../../plugins/telemetry.ts'
import gateway from '../../routes/gateway.ts'
import { serve, type Served, type Test } from './app.ts'

/** What of a gateway is not as usual. */
export interface GatewayChoices {
  /** Default `/api`; `''` is the root. */
  prefix?: string
  config?: Partial<NonNullable<ConfigInput['upstreams']>[string]>
  mount?: Partial<GatewayMount>
  cors?: CorsOptions
  trustedProxies?: readonly string[]
  tls?: { ca?: string, cert?: string, key?: string }
  /** Instead of the system's resolver. */
  lookup?: Resolver
  /** Called with the app before anything, and with the mount's scope before its routes. */
  root?: (app: FastifyInstance) => unknown
  scope?: (scope: FastifyInstance) => unknown
  /** Options of the server itself. */
  server?: Record<string, unknown>
}

/** A gateway, and what it asks. */
export interface ServedGateway extends Served {
  readonly upstream: Upstream
  readonly connections: OwnConnections
}

/** An upstream over real connections, closed after the test, and connections of its own. */
export async function upstreamTo (t: Test, urls: readonly string[], { config = {}, tls, lookup }: Pick<GatewayChoices, 'config' | 'tls' | 'lookup'> = {}): Promise<{ upstream: Upstream, connections: OwnConnections }> {
  const resolved = await resolveConfig({ upstreams: { backend: { origins: urls.map(url => ({ url })), ...config } } }, { base: process.cwd() })
  const own = resolved.config.upstreams['backend'] as UpstreamConfig
  const connectWith = { addresses: own.addresses, connectTimeoutMs: own.connectTimeoutMs, tls, lookup }
  const upstream = new Upstream('backend', own, { connect: guardedConnect({ ...connectWith, allowH2: own.http2 }) })
  t.teardown(async () => await upstream.close())
  const { firstByteTimeoutMs, idleTimeoutMs, maxHeaderBytes, liveConnections } = own
  const connections = new OwnConnections({ name: 'backend', origins: upstream.origins, connect: guardedConnect(connectWith), connections: liveConnections, firstByteTimeoutMs, idleTimeoutMs, maxHeaderBytes })
  return { upstream, connections }
}

/** Starts a server with one gateway to an origin, or several. */
export async function serveGateway (t: Test, urls: string | readonly string[], choices: GatewayChoices = {}): Promise<ServedGateway> {
  const { prefix = '/api', mount = {}, trustedProxies = [], root, scope: prepare, server } = choices
  const { upstream, connections } = await upstreamTo(t, [urls].flat(), choices)
  const served = await serve(t, async app => {
    await root?.(app)
    await app.register(errors)
    await app.register(telemetry, {})
    await app.register(client, { trustedProxies })
    await app.register(conditional)
    await app.register(staticFiles)
    await app.register(gatewayPlugin)
    await app.register(async function mountScope (scope) {
      if (choices.cors !== undefined) await scope.register(cors, { ...choices.cors, optionsRoute: false })
      await prepare?.(scope)
      await scope.register(gateway, {
        gatewayAt: place => ({ prefix: place, upstream, connectionsOf: name => name === 'backend' ? connections : undefined, ownsCors: choices.cors !== undefined, ...mount })
      })
    }, { prefix })
  }, server)
  return { ...served, upstream, connections }
}
