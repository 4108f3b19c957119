import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { cachePolicy, type CacheRules } from '../lib/http/cache-control.ts'

/** Rules, and whose answers they are for. */
export interface CachePolicyOptions extends Partial<CacheRules> {
  /**
   * Whether another server's answers are passed on: what it says stays, and where it says nothing
   * the rules hold, unless they are the default. Default false.
   */
  passes?: boolean
}

/**
 * `Cache-Control` for a scope, by the final status: errors are never stored, redirects asked for anew, everything else
 * follows the rule of its media type. A route that sets the header itself keeps it.
 *
 * @throws {TypeError} where a rule is none
 */
export default fp(async function cachePolicyPlugin (app, options: CachePolicyOptions) {
  const { default: rule = 'no-cache', types = {}, passes = false } = options
  const policyOf = cachePolicy({ default: rule, types })
  const isSilent = rule === 'no-cache' && Object.keys(types).length === 0
  if (passes && isSilent) return

  app.addHook('onSend', function setCacheControl (_request: FastifyRequest, reply: FastifyReply, payload: unknown, done: (error: null, payload: unknown) => void) {
    const status = reply.statusCode
    if (passes && (status >= 300 || reply.hasHeader('cache-control'))) {
      done(null, payload)
      return
    }
    if (status >= 400) reply.header('cache-control', 'no-store')
    else if (status >= 300 && status !== 304) reply.header('cache-control', 'no-cache')
    else if (!reply.hasHeader('cache-control')) reply.header('cache-control', policyOf(typeOf(reply)))
    done(null, payload)
  })
}, { fastify: '5.x', name: 'fastify-media-cache-policy' })

/** A 304 and a multipart answer follow the rule of what they stand for. */
function typeOf (reply: FastifyReply): string {
  return reply.representation?.type ?? String(reply.getHeader('content-type') ?? '')
}
