import type { ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'

import type { Principal } from '../lib/access/access.ts'
import { rawPath } from '../lib/paths/request-path.ts'
import { maskSignatures } from '../lib/signing/signed-target.ts'

/** What is told about each request. */
export interface TelemetryOptions {
  /** One log line for each request. Default true. */
  requests?: boolean
  /** Whether answers carry `Server-Timing`. Default false. */
  serverTiming?: boolean
}

/**
 * One log line for each request, written when its connection is done with it, so that
 * downloads that broke off are in the log too. The path stands without its query, which may
 * hold signatures, and signatures that came into it are masked. Where `client` and `static` are registered too, it names the client that
 * trusted proxies tell, the mount and what the cache did.
 */
export default fp(async function telemetry (app, options: TelemetryOptions) {
  if (options.requests !== false) app.addHook('onRequest', requestLogger(app.log))
  if (options.serverTiming === true) {
    app.decorateRequest('startedAt', 0)
    app.addHook('onRequest', startTimer)
    app.addHook('onSend', addServerTiming)
  }
}, { fastify: '5.x', name: 'fastify-media-telemetry' })

/** The line goes to the app's own log: making a child for its request would cost as much again. */
function requestLogger (log: FastifyBaseLogger): onRequestHookHandler {
  return function logRequest (request, reply, done) {
    const started = performance.now()
    const socket = request.raw.socket
    const sentBefore = socket.bytesWritten
    const client = request.clientAddress ?? socket.remoteAddress // now: a connection that is gone does not tell
    reply.raw.once('close', function writeLine (this: ServerResponse) {
      const finished = this.writableFinished
      const line = {
        reqId: request.id,
        client,
        method: request.raw.method,
        path: maskSignatures(rawPath(request.raw.url as string)),
        status: this.statusCode,
        bytes: finished ? bodyBytes(request, reply) : Math.max(0, socket.bytesWritten - sentBefore),
        ms: Math.round((performance.now() - started) * 1000) / 1000,
        mount: request.mountPrefix,
        cache: reply.cacheOutcome,
        principal: spelled((request as { principal?: Principal | null }).principal),
        aborted: finished ? undefined : true
      }
      log.info(line, 'request')
    })
    done()
  }
}

/** Who asked: whoever changes keys sees by it which are still in use. */
function spelled (principal: Principal | null | undefined): string | undefined {
  return principal === null || principal === undefined ? undefined : `${principal.strategy}:${principal.name}`
}

function bodyBytes (request: FastifyRequest, reply: FastifyReply): number | undefined {
  if (request.raw.method === 'HEAD' || reply.raw.statusCode === 304) return 0
  const length = reply.getHeader('content-length')
  return length === undefined ? undefined : Number(length)
}

declare module 'fastify' {
  interface FastifyRequest {
    startedAt: number
  }
}

function startTimer (request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  request.startedAt = performance.now()
  done()
}

/** https://www.w3.org/TR/server-timing/ */
function addServerTiming (request: FastifyRequest, reply: FastifyReply, payload: unknown, done: (error: null, payload: unknown) => void): void {
  const outcome = (reply.cacheOutcome ?? '') === '' ? '' : `, cache;desc=${reply.cacheOutcome}`
  reply.header('server-timing', `total;dur=${(performance.now() - request.startedAt).toFixed(1)}${outcome}`)
  done(null, payload)
}
