import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { addForwarding, forwardingFields, isClaim } from '../lib/http/forwarding.ts'
import { plainAddress } from '../lib/http/ip-address.ts'
import { turnOf } from '../lib/http/pipelined-turn.ts'
import { showTruncation } from '../lib/http/visible-end.ts'
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
import type { Upstream } from '../lib/upstream/upstream.ts'
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
  /** Ends bodies that come over connections for what has no end. */
  endLive (): void
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
    proxy (mount: ProxyMount): FastifyReply | Promise<FastifyReply>
  }
}

/** `reply.proxy(mount)`: from a request to the bytes of another server. */
export default fp(async function proxy (app, { control = null }: { control?: UpstreamControl | null }) {
  if (!app.hasDecorator('upstreams')) app.decorate('upstreams', control)
  if (!app.hasReplyDecorator('proxy')) app.decorateReply('proxy', proxyTo)
  app.addHook('preClose', function endLiveBodies (done) {
    control?.endLive() // the server would wait for their end for ever
    done()
  })
}, { fastify: '5.x', name: 'fastify-media-proxy', dependencies: ['fastify-media-client', 'fastify-media-conditional', 'fastify-media-static'] })

function proxyTo (this: FastifyReply, mount: ProxyMount): FastifyReply | Promise<FastifyReply> {
  const { request } = this
  request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
  this.cacheOutcome = 'proxy'
  return isCached(mount.upstream) ? this.deliverCurrent(() => sendKept(this, mount)) : passThrough(this, mount)
}

/** What is kept may turn out to be gone: it is looked for anew then. */
function sendKept (reply: FastifyReply, mount: ProxyMount): FastifyReply | Promise<FastifyReply> {
  const hit = fromMemory(reply.request, mount)
  return hit === undefined ? passThrough(reply, mount) : sendAnswer(reply, mount, asMounts(hit, mount.rewriterFor?.(reply.request.publicBase)))
}

async function passThrough (reply: FastifyReply, mount: ProxyMount): Promise<FastifyReply> {
  const { request, raw: response } = reply
  const { socket } = request.raw
  const outgoing = outgoingRequest(request, mount)
  if (response.socket === null) await turnOf(response, socket)
  if (socket.destroyed || response.destroyed) return reply.code(499).send()
  try {
    const direct = directly(mount)
    if (direct !== undefined) return await sendAnswer(reply, mount, asMounts(await answeredBy(direct, reply, outgoing), mount.rewriterFor?.(request.publicBase)))
    return await sendAnswer(reply, mount, await answered(reply, mount, outgoing))
  } catch (error) {
    if (error instanceof ClientLeft) return reply.code(499).send()
    return await sendFailure(reply, mount, error)
  }
}

/** An upstream with nothing between it and the client that would have to know more than bytes. */
function directly ({ upstream, hooks, changesText = false }: ProxyMount): Upstream | undefined {
  return hooks === undefined && !changesText && isDirect(upstream) ? upstream : undefined
}

function isDirect (sender: Sender): sender is Upstream {
  return 'begin' in sender
}

async function answeredBy (upstream: Upstream, { raw: response }: FastifyReply, outgoing: OutgoingRequest): Promise<UpstreamResponse> {
  const exchange = upstream.begin({ ...outgoing, onInformation: (status, headers) => tellEarly(response, status, headers) })
  const leave = (): void => exchange.cancel(new ClientLeft())
  response.once('close', leave)
  try {
    return await exchange.response
  } finally {
    response.off('close', leave)
  }
}

/** What is kept and fresh, without building a request for the origin. */
function fromMemory (request: FastifyRequest, mount: ProxyMount): CacheAnswer | undefined {
  const { upstream, hooks, changesText = false, prefix, upstreamPath = '/' } = mount
  if (hooks !== undefined || changesText || !isCached(upstream)) return undefined
  const { method = 'GET', url = '/', headers } = request.raw
  const own = ownFields(request, mount)
  // As it would be sent.
  const field = (name: string): string | string[] | undefined => isClaim(name) ? own[name] : name === 'host' ? hostFor(request, mount) : headers[name]
  return upstream.peek({ method, path: targetPath(url, { prefix, replacement: upstreamPath }), field })
}

