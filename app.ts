import type { FastifyInstance, FastifyRequest } from 'fastify'
import { configOf, type MediaOptions as Options } from './lib/config/options.ts'
import { openMounts, type Delivery, type MountParts } from './lib/mounts.ts'
import cachePolicy from './plugins/cache-policy.ts'
import client from './plugins/client.ts'
import conditional from './plugins/conditional.ts'
import cors from './plugins/cors.ts'
import errors, { serverOptions } from './plugins/errors.ts'
import gatewayVerb from './plugins/gateway.ts'
import imageVariants from './plugins/images.ts'
import jsonEtag from './plugins/json-etag.ts'
import proxy, { type ProxyHooks } from './plugins/proxy.ts'
import readiness from './plugins/readiness.ts'
import redirect from './plugins/redirect.ts'
import securityHeaders from './plugins/security-headers.ts'
import staticFiles from './plugins/static.ts'
import telemetry from './plugins/telemetry.ts'
import gateway from './routes/gateway.ts'
import health from './routes/health.ts'
import listingAssets, { LISTING_ASSETS } from './routes/listing-assets.ts'
import proxied from './routes/proxied.ts'
import redirected from './routes/redirected.ts'
import served from './routes/served.ts'

export { serverOptions as options } from './plugins/errors.ts'
/** A configuration, and what an app does its own way with the upstreams of its mounts, by their prefixes. */
export type MediaOptions = Options & { upstreamHooks?: Readonly<Record<string, ProxyHooks>> }

/** Which routes send a mount's bytes. */
const deliveries: Record<Delivery, (scope: FastifyInstance, parts: MountParts<FastifyRequest>) => Promise<void>> = { serve: served, proxy: proxied, gateway, redirect: redirected, auto: redirected }

/** The root app: plugins in hook order, then one scope for each mount. */
export default async function media (app: FastifyInstance, { upstreamHooks: hooks, ...options }: MediaOptions): Promise<void> {
  const config = await configOf(options, { cwd: process.cwd(), environment: process.env, ignore: Object.keys(serverOptions) })
  const mounts = await openMounts(config, { log: app.log, root: app.prefix, listingAssets: LISTING_ASSETS, hooks })
  app.addHook('onClose', async function closeMedia () { await mounts.close() })

  await app.register(errors)
  await app.register(telemetry, config.log)
  await app.register(client, config)
  await app.register(readiness)
  await app.register(conditional)
  await app.register(staticFiles)
  await app.register(imageVariants, config.images)
  for (const verb of [proxy, redirect, gatewayVerb]) await app.register(verb, { control: mounts.upstreams })
  await app.register(health)
  if (config.mounts.some(mount => mount.listing)) await app.register(listingAssets)
  if (Object.keys(config.upstreams).length > 0) app.readiness.describe('upstreams', () => mounts.upstreams.state())

  for (const { mount, prefix: place } of mounts.places) {
    await app.register(async function mountScope (scope) {
      if (mount.cors !== undefined) await scope.register(cors, { ...mount.cors, optionsRoute: false })
      const parts = mounts.of(mount)
      await scope.register(securityHeaders, parts.security)
      await scope.register(cachePolicy, parts.cache)
      if (mount.listing) await scope.register(jsonEtag)
      await scope.register(deliveries[mount.delivery], parts)
    }, { prefix: place })
  }
}
