import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MediaError } from '../lib/errors.ts'


/** `/health/live`: the process answers. `/health/ready`: it wants requests; it fails first on the way down. */
export default async function health (scope: FastifyInstance): Promise<void> {
  scope.route({ method: ['GET', 'HEAD'], url: '/health/live', handler: answerAlive })
  scope.route({ method: ['GET', 'HEAD'], url: '/health/ready', handler: answerReady })

  function answerReady (_request: FastifyRequest, reply: FastifyReply): void {
    const { reason } = scope.readiness
    if (reason !== undefined) throw new MediaError('unavailable', { detail: `Not ready: ${reason}`, headers: { 'retry-after': '1' } })
    reply.header('cache-control', 'no-store').send({ status: 'ready' })
  }
}

function answerAlive (_request: FastifyRequest, reply: FastifyReply): void {
  reply.header('cache-control', 'no-store').send({ status: 'live' })
}