/** Who asked, by connection: mostly the same for all that it asks. */
const asking = new WeakMap<Socket, { host: string | undefined, prefix: string, own: Fields }>()

function ownFields (request: FastifyRequest, { prefix }: ProxyMount): Readonly<Fields> {
  const { socket, url = '/', headers, httpVersionMajor } = request.raw
  const isSteady = httpVersionMajor === 1 && url.startsWith('/') && !request.isFromTrustedProxy
  const known = isSteady ? asking.get(socket) : undefined
  if (known !== undefined && known.host === headers.host && known.prefix === prefix) return known.own
  const own = forwardingFields({ peer: plainAddress(socket.remoteAddress ?? ''), client: request.client, prefix }, request.isFromTrustedProxy ? headers : {})
  if (isSteady) asking.set(socket, { host: headers.host, prefix, own })
  return own
}

function hostFor ({ raw: { url = '/', headers } }: FastifyRequest, { host }: ProxyMount): string | undefined {
  return host === 'client' ? askedHost(url, headers) : undefined
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
  const { method = 'GET', url = '/', headers: asked, httpVersion } = request.raw
  const path = targetPath(url, { prefix: mount.prefix, replacement: mount.upstreamPath ?? '/' })
  const headers = addForwarding(requestFields(asked, false), ownFields(request, mount), httpVersion)
  const host = hostFor(request, mount)
  if (host !== undefined) headers.host = host
  return { method, path, headers }
}

async function answered (reply: FastifyReply, mount: ProxyMount, outgoing: OutgoingRequest): Promise<CacheAnswer | UpstreamResponse> {
  const left = new AbortController()
  const leave = (): void => left.abort(new ClientLeft())
  reply.raw.once('close', leave)
  try {
    return await ask(reply, mount, { outgoing, signal: left.signal })
  } finally {
    reply.raw.off('close', leave)
  }
}

async function ask (reply: FastifyReply, mount: ProxyMount, { outgoing, signal }: { outgoing: OutgoingRequest, signal: AbortSignal }): Promise<CacheAnswer | UpstreamResponse> {
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
  const headers = 'outcome' in answer && answer.outcome === 'hit' ? fieldsOfHit(reply, mount, answer) : fieldsFor(reply, mount, answer)
  reply.ownFields ??= reply.getHeaders()
  reply.code(status).headers(headers)
  if ('representation' in answer && answer.representation !== undefined) return reply.deliver(answer.representation)
  if (method === 'HEAD' || status === 204 || status === 304 || body === undefined) {
    if (body instanceof Readable) body.destroy()
    return reply.send()
  }
  // Of bytes without a type Fastify would say that they have one.
  if (Buffer.isBuffer(body) && headers['content-type'] === undefined && body.length > 0) return reply.header('content-length', String(body.length)).send(Readable.from([body], { objectMode: false }))
  if (body instanceof Readable) showTruncation(body, reply.raw)
  return reply.send(body)
}

/** A hit is the same answer for a second: so are its fields, where no hook has said what it varies by. */
const finished = new WeakMap<object, Fields>()

function fieldsOfHit (reply: FastifyReply, mount: ProxyMount, answer: CacheAnswer): Fields {
  if (reply.hasHeader('vary')) return fieldsFor(reply, mount, answer)
  let fields = finished.get(answer)
  if (fields === undefined) finished.set(answer, fields = fieldsFor(reply, mount, answer))
  return fields
}

function fieldsFor (reply: FastifyReply, mount: ProxyMount, { status, headers, body }: CacheAnswer | UpstreamResponse): Fields {
  const { vary, ownsCors = false } = mount
  const mayTrail = body instanceof Readable && headers['content-length'] === undefined && status !== 204 && status !== 304 && reply.request.raw.method !== 'HEAD' && reply.request.raw.httpVersion !== '1.0'
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
