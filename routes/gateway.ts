import { METHODS } from 'node:http'
import type { FastifyHttpProxyOptions } from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { requester } from '../lib/upstream/gateway/requester.ts'
import type { GatewayMount } from '../plugins/gateway.ts'
import { refusePattern } from './read-only.ts'

/** How a mount is made once its whole prefix is known. */
export type GatewayMountAt = (prefix: string) => GatewayMount

/** @fastify/http-proxy wants to know an upstream, and the requester knows a better one. */
const NOWHERE = 'http://upstream.invalid'

/** The URLs of one mount behind which another server's API stands: all of them below the prefix, with every method. */
export default async function gateway (scope: FastifyInstance, options: { gatewayAt: GatewayMountAt }): Promise<void> {
  const mount = options.gatewayAt(scope.prefix)
  refusePattern(mount.prefix)
  // CONNECT never arrives as a request.
  const methods = METHODS.filter(method => method !== 'CONNECT')
  for (const method of methods) {
    if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method)
  }
  scope.takeWhatComes(mount.prefix)

  const { default: httpProxy } = await import('@fastify/http-proxy') // who has no gateway needs none of it
  await scope.register(httpProxy, {
    upstream: NOWHERE,
    undici: requester as unknown as NonNullable<FastifyHttpProxyOptions['undici']>,
    httpMethods: methods,
    routes: scope.prefix === '' ? ['/*'] : ['', '/*'],
    preRewrite: () => '/', // the target is read elsewhere, from what was sent
    internalRewriteLocationHeader: false,
    disableRequestLogging: true,
    handler: function passOn (_request: FastifyRequest, reply: FastifyReply, target: string, proxied: object) {
      return reply.passOn(mount, own => reply.from(target, { ...proxied, ...own }))
    }
  } satisfies FastifyHttpProxyOptions)
}
