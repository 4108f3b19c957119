import type { Server } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyHttpProxyOptions } from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { ClientLeft, whileClientStays } from '../lib/http/client-left.ts'
import { readOn } from '../lib/http/linger.ts'
import { turnOf } from '../lib/http/pipelined-turn.ts'
import { isBare, mayTrail, sendable } from '../lib/upstream/answer-body.ts'
import type { UpstreamPlace } from '../lib/upstream/client-request.ts'
import { substituteFor } from '../lib/upstream/hooked.ts'
import { ask, type GatewayParts } from '../lib/upstream/gateway/ask.ts'
import { tellEarly } from '../lib/upstream/early-hints.ts'
import { answerFields } from '../lib/upstream/passed-fields.ts'
import type { LoneRequest, Switched } from '../lib/upstream/gateway/lone-exchange.ts'
import { outgoingRequest } from '../lib/upstream/gateway/outgoing.ts'
import { TICKET, type Ticket } from '../lib/upstream/gateway/requester.ts'
import { trail } from '../lib/upstream/trailing.ts'
import { tunnel } from '../lib/upstream/gateway/tunnel.ts'
import { Upgrades, type Upgrade } from '../lib/upstream/gateway/upgrades.ts'
import type { Fields, UpstreamResponse } from '../lib/upstream/message.ts'

/** An API as one URL prefix shows it. */
export interface GatewayMount extends GatewayParts<FastifyRequest>, UpstreamPlace {
  /** Whether the scope has CORS rules of its own: those of the origin are dropped then. Default false. */
  readonly ownsCors?: boolean
}

/** What `reply.from` of @fastify/reply-from is called with. */
export type From = (options: NonNullable<FastifyHttpProxyOptions['replyOptions']>) => unknown

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on requests of this scope keep their bodies, whatever type these say they are of, and WebSockets below the prefix come to it. */
    takeWhatComes (prefix: string): void
  }
  interface FastifyReply {
    /**
     * Answers with what an upstream answers to this request: any method, any body, WebSockets.
     *
     * @param from `reply.from`, which is there only below @fastify/http-proxy
     * @throws {MediaError} `bad-path`, `uri-too-long`, `not-found`, and the codes that begin with `upstream-`
     */
    passOn (mount: GatewayMount, from: From): Promise<FastifyReply>
  }
}

/** By server: several apps may share one. */
const upgradesAt = new WeakMap<Server, Upgrades>()

/** `reply.passOn(mount, from)`: from any request to an upstream and back. */
export default fp(async function gateway (app) {
  if (app.hasReplyDecorator('passOn')) return
  const tunnels = new Set<Switched>()
  app.decorate('takeWhatComes', takeWhatComes)
  app.decorateReply('passOn', async function passOn (this: FastifyReply, mount: GatewayMount, from: From) {
    return await begin(this, mount, { from, tunnels })
  })
  app.addHook('preClose', function endTunnels (done) {
    for (const { socket } of tunnels) socket.destroy()
    done()
  })
}, { fastify: '5.x', name: 'fastify-media-gateway', dependencies: ['fastify-media-client', 'fastify-media-static'] })

function takeWhatComes (this: FastifyInstance, prefix: string): void {
  const upgrades = upgradesAt.get(this.server) ?? new Upgrades(this.server)
  upgradesAt.set(this.server, upgrades)
  upgrades.add(prefix, (request, response) => { this.routing(request, response) })
  this.removeAllContentTypeParsers()
  this.addHook('preParsing', takeAnyMediaType)
}

/** What Fastify would refuse before any parser: the origin may read it otherwise, and gets it as it was sent. */
function takeAnyMediaType (request: FastifyRequest, _reply: FastifyReply, payload: RequestPayload, done: (error: null, payload: RequestPayload) => void): void {
  const { method, headers: { 'content-type': type = method === 'QUERY' ? '' : undefined } } = request.raw
  if (type !== undefined && !/^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/.test(type)) request.headers = { ...request.headers, 'content-type': 'application/octet-stream' }
  done(null, payload)
}

async function begin (reply: FastifyReply, mount: GatewayMount, { from, tunnels }: { from: From, tunnels: Set<Switched> }): Promise<FastifyReply> {
  const { request, raw: response } = reply
  const { raw } = request
  request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
  reply.cacheOutcome = 'gateway'
  const outgoing = outgoingRequest(request, mount)
  if (response.socket === null) await turnOf(response, raw.socket)
  if (raw.socket.destroyed || response.destroyed) return reply.code(499).send()
  const upgrade = upgradesAt.get(reply.server.server)?.of(raw)
  const passage = new Passage(reply, mount, upgrade === undefined ? outgoing : { ...outgoing, upgrade: 'websocket' })
  if (upgrade !== undefined) {
    await passage.shake(upgrade, tunnels)
    return reply
  }
  from({
    queryString: () => '', // it is part of the path
    retryDelay: () => null,
    rewriteRequestHeaders: () => ({ [TICKET]: passage }),
    onResponse: () => passage.sendOn()
  })
  return reply
}

