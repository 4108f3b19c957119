import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ProxyMount } from '../plugins/proxy.ts'
import { awaited, readOnlyRoutes, refusePattern } from './read-only.ts'

/** How a mount is made once its whole prefix is known. */
export type ProxyMountAt = (prefix: string) => ProxyMount

/** The URLs of one mount whose files come through from an upstream. */
export default async function proxied (scope: FastifyInstance, options: { proxyAt: ProxyMountAt }): Promise<void> {
  const mount = options.proxyAt(scope.prefix)
  refusePattern(mount.prefix)
  readOnlyRoutes(scope, function proxyFile (_request: FastifyRequest, reply: FastifyReply) { return awaited(reply.proxy(mount)) })
}
