import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { create as contentDisposition } from 'content-disposition'
import type { FastifyInstance, FastifyReply, onSendHookHandler, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { MediaError } from '../lib/errors.ts'
import { ClientLeft, whileClientStays } from '../lib/http/client-left.ts'
import type { DigestMemory } from '../lib/http/digest-memory.ts'
import { wantedDigest } from '../lib/http/digest.ts'
import { planMultipart, type MultipartPlan } from '../lib/http/multipart-byteranges.ts'
import { turnOf } from '../lib/http/pipelined-turn.ts'
import { evaluatePreconditions, rangeApplies } from '../lib/http/preconditions.ts'
import { contentRange, parseRange, type ByteRange } from '../lib/http/range.ts'
import { headersOf, validatorsOf } from '../lib/http/representation-headers.ts'
import { showTruncation } from '../lib/http/visible-end.ts'
import { addVary } from '../lib/http/vary.ts'
import { RepresentationChanged, representationHeaders, type Body, type Representation } from '../lib/representation.ts'

export type { Body, Representation } from '../lib/representation.ts'

/** How one answer differs from the representation's own wishes. */
export interface DeliverOptions {
  /** The file name under which a browser is to save it: `Content-Disposition: attachment`. */
  downloadName?: string | undefined
}

declare module 'fastify' {
  interface FastifyReply {
    /**
     * Sends a representation: preconditions, ranges and HEAD by RFC 9110 §13–15; opened last, and
     * only if bytes are to be sent.
     *
     * @throws {MediaError} `precondition-failed`, `range-not-satisfiable`, and what `open` throws
     * @throws {RepresentationChanged} before anything is sent: describe it again
     */
    deliver (representation: Representation, options?: DeliverOptions): FastifyReply | Promise<FastifyReply>
    /**
     * Answers by `attempt`, and again where what it delivers changed between being described
     * and opened.
     *
     * @throws {MediaError} `unavailable` where it keeps changing, and what `attempt` throws
     */
    deliverCurrent (attempt: () => FastifyReply | Promise<FastifyReply>): FastifyReply | Promise<FastifyReply>
    /** Works out `Repr-Digest` (RFC 9530) for clients that ask for it; null where the answer has none. */
    digests: DigestMemory | null
    /** The fields of an answer before those of another server were put on it: what is left where it fails. */
    ownFields: ReturnType<FastifyReply['getHeaders']> | null
    /** What `deliver` was given, for hooks that look at an answer before it is sent. */
    representation: Representation | null
  }
}

/** `reply.deliver(representation)`: the one way out for a mount's bytes. */
export default fp(async function conditional (app) {
  if (app.hasReplyDecorator('deliver')) return // a host's, registered further out
  app.decorateReply('representation', null)
  app.decorateReply('digests', null)
  app.decorateReply('ownFields', null)
  app.decorateReply('deliver', deliver)
  app.decorateReply('deliverCurrent', deliverCurrent)
  app.addHook('onRoute', keepDeliveredHead)
}, { fastify: '5.x', name: 'fastify-media-conditional' })

/**
 * Fastify gives a GET route a HEAD that takes the length of what is sent, and of a delivered
 * HEAD nothing is: it keeps the length that it has.
 */
function keepDeliveredHead (route: RouteOptions): void {
  if (route.method !== 'HEAD' || route.onSend === undefined) return
  route.onSend = [route.onSend].flat().map(hook => hook.name !== 'headRouteOnSendHandler' ? hook : function headOfDelivered (this: FastifyInstance, request, reply, payload, done) {
    if (reply.representation !== null && payload === undefined) done(null, null)
    else (hook as onSendHookHandler).call(this, request, reply, payload, done)
  })
}

function deliver (this: FastifyReply, representation: Representation, options?: DeliverOptions): FastifyReply | Promise<FastifyReply> {
  const { method = 'GET', headers } = this.request.raw
  this.representation = representation
  if (representation.vary !== undefined) this.header('vary', addVary(this.getHeader('vary') as string | undefined, representation.vary))
  const outcome = evaluatePreconditions(method, headers, representation)
  if (outcome !== 'proceed') representation.release?.()
  if (outcome === 412) throw new MediaError('precondition-failed')
  if (outcome === 304) return this.code(304).headers(validatorsOf(representation)).send()

  if (options?.downloadName !== undefined) this.header('content-disposition', contentDisposition(options.downloadName))
  return representation.complete === undefined ? send(this, representation) : completeAndSend(this, representation.complete)
}

/** How often what changes between being described and opened is looked at anew. */
const MAX_LOOKS = 3

function deliverCurrent (this: FastifyReply, attempt: () => FastifyReply | Promise<FastifyReply>): FastifyReply | Promise<FastifyReply> {
  const sent = attempt()
  return sent instanceof Promise ? sent.catch(async error => await deliverAgain(this, error, attempt)) : sent
}

async function deliverAgain (reply: FastifyReply, error: unknown, attempt: () => FastifyReply | Promise<FastifyReply>, looks = 1): Promise<FastifyReply> {
  if (!(error instanceof RepresentationChanged)) throw error
  if (looks === MAX_LOOKS) throw new MediaError('unavailable', { cause: error, headers: { 'retry-after': '1' } })
  reply.code(200).representation = null
  const { ownFields } = reply
  for (const name of ownFields === null ? representationHeaders : Object.keys(reply.getHeaders())) reply.removeHeader(name)
  if (ownFields !== null) reply.headers(ownFields)
  try {
    return await attempt()
  } catch (again) {
    return await deliverAgain(reply, again, attempt, looks + 1)
  }
}

/** What is made when it is asked for is made now, unless its client leaves, or asks for the head alone. */
async function completeAndSend (reply: FastifyReply, complete: NonNullable<Representation['complete']>): Promise<FastifyReply> {
  const { raw: response, request: { raw: { socket, method } } } = reply
  await turnOf(response, socket)
  try {
    return await whileClientStays(response, async signal => {
      const completed = await complete({ make: method !== 'HEAD', signal })
      reply.representation = completed
      return await send(reply, completed)
    })
  } catch (error) {
    if (error instanceof ClientLeft) return reply.code(499).send()
    throw error
  }
}

/** Everything that was asked for, now that it is certain that something is to be sent. */
function send (reply: FastifyReply, representation: Representation): FastifyReply | Promise<FastifyReply> {
  const algorithm = reply.digests === null ? undefined : wantedDigest(reply.request.raw.headers['want-repr-digest'])
  return reply.digests === null || algorithm === undefined ? sendParts(reply, representation) : sendWithDigest(reply, representation, reply.digests.of(representation, algorithm))
}

async function sendWithDigest (reply: FastifyReply, representation: Representation, digest: Promise<string | undefined>): Promise<FastifyReply> {
  const value = await digest
  if (value !== undefined) reply.header('repr-digest', value)
  return await sendParts(reply, representation)
}

function sendParts (reply: FastifyReply, representation: Representation): FastifyReply | Promise<FastifyReply> {
  const { method = 'GET', headers } = reply.request.raw
  reply.headers(headersOf(representation))
  if (method === 'HEAD') {
    representation.release?.()
    return reply.send()
  }
  if (method === 'GET' && headers.range !== undefined && representation.size !== undefined && rangeApplies(headers, representation)) {
    const ranges = parseRange(headers.range, representation.size)
    if (ranges === 'unsatisfiable') {
      representation.release?.()
      throw new MediaError('range-not-satisfiable', { headers: { 'content-range': contentRange(representation.size), 'accept-ranges': 'bytes' } })
    }
    // Several ranges travel in one multipart body, and their coding would be taken for its own.
    if (ranges !== 'whole' && (ranges.length === 1 || representation.encoding === undefined)) return sendRanges(reply, representation, representation.size, ranges)
  }
  return representation.bytes === undefined ? openAndSend(reply, representation) : reply.send(representation.bytes)
}

function sendRanges (reply: FastifyReply, representation: Representation, size: number, ranges: readonly ByteRange[]): FastifyReply | Promise<FastifyReply> {
  reply.code(206)
  const [range] = ranges
  if (range !== undefined && ranges.length === 1) {
    reply.headers({ 'content-range': contentRange(size, range), 'content-length': String(range.end - range.start + 1) })
    const bytes = representation.bytes?.subarray(range.start, range.end + 1)
    return bytes === undefined ? openAndSend(reply, representation, range) : reply.send(bytes)
  }
  const plan = planMultipart(representation.type, size, ranges, randomBytes(12).toString('hex'))
  reply.headers({ 'content-type': plan.type, 'content-length': String(plan.length) })
  return sendMultipart(reply, representation, plan)
}

async function openAndSend (reply: FastifyReply, representation: Representation, range?: ByteRange): Promise<FastifyReply> {
  const body = await open(reply, representation, range)
  return reply.send(body)
}

/** The first part is opened before the head is sent, so that a file that cannot be read is an error and not a broken answer. */
async function sendMultipart (reply: FastifyReply, representation: Representation, plan: MultipartPlan): Promise<FastifyReply> {
  const first = await open(reply, representation, plan.parts[0]?.range)
  async function * body (): AsyncGenerator<Buffer> {
    for (const [place, { head, range }] of plan.parts.entries()) {
      yield head
      const part = place === 0 ? first : await open(reply, representation, range)
      if (Buffer.isBuffer(part)) yield part
      else yield * part as AsyncIterable<Buffer>
    }
    yield plan.tail
  }
  return reply.send(Readable.from(body(), { objectMode: false }))
}

/** Opens, and makes sure that a stream is closed with the connection, whatever happens between here and there. */
async function open (reply: FastifyReply, representation: Representation, range: ByteRange | undefined): Promise<Body> {
  const response = reply.raw
  const { socket } = reply.request.raw
  await turnOf(response, socket)
  if (socket.destroyed || response.destroyed) return Buffer.alloc(0) // nobody is there to take it
  const body = await representation.open(range)
  if (Buffer.isBuffer(body)) return exactly(body, range)
  showTruncation(body, response)
  const stop = (): void => { body.destroy() }
  if (socket.destroyed || response.destroyed) stop()
  else {
    response.once('close', stop)
    body.once('close', () => response.off('close', stop))
  }
  return body
}

/** What a Content-Range promised, also where `open` gave the whole. @throws {RangeError} where it gave neither */
function exactly (bytes: Buffer, range: ByteRange | undefined): Buffer {
  if (range === undefined || bytes.length === range.end - range.start + 1) return bytes
  if (bytes.length <= range.end) throw new RangeError(`Expected ${range.end - range.start + 1} bytes to be opened but received ${bytes.length}`)
  return bytes.subarray(range.start, range.end + 1)
}
