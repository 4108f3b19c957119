import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { ApiMount, Located } from '../../lib/api/api-mounts.ts'
import { listingPage, readCursor, writeCursor, type Cursor } from '../../lib/api/listing-page.ts'
import { targetOf } from '../../lib/api/named-path.ts'
import type { ApiTools } from '../../lib/api/open.ts'
import type { QueryOf } from '../../lib/api/operations.ts'
import { MediaError } from '../../lib/errors.ts'
import { entryOf, factsOf, statOf } from './answers.ts'

/** Operations that leave everything as it is. */
export function reading ({ mounts, permissions }: ApiTools): Record<'listMounts' | 'listDirectory' | 'stat' | 'describePicture', RouteHandlerMethod> {
  return {
    async listMounts (request, reply) {
      const shown: ApiMount[] = []
      for (const mount of mounts.all) if (await permissions.shows(request, mount)) shown.push(mount)
      return await reply.send({ mounts: shown.map(factsOf).toSorted((one, other) => one.prefix < other.prefix ? -1 : 1) })
    },

    async listDirectory (request, reply) {
      const { path, limit = 1, cursor } = request.query as QueryOf<'listDirectory'>
      const located = await toRead(request, path.endsWith('/') ? path : `${path}/`)
      const { mount, key, path: directory } = located
      const page = mount.files === undefined ? undefined : await listingPage(mount.files.source, key, { limit, cursor: cursor === undefined ? undefined : readCursor(cursor) })
      if (page === undefined) throw new MediaError('not-found')
      const entries = page.entries.filter(({ name }) => !mounts.isOfAnother(mount, targetOf(directory + name)))
      const next = page.next === undefined ? undefined : nextOf(reply, { path: directory, limit, cursor: page.next })
      return await reply.send({ path: directory, entries: entries.map(entry => entryOf(request, directory, entry)), next, truncated: page.truncated ? true : undefined })
    },

    async stat (request, reply) {
      const located = await toRead(request, (request.query as QueryOf<'stat'>).path)
      const found = await located.mount.files?.source.stat(located.key)
      if (found === undefined || (found.kind === 'file' && located.directory)) throw new MediaError('not-found')
      return await reply.send(statOf(request, located.path, found))
    },

    async describePicture (request, reply) {
      const located = await toRead(request, (request.query as QueryOf<'describePicture'>).path)
      return await reply.deliverCurrent(async () => await sendFacts(reply, located))
    }
  }

  async function toRead (request: FastifyRequest, path: string): Promise<Located> {
    const located = mounts.locate(path)
    await permissions.toRead(request, located)
    request.mountPrefix = located.mount.config.prefix
    return located
  }
}

/** What `?info` of the mount tells: made once, and kept as a variant. */
async function sendFacts (reply: FastifyReply, { mount: { files, config }, key, directory, path }: Located): Promise<FastifyReply> {
  const found = await files?.source.stat(key)
  if (files === undefined || found?.kind !== 'file' || directory) throw new MediaError('not-found')
  if (files.images === undefined) throw new MediaError('unsupported-image', { detail: 'This mount makes nothing of pictures' })
  if (config.images.mode === 'signed') throw new MediaError('forbidden', { detail: 'This mount tells what its pictures are at signed URLs alone' })
  const { representation } = await files.images.describe({ key, path, tag: '', asked: { values: {}, info: true }, plans: new Map() }, found, reply.request.raw.headers)
  return await reply.deliver(counted(reply, representation))
}

/** Limits count what had to be made. */
function counted (reply: FastifyReply, representation: Parameters<FastifyReply['deliver']>[0]): Parameters<FastifyReply['deliver']>[0] {
  const { complete, cacheOutcome = '' } = representation
  reply.cacheOutcome = cacheOutcome
  return complete === undefined ? representation : { ...representation, complete: async how => counted(reply, await complete(how)) }
}

/** Told in the field too (RFC 8288 §3): relative, so that it is right behind any proxy. */
function nextOf (reply: FastifyReply, { path, limit, cursor }: { readonly path: string, readonly limit: number, readonly cursor: Cursor }): string {
  const next = writeCursor(cursor)
  reply.header('link', `<?${new URLSearchParams({ path, limit: String(limit), cursor: next }).toString()}>; rel="next"`)
  return next
}
