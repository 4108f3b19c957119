import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { ClientLeft } from '../lib/http/client-left.ts'
import { isCrossSite } from '../lib/http/cross-site.ts'
import { formatHttpDate } from '../lib/http/http-date.ts'
import { readOn } from '../lib/http/linger.ts'
import { turnOf } from '../lib/http/pipelined-turn.ts'
import { decodePath, encodeSegment, pathBelow, type Key, type RequestPath } from '../lib/paths/request-path.ts'
import { keepForm, MAX_FIELD_BYTES, MAX_FIELDS, MAX_PART_HEADERS, type FormPart } from '../lib/writing/form.ts'
import { whileItComes } from '../lib/writing/patience.ts'
import type { StoredFile } from '../lib/writing/mount-writer.ts'
import { resumableAt } from '../lib/writing/resumable/protocol.ts'
import type { ResumablePlace } from '../lib/writing/resumable/resumable-uploads.ts'
import type { WritableParts as WritableMount } from '../lib/writing/open.ts'
import { conditionOf, contentOf } from '../lib/writing/write-request.ts'

export type { WritableParts as WritableMount } from '../lib/writing/open.ts'

/** Reads the parts of a form: @fastify/multipart's, where it is registered. */
export type PartsOf = (limits: { readonly limits: Readonly<Record<string, number>>, readonly preservePath: boolean, readonly throwFileSizeLimit: boolean }) => AsyncIterable<FormPart>

declare module 'fastify' {
  interface FastifyReply {
    /**
     * Writes the body of the request (PUT) as the file that its path names.
     *
     * @throws {MediaError} `bad-path`, `bad-name`, `bad-digest`, `conflict`, `precondition-failed`, `body-too-large`,
     *   `unsupported-media-type`, `quota-exceeded`, `insufficient-storage`, and what the rules for pictures refuse
     */
    writeFile (mount: WritableMount): Promise<FastifyReply>
    /** Writes the files of a form (POST, `multipart/form-data`) into the directory that the path names. @throws {MediaError} as `writeFile`, and `bad-multipart` */
    writeForm (mount: WritableMount, partsOf: PartsOf): Promise<FastifyReply>
    /** Removes the file that the path names (DELETE). @throws {MediaError} `not-found`, `conflict`, `precondition-failed` */
    removeFile (mount: WritableMount): Promise<FastifyReply>
    /** Answers as the protocol of resumable uploads says, for a directory or for one upload. @throws {MediaError} as `writeFile`, `locked` */
    resumeUpload (mount: WritableMount): Promise<FastifyReply>
  }
}

/** Verbs that write: `reply.writeFile(mount)`, `reply.writeForm(…)`, `reply.removeFile(mount)`, `reply.resumeUpload(mount)`. */
export default fp(async function uploads (app) {
  if (app.hasReplyDecorator('writeFile')) return
  app.decorateReply('writeFile', async function writeFile (this: FastifyReply, mount: WritableMount) {
    return await taken(this, mount, async request => {
      const content = contentOf(request.raw)
      const stored = await mount.writer.put(fileKey(pathOf(request, mount)), { body: request.raw, ...content, condition: conditionOf('PUT', request.raw.headers), principal: request.principal })
      return tellStored(this.code(stored.isNew ? 201 : 204), stored).send()
    })
  })
  app.decorateReply('writeForm', async function writeForm (this: FastifyReply, mount: WritableMount, partsOf: PartsOf) {
    return await taken(this, mount, async request => {
      const { key: directory } = pathOf(request, mount)
      const { scheme, host } = request.client
      if (isCrossSite(request.raw.headers, `${scheme}://${host}`, mount.origins)) throw new MediaError('forbidden', { detail: 'Pages of other sites may not send forms here', context: { reason: 'a form of another site: name it in cors.origins' } })
      contentOf(request.raw)
      const leave = mount.slots.take()
      const parts = partsOf({ limits: { files: mount.maxFiles, fields: MAX_FIELDS, parts: mount.maxFiles + MAX_FIELDS, fileSize: Infinity, fieldSize: MAX_FIELD_BYTES, fieldNameSize: MAX_FIELD_BYTES, headerPairs: MAX_PART_HEADERS }, preservePath: true, throwFileSizeLimit: false })
      const stored = await whileItComes(request.raw, mount.patience, async signal => await keepForm(parts, async (name, file) => await mount.writer.receiveInto(directory, name, { ...file, principal: request.principal, hasPlace: true }), signal)).finally(leave)
      if (stored.length === 1) this.header('location', urlOf(request, (stored[0] as StoredFile).path))
      return this.code(201).type('application/json; charset=utf-8').send(JSON.stringify({ files: stored.map(file => described(request, file)) }))
    })
  })
  app.decorateReply('removeFile', async function removeFile (this: FastifyReply, mount: WritableMount) {
    const { request } = this
    await mount.writer.remove(fileKey(pathOf(request, mount)), { condition: conditionOf('DELETE', request.raw.headers), principal: request.principal })
    return this.code(204).send()
  })
  app.decorateReply('resumeUpload', async function resumeUpload (this: FastifyReply, mount: WritableMount) {
    return await taken(this, mount, async request => {
      const { method = 'GET', headers } = request.raw
      const answer = await mount.resumable.answer({ method, headers, body: request.raw, response: this.raw }, resumablePlace(request, mount))
      return this.code(answer.status).headers(answer.headers).send()
    })
  })
}, { fastify: '5.x', name: 'fastify-media-uploads', dependencies: ['fastify-media-client', 'fastify-media-static', 'fastify-media-strategies'] })

