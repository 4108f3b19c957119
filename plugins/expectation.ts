import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest, RequestPayload, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'

/** Methods whose requests have no body to wait with. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Clients that wait with a body until they are told to go on (`Expect: 100-continue`, RFC 9110 §10.1.1) are told once
 * the hooks of the route have let them in: who is refused sends nothing. Node.js would tell them before anybody is asked.
 * For servers all of whose routes are registered behind this plugin, or in their own.
 */
export default fp(async function expectation (app) {
  const waiting = new WeakSet<IncomingMessage>()
  app.server.on('checkContinue', function holdBack (request: IncomingMessage, response: ServerResponse) {
    waiting.add(request)
    app.routing(request, response)
  })
  app.addHook('onRoute', function askLater (route: RouteOptions) {
    const methods = [route.method].flat()
    if (route.config?.refused === true || methods.every(method => bodiless.has(method))) return
    route.preParsing = [askForBody, ...[route.preParsing ?? []].flat()]
  })

  function askForBody (request: FastifyRequest, reply: FastifyReply, payload: RequestPayload, done: (error: null, payload: RequestPayload) => void): void {
    if (waiting.has(request.raw)) reply.raw.writeContinue()
    done(null, payload)
  }
}, { fastify: '5.x', name: 'fastify-media-expectation' })
