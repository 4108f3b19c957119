import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { addForwarding } from '../lib/http/forwarding.ts'
import { plainAddress } from '../lib/http/ip-address.ts'
import { turnOf } from '../lib/http/pipelined-turn.ts'
import { addVary } from '../lib/http/vary.ts'
import type { CacheAnswer } from '../lib/http-cache/answer.ts'
import type { CachedSender as Cached } from '../lib/http-cache/cached-sender.ts'
import { tellEarly } from '../lib/upstream/early-hints.ts'
import type { OutgoingRequest, UpstreamHooks } from '../lib/upstream/hooks.ts'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../lib/upstream/message.ts'
import { rewritingSender } from '../lib/upstream/rewrite/rewriting-sender.ts'
import type { ResponseRewriter } from '../lib/upstream/rewrite/response-rewriter.ts'
import { answerFields, askedHost, requestFields } from '../lib/upstream/passed-fields.ts'
import type { OriginState } from '../lib/upstream/origins.ts'
import { targetPath } from '../lib/upstream/target.ts'

/** Hooks of an app, with Fastify's own request. */
export type ProxyHooks = UpstreamHooks<FastifyRequest>

/** An upstream as one URL prefix shows it. */
export interface ProxyMount {
  /** The whole prefix in the URL, without a trailing slash; `''` at the root. */
  readonly prefix: string
  readonly upstream: Sender
  /** Takes the place of the prefix. Default `/`. */
  readonly upstreamPath?: string
  /** Whose name the origin sees in `Host`. Default that of the origin. */
  readonly host?: 'origin' | 'client'
  /** Fields of the request that decided for this way, for `Vary`. */
  readonly vary?: string | undefined
  /** Whether the mount has a CORS policy of its own: then that of the origin is left out. */
  readonly ownsCors?: boolean
  readonly hooks?: ProxyHooks | undefined
  /** Senders that `hooks.resolve` may name. */
  readonly named?: ((name: string) => Sender | undefined) | undefined
  /** How answers become the mount's, by the URL under which clients reach the root of this server, and by the upstream that answers: the mount's own where nothing is said. Without it they stay as they are. */
  readonly rewriterFor?: ((publicBase: string | undefined, upstream?: string) => ResponseRewriter) | undefined
  /** Whether bodies are changed too. */
  readonly changesText?: boolean
}

/** The upstreams of an app, as it may look at them and take their origins out of service. */
export interface UpstreamControl {
  /** How the origins of each upstream are. */
  state (): Readonly<Record<string, readonly OriginState[]>>
  /**
   * Takes an origin out of service, or back: it gets no new requests, and those under way go on.
   *
   * @param label as `state` tells it: `assets[0]`
   * @throws {RangeError} where there is none of the label
   */
  drain (label: string, draining?: boolean): void
}

declare module 'fastify' {
  interface FastifyInstance {
    upstreams: UpstreamControl | null
  }
  interface FastifyReply {
    /**
     * Answers with a file of an upstream, passed through as it comes: GET and HEAD.
     *
     * @throws {MediaError} `bad-path`, `not-found`, and the codes that begin with `upstream-`
     */
    proxy (mount: ProxyMount): Promise<FastifyReply>
  }
}

/** `reply.proxy(mount)`: from a request to the bytes of another server. */
export default fp(async function proxy (app, { control = null }: { control?: UpstreamControl | null }) {
  if (!app.hasDecorator('upstreams')) app.decorate('upstreams', control)
  if (app.hasReplyDecorator('proxy')) return
  app.decorateReply('proxy', passThrough)
}, { fastify: '5.x', name: 'fastify-media-proxy', dependencies: ['fastify-media-client', 'fastify-media-conditional', 'fastify-media-static'] })

async function passThrough (this: FastifyReply, mount: ProxyMount): Promise<FastifyReply> {
  const { request, raw: response } = this
  const { socket } = request.raw
  request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
  this.cacheOutcome = 'proxy'
  const hit = fromMemory(request, mount)
  if (hit !== undefined) return await this.deliverCurrent(() => sendAnswer(this, mount, asMounts(hit, mount.rewriterFor?.(request.publicBase))))
  const outgoing = outgoingRequest(request, mount)
  if (response.socket === null) await turnOf(response, socket)
  const left = new AbortController()
  const leave = (): void => left.abort(new ClientLeft())
  if (socket.destroyed || response.destroyed) return this.code(499).send()
  response.once('close', leave)
  try {
    return await this.deliverCurrent(async () => await sendAnswer(this, mount, await answered(this, mount, outgoing, left.signal)))
  } catch (error) {
    if (error instanceof ClientLeft) return this.code(499).send()
    return await sendFailure(this, mount, error)
  } finally {
    response.off('close', leave)
  }
}

/** What is kept and fresh, without building a request for the origin. */
function fromMemory (request: FastifyRequest, { upstream, hooks, changesText = false, prefix, upstreamPath = '/' }: ProxyMount): CacheAnswer | undefined {
  if (hooks !== undefined || changesText || !isCached(upstream)) return undefined
  const { method = 'GET', url = '/', headers } = request.raw
  return upstream.peek({ method, path: targetPath(url, { prefix, replacement: upstreamPath }), field: name => headers[name] })
}