/** Takes what a request brings. Where it is refused before its end the client still gets to read why. */
async function taken (reply: FastifyReply, mount: WritableMount, take: (request: FastifyRequest) => Promise<FastifyReply>): Promise<FastifyReply> {
  const { request, raw: response } = reply
  request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
  if (request.raw.readableEnded && request.body !== undefined && request.body !== null) throw new TypeError('Expected a body that nobody has read: let a content type parser for * leave it alone')
  if (response.socket === null) await turnOf(response, request.raw.socket)
  try {
    return await take(request)
  } catch (error) {
    if (error instanceof ClientLeft) return reply.code(499).send()
    throw error
  } finally {
    if (!request.raw.complete) readOn(request.raw, response)
  }
}

function pathOf (request: FastifyRequest, { prefix }: Pick<WritableMount, 'prefix'>): RequestPath {
  const path = pathBelow(decodePath(request.raw.url ?? '/'), prefix)
  if (path === undefined) throw new MediaError('not-found')
  return path
}

function fileKey ({ key, directory }: RequestPath): Key {
  if (directory || key === '') throw new MediaError('conflict', { detail: 'A path that ends in a slash is that of a directory' })
  return key
}

/** What is below `.uploads/` belongs to the directory above. */
function resumablePlace (request: FastifyRequest, { prefix, writer, maxBytes }: WritableMount): ResumablePlace {
  const { directory, id } = resumableAt(pathOf(request, { prefix }).key)
  const { principal } = request
  return {
    mount: prefix,
    directory,
    id,
    principal,
    maxBytes,
    writer,
    urlOf: own => urlOf(request, `${prefix}${directory === '' ? '' : `/${directory}`}/.uploads/${own}`),
    pathUrl: path => urlOf(request, path),
    admit: async ({ filename, size, waiting }) => await writer.expect(directory, filename, { size, waiting, principal })
  }
}

/** Whole where it is known how clients reach this server, else from its root. */
function urlOf ({ publicBase }: FastifyRequest, path: string): string {
  return `${publicBase ?? ''}${path.split('/').map(encodeSegment).join('/')}`
}

/** Validators only of what is, byte for byte, what was sent (RFC 9110 §9.3.4). */
function tellStored (reply: FastifyReply, stored: StoredFile): FastifyReply {
  const { entityTag, lastModified } = stored.found.representation
  if (stored.isNew) reply.header('location', urlOf(reply.request, stored.path))
  else reply.header('content-location', urlOf(reply.request, stored.path))
  if (stored.isAsSent && entityTag !== undefined) reply.header('etag', entityTag)
  if (stored.isAsSent && lastModified !== undefined) reply.header('last-modified', formatHttpDate(lastModified))
  return reply
}

function described (request: FastifyRequest, { path, found: { representation: { type, size, entityTag } } }: StoredFile): object {
  return { path, url: urlOf(request, path), type, size, entityTag }
}
