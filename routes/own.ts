import type { FastifyInstance } from 'fastify'
import health from './health.ts'
import listingAssets from './listing-assets.ts'
export { LISTING_ASSETS } from './listing-assets.ts'

/** The server's own URLs, beside those of mounts. */
export default async function own (scope: FastifyInstance, { hasListings }: { hasListings: boolean }): Promise<void> {
  await scope.register(health)
  if (hasListings) await scope.register(listingAssets)
}
