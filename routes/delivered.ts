import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ApiParts } from '../lib/api/open.ts'
import type { Delivery, MountParts } from '../lib/mounts.ts'
import gateway from './gateway.ts'
import proxied from './proxied.ts'
import redirected from './redirected.ts'
import served from './served.ts'

/** Which routes send a mount's bytes. */
const deliveries: Record<Delivery, (scope: FastifyInstance, parts: MountParts<FastifyRequest>) => Promise<void>> = { serve: served, proxy: proxied, gateway, redirect: redirected, auto: redirected }

/** The URLs of one mount, by its delivery, or those of the API. */
export default async function delivered (scope: FastifyInstance, parts: MountParts<FastifyRequest> | ApiParts): Promise<void> {
  if (parts.delivery === 'api') await scope.register((await import('./api/index.ts')).default, parts)
  else await scope.register(deliveries[parts.delivery], parts)
}
