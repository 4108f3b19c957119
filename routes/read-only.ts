import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { MediaError } from '../lib/errors.ts'

const ALLOW = 'GET, HEAD, OPTIONS'

/** The URLs of one mount that is only read: everything below the scope's prefix, and the prefix itself. */
export function readOnlyRoutes (scope: FastifyInstance, handler: RouteHandlerMethod): void {
  const urls = scope.prefix === '' ? ['/*'] : ['', '/*']
  // CONNECT never arrives as a request; the other methods that Node.js reads are refused by name.
  const refused = METHODS.filter(method => !['GET', 'HEAD', 'OPTIONS', 'CONNECT'].includes(method))
  for (const method of refused) {
    if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method)
  }
  // The body of a refused request is never looked at, whatever it claims to be.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', function ignoreBody (_request, _payload, done) { done(null) })

  for (const url of urls) {
    scope.route({ method: ['GET', 'HEAD'], url, handler })
    scope.route({ method: 'OPTIONS', url, handler: tellMethods })
    scope.route({ method: refused, url, handler: refuseMethod, errorHandler: refuseMethod, config: { refused: true } })
  }
}

/** What was sent already is not waited for. */
export function awaited (sent: FastifyReply | Promise<FastifyReply>): Promise<FastifyReply> | undefined {
  return sent instanceof Promise ? sent : undefined
}

/** @throws {TypeError} where a mount's prefix would be a pattern */
export function refusePattern (prefix: string): void {
  if (/[:*]/.test(prefix)) throw new TypeError(`Expected a prefix without parameters but received ${prefix}`)
}

function tellMethods (_request: FastifyRequest, reply: FastifyReply): void {
  reply.code(204).header('allow', ALLOW).send()
}

/** Also whatever is wrong with the request's body: it would not have been looked at. What a hook refused stays so. */
function refuseMethod (...values: [FastifyRequest, ...unknown[]] | [Error, FastifyRequest, ...unknown[]]): never {
  if (values[0] instanceof MediaError) throw values[0]
  const request = (values[0] instanceof Error ? values[1] : values[0]) as FastifyRequest
  throw new MediaError('method-not-allowed', { detail: `${request.method} is not allowed here`, headers: { allow: ALLOW } })
}