/** One request on its way to an upstream, and the answer back. */
class Passage implements Ticket {
  answer: UpstreamResponse | undefined
  #failure: unknown
  #switched: Switched | undefined
  readonly #reply: FastifyReply
  readonly #mount: GatewayMount
  readonly #outgoing: LoneRequest
  /** What hooks have put on the answer. */
  readonly #present: Fields

  constructor (reply: FastifyReply, mount: GatewayMount, outgoing: LoneRequest) {
    this.#reply = reply
    this.#mount = mount
    this.#outgoing = outgoing
    this.#present = reply.getHeaders() as Fields
  }

  async send (): Promise<void> {
    const { request, raw: response, log } = this.#reply
    try {
      const answer = await whileClientStays(response, async signal => await ask(this.#mount, request, { ...this.#outgoing, signal, onInformation: (status, fields) => tellEarly(response, status, fields) }))
      if ('socket' in answer) this.#switched = answer
      else this.#take(answer)
    } catch (error) {
      this.#failure = error
      const substitute = await substituteFor(this.#mount, error, request).catch((own: unknown) => { this.#failure = own })
      if (substitute === undefined) return
      log.warn({ err: error }, 'The app answers in place of the upstream')
      this.#take({ ...substitute, body: Buffer.from(substitute.body), trailers: () => undefined })
    }
  }

  /** The answer as the client gets it. */
  #take (answer: UpstreamResponse): void {
    this.answer = { ...answer, trailers: () => answer.trailers(), headers: this.#fields(answer.headers, mayTrail(answer, this.#reply.request.raw)) }
  }

  #fields (fields: Fields, canTrail: boolean): Fields {
    return answerFields(fields, { present: this.#present, ownsCors: this.#mount.ownsCors ?? false, mayTrail: canTrail })
  }

  /** What @fastify/reply-from would send, were it not for what it does not know. */
  sendOn (): void {
    const { request: { raw }, raw: response } = this.#reply
    if (raw.httpVersionMajor === 1 && !raw.complete && !('upgrade' in this.#outgoing)) {
      // A connection whose client still sends is not lost to it.
      if (this.#present.connection === undefined) this.#reply.removeHeader('connection')
      readOn(raw, response)
    }
    if (this.answer === undefined) this.#sendFailure(this.#failure)
    else this.#sendBody(this.answer)
  }

  broke (error: unknown): void {
    if (this.#reply.raw.headersSent) this.#reply.raw.destroy()
    else this.#sendFailure(error)
  }

  /** Ends the handshake of a WebSocket: by the tunnel, or by the answer that was given instead. */
  async shake (upgrade: Upgrade, tunnels: Set<Switched>): Promise<void> {
    await this.send()
    const switched = this.#switched
    if (switched === undefined) {
      this.#refuse()
      return
    }
    this.#reply.hijack()
    tunnels.add(switched)
    const client = upgrade.accept({ ...this.#present, ...this.#fields(switched.headers, false) })
    void tunnel(client, switched).finally(() => {
      tunnels.delete(switched)
      switched.end()
    })
  }

  #refuse (): void {
    try {
      if (this.answer !== undefined) this.#reply.code(this.answer.status).headers(this.answer.headers)
      this.sendOn()
    } catch (error) {
      this.broke(error)
    }
  }

  #sendBody ({ status, headers, body, trailers }: UpstreamResponse): void {
    const reply = this.#reply
    if (isBare(status, reply.request.raw)) {
      if (body instanceof Readable) body.resume()
      if (status === 204) reply.removeHeader('content-length')
      reply.send()
    } else if (body instanceof Readable) {
      body.once('error', () => { if (!reply.raw.headersSent) this.#restore() })
      body.once('end', () => trail(reply.raw, trailers()))
      if (body.errored === null) reply.send(body)
      else this.#sendFailure(body.errored)
    } else {
      reply.header('content-length', String(body.length))
      reply.send(sendable(body, headers))
    }
  }

  /** Of an answer that failed, nothing is told: neither its fields nor that a cache may keep them. */
  #sendFailure (failure: unknown): void {
    this.#restore()
    if (failure instanceof ClientLeft) this.#reply.code(499).send()
    else this.#reply.send(failure instanceof Error ? failure : new MediaError('internal', { cause: failure }))
  }

  #restore (): void {
    const reply = this.#reply
    for (const name in reply.getHeaders()) reply.removeHeader(name)
    reply.headers(this.#present)
  }
}
