import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { fieldsFor, pathFor, type ClientRequest, type UpstreamPlace } from '../client-request.ts'
import { announcesTrailers, passableTrailers } from '../passed-fields.ts'
import type { LoneRequest } from './lone-exchange.ts'
import { hasBody } from '../../http/has-body.ts'
import { lent } from './request-body.ts'

/** A request whose body goes on. */
export interface BodiedRequest extends ClientRequest {
  /** What hooks have made of the body; undefined where it is still to be read. */
  readonly body: unknown
}

/**
 * The request that an upstream gets: target and fields as of the next hop, the body as it comes.
 *
 * @throws {MediaError} `bad-path`, `uri-too-long`, `not-found`
 */
export function outgoingRequest (request: BodiedRequest, place: UpstreamPlace): LoneRequest {
  const { method = 'GET', headers, trailers } = request.raw
  const path = pathFor(request, place)
  const body = bodyOf(request.raw, request.body)
  const fields = fieldsFor(request, place, body !== undefined)
  if (Buffer.isBuffer(body)) fields['content-length'] = String(body.length)
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
