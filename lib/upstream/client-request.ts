import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { addForwarding, forwardingFields, isClaim } from '../http/forwarding.ts'
import type { ClientView } from '../http/forwarded.ts'
import { plainAddress } from '../http/ip-address.ts'
import type { Fields } from './message.ts'
import { askedHost, requestFields } from './passed-fields.ts'
import { targetPath } from './target.ts'

/** A request of a client, as far as an upstream is told of it. */
export interface ClientRequest {
  readonly raw: IncomingMessage
  /** Worked out when it is asked for. */
  readonly client: ClientView
  readonly isFromTrustedProxy: boolean
}

/** Where an upstream stands among this server's URLs. */
export interface UpstreamPlace {
  /** The whole prefix in the URL, without a trailing slash; `''` at the root. */
  readonly prefix: string
  /** Takes the place of the prefix. Default `/`. */
  readonly upstreamPath?: string
  /** Whose name the origin sees in `Host`. Default that of the origin. */
  readonly host?: 'origin' | 'client'
}

/** Path and query below the base path of an origin. @throws {MediaError} `bad-path`, `uri-too-long`, `not-found` */
export function pathFor ({ raw: { url = '/' } }: ClientRequest, { prefix, upstreamPath = '/' }: UpstreamPlace): string {
  return targetPath(url, { prefix, replacement: upstreamPath })
}

/** The fields that an upstream gets, without those of the connection, with those that tell who asked. */
export function fieldsFor (request: ClientRequest, place: UpstreamPlace, isBodied: boolean): Fields {
  const { headers, httpVersion } = request.raw
  const fields = addForwarding(requestFields(headers, isBodied), ownFields(request, place), httpVersion)
  const host = hostFor(request, place)
  if (host !== undefined) fields.host = host
  return fields
}

/** The same, one by one: what a cache looks at costs less than to build all of them. */
export function fieldReader (request: ClientRequest, place: UpstreamPlace): (name: string) => string | string[] | undefined {
  const { headers } = request.raw
  const own = ownFields(request, place)
  return name => isClaim(name) ? own[name] : name === 'host' ? hostFor(request, place) : headers[name]
}

/** Who asked, by connection: mostly the same for all that it asks. */
const asking = new WeakMap<Socket, { host: string | undefined, prefix: string, own: Fields }>()

function ownFields (request: ClientRequest, { prefix }: UpstreamPlace): Readonly<Fields> {
  const { raw: { socket, url = '/', headers, httpVersionMajor }, isFromTrustedProxy } = request
  const isSteady = httpVersionMajor === 1 && url.startsWith('/') && !isFromTrustedProxy
  const known = isSteady ? asking.get(socket) : undefined
  if (known !== undefined && known.host === headers.host && known.prefix === prefix) return known.own
  const own = forwardingFields({ peer: plainAddress(socket.remoteAddress ?? ''), client: request.client, prefix }, isFromTrustedProxy ? headers : {})
  if (isSteady) asking.set(socket, { host: headers.host, prefix, own })
  return own
}

function hostFor ({ raw: { url = '/', headers } }: ClientRequest, { host }: UpstreamPlace): string | undefined {
  return host === 'client' ? askedHost(url, headers) : undefined
}