/** A sender that keeps answers. */
type CachedSender = Sender & Pick<Cached, 'answer' | 'peek'>

function isCached (sender: Sender): sender is CachedSender {
  return 'peek' in sender
}

/** Nobody is there to take an answer. */
class ClientLeft extends Error {
  override readonly name = 'ClientLeft'
}

function outgoingRequest (request: FastifyRequest, mount: ProxyMount): OutgoingRequest {
  const { method = 'GET', url = '/', headers: asked, httpVersion, socket } = request.raw
  const path = targetPath(url, { prefix: mount.prefix, replacement: mount.upstreamPath ?? '/' })
  const headers = addForwarding(requestFields(asked, false), {
    peer: plainAddress(socket.remoteAddress ?? ''),
    client: request.client,
    httpVersion,
    prefix: mount.prefix,
    isTrusted: request.isFromTrustedProxy
  })
  const host = mount.host === 'client' ? askedHost(url, asked) : undefined
  if (host !== undefined) headers.host = host
  return { method, path, headers }
}

async function answered (reply: FastifyReply, mount: ProxyMount, outgoing: OutgoingRequest, signal: AbortSignal): Promise<CacheAnswer | UpstreamResponse> {
  const { hooks, rewriterFor, changesText = false } = mount
  const { request } = reply
  const asked: UpstreamRequest = {
    ...await hooks?.rewriteRequest?.(outgoing, request) ?? outgoing,
    signal,
    onInformation: (status, headers) => tellEarly(reply.raw, status, headers)
  }
  const sender = await senderOf(mount, request)
  const rewriter = rewriterFor?.(request.publicBase, sender.name)
  const answer = changesText && rewriter !== undefined
    ? await rewritingSender(sender, rewriter).send(asked)
    : asMounts(isCached(sender) ? await sender.answer(asked) : await sender.send(asked), rewriter)
  if (hooks?.rewriteResponse === undefined) return answer
  return { ...answer, ...await hooks.rewriteResponse({ status: answer.status, headers: answer.headers }, request) }
}

/** An answer whose fields are the mount's. */
function asMounts<Answer extends { readonly headers: Fields }> (answer: Answer, rewriter: ResponseRewriter | undefined): Answer {
  const headers = rewriter?.fields(answer.headers) ?? answer.headers
  return headers === answer.headers ? answer : { ...answer, headers }
}

async function senderOf ({ hooks, named, upstream }: ProxyMount, request: FastifyRequest): Promise<Sender> {
  const resolved = await hooks?.resolve?.(request)
  if (resolved === undefined) return upstream
  const sender = typeof resolved === 'string' ? named?.(resolved) : resolved
  if (sender === undefined) throw new MediaError('internal', { cause: new TypeError(`Expected resolve to name an upstream but received ${typeof resolved === 'string' ? resolved : typeof resolved}`) })
  return sender
}

function sendAnswer (reply: FastifyReply, mount: ProxyMount, answer: CacheAnswer | UpstreamResponse): FastifyReply | Promise<FastifyReply> {
  const { method } = reply.request.raw
  const { status, body } = answer
  if ('outcome' in answer) reply.cacheOutcome = answer.outcome
  const headers = fieldsFor(reply, mount, answer)
  reply.code(status).headers(headers)
  if ('representation' in answer && answer.representation !== undefined) return reply.deliver(answer.representation)
  if (method === 'HEAD' || status === 204 || status === 304 || body === undefined) {
    if (body instanceof Readable) body.destroy()
    return reply.send()
  }
  // Of bytes without a type Fastify would say that they have one.
  if (Buffer.isBuffer(body) && headers['content-type'] === undefined && body.length > 0) return reply.header('content-length', String(body.length)).send(Readable.from([body], { objectMode: false }))
  return reply.send(body)
}

function fieldsFor (reply: FastifyReply, mount: ProxyMount, { status, headers, body }: CacheAnswer | UpstreamResponse): Fields {
  const { vary, ownsCors = false } = mount
  const mayTrail = body instanceof Readable && headers['content-length'] === undefined && status !== 204 && status !== 304 && reply.request.raw.method !== 'HEAD'
  const fields = answerFields(headers, { present: reply.getHeaders(), ownCors: ownsCors, mayTrail })
  if (vary !== undefined) fields.vary = addVary(fields.vary?.toString(), vary)
  return fields
}

async function sendFailure (reply: FastifyReply, { hooks }: ProxyMount, error: unknown): Promise<FastifyReply> {
  if (!(error instanceof MediaError) || hooks?.onUpstreamError === undefined) throw error
  const substitute = await hooks.onUpstreamError(error, reply.request)
  if (substitute === undefined) throw error
  reply.log.warn({ err: error, code: error.code }, 'The app answers in place of the upstream')
  return reply.code(substitute.status).headers(substitute.headers).send(substitute.body)
}
