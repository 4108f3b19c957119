import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { selectCoding } from '../lib/http/accept-encoding.ts'
import type { DigestMemory } from '../lib/http/digest-memory.ts'
import { addVary } from '../lib/http/vary.ts'
import { listingFormat, listingJson, listingPage, type ListingView } from '../lib/listing.ts'
import { downloadName } from '../lib/paths/download-name.ts'
import { childKey, decodePath, encodeSegment, pathBelow, rawBelow, type Key, type RequestPath } from '../lib/paths/request-path.ts'
import { fallbackKey, type Fallback } from '../lib/paths/fallback.ts'
import type { ContentCoding, Representation } from '../lib/representation.ts'
import type { Found, FoundFile, Source } from '../lib/sources/source.ts'

/** A source as one URL prefix shows it. */
export interface Mount {
  /** The whole prefix in the URL, without a trailing slash; `''` at the root. */
  readonly prefix: string
  readonly source: Source
  /** Files that stand for their directory. */
  readonly index?: readonly string[]
  /** Where a directory's listing finds its style and script: a path from the root of the host. Without it there are no listings. */
  readonly listingAssets?: string | undefined
  readonly fallback?: Fallback | undefined
  /** Works out `Repr-Digest` for clients that ask for it (RFC 9530). Without it answers have none. */
  readonly digests?: DigestMemory | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The prefix of the mount that answers, for the log. */
    mountPrefix: string
  }
  interface FastifyReply {
    /** What the cache did for this answer, for the log: `hot`, `load`, `disk`. */
    cacheOutcome: string
    /**
     * Answers with what the request's path names below a mount: a file, a directory's index
     * or listing, a redirect to the directory, the fallback.
     *
     * @throws {MediaError} `bad-path`, `not-found`, `forbidden`, and what `deliver` throws
     */
    serve (mount: Mount): FastifyReply | Promise<FastifyReply>
  }
}

/** `reply.serve(mount)`: from a request's path to a representation. */
export default fp(async function staticFiles (app) {
  if (app.hasReplyDecorator('serve')) return
  app.decorateRequest('mountPrefix', '')
  app.decorateReply('cacheOutcome', '')
  app.decorateReply('serve', serve)
}, { fastify: '5.x', name: 'fastify-media-static', dependencies: ['fastify-media-conditional', 'fastify-media-client'] })

function serve (this: FastifyReply, mount: Mount): FastifyReply | Promise<FastifyReply> {
  const url = this.request.raw.url as string
  this.request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
  if (mount.digests !== undefined) this.digests = mount.digests
  const { keyOf } = mount.source
  const path = keyOf === undefined ? pathBelow(decodePath(url), mount.prefix) : { key: keyOf(rawBelow(url, mount.prefix)), directory: false }
  if (path === undefined) throw new MediaError('not-found')
  return this.deliverCurrent(() => serveCurrent(this, mount, path))
}

function serveCurrent (reply: FastifyReply, mount: Mount, path: RequestPath): FastifyReply | Promise<FastifyReply> {
  if (path.directory) return serveFound(reply, mount, path)
  const found = mount.source.stat(path.key)
  // A hot file is described without waiting: it is sent in the same turn.
  if (found === undefined || found instanceof Promise || found.kind !== 'file') return serveFound(reply, mount, path, found)
  return send(reply, found, path.key)
}

async function serveFound (reply: FastifyReply, mount: Mount, path: RequestPath, look = mount.source.stat(path.key)): Promise<FastifyReply> {
  const found: Found | undefined = await look
  if (found?.kind === 'directory') return path.directory ? await serveDirectory(reply, mount, path.key) : redirectToDirectory(reply)
  if (found !== undefined && !path.directory) return await send(reply, found, path.key)
  return await serveFallback(reply, mount, path)
}

async function serveDirectory (reply: FastifyReply, mount: Mount, key: Key): Promise<FastifyReply> {
  for (const name of mount.index ?? []) {
    const found = await mount.source.stat(childKey(key, name))
    if (found?.kind === 'file') return await send(reply, found, childKey(key, name))
  }
  if (mount.listingAssets !== undefined) return await sendListing(reply, mount, key, mount.listingAssets)
  return await serveFallback(reply, mount, { key, directory: true })
}

async function serveFallback (reply: FastifyReply, mount: Mount, path: RequestPath): Promise<FastifyReply> {
  const key = mount.fallback === undefined ? undefined : fallbackKey(mount.fallback, path, mount.prefix)
  const found = key === undefined ? undefined : await mount.source.stat(key)
  if (key === undefined || found?.kind !== 'file') throw new MediaError('not-found')
  return await send(reply, found, key)
}

function send (reply: FastifyReply, found: FoundFile, key: Key): FastifyReply | Promise<FastifyReply> {
  const representation = select(reply.request, found)
  const sent = reply.deliver(representation, reply.request.raw.url?.includes('?') === true ? downloadOptions(reply.request, key) : undefined)
  reply.cacheOutcome = representation.cacheOutcome ?? ''
  return sent
}

function select (request: FastifyRequest, found: FoundFile): Representation {
  const { encoded } = found
  if (encoded === undefined) return found.representation
  const coding = selectCoding(request.raw.headers['accept-encoding']?.toString(), Object.keys(encoded) as ContentCoding[])
  return (coding === undefined ? undefined : encoded[coding]) ?? found.representation
}

function downloadOptions ({ query }: FastifyRequest, key: Key): { downloadName: string } | undefined {
  const name = downloadName(query, key)
  return name === undefined ? undefined : { downloadName: name }
}

/**
 * To the directory's own URL, so that relative links in its index work. Relative to the
 * request where nobody told by which URL the client came: it is right behind any proxy.
 */
function redirectToDirectory (reply: FastifyReply): FastifyReply {
  const { request } = reply
  const url = request.raw.url as string
  const mark = url.indexOf('?')
  const query = mark === -1 ? '' : url.slice(mark)
  const segments = decodePath(url).split('/').slice(1).map(encodeSegment)
  const base = request.publicBase
  const target = base === undefined ? `./${segments.at(-1) ?? ''}/` : `${base}/${segments.join('/')}/`
  return reply.header('content-length', '0').redirect(target + query, 301)
}

/** The most members of a directory that one listing shows. */
const MAX_LISTED = 2000

async function sendListing (reply: FastifyReply, mount: Mount, key: Key, assets: string): Promise<FastifyReply> {
  const { request } = reply
  const listing = await mount.source.list(key, MAX_LISTED)
  if (listing === undefined) throw new MediaError('not-found')
  const path = decodePath(request.raw.url as string)
  const { scheme, host } = request.client
  const view: ListingView = {
    path,
    depth: key === '' ? 0 : key.split('/').length,
    listing,
    assets: `${'../'.repeat(path.split('/').length - 2)}${assets.slice(1)}`,
    url: `${request.publicBase ?? `${scheme}://${host}`}${path.split('/').map(encodeSegment).join('/')}`
  }
  reply.header('vary', addVary(reply.getHeader('vary')?.toString(), 'Accept')).header('cache-control', 'no-cache')
  if (listingFormat(request.headers.accept) === 'json') return reply.type('application/json; charset=utf-8').send(JSON.stringify(listingJson(view)))
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
    .send(listingPage(view))
}
