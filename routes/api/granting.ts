import type { RouteHandlerMethod } from 'fastify'
import type { ApiTools } from '../../lib/api/open.ts'
import type { BodyOf } from '../../lib/api/operations.ts'
import { plannedPurge } from '../../lib/api/purging.ts'
import { isoDate } from '../../lib/iso-date.ts'

/** Operations that change no file: what is kept of them, and who may have them. */
export function granting ({ mounts, permissions, signer, purge }: ApiTools): Record<'purge' | 'signUrl', RouteHandlerMethod> {
  return {
    async purge (request, reply) {
      const { tag, covers } = plannedPurge((request.body as BodyOf<'purge'>).what, mounts)
      await permissions.toDoAll('DELETE', request, covers)
      const { behind } = await purge(tag)
      request.log.info({ tag, behind }, 'A client of the API purged')
      return await reply.send({ tag, behind })
    },

    async signUrl (request, reply) {
      const { path, method = 'GET', ...wish } = request.body as BodyOf<'signUrl'>
      const located = mounts.answering(path)
      const { principal } = await permissions.toDo(method, request, located)
      const { target, expires } = signer.sign({ ...wish, mount: located.mount.config, target: path, method, principals: [request.principal, principal] })
      // Whoever has it may use it: what was signed for whom is known by the request.
      request.log.info({ path: located.path, method, expires: isoDate(expires) }, 'A client of the API had a URL signed')
      return await reply.send({ url: `${request.publicBase ?? ''}${target}`, expires: isoDate(expires) })
    }
  }
}
