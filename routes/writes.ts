import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { MediaError } from '../lib/errors.ts'
import { discovery, isResumable } from '../lib/writing/resumable/protocol.ts'
import type { PartsOf, WritableMount } from '../plugins/uploads.ts'
import { readOnlyRoutes, urlsOf } from './read-only.ts'

/** Methods that a mount answers whose files can be written. */
const writeMethods = ['PUT', 'POST', 'PATCH', 'DELETE'] as const

const ACCEPT_POST = 'multipart/form-data'

/** The URLs of one mount whose files are read, written and removed: all below the prefix. */
export async function writeRoutes (scope: FastifyInstance, read: RouteHandlerMethod, mount: WritableMount): Promise<void> {
  readOnlyRoutes(scope, function readOrResume (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
    return request.raw.method === 'HEAD' && isResumable(request.raw) ? reply.resumeUpload(mount) : read.call(this, request, reply)
  }, { methods: writeMethods, fields: { 'accept-post': ACCEPT_POST, ...discovery, 'tus-max-size': String(mount.maxBytes) } })
  for (const url of urlsOf(scope)) {
    scope.put(url, function writeFile (_request: FastifyRequest, reply: FastifyReply) { return reply.writeFile(mount) })
    scope.delete(url, function removeFile (request: FastifyRequest, reply: FastifyReply) { return isResumable(request.raw) ? reply.resumeUpload(mount) : reply.removeFile(mount) })
    scope.patch(url, function resumeUpload (_request: FastifyRequest, reply: FastifyReply) { return reply.resumeUpload(mount) })
  }
  // Of its own, because its hooks would run for whoever only reads.
  await scope.register(async function forms (inner) {
    const { default: multipart } = await import('@fastify/multipart')
    await inner.register(multipart)
    for (const url of urlsOf(scope)) {
      inner.post(url, function addFiles (request: FastifyRequest, reply: FastifyReply) {
        if (isResumable(request.raw)) return reply.resumeUpload(mount)
        if (!request.isMultipart()) throw new MediaError('unsupported-media-type', { headers: { 'accept-post': ACCEPT_POST } })
        return reply.writeForm(mount, limits => request.parts(limits) as ReturnType<PartsOf>)
      })
    }
  })
}
