import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addVary } from '../lib/http/vary.ts'

/** An upstream, or a bucket, to which clients are sent. */
export interface RedirectMount {
  /** The whole prefix in the URL, without a trailing slash; `''` at the root. */
  readonly prefix: string
  readonly status: 302 | 307
  /** `Cache-Control` of the redirect. */
  readonly cacheControl: string
  /** Fields of the request that decide whether it is one, for `Vary`. */
  readonly vary?: string | undefined
  /** The `Location` for a request. @throws {MediaError} `bad-path`; for a bucket also `not-found`, and what its source throws */
  locationOf (request: FastifyRequest): string | Promise<string>
}

declare module 'fastify' {
  interface FastifyReply {
    /**
     * Sends the client to the upstream itself, or to the bucket.
     *
     * @throws {MediaError} `bad-path` for what could lead out of the upstream's base; what `locationOf` throws
     */
    redirectUpstream (mount: RedirectMount): Promise<FastifyReply>
  }
}

/** `reply.redirectUpstream(mount)`: from a request to where its bytes are. */
export default fp(async function redirect (app) {
  if (app.hasReplyDecorator('redirectUpstream')) return
  app.decorateReply('redirectUpstream', sendElsewhere)
}, { fastify: '5.x', name: 'fastify-media-redirect', dependencies: ['fastify-media-static'] })

async function sendElsewhere (this: FastifyReply, mount: RedirectMount): Promise<FastifyReply> {
  this.request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
  this.cacheOutcome = 'redirect'
  const location = await mount.locationOf(this.request)
  if (mount.vary !== undefined) this.header('vary', addVary(this.getHeader('vary')?.toString(), mount.vary))
  return this.code(mount.status).headers({ location, 'cache-control': mount.cacheControl, 'content-length': '0' }).send()
}
