import type { FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { Admission } from '../../lib/access/rules.ts'
import type { Located } from '../../lib/api/api-mounts.ts'
import { targetOf } from '../../lib/api/named-path.ts'
import type { ApiTools } from '../../lib/api/open.ts'
import type { BodyOf, QueryOf } from '../../lib/api/operations.ts'
import { MediaError } from '../../lib/errors.ts'

import { unlessThere } from '../../lib/writing/keys.ts'
import type { WritableParts } from '../../lib/writing/open.ts'
import { conditionOf } from '../../lib/writing/write-request.ts'
import { statOf, urlOf } from './answers.ts'

/** Operations that change files. */
export function changing ({ mounts, permissions }: ApiTools): Record<'uploadFile' | 'deleteFile' | 'moveFile', RouteHandlerMethod> {
  return {
    async uploadFile (request, reply) {
      const { writing } = await toChange(request, (request.query as QueryOf<'uploadFile'>).path, 'PUT')
      return await reply.writeFile(writing)
    },

    async deleteFile (request, reply) {
      const { writing } = await toChange(request, (request.query as QueryOf<'deleteFile'>).path, 'DELETE')
      return await reply.removeFile(writing)
    },

    async moveFile (request, reply) {
      const { from, to, overwrite = false } = request.body as BodyOf<'moveFile'>
      const [source, target] = [mounts.locate(from), mounts.locate(to)]
      // Who may delete it, and not read it, could read it at its new path.
      await permissions.toRead(request, source)
      await permissions.toDo('DELETE', request, source)
      const admission = await permissions.toDo('PUT', request, target)
      if (source.mount !== target.mount) throw new MediaError('bad-request', { detail: 'to: Expected a path of the same mount' })
      if (source.directory || target.directory) throw new MediaError('conflict', { detail: 'A path that ends in a slash is that of a directory' })
      takeIn(request, source, admission)
      const { writer } = writingOf(source)
      const { isNew, path, found } = await writer.move(source.key, target.key, { from: conditionOf('DELETE', request.raw.headers), to: overwrite ? undefined : unlessThere(undefined), principal: request.principal })
      request.log.info({ from: source.path, to: path }, 'A client of the API moved a file')
      return await reply.code(isNew ? 201 : 200).header(isNew ? 'location' : 'content-location', urlOf(request, path)).send(statOf(request, path, found))
    }
  }

  /** From here on the request is the one that is alike: whatever writes reads its path. */
  async function toChange (request: FastifyRequest, path: string, method: string): Promise<{ readonly writing: WritableParts }> {
    const located = mounts.locate(path)
    const admission = await permissions.toDo(method, request, located)
    const writing = writingOf(located)
    takeIn(request, located, admission)
    request.raw.url = targetOf(located.path)
    return { writing }
  }
}

/** Quotas and events know whoever the rules of the mount know. */
function takeIn (request: FastifyRequest, { mount }: Located, { principal }: Admission): void {
  request.mountPrefix = mount.config.prefix
  request.principal = principal ?? request.principal
}

function writingOf ({ mount: { files } }: Located): WritableParts {
  if (files?.writing === undefined) throw new MediaError('forbidden', { detail: 'Nothing can be written to this mount' })
  return files.writing
}
