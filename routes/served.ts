import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { prefixAt } from '../lib/image/places.ts'
import type { ImageMount } from '../plugins/images.ts'
import type { Mount } from '../plugins/static.ts'
import type { WritableMount } from '../plugins/uploads.ts'
import { awaited, readOnlyRoutes, refusePattern } from './read-only.ts'

/** How a mount is made once its whole prefix is known. */
export type MountAt = (prefix: string) => (ImageMount | Mount & { readonly images?: undefined }) & { readonly writing?: WritableMount | undefined }

/** The URLs of one mount whose bytes we send ourselves: everything below its prefix, and the prefix itself. */
export default async function served (scope: FastifyInstance, options: { mountAt: MountAt }): Promise<void> {
  const mount = options.mountAt(prefixAt(scope.prefix))
  refusePattern(mount.prefix)
  const read = mount.images !== undefined
    ? function serveImage (_request: FastifyRequest, reply: FastifyReply) { return awaited(reply.serveImage(mount)) }
    : function serveFile (_request: FastifyRequest, reply: FastifyReply) { return awaited(reply.serve(mount)) }
  // Where modifiers stand before the path, there is nothing to write to.
  if (mount.writing === undefined || mount.prefix !== scope.prefix) readOnlyRoutes(scope, read)
  else await (await import('./writes.ts')).writeRoutes(scope, read, mount.writing)
}
