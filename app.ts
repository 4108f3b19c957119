import type { FastifyInstance, FastifyPluginAsync, FastifyPluginCallback } from 'fastify'
import { configOf, type MediaOptions as Options } from './lib/config/options.ts'
import { openMounts, type FileEvent } from './lib/mounts.ts'
import auth from './plugins/auth.ts'
import cachePolicy from './plugins/cache-policy.ts'
import client from './plugins/client.ts'
import conditional from './plugins/conditional.ts'
import cors from './plugins/cors.ts'
import errors, { serverOptions } from './plugins/errors.ts'
import extensions from './plugins/extensions.ts'
import gatewayVerb from './plugins/gateway.ts'
import imageVariants from './plugins/images.ts'
import jsonEtag from './plugins/json-etag.ts'
import order from './plugins/order.ts'
import proxy, { type ProxyHooks } from './plugins/proxy.ts'
import rateLimit from './plugins/rate-limit.ts'
import readiness from './plugins/readiness.ts'
import redirect from './plugins/redirect.ts'
import securityHeaders from './plugins/security-headers.ts'
import staticFiles from './plugins/static.ts'
import strategies, { type StrategiesOptions } from './plugins/strategies.ts'
import telemetry from './plugins/telemetry.ts'
import uploads from './plugins/uploads.ts'
import delivered from './routes/delivered.ts'
import own, { LISTING_ASSETS } from './routes/own.ts'
export { serverOptions as options } from './plugins/errors.ts'
/** A configuration; what an app does its own way with the upstreams of its mounts, by their prefixes; its plugins, and its ways to prove who one is, that mounts may name; what it is told of files that were written. */
export type MediaOptions = Options & { upstreamHooks?: Readonly<Record<string, ProxyHooks>>, extensions?: Readonly<Record<string, FastifyPluginAsync<never> | FastifyPluginCallback<never>>>, ownStrategies?: NonNullable<StrategiesOptions['own']>, onFileEvent?: (event: FileEvent) => unknown }

/** The root app: plugins in hook order, then one scope for each mount. */
export default async function media (app: FastifyInstance, { upstreamHooks: hooks, extensions: given, ownStrategies: ways = {}, onFileEvent, ...options }: MediaOptions): Promise<void> {
  const config = await configOf(options, { cwd: process.cwd(), environment: process.env, ignore: Object.keys(serverOptions), ownStrategies: Object.keys(ways) })
  const mounts = await openMounts(config, { log: app.log, root: app.prefix, listingAssets: LISTING_ASSETS, hooks, extensions: given, onFileEvent })
  app.addHook('onClose', async function closeMedia () { await mounts.close() })
  await app.register(errors)
  await app.register(telemetry, config.log)
  await app.register(client, config)
  await app.register(strategies, { strategies: config.strategies, own: ways })
  for (const plugin of [readiness, conditional, staticFiles, proxy, redirect, gatewayVerb, uploads]) await app.register(plugin, { control: mounts.upstreams })
  await app.register(imageVariants, config.images)
  await app.register(own, { hasListings: config.mounts.some(mount => mount.listing) })
  for (const { section, states } of mounts.details(app.strategies)) app.readiness.describe(section, states)
  for (const { mount, prefix: place, parts } of mounts.places) {
    await app.register(async function mountScope (scope) {
      if (parts.order !== undefined) await scope.register(order, parts.order)
      await scope.register(securityHeaders, parts.security)
      await scope.register(cachePolicy, parts.cache)
      if (mount.listing) await scope.register(jsonEtag)
      if (mount.cors !== undefined) await scope.register(cors, { ...mount.cors, optionsRoute: false })
      if (parts.limits.addresses !== undefined) await scope.register(rateLimit, parts.limits.addresses)
      await scope.register(extensions, { at: 'beforeAuth', plugins: parts.plugins })
      await scope.register(auth, parts.authAt(scope.prefix))
      await scope.register(extensions, { at: 'afterAuth', plugins: parts.plugins })
      if (parts.limits.principals !== undefined) await scope.register(rateLimit, parts.limits.principals)
      await scope.register(extensions, { at: 'onSend', plugins: parts.plugins })
      await scope.register(delivered, parts)
    }, { prefix: place })
  }
}
