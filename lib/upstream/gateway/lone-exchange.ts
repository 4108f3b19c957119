import { request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { fieldsOf } from '../attempt.ts'
import { isOfRequest, upstreamFailure } from '../failures.ts'
import type { Fields, UpstreamRequest, UpstreamResponse } from '../message.ts'
import { passableTrailers } from '../passed-fields.ts'
import type { OwnConnection, OwnConnections } from './own-connections.ts'
import { pairs } from '../trailing.ts'

/** A request on a connection of its own. */
export interface LoneRequest extends UpstreamRequest {
  /** The protocol that is asked for in place of HTTP. */
  readonly upgrade?: string
  /** Trailer fields, once the body has been read. */
  readonly trailers?: () => Fields | undefined
}

/** The origin has switched to another protocol (RFC 9110 §15.2.2): from here on its connection is the caller's. */
export interface Switched {
  readonly status: 101
  readonly headers: Fields
  readonly socket: Socket
  /** What came behind the head. */
  readonly early: Buffer
  /** To be called when the connection is done with. */
  end (): void
}

/**
 * Sends one request on a connection that is closed with it, by `node:http`, which knows upgrades
 * and the trailer fields of requests. Redirects, retries and resumption are no part of it.
 *
 * @throws {MediaError} one of the codes that begin with `upstream-`
 * @throws the signal's reason
 */
export async function exchangeAlone (connections: OwnConnections, request: LoneRequest): Promise<UpstreamResponse | Switched> {
  const { signal } = request
  signal?.throwIfAborted()
  const connection = await connections.connect(signal)
  const { options: { name, firstByteTimeoutMs, maxHeaderBytes } } = connections
  const leave = (): void => connection.end('neutral')
  const timer = setTimeout(() => { connection.socket.destroy(failure('UND_ERR_HEADERS_TIMEOUT')) }, firstByteTimeoutMs)
  if (request.body instanceof Readable) request.body.on('data', () => timer.refresh()) // what is still sent cannot be answered
  signal?.addEventListener('abort', leave, { once: true })
  try {
    const answer = await headOf(begin(connection, request, maxHeaderBytes), request)
    connection.lease.answered()
    return Array.isArray(answer) ? switched(connection, answer, request) : answered(connections, connection, answer)
  } catch (thrown) {
    const error = asOfUndici(thrown as Error & { code?: string })
    connection.end(signal?.aborted === true || isOfRequest(error) ? 'neutral' : 'bad')
    signal?.throwIfAborted()
    throw upstreamFailure(error, name, connection.lease.origin.label)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', leave)
  }
}

/** What undici would fail with. */
function failure (code: string): Error {
  return Object.assign(new Error('No answer came'), { code })
}

/** What `node:http` calls otherwise: a request that cannot be written, and what is no HTTP. */
function asOfUndici (error: Error & { code?: string }): Error & { code?: string } {
  const { code = '', message } = error
  if (/^ERR_(?:INVALID_CHAR|INVALID_HTTP_TOKEN|UNESCAPED_CHARACTERS)$/.test(code)) return Object.assign(new Error(message, { cause: error }), { code: 'UND_ERR_INVALID_ARG' })
  if (code.startsWith('HPE_')) error.name = 'HTTPParserError'
  return error
}

function begin ({ socket, lease: { origin } }: OwnConnection, request: LoneRequest, maxHeaderSize: number): ClientRequest {
  const { method, path, body, trailers } = request
  const options: RequestOptions = {
    createConnection: () => socket,
    setHost: false,
    method,
    path: origin.basePath + path,
    headers: { host: origin.url.host, ...framed(request) },
    maxHeaderSize
  }
  const outgoing = httpRequest(options)
  if (!(body instanceof Readable)) return outgoing.end(body)
  body.once('error', error => { outgoing.destroy(error) })
  body.once('end', () => finish(outgoing, trailers?.()))
  outgoing.flushHeaders() // a head that cannot be written fails here, where it is caught, and not at the first byte of the body
  body.pipe(outgoing, { end: false })
  return outgoing
}

/** Fields with those of the connection. `node:http` would not chunk the body of a GET by itself, and has no place for trailer fields then. */
function framed ({ headers, upgrade, trailers }: LoneRequest): Fields {
  if (upgrade !== undefined) return { ...headers, connection: 'Upgrade', upgrade }
  if (trailers === undefined) return { ...headers, connection: 'close' }
  const { 'content-length': _length, ...unframed } = headers
  return { ...unframed, connection: 'close', 'transfer-encoding': 'chunked' }
}

/** Node.js parses more than it writes: trailer fields that it does not write fail their request. */
function finish (outgoing: ClientRequest, trailers: Fields | undefined): void {
  try {
    if (trailers !== undefined) outgoing.addTrailers(pairs(trailers))
    outgoing.end()
  } catch (error) {
    outgoing.destroy(error as Error)
  }
}

async function headOf (outgoing: ClientRequest, { onInformation }: LoneRequest): Promise<IncomingMessage | [IncomingMessage, Socket, Buffer]> {
  return await new Promise((resolve, reject) => {
    outgoing.on('information', ({ statusCode, rawHeaders }) => onInformation?.(statusCode, fieldsOf(rawHeaders)))
    outgoing.once('response', resolve)
    outgoing.once('upgrade', (message, socket, early) => resolve([message, socket, early]))
    outgoing.on('error', reject)
    outgoing.once('close', () => reject(failure('ECONNRESET')))
  })
}

function switched (connection: OwnConnection, [message, socket, early]: [IncomingMessage, Socket, Buffer], { upgrade }: LoneRequest): Switched {
  if (upgrade === undefined || message.headers.upgrade?.toLowerCase() !== upgrade) throw new Error('bad upgrade')
  return { status: 101, headers: fieldsOf(message.rawHeaders), socket, early, end: () => connection.end('good') }
}

function answered ({ options: { name, idleTimeoutMs } }: OwnConnections, connection: OwnConnection, message: IncomingMessage): UpstreamResponse {
  const body = new PassThrough()
  const fail = (error: Error): void => { body.destroy(upstreamFailure(error, name, connection.lease.origin.label)) }
  if (idleTimeoutMs > 0) connection.socket.setTimeout(idleTimeoutMs, () => fail(failure('UND_ERR_BODY_TIMEOUT')))
  message.once('error', fail)
  body.once('close', () => connection.end(message.complete ? 'good' : body.errored === null ? 'neutral' : 'bad'))
  body.on('error', () => {}) // it may fail before it is read
  message.pipe(body)
  return {
    status: message.statusCode ?? 0,
    headers: fieldsOf(message.rawHeaders),
    body,
    trailers: () => passableTrailers(message.trailers)
  }
}
