import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { configOf, type MediaOptions } from './lib/config/options.ts'
import { placesOf } from './lib/image/places.ts'
import { imagesOf } from './lib/image/registry.ts'
import { packageRoot } from './lib/package-root.ts'
import { openSources } from './lib/sources/registry.ts'
import cachePolicy from './plugins/cache-policy.ts'
import client from './plugins/client.ts'
import conditional from './plugins/conditional.ts'
import cors from './plugins/cors.ts'
import errors, { serverOptions } from './plugins/errors.ts'
import imageVariants from './plugins/images.ts'
import jsonEtag from './plugins/json-etag.ts'
import readiness from './plugins/readiness.ts'
import securityHeaders from './plugins/security-headers.ts'
import staticFiles from './plugins/static.ts'
import telemetry from './plugins/telemetry.ts'
import health from './routes/health.ts'
import listingAssets, { LISTING_ASSETS } from './routes/listing-assets.ts'
import served from './routes/served.ts'

export type { MediaOptions } from './lib/config/options.ts'
export { serverOptions as options } from './plugins/errors.ts'

/** Which routes send a mount's bytes. */
const deliveries = { serve: served }

/** The root app: plugins in hook order, then one scope for each mount. */
export default async function media (app: FastifyInstance, options: MediaOptions): Promise<void> {
  const config = await configOf(options, { cwd: process.cwd(), environment: process.env, ignore: Object.keys(serverOptions) })
  const sources = await openSources(config)
  const images = imagesOf(config, sources, app.log)
  app.addHook('onClose', async function closeMedia () { await images.close() })

  await app.register(errors)
  await app.register(telemetry, config.log)
  await app.register(client, config)
  await app.register(readiness)
  await app.register(conditional)
  await app.register(staticFiles)
  await app.register(imageVariants, config.images)
  await app.register(health)
  if (config.mounts.some(mount => mount.listing)) {
    await app.register(listingAssets, { root: join(packageRoot, 'web') })
  }

  for (const { mount, prefix: place } of placesOf(config.mounts)) {
    await app.register(async function mountScope (scope) {
      if (mount.cors !== undefined) await scope.register(cors, { ...mount.cors, optionsRoute: false })
      await scope.register(securityHeaders, {
        resourcePolicy: mount.resourcePolicy,
        sandbox: mount.permission === 'read-write' ? 'active' : mount.trustActiveContent ? 'none' : 'svg'
      })
      await scope.register(cachePolicy, mount.cache)
      if (mount.listing) await scope.register(jsonEtag)
      await scope.register(deliveries[mount.delivery], { mountAt: prefix => ({ ...mount, prefix, source: sources.of(mount), listingAssets: mount.listing ? `${app.prefix}/${LISTING_ASSETS}` : undefined, ...images.at(mount, prefix, app.prefix) }) })
    }, { prefix: place })
  }
}
