import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { prefixAt } from '../lib/image/places.ts'
import type { ImageMount } from '../plugins/images.ts'
import type { Mount } from '../plugins/static.ts'
import { awaited, readOnlyRoutes, refusePattern } from './read-only.ts'

/** How a mount is made once its whole prefix is known. */
export type MountAt = (prefix: string) => ImageMount | Mount & { readonly images?: undefined }

/** The URLs of one mount whose bytes we send ourselves: everything below its prefix, and the prefix itself. */
export default async function served (scope: FastifyInstance, options: { mountAt: MountAt }): Promise<void> {
  const mount = options.mountAt(prefixAt(scope.prefix))
  refusePattern(mount.prefix)
  readOnlyRoutes(scope, mount.images !== undefined
    ? function serveImage (_request: FastifyRequest, reply: FastifyReply) { return awaited(reply.serveImage(mount)) }
    : function serveFile (_request: FastifyRequest, reply: FastifyReply) { return awaited(reply.serve(mount)) })
}
