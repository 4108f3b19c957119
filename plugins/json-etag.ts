import fastifyEtag from '@fastify/etag'
import type { FastifyInstance, FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { evaluatePreconditions } from '../lib/http/preconditions.ts'

/**
 * Entity tags for answers that are made as texts, such as JSON: hashed by @fastify/etag,
 * which alone would give tags to errors and answer 304 to a POST. Guarded here: only a 200
 * to GET or HEAD is tagged, and preconditions are evaluated as for files.
 */
export default fp(async function jsonEtag (app) {
  const addEtag = await hookOf(app)

  app.addHook('onSend', function tagText (request: FastifyRequest, reply: FastifyReply, payload: unknown, done: (error: Error | null, payload?: unknown) => void) {
    const reads = request.raw.method === 'GET' || request.raw.method === 'HEAD'
    if (typeof payload !== 'string' || !reads || reply.statusCode !== 200) {
      done(null, payload)
      return
    }
    addEtag.call(this, request, reply, payload, function decide (error?: Error | null) {
      const outcome = evaluatePreconditions(request.raw.method as string, request.raw.headers, { entityTag: String(reply.getHeader('etag')) })
      if (outcome === 412) {
        done(new MediaError('precondition-failed'))
      } else if (outcome === 304) {
        reply.code(304).removeHeader('content-length').removeHeader('content-type')
        done(error ?? null, '')
      } else {
        done(error ?? null, payload)
      }
    })
  })
}, { fastify: '5.x', name: 'fastify-media-json-etag' })

/** The hook of @fastify/etag, taken so that it can be guarded. */
async function hookOf (app: FastifyInstance): Promise<onSendHookHandler> {
  let hook: onSendHookHandler | undefined
  const scope = { addHook: (_name: string, handler: onSendHookHandler) => { hook = handler } }
  await (fastifyEtag as unknown as (app: unknown, options: object) => Promise<void>).call(app, scope, { replyWith304: false, weak: true })
  if (hook === undefined) throw new TypeError('Expected @fastify/etag to add a hook')
  return hook
}
