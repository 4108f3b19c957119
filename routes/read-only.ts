import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { MediaError } from '../lib/errors.ts'

const reading = ['GET', 'HEAD', 'OPTIONS']

/** What else than reading a mount answers, by routes of its own. */
export interface OtherMethods {
  readonly methods: readonly string[]
  /** What OPTIONS tells of them. */
  readonly fields: Readonly<Record<string, string>>
}

/** The URLs of a mount: everything below the scope's prefix, and the prefix itself. */
export function urlsOf (scope: FastifyInstance): string[] {
  return scope.prefix === '' ? ['/*'] : ['', '/*']
}

/** The URLs of one mount as they are read. Methods that neither read nor are named are refused. */
export function readOnlyRoutes (scope: FastifyInstance, handler: RouteHandlerMethod, others: OtherMethods = { methods: [], fields: {} }): void {
  // The body of a refused request is never looked at, whatever it claims to be.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', function ignoreBody (_request, _payload, done) { done(null) })

  for (const url of urlsOf(scope)) {
    scope.route({ method: ['GET', 'HEAD'], url, handler })
    otherMethods(scope, url, { methods: [...reading, ...others.methods], fields: others.fields })
  }
}

/** Tells by OPTIONS which methods a URL answers, and refuses all that it does not. */
export function otherMethods (scope: FastifyInstance, url: string, { methods, fields }: OtherMethods): void {
  const allow = methods.join(', ')
  // CONNECT never arrives as a request; the other methods that Node.js reads are refused by name.
  const refused = METHODS.filter(method => method !== 'CONNECT' && !methods.includes(method))
  for (const method of refused) {
    if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method)
  }
  function tellMethods (_request: FastifyRequest, reply: FastifyReply): void {
    reply.code(204).headers({ allow, ...fields }).send()
  }

  /** Also whatever is wrong with the request's body: it would not have been looked at. What a hook refused stays so. */
  function refuseMethod (...values: [FastifyRequest, ...unknown[]] | [Error, FastifyRequest, ...unknown[]]): never {
    if (values[0] instanceof MediaError) throw values[0]
    const request = (values[0] instanceof Error ? values[1] : values[0]) as FastifyRequest
    throw new MediaError('method-not-allowed', { detail: `${request.method} is not allowed here`, headers: { allow } })
  }

  // A host that documents its routes has no use for these.
  scope.route({ method: 'OPTIONS', url, schema: { hide: true }, handler: tellMethods })
  scope.route({ method: refused, url, schema: { hide: true }, handler: refuseMethod, errorHandler: refuseMethod, config: { refused: true } })
}

/** What was sent already is not waited for. */
export function awaited (sent: FastifyReply | Promise<FastifyReply>): Promise<FastifyReply> | undefined {
  return sent instanceof Promise ? sent : undefined
}

/** @throws {TypeError} where a mount's prefix would be a pattern */
export function refusePattern (prefix: string): void {
  if (/[:*]/.test(prefix)) throw new TypeError(`Expected a prefix without parameters but received ${prefix}`)
}
