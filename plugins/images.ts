import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { ACCEPT_CH } from '../lib/image/hints.ts'
import type { Described, MountImages } from '../lib/image/mount-images.ts'
import type { Reading } from '../lib/image/reading.ts'
import { lastSegment } from '../lib/paths/last-segment.ts'
import type { Key } from '../lib/paths/request-path.ts'
import { representationHeaders, type Representation } from '../lib/representation.ts'
import type { Source } from '../lib/sources/source.ts'
import type { Mount } from './static.ts'

/** A mount whose pictures are made into variants. */
export interface ImageMount extends Mount {
  readonly images: MountImages
  /** `Cache-Control` of an answer that a better one follows soon. */
  readonly provisionalCache: string
  /** Whether clients are asked for hints (`Accept-CH`). */
  readonly clientHints: boolean
  /** Who may ask for variants, where not everybody may. */
  readonly mayAsk?: ((request: FastifyRequest) => boolean) | undefined
  /** The picture in the same source that stands for one that is broken or refused. */
  readonly fallbackImage?: Key | undefined
}

/** Headers beside those of the representation. */
export interface ImagesOptions {
  /** Whether answers carry `X-Cache`. Default true. */
  cacheHeader?: boolean
  /** Whether variants carry `Cache-Tag` and `Surrogate-Key`. Default true. */
  tagHeaders?: boolean
}

declare module 'fastify' {
  interface FastifyReply {
    /**
     * Answers with the variant of a picture that the request's URL asks for, or with the file
     * as `serve` does where it asks for none.
     *
     * @throws {MediaError} `bad-transform`, `forbidden`, `unsupported-image`, `broken-image`, `image-too-large`, `image-too-costly`, `busy`, and what `serve` throws
     */
    serveImage (mount: ImageMount): FastifyReply | Promise<FastifyReply>
  }
}

/** How long a picture in place of a broken one is kept. */
const FALLBACK_CACHE = 'max-age=60'

/** Characters of a tag: CDNs take 1024 for one (Cloudflare, Fastly). */
const MAX_TAG = 1024

/** `reply.serveImage(mount)`: from a request's URL to a variant. */
export default fp(async function images (app, options: ImagesOptions) {
  if (app.hasReplyDecorator('serveImage')) return
  const { cacheHeader = true, tagHeaders = true } = options

  app.decorateReply('serveImage', function serveImage (this: FastifyReply, mount: ImageMount): FastifyReply | Promise<FastifyReply> {
    this.request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
    const reading = mount.images.read(this.request.raw.url as string)
    if (reading === undefined) return this.serve(mount)
    if (mount.mayAsk?.(this.request) === false) throw new MediaError('forbidden', { detail: 'Variants of this mount need a signed URL' })
    if (mount.digests !== undefined) this.digests = mount.digests
    return this.deliverCurrent(() => sendVariant(this, mount, reading))
  })

  function sendVariant (reply: FastifyReply, mount: ImageMount, reading: Reading): FastifyReply | Promise<FastifyReply> {
    const found = mount.source.stat(reading.key)
    // A hot variant of a hot original is sent in the same turn.
    if (found === undefined || found instanceof Promise || found.kind !== 'file') return sendFound(reply, mount, reading, found)
    if (reading.fault !== undefined) throw reading.fault
    const described = mount.images.describe(reading, found, reply.request.raw.headers)
    if (described instanceof Promise || described.representation.complete !== undefined) return sendOrFallBack(reply, mount, reading, described)
    return sendDescribed(reply, mount, reading, described)
  }

  async function sendFound (reply: FastifyReply, mount: ImageMount, reading: Reading, look: ReturnType<Source['stat']>): Promise<FastifyReply> {
    const found = await look
    if (found?.kind !== 'file') return await reply.serve(mount)
    if (reading.fault !== undefined) throw reading.fault
    return await sendOrFallBack(reply, mount, reading, mount.images.describe(reading, found, reply.request.raw.headers))
  }

  async function sendOrFallBack (reply: FastifyReply, mount: ImageMount, reading: Reading, described: Described | Promise<Described>): Promise<FastifyReply> {
    try {
      return await sendDescribed(reply, mount, reading, await described)
    } catch (error) {
      const key = mount.fallbackImage
      if (key === undefined || reading.asked.info || !isOfThePicture(error)) throw error
      const fallback = await mount.source.stat(key)
      if (fallback?.kind !== 'file') throw error
      reply.request.log.info({ code: error.code, reason: error.message }, 'The fallback image stands for one that cannot be made')
      for (const name of representationHeaders) reply.removeHeader(name)
      const instead = { ...reading, key, path: `${mount.prefix}/${key}`, plans: new Map() }
      const { representation } = await mount.images.describe(instead, fallback, reply.request.raw.headers)
      return await sendDescribed(reply.header('cache-control', FALLBACK_CACHE), mount, instead, { representation, provisional: false })
    }
  }

  function sendDescribed (reply: FastifyReply, mount: ImageMount, { asked, tag, key }: Reading, { representation, provisional }: Described): FastifyReply | Promise<FastifyReply> {
    if (provisional) reply.header('cache-control', mount.provisionalCache)
    if (mount.clientHints) reply.header('accept-ch', ACCEPT_CH)
    if (tagHeaders && tag.length <= MAX_TAG) reply.header('cache-tag', tag).header('surrogate-key', tag)
    const download = asked.download === undefined ? undefined : { downloadName: asked.download === '' ? lastSegment(key) : asked.download }
    return reply.deliver(tell(reply, representation), download)
  }

  /** What the cache did is known when the variant is. */
  function tell (reply: FastifyReply, representation: Representation): Representation {
    const { complete, cacheOutcome } = representation
    if (complete !== undefined) return { ...representation, complete: async how => tell(reply, await complete(how)) }
    if (cacheOutcome === undefined) return representation
    reply.cacheOutcome = cacheOutcome
    if (cacheHeader) reply.header('x-cache', cacheOutcome)
    return representation
  }
}, { fastify: '5.x', name: 'fastify-media-images', dependencies: ['fastify-media-conditional', 'fastify-media-static'] })

/** Whether it is the picture that cannot be made, and not the request that is wrong. */
function isOfThePicture (error: unknown): error is MediaError {
  return error instanceof MediaError && (error.statusCode === 415 || error.statusCode === 422)
}
