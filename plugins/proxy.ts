import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ClientLeft, whileClientStays } from '../lib/http/client-left.ts'
import { methodOverrides } from '../lib/http/method-override.ts'
import { turnOf } from '../lib/http/pipelined-turn.ts'
import { addVary } from '../lib/http/vary.ts'
import { showTruncation } from '../lib/http/visible-end.ts'
import type { CacheAnswer } from '../lib/http-cache/answer.ts'
import type { CachedSender as Cached } from '../lib/http-cache/cached-sender.ts'
import { isBare, mayTrail, sendable } from '../lib/upstream/answer-body.ts'
import { fieldReader, fieldsFor, pathFor, type UpstreamPlace } from '../lib/upstream/client-request.ts'
import { discard } from '../lib/upstream/discard.ts'
import { tellEarly } from '../lib/upstream/early-hints.ts'
import { headFor, senderFor, substituteFor, type HookedUpstream } from '../lib/upstream/hooked.ts'
import type { OutgoingRequest, UpstreamHooks } from '../lib/upstream/hooks.ts'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../lib/upstream/message.ts'
import type { OriginState } from '../lib/upstream/origins.ts'
import { answerFields } from '../lib/upstream/passed-fields.ts'
import { rewritingSender } from '../lib/upstream/rewrite/rewriting-sender.ts'
import type { ResponseRewriter } from '../lib/upstream/rewrite/response-rewriter.ts'
import type { Upstream } from '../lib/upstream/upstream.ts'

/** Hooks of an app, with Fastify's own request. */
export type ProxyHooks = UpstreamHooks<FastifyRequest>

/** An upstream as one URL prefix shows it. */
export interface ProxyMount extends HookedUpstream<FastifyRequest>, UpstreamPlace {
  /** Fields of the request that decided for this way, for `Vary`. */
  readonly vary?: string | undefined
  /** Whether the mount has a CORS policy of its own: then that of the origin is left out. */
  readonly ownsCors?: boolean
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
  const { method = 'GET', socket } = request.raw
  const outgoing = { method, path: pathFor(request, mount), headers: fieldsFor(request, mount, false) }
  for (const name of methodOverrides) delete outgoing.headers[name] // files are read, and nothing else
  if (response.socket === null) await turnOf(response, socket)
  if (socket.destroyed || response.destroyed) return reply.code(499).send()
  let answer: CacheAnswer | UpstreamResponse
  try {
    const direct = directly(mount)
    answer = direct === undefined
      ? await whileClientStays(response, async signal => await ask(reply, mount, { outgoing, signal }))
      : asMounts(await answeredBy(direct, reply, outgoing), mount.rewriterFor?.(request.publicBase))
  } catch (error) {
    if (error instanceof ClientLeft) return reply.code(499).send()
    return await sendFailure(reply, mount, error)
  }
  return await sendAnswer(reply, mount, answer)
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
  const { upstream, hooks, changesText = false } = mount
  if (hooks !== undefined || changesText || !isCached(upstream)) return undefined
  return upstream.peek({ method: request.raw.method ?? 'GET', path: pathFor(request, mount), field: fieldReader(request, mount) })
}

/** A sender that keeps answers. */
type CachedSender = Sender & Pick<Cached, 'answer' | 'peek'>

function isCached (sender: Sender): sender is CachedSender {
  return 'peek' in sender
}

async function ask (reply: FastifyReply, mount: ProxyMount, { outgoing, signal }: { outgoing: OutgoingRequest, signal: AbortSignal }): Promise<CacheAnswer | UpstreamResponse> {
  const { hooks, rewriterFor, changesText = false } = mount
  const { request } = reply
  const asked: UpstreamRequest = {
    ...await hooks?.rewriteRequest?.(outgoing, request) ?? outgoing,
    signal,
    onInformation: (status, headers) => tellEarly(reply.raw, status, headers)
  }
  const sender = await senderFor(mount, request)
  const rewriter = rewriterFor?.(request.publicBase, sender.name)
  const answer = changesText && rewriter !== undefined
    ? await rewritingSender(sender, rewriter).send(asked)
    : asMounts(isCached(sender) ? await sender.answer(asked) : await sender.send(asked), rewriter)
  if (hooks?.rewriteResponse === undefined) return answer
  const { status, headers } = await headFor(mount, answer, request)
  return { ...answer, status, headers }
}

/** An answer whose fields are the mount's. */
function asMounts<Answer extends { readonly headers: Fields }> (answer: Answer, rewriter: ResponseRewriter | undefined): Answer {
  const headers = rewriter?.fields(answer.headers) ?? answer.headers
  return headers === answer.headers ? answer : { ...answer, headers }
}

function sendAnswer (reply: FastifyReply, mount: ProxyMount, answer: CacheAnswer | UpstreamResponse): FastifyReply | Promise<FastifyReply> {
  const { raw: request } = reply.request
  const { status, body } = answer
  if ('outcome' in answer) reply.cacheOutcome = answer.outcome
  const headers = 'outcome' in answer && answer.outcome === 'hit' ? fieldsOfHit(reply, mount, answer) : fieldsOf(reply, mount, answer)
  reply.ownFields ??= reply.getHeaders()
  reply.code(status).headers(headers)
  if ('representation' in answer && answer.representation !== undefined) return reply.deliver(answer.representation)
  if (body === undefined || isBare(status, request)) {
    discard(body)
    return reply.send()
  }
  if (Buffer.isBuffer(body)) return reply.header('content-length', String(body.length)).send(sendable(body, headers))
  showTruncation(body, reply.raw)
  return reply.send(body)
}

/** A hit is the same answer for a second: so are its fields, where no hook has said what it varies by. */
const finished = new WeakMap<object, Fields>()

function fieldsOfHit (reply: FastifyReply, mount: ProxyMount, answer: CacheAnswer): Fields {
  if (reply.hasHeader('vary')) return fieldsOf(reply, mount, answer)
  let fields = finished.get(answer)
  if (fields === undefined) finished.set(answer, fields = fieldsOf(reply, mount, answer))
  return fields
}

function fieldsOf (reply: FastifyReply, mount: ProxyMount, answer: CacheAnswer | UpstreamResponse): Fields {
  const { vary, ownsCors = false } = mount
  const fields = answerFields(answer.headers, { present: reply.getHeaders(), ownsCors, mayTrail: mayTrail(answer, reply.request.raw) })
  if (vary !== undefined) fields.vary = addVary(fields.vary?.toString(), vary)
  return fields
}

async function sendFailure (reply: FastifyReply, mount: ProxyMount, error: unknown): Promise<FastifyReply> {
  const substitute = await substituteFor(mount, error, reply.request)
  if (substitute === undefined) throw error
  reply.log.warn({ err: error }, 'The app answers in place of the upstream')
  return reply.code(substitute.status).headers(substitute.headers).send(substitute.body)
}
