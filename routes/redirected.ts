import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RedirectMount } from '../plugins/redirect.ts'
import type { ProxyMountAt } from './proxied.ts'
import { readOnlyRoutes, refusePattern } from './read-only.ts'

/** How a mount is made once its whole prefix is known. */
export interface RedirectedParts {
  /** `needsProxy` is there where some clients are not sent away. */
  redirectAt (prefix: string): RedirectMount & { readonly needsProxy?: ((headers: FastifyRequest['headers']) => boolean) | undefined }
  readonly proxyAt: ProxyMountAt
}

/** The URLs of one mount whose clients are sent to the upstream or the bucket, or those of them that can follow. */
export default async function redirected (scope: FastifyInstance, options: RedirectedParts): Promise<void> {
  const mount = options.redirectAt(scope.prefix)
  refusePattern(mount.prefix)
  const { needsProxy } = mount
  if (needsProxy === undefined) {
    readOnlyRoutes(scope, async function redirectFile (_request: FastifyRequest, reply: FastifyReply) { return await reply.redirectUpstream(mount) })
    return
  }
  const through = options.proxyAt(scope.prefix)
  readOnlyRoutes(scope, async function redirectOrProxy (request: FastifyRequest, reply: FastifyReply) {
    return needsProxy(request.raw.headers) ? await reply.proxy(through) : await reply.redirectUpstream(mount)
  })
}
