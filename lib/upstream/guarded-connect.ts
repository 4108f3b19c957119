import { isIP, type LookupFunction } from 'node:net'
import { buildConnector } from 'undici'
import { namesResolver, type Resolver } from './names-resolver.ts'
import { isPublicAddress } from './public-address.ts'
import { showResets } from './visible-resets.ts'

export type { Resolver } from './names-resolver.ts'

/** What connections prove, and who is believed: PEM texts. That certificates are verified is no option. */
export interface TlsOptions {
  /** The authorities that are trusted, instead of the system's. */
  readonly ca?: string | Buffer | Array<string | Buffer> | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  /** The name that the certificate has to be for, where it is not the host of the URL. */
  readonly servername?: string | undefined
}

/** How connections to an upstream are made. */
export interface GuardedConnectOptions {
  /** `public` refuses every address that is not {@link isPublicAddress public}. */
  readonly addresses: 'public' | 'any'
  /** Finding the addresses of the name, and TLS, included. */
  readonly connectTimeoutMs: number
  readonly tls?: TlsOptions | undefined
  /** Offers HTTP/2 by ALPN. */
  readonly allowH2?: boolean | undefined
  /** A {@link namesResolver} that is shared with others, or any resolver. One of its own where nothing is given: two lookups at a time. */
  readonly lookup?: Resolver | undefined
}

/** What a connection is made with beneath the guard: undici's own, or one that takes the same options. */
export type ConnectorBuilder = (options: buildConnector.BuildOptions) => buildConnector.connector

/** A name or a literal leads to an address that may not be asked. What it holds is for the log alone. */
export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress'
  readonly code = 'UPSTREAM_FORBIDDEN_ADDRESS'
  readonly host: string
  readonly address: string

  constructor (host: string, address: string) {
    super(`Expected ${host} to be at a public address but it is at ${address}`)
    this.host = host
    this.address = address
  }
}

/**
 * A connector for undici's `connect` option that decides by the address it connects to.
 *
 * With `public`, a literal is looked at before anything is connected (undici resolves none), all
 * answers for a name before the socket gets them, and the peer once more when the connection
 * stands, before a request is sent over it. A name of which only some addresses are public is
 * refused whole: which of them a socket tries is a matter of timing. There is no second
 * resolution that could answer otherwise, and no environment variable has a say.
 *
 * TLS is verified always, for the host of the URL: undici alone takes the name out of the
 * `Host` field, which may be the client's.
 *
 * Errors that the connector gives: {@link ForbiddenAddress}, undici's `ConnectTimeoutError`, and what
 * sockets fail with. Once the connection stands, {@link showResets resets show}.
 *
 * @param base makes the connections; it has to use the `lookup` it is given
 */
export function guardedConnect (options: GuardedConnectOptions, base: ConnectorBuilder = buildConnector): buildConnector.connector {
  const { addresses, connectTimeoutMs, tls, lookup, allowH2 = false } = options
  const isAllowed = addresses === 'public' ? isPublicAddress : () => true
  const connect = base({
    ...tls?.ca === undefined ? {} : { ca: tls.ca },
    ...tls?.cert === undefined ? {} : { cert: tls.cert },
    ...tls?.key === undefined ? {} : { key: tls.key },
    rejectUnauthorized: true,
    timeout: connectTimeoutMs,
    allowH2,
    lookup: allowedLookup(lookup ?? namesResolver(), isAllowed)
  })
  return function connectGuarded (target, callback) {
    const host = bareHost(target.hostname)
    if (isIP(host) !== 0 && !isAllowed(host)) {
      queueMicrotask(() => callback(new ForbiddenAddress(host, host), null))
      return
    }
    connect({ ...target, hostname: host, servername: tls?.servername ?? serverName(host) }, (error, socket) => {
      if (error !== null) return callback(error, null)
      const peer = socket.remoteAddress
      if (peer === undefined || !isAllowed(peer)) {
        socket.destroy()
        return callback(peer === undefined ? resetAtOnce() : new ForbiddenAddress(host, peer), null)
      }
      showResets(socket)
      callback(null, socket)
    })
  }
}

/** Resolves once, and lets no answer through unless all are allowed, however many the socket asked for. */
function allowedLookup (resolve: Resolver, isAllowed: (address: string) => boolean): LookupFunction {
  return function lookupAllowed (hostname, options, callback) {
    resolve(hostname, { ...options, all: true }, (error, answers) => {
      if (error !== null) return callback(error, [])
      const forbidden = answers.find(({ address }) => !isAllowed(address))
      if (forbidden !== undefined) return callback(new ForbiddenAddress(hostname, forbidden.address), [])
      const [first] = answers
      if (first === undefined) return callback(Object.assign(new Error(`No address was found for ${hostname}`), { code: 'ENOTFOUND' }), [])
      if (options.all === true) callback(null, answers)
      else callback(null, first.address, first.family)
    })
  }
}

function bareHost (hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

/** What TLS asks for: names without the dot at their end (RFC 6066 §3), and no addresses, by which the certificate is then looked at. */
function serverName (host: string): string {
  if (isIP(host) !== 0) return ''
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** The peer has left before it could be looked at. */
function resetAtOnce (): Error {
  return Object.assign(new Error('The connection was reset as soon as it stood'), { code: 'ECONNRESET' })
}
