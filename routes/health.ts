import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MediaError } from '../lib/errors.ts'

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** `/health/live`: the process answers. `/health/ready`: it wants requests; it fails first on the way down. */
export default async function health (scope: FastifyInstance): Promise<void> {
  // A host that answers one of these itself keeps it.
  for (const [url, handler] of [['/health/live', answerAlive], ['/health/ready', answerReady]] as const) {
    if (!scope.hasRoute({ method: 'GET', url: scope.prefix + url })) scope.route({ method: ['GET', 'HEAD'], url, handler })
  }

  function answerReady (_request: FastifyRequest, reply: FastifyReply): void {
    const { reason, details } = scope.readiness
    if (reason !== undefined) throw new MediaError('unavailable', { detail: `Not ready: ${reason}`, headers: { 'retry-after': '1' } })
    reply.headers(HEADERS).send({ status: 'ready', ...details })
  }
}

function answerAlive (_request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(HEADERS).send({ status: 'live' })
}
