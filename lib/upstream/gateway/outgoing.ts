import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { addForwarding, forwardingFields } from '../../http/forwarding.ts'
import { plainAddress } from '../../http/ip-address.ts'
import type { ClientView } from '../../http/forwarded.ts'
import { targetPath } from '../target.ts'
import { announcesTrailers, askedHost, passableTrailers, requestFields } from '../passed-fields.ts'
import type { LoneRequest } from './lone-exchange.ts'
import { hasBody, lent } from './request-body.ts'

/** What decides about a request besides itself. */
export interface OutgoingOptions {
  readonly prefix: string
  readonly upstreamPath?: string
  readonly host?: 'origin' | 'client'
  readonly client: ClientView
  /** Whether the connection comes from a trusted proxy. */
  readonly isTrusted: boolean
  /** What hooks have made of the body; undefined where it is still to be read. */
  readonly body?: unknown
}

/**
 * The request that an upstream gets: target and fields as of the next hop, the body as it comes.
 *
 * @throws {MediaError} `bad-path`, `uri-too-long`, `not-found`
 */
export function outgoingRequest (request: IncomingMessage, { prefix, upstreamPath = '/', host, client, isTrusted, body: made }: OutgoingOptions): LoneRequest {
  const { method = 'GET', url = '/', headers, httpVersion, socket, trailers } = request
  const path = targetPath(url, { prefix, replacement: upstreamPath })
  const body = bodyOf(request, made)
  const fields = addForwarding(requestFields(headers, body !== undefined), forwardingFields({ peer: plainAddress(socket.remoteAddress ?? ''), client, prefix }, isTrusted ? headers : {}), httpVersion)
  if (Buffer.isBuffer(body)) fields['content-length'] = String(body.length)
  const asked = host === 'client' ? askedHost(url, headers) : undefined
  if (asked !== undefined) fields.host = asked
  const outgoing = { method, path, headers: fields, body }
  if (body === undefined || Buffer.isBuffer(body) || !announcesTrailers(headers)) return outgoing
  fields.trailer = String(headers.trailer)
  return { ...outgoing, trailers: () => passableTrailers(trailers) }
}

function bodyOf (request: IncomingMessage, made: unknown): Buffer | Readable | undefined {
  if (Buffer.isBuffer(made)) return made
  if (typeof made === 'string') return Buffer.from(made)
  if (!hasBody(request)) return undefined
  return lent(made !== undefined && made !== null && typeof (made as Readable).pipe === 'function' ? made as Readable : request)
}
