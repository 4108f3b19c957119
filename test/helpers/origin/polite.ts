import { EventEmitter } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http'
import type { Test } from '../app.ts'
import { watched, type Watched } from './watch.ts'

/** A request that an origin got. */
export interface OriginRequest {
  readonly method: string
  /** As it stood on the wire. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  /** What was sent along, where the origin was asked to gather it. */
  body: Buffer | undefined
  /** Whether the one who asked left before the answer was out. */
  aborted: boolean
  /** Whether the answer is out. */
  answered: boolean
}

/** An origin that counts what it is asked. `events` also tells `request`, `aborted` and `answered`, each with the request. */
export interface Origin extends Watched {
  readonly requests: readonly OriginRequest[]
  /** How many requests were given up by the one who asked. */
  readonly aborted: number
}

/** How an origin answers. */
export type Handler = (request: IncomingMessage, response: ServerResponse, record: OriginRequest) => unknown

/** Choices for {@link origin}. */
export interface OriginOptions extends ServerOptions {
  /** Whether bodies are gathered before the handler is called. */
  gather?: boolean
}

async function gathered (request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Lists requests and tells events of them, the same over TLS and HTTP/2. */
export interface Recorder {
  readonly events: EventEmitter
  readonly requests: OriginRequest[]
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void
}

/** What stands between a server and its handler. */
export function recorder (handler: Handler, gather = false): Recorder {
  const events = new EventEmitter()
  const requests: OriginRequest[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse, record: OriginRequest): Promise<void> => {
    try {
      if (gather) record.body = await gathered(request)
      await handler(request, response, record)
    } catch {
      response.destroy() // who asked left, or the handler is at fault: the test sees the broken answer
    }
  }
  const listener: Recorder['listener'] = (request, response) => {
    const record: OriginRequest = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, rawHeaders: request.rawHeaders, body: undefined, aborted: false, answered: false }
    requests.push(record)
    request.on('error', () => {})
    response.on('error', () => {})
    response.on('close', () => {
      record.answered = response.writableEnded && response.writableFinished // over HTTP/2 a stream that was cut counts as finished
      record.aborted = !record.answered
      events.emit(record.answered ? 'answered' : 'aborted', record)
    })
    events.emit('request', record)
    void answer(request, response, record)
  }
  return { events, requests, listener }
}

/** Adds what a recorder saw to a watched server. */
export function withRequests (server: Watched, { requests }: Recorder): Origin {
  return Object.defineProperties(server, {
    requests: { value: requests },
    aborted: { get: () => requests.filter(request => request.aborted).length }
  }) as Origin
}

/**
 * A well-behaved HTTP/1.1 origin of `node:http` on loopback, closed after the test.
 *
 * @param handler answers; what it throws ends the connection
 * @param options those of `node:http`, and whether bodies are gathered first
 */
export async function origin (t: Test, handler: Handler, options: OriginOptions = {}): Promise<Origin> {
  const { gather, ...rest } = options
  const seen = recorder(handler, gather)
  return withRequests(await watched(t, createServer({ keepAliveTimeout: 60_000, ...rest }, seen.listener), seen), seen)
}
