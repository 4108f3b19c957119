import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { endToEnd } from '../lib/http/end-to-end-headers.ts'
import { addForwarding, addVia } from '../lib/http/forwarding.ts'
import { turnOf } from '../lib/http/pipelined-turn.ts'
import { addVary } from '../lib/http/vary.ts'
import type { UpstreamHooks } from '../lib/upstream/hooks.ts'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../lib/upstream/message.ts'
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
}, { fastify: '5.x', name: 'fastify-media-proxy', dependencies: ['fastify-media-client', 'fastify-media-static'] })

async function passThrough (this: FastifyReply, mount: ProxyMount): Promise<FastifyReply> {
  const { request, raw: response } = this
  const { socket } = request.raw
  request.mountPrefix = mount.prefix === '' ? '/' : mount.prefix
  this.cacheOutcome = 'proxy'
  const outgoing = outgoingRequest(request, mount)
  if (response.socket === null) await turnOf(response, socket)
  const left = new AbortController()
  const leave = (): void => left.abort(new ClientLeft())
  if (socket.destroyed || response.destroyed) return this.code(499).send()
  response.once('close', leave)
  try {
    const answer = await sent(this, mount, outgoing, left.signal)
    return sendAnswer(this, mount, answer)
  } catch (error) {
    if (error instanceof ClientLeft) return this.code(499).send()
    return await sendFailure(this, mount, error)
  } finally {
    response.off('close', leave)
  }
}

/** Nobody is there to take an answer. */
class ClientLeft extends Error {
  override readonly name = 'ClientLeft'
}

function outgoingRequest (request: FastifyRequest, mount: ProxyMount): { method: string, path: string, headers: Fields } {
  const { method = 'GET', url = '/', headers: { host, 'content-length': _length, expect: _expect, trailer: _trailer, ...fields }, httpVersion, socket } = request.raw
  const path = targetPath(url, { prefix: mount.prefix, replacement: mount.upstreamPath ?? '/' })
  const headers = addForwarding(endToEnd(fields), {
    peer: plain(socket.remoteAddress ?? ''),
    client: request.client,
    httpVersion,
    prefix: mount.prefix,
    isTrusted: request.isFromTrustedProxy
  })
  if (mount.host === 'client' && host !== undefined) headers.host = host
  return { method, path, headers }
}

function plain (address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

async function sent (reply: FastifyReply, mount: ProxyMount, outgoing: { method: string, path: string, headers: Fields }, signal: AbortSignal): Promise<UpstreamResponse> {
  const { hooks } = mount
  const { request } = reply
  const asked: UpstreamRequest = {
    ...await hooks?.rewriteRequest?.(outgoing, request) ?? outgoing,
    signal,
    onInformation: (status, headers) => tellEarly(reply, status, headers)
  }
  const answer = await (await senderOf(mount, request)).send(asked)
  return hooks?.rewriteResponse === undefined ? answer : { ...answer, ...await hooks.rewriteResponse({ status: answer.status, headers: answer.headers }, request) }
}

async function senderOf ({ hooks, named, upstream }: ProxyMount, request: FastifyRequest): Promise<Sender> {
  const resolved = await hooks?.resolve?.(request)
  if (resolved === undefined) return upstream
  const sender = typeof resolved === 'string' ? named?.(resolved) : resolved
  if (sender === undefined) throw new MediaError('internal', { cause: new TypeError(`Expected resolve to name an upstream but received ${typeof resolved === 'string' ? resolved : typeof resolved}`) })
  return sender
}

/** Early hints (RFC 8297) go on; other interim answers are of the one connection. */
function tellEarly ({ raw: response }: FastifyReply, status: number, { link, ...headers }: Fields): void {
  if (status !== 103 || link === undefined || response.headersSent || response.req.httpVersionMinor === 0) return
  try {
    response.writeEarlyHints({ ...headers, link })
  } catch {
    // A link that Node.js does not take: hints may be left out.
  }
}

function sendAnswer (reply: FastifyReply, { vary, ownsCors = false }: ProxyMount, { status, headers, body }: UpstreamResponse): FastifyReply {
  const { method } = reply.request.raw
  addVia(headers)
  if (ownsCors) for (const name of Object.keys(headers)) if (name.startsWith('access-control-')) delete headers[name]
  for (const fields of [reply.getHeader('vary')?.toString(), vary]) if (fields !== undefined) headers.vary = addVary(headers.vary?.toString(), fields)
  if (headers['content-length'] !== undefined || method === 'HEAD') delete headers.trailer
  reply.code(status).headers(headers)
  if (method === 'HEAD' || status === 204 || status === 304) return reply.send()
  // Of bytes without a type Fastify would say that they have one.
  if (Buffer.isBuffer(body) && headers['content-type'] === undefined && body.length > 0) return reply.header('content-length', String(body.length)).send(Readable.from([body], { objectMode: false }))
  return reply.send(body)
}

async function sendFailure (reply: FastifyReply, { hooks }: ProxyMount, error: unknown): Promise<FastifyReply> {
  if (!(error instanceof MediaError) || hooks?.onUpstreamError === undefined) throw error
  const substitute = await hooks.onUpstreamError(error, reply.request)
  if (substitute === undefined) throw error
  reply.log.warn({ err: error, code: error.code }, 'The app answers in place of the upstream')
  return reply.code(substitute.status).headers(substitute.headers).send(substitute.body)
}
