import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { LogController, type FastifyBaseLogger, type FastifyError, type FastifyReply, type FastifyRequest, type FastifyHttpOptions } from 'fastify'
import fp from 'fastify-plugin'
import { representationHeaders } from '../lib/representation.ts'
import { LazyLog } from '../lib/lazy-log.ts'
import { failureOfStatus, MediaError, problem, type FailureCode } from '../lib/errors.ts'

const PROBLEM_TYPE = 'application/problem+json'

/**
 * Every failure below this plugin is answered as `application/problem+json` (RFC 9457) with a
 * stable `code`, and never cached. The public words are kept apart from the cause, which is logged.
 */
export default fp(async function errors (app) {
  app.setErrorHandler(handleError)
  app.addHook('onRequest', restoreUrl)
  try {
    app.setNotFoundHandler(handleNotFound)
  } catch {
    // The host has one for this prefix, and keeps it: Fastify takes one for each prefix.
  }
}, { fastify: '5.x', name: 'fastify-media-errors' })

/** `%` with what is not UTF-8 behind it: the router would refuse the URL before any hook, and origins have such names. */
const malformed = /%(?![0-9a-f]{2})|(?:%[89a-f][0-9a-f])+/gi

/** A URL that the router can read, in place of one that it cannot. {@link restoreUrl} undoes it. */
function routableUrl ({ url = '/' }: { readonly url?: string | undefined }): string {
  const mark = url.search(/[?#]/)
  const path = mark === -1 ? url : url.slice(0, mark)
  if (!path.includes('%') || isEncoded(path)) return url
  return path.replaceAll(malformed, text => isEncoded(text) ? text : text.replaceAll('%', '%25')) + (mark === -1 ? '' : url.slice(mark))
}

function isEncoded (text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** From here on everybody reads what the client sent. */
function restoreUrl (request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  const { raw, originalUrl } = request
  if (raw.url !== originalUrl && routableUrl({ url: originalUrl }) === raw.url) raw.url = originalUrl
  done()
}

/** Answers an error. For `setErrorHandler`, and as Fastify's `frameworkErrors` option. */
export function handleError (error: FastifyError | MediaError | Error, request: FastifyRequest, reply: FastifyReply): void {
  const failure = asMediaError(error)
  logFailure(failure, error, request)
  withoutOrigins(reply)
  for (const name of representationHeaders) reply.removeHeader(name)
  reply
    .code(failure.statusCode)
    .headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...failure.headers })
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problem(failure.code, { status: failure.statusCode, detail: failure.detail, requestId: request.id })))
}

/** What another server put on an answer that failed is about that answer: a cache would keep ours by it. */
function withoutOrigins (reply: FastifyReply): void {
  const { ownFields } = reply as FastifyReply & { readonly ownFields?: ReturnType<FastifyReply['getHeaders']> | null }
  if (ownFields === undefined || ownFields === null) return
  for (const name in reply.getHeaders()) reply.removeHeader(name)
  reply.headers(ownFields)
}

function handleNotFound (request: FastifyRequest, reply: FastifyReply): void {
  handleError(new MediaError('not-found'), request, reply)
}

function asMediaError (error: FastifyError | MediaError | Error): MediaError {
  if (error instanceof MediaError) return error
  const { statusCode = 500, code } = error as FastifyError
  const status = statusCode >= 400 && statusCode < 600 ? statusCode : 500
  // A malformed URL never reached our own reading of it.
  return new MediaError(code === 'FST_ERR_BAD_URL' ? 'bad-path' : failureOfStatus(status), { status, cause: error })
}

/** Our own faults and those of the file system, and why a client was refused where another's code refused it. */
function logFailure (failure: MediaError, error: Error, request: FastifyRequest): void {
  // Shedding load is no fault: a stack for each would be a second flood.
  if (failure.statusCode === 503 && failure.cause === undefined) request.log.warn({ code: failure.code, ...failure.context }, failure.message)
  else if (failure.statusCode >= 500) request.log.error({ err: failure.cause ?? error, code: failure.code, ...failure.context }, failure.message)
  else if (failure.context !== undefined) request.log.warn({ code: failure.code, ...failure.context }, failure.message)
  else if (failure !== error) request.log.info({ code: failure.code, reason: error.message }, failure.message)
}

const waiting = new WeakSet<Socket>()

/** Requests before the broken one get their answers, whole, before it gets its own. */
function answerAfter (answer: ServerResponse, error: Error & { code?: string }, socket: Socket): void {
  if (waiting.has(socket)) return
  waiting.add(socket)
  answer.once('close', function answerBroken () {
    waiting.delete(socket)
    handleClientError(error, socket)
  })
}

const parserFailures: Record<string, FailureCode> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout'
}

/**
 * Answers what Node.js could not parse. For Fastify's `clientErrorHandler` option: there is no
 * request yet, so the answer is written to the socket as it is.
 */
export function handleClientError (error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const { _httpMessage: answer } = socket as Socket & { _httpMessage?: ServerResponse | null }
  if (answer !== undefined && answer !== null) {
    if (answer.req.complete) {
      answerAfter(answer, error, socket)
      return
    }
    // It broke in the body of the very request that is being answered, whose rest will never come.
    if (answer.headersSent) {
      socket.destroy()
      return
    }
  }
  const document = problem(parserFailures[error.code ?? ''] ?? 'bad-request')
  const body = JSON.stringify(document)
  if (socket.writable) {
    socket.write(`HTTP/1.1 ${document.status} ${document.title}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n${body}`)
  }
  socket.destroySoon()
}

/** The client has left: its own doing. */
function isOfClient ({ name, code }: Error & { code?: string }): boolean {
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || name === 'ClientLeft'
}

/** Fastify's own lines about requests are off, since telemetry writes one; that a body broke off is no such line. */
class Faults extends LogController {
  override streamError (...[error, request]: Parameters<LogController['streamError']>): void {
    if (!isOfClient(error)) logFailure(asMediaError(error), error, request)
  }
}

/**
 * What a server of our own is made with, so that also what fails before a route is found is
 * answered as a problem. For `fastify({ ...serverOptions })`, and for `fastify start --options`.
 */
export const serverOptions = {
  frameworkErrors: handleError,
  clientErrorHandler: handleClientError,
  // telemetry writes one line a request, Fastify would write two
  logController: new Faults({ disableRequestLogging: true }),
  childLoggerFactory: (logger, bindings, options) => new LazyLog(logger, bindings, options) as unknown as FastifyBaseLogger,
  return503OnClosing: false,
  rewriteUrl: routableUrl,
  routerOptions: { maxParamLength: 4096 }, // IPX's modifiers are one segment
  http: { requireHostHeader: false } // the client plugin requires it, and answers with a problem
} satisfies FastifyHttpOptions<Server>
