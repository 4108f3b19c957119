import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { clientView, isHost, trustRanges, type ClientView } from '../lib/http/forwarded.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The client as trusted proxies tell it. Worked out when it is asked for. */
    readonly client: ClientView
    /** The client's IP address alone, `''` once its connection is gone. Cheap where no proxy is trusted. */
    readonly clientAddress: string
    /** Whether the connection comes from a trusted proxy. */
    readonly isFromTrustedProxy: boolean
    /**
     * The URL by which clients reach the root of this server, without a trailing slash; undefined
     * where neither the configuration nor a trusted proxy tells it, so that only a reference
     * relative to the request is sure to be right.
     */
    readonly publicBase: string | undefined
  }
}

/** Who is believed about the client. */
export interface ClientOptions {
  /** Addresses or CIDR ranges of trusted proxies. Default none. */
  trustedProxies?: readonly string[]
  /** The URL by which clients reach the root of this server, where no trusted proxy tells it. */
  publicUrl?: string | undefined
}

/**
 * Who asks, and how they reached us: `request.client` and `request.publicBase`, by `Forwarded`
 * (RFC 7239) and `X-Forwarded-*` from trusted proxies only. A request that does not name one
 * valid host is refused (RFC 9112 §3.2).
 */
export default fp(async function client (app, options: ClientOptions) {
  if (app.hasRequestDecorator('client')) return // a host's, registered further out
  app.addHook('onRequest', hostRequirement())
  const isTrusted = trustRanges(options.trustedProxies ?? [])
  const publicUrl = options.publicUrl?.replace(/\/+$/, '')

  app.decorateRequest('client', {
    getter (this: FastifyRequest) {
      const { socket, headers, url = '' } = this.raw
      // The authority of a target in absolute form takes the place of Host (RFC 9112 §3.2.2), as does HTTP/2's (RFC 9113 §8.3.1).
      const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? headers[':authority']?.toString()
      const asked = authority === undefined ? headers : { ...headers, host: authority }
      return clientView({ address: socket.remoteAddress ?? '', encrypted: 'encrypted' in socket, headers: asked }, isTrusted)
    }
  })

  const isDirect = (options.trustedProxies ?? []).length === 0
  app.decorateRequest('clientAddress', {
    getter (this: FastifyRequest) {
      if (!isDirect) return this.client.address
      const address = this.raw.socket.remoteAddress ?? ''
      return address.startsWith('::ffff:') ? address.slice(7) : address
    }
  })

  app.decorateRequest('isFromTrustedProxy', {
    getter (this: FastifyRequest) {
      return !isDirect && isTrusted(this.raw.socket.remoteAddress ?? '')
    }
  })

  app.decorateRequest('publicBase', {
    getter (this: FastifyRequest) {
      if (isDirect) return publicUrl
      const { forwarded, scheme, host, prefix } = this.client
      return forwarded ? `${scheme}://${host}${prefix}` : publicUrl
    }
  })
}, { fastify: '5.x', name: 'fastify-media-client' })

/** @returns a hook that answers 400 `bad-request`; the host that was valid last is not read anew */
function hostRequirement (): onRequestHookHandler {
  let lastValid = ''
  return function requireHost (request, _reply, done) {
    const { rawHeaders, headers: { host }, httpVersionMajor, httpVersionMinor } = request.raw
    if (httpVersionMajor !== 1 || (host === undefined && httpVersionMinor === 0)) {
      done()
      return
    }
    const named = timesNamed(rawHeaders, 'host')
    const isValid = host === lastValid || host === '' || (host !== undefined && isHost(host))
    if (named === 1 && isValid) {
      lastValid = host
      done()
    } else {
      done(new MediaError('bad-request', { detail: `Expected one valid host but received ${named === 1 ? 'one that is none' : named}` }))
    }
  }
}

function timesNamed (rawHeaders: readonly string[], field: string): number {
  let times = 0
  for (let place = 0; place < rawHeaders.length; place += 2) {
    const name = rawHeaders[place] as string
    if (name.length === field.length && name.toLowerCase() === field) times++
  }
  return times
}
