import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MediaError } from '../lib/errors.ts'
import { prefixAt } from '../lib/image/places.ts'
import type { ImageMount } from '../plugins/images.ts'
import type { Mount } from '../plugins/static.ts'

const ALLOW = 'GET, HEAD, OPTIONS'

/** How a mount is made once its whole prefix is known. */
export type MountAt = (prefix: string) => ImageMount | Mount & { readonly images?: undefined }

/** The URLs of one mount whose bytes we send ourselves: everything below its prefix, and the prefix itself. */
export default async function served (scope: FastifyInstance, options: { mountAt: MountAt }): Promise<void> {
  const mount = options.mountAt(prefixAt(scope.prefix))
  if (/[:*]/.test(mount.prefix)) throw new TypeError(`Expected a prefix without parameters but received ${mount.prefix}`)
  const urls = scope.prefix === '' ? ['/*'] : ['', '/*']
  // CONNECT never arrives as a request; the other methods that Node.js reads are refused by name.
  const refused = METHODS.filter(method => !['GET', 'HEAD', 'OPTIONS', 'CONNECT'].includes(method))
  for (const method of refused) {
    if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method)
  }
  // The body of a refused request is never looked at, whatever it claims to be.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', function ignoreBody (_request, _payload, done) { done(null) })

  const serveFile = mount.images !== undefined
    ? function serveImage (_request: FastifyRequest, reply: FastifyReply) { return awaited(reply.serveImage(mount)) }
    : function serveFile (_request: FastifyRequest, reply: FastifyReply) { return awaited(reply.serve(mount)) }

  for (const url of urls) {
    scope.route({ method: ['GET', 'HEAD'], url, handler: serveFile })
    scope.route({ method: 'OPTIONS', url, handler: tellMethods })
    scope.route({ method: refused, url, handler: refuseMethod, errorHandler: refuseMethod })
  }
}

/** What was sent already is not waited for. */
function awaited (sent: FastifyReply | Promise<FastifyReply>): Promise<FastifyReply> | undefined {
  return sent instanceof Promise ? sent : undefined
}

function tellMethods (_request: FastifyRequest, reply: FastifyReply): void {
  reply.code(204).header('allow', ALLOW).send()
}

/** Also whatever is wrong with the request's body: it would not have been looked at. */
function refuseMethod (...values: [FastifyRequest, ...unknown[]] | [Error, FastifyRequest, ...unknown[]]): never {
  const request = (values[0] instanceof Error ? values[1] : values[0]) as FastifyRequest

  throw new MediaError('method-not-allowed', { detail: `${request.method} is not allowed here`, headers: { allow: ALLOW } })
}
