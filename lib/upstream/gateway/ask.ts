import { Readable } from 'node:stream'
import { MediaError } from '../../errors.ts'
import { discard } from '../discard.ts'
import { headFor, senderFor, type HookedUpstream } from '../hooked.ts'
import type { Sender, UpstreamResponse } from '../message.ts'
import { exchangeAlone, type LoneRequest, type Switched } from './lone-exchange.ts'
import type { OwnConnections } from './own-connections.ts'

/** Who is asked. */
export interface GatewayParts<Request> extends HookedUpstream<Request> {
  /** Connections to the origins of an upstream, for WebSockets and for requests with trailer fields; without them there is neither. */
  readonly connectionsOf?: ((name: string) => OwnConnections | undefined) | undefined
  /** What stands between the client and a sender, such as what rewrites answers. */
  readonly around?: ((sender: Sender, request: Request) => Sender) | undefined
}

/**
 * Asks an upstream, by way of the hooks of the app.
 *
 * @throws {MediaError} the codes that begin with `upstream-`; `not-implemented` for an upgrade where no connection can change hands
 * @throws the signal's reason, and what a hook throws
 */
export async function ask<Request> (parts: GatewayParts<Request>, request: Request, outgoing: LoneRequest): Promise<UpstreamResponse | Switched> {
  const { hooks } = parts
  const { method, path, headers } = outgoing
  const asked: LoneRequest = { ...outgoing, ...await hooks?.rewriteRequest?.({ method, path, headers }, request) }
  const way = await wayTo(parts, request)
  if (asked.upgrade === undefined) return await answerOf(parts, request, await sent(parts, request, { ...way, asked }))
  if (way.connections === undefined) throw new MediaError('not-implemented', { detail: 'No WebSockets lead to here' })
  const answer = await exchangeAlone(way.connections, asked)
  if ('socket' in answer) return answer
  const refused: Sender = { name: way.sender.name, send: async () => answer }
  return await answerOf(parts, request, await (parts.around?.(refused, request) ?? refused).send(asked))
}

interface Way {
  readonly sender: Sender
  /** None to a sender of the app's own. */
  readonly connections: OwnConnections | undefined
}

async function wayTo<Request> (parts: GatewayParts<Request>, request: Request): Promise<Way> {
  const sender = await senderFor(parts, request)
  const isKnown = sender === parts.upstream || parts.named?.(sender.name) === sender
  return { sender, connections: isKnown ? parts.connectionsOf?.(sender.name) : undefined }
}

async function sent<Request> ({ around }: GatewayParts<Request>, request: Request, { sender, connections, asked }: Way & { readonly asked: LoneRequest }): Promise<UpstreamResponse> {
  const isAlone = asked.trailers !== undefined && connections !== undefined
  const next = isAlone ? { name: sender.name, send: async () => await exchangeAlone(connections, asked) as UpstreamResponse } : sender
  const { trailer: _trailer, ...headers } = asked.headers
  return await (around?.(next, request) ?? next).send({ ...asked, headers })
}

async function answerOf<Request> (parts: GatewayParts<Request>, request: Request, answer: UpstreamResponse): Promise<UpstreamResponse> {
  const { status, body } = answer
  if (body instanceof Readable) body.on('error', () => {}) // it may fail before it is read
  if (status < 200 || status > 599) {
    discard(body)
    throw new MediaError('upstream-malformed', { context: { status } })
  }
  return { ...await headFor(parts, answer, request), body, trailers: () => answer.trailers() }
}
