import type { Readable } from 'node:stream'
import { Pool, type buildConnector } from 'undici'
import type { UpstreamConfig } from '../config/schema.ts'
import { Exchange, type ExchangeEvent } from './exchange.ts'
import type { Attempt } from './attempt.ts'
import type { Sender, UpstreamRequest, UpstreamResponse } from './message.ts'
import { Origins, type Origin, type OriginEvent } from './origins.ts'
import { Places } from './places.ts'
import type { SocketBuffers } from './socket-buffers.ts'
import { RetryBudget } from './retry-budget.ts'
import type { Line } from './turn.ts'

/** What an upstream is opened with. */
export interface UpstreamOptions {
  /** Makes connections, by the upstream's policy of addresses and TLS. */
  readonly connect: buildConnector.connector
  /** What `connect` reads into, where it does: gets back what nobody reads any more. */
  readonly buffers?: SocketBuffers | undefined
  /** Told of origins that come and go, and of what was mended: for the log. */
  readonly onEvent?: (event: OriginEvent | ExchangeEvent) => void
}

/** Streams of one HTTP/2 connection, as most servers allow them. */
const STREAMS_PER_CONNECTION = 100

/** The servers behind one name: a {@link Sender} that balances, retries, and mends downloads. */
export class Upstream implements Sender {
  readonly name: string
  readonly config: UpstreamConfig
  readonly origins: Origins
  /** The same servers over connections of their own, for bodies that do not end. */
  readonly live: Sender
  readonly #pools: Pool[] = []
  readonly #liveBodies = new Set<Readable>()
  readonly #send: (request: UpstreamRequest) => Exchange

  constructor (name: string, config: UpstreamConfig, options: UpstreamOptions) {
    this.name = name
    this.config = config
    this.origins = new Origins({ name, origins: config.origins, balance: config.balance, ejectAfter: config.ejectAfter, ejectMs: config.ejectMs, ...(options.onEvent === undefined ? {} : { onChange: options.onEvent }) })
    const budget = new RetryBudget(config.retryBudget)
    const starter = (live: boolean): ((request: UpstreamRequest) => Exchange) => {
      const lines = new Map<Origin, Line>()
      const context = {
        name,
        origins: this.origins,
        buffers: options.buffers,
        budget,
        retries: config.retries,
        resumes: config.resumes,
        maxWaitMs: config.firstByteTimeoutMs,
        ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
        lineTo: (origin: Origin): Line => {
          let line = lines.get(origin)
          if (line === undefined) lines.set(origin, line = this.#lineTo(origin, { live, connect: options.connect }))
          return line
        }
      }
      return request => new Exchange(context, request)
    }
    this.#send = starter(false)
    const sendLive = starter(true)
    this.live = { name, send: async request => this.#remember(await answerOf(sendLive, request)) }
  }

  async send (request: UpstreamRequest): Promise<UpstreamResponse> {
    return await answerOf(this.#send, request)
  }

  /** As `send`, for who cancels the exchange himself: an abort signal costs more than all the rest. */
  begin (request: Omit<UpstreamRequest, 'signal'>): Exchange {
    return this.#send(request)
  }

  /** Ends bodies that came over connections for what has no end. */
  endLive (): void {
    for (const body of this.#liveBodies) body.destroy()
  }

  #remember (response: UpstreamResponse): UpstreamResponse {
    const { body } = response
    if (Buffer.isBuffer(body)) return response
    this.#liveBodies.add(body)
    body.once('close', () => this.#liveBodies.delete(body))
    return response
  }

  /** Lets what is under way come to its end, and then ends every connection. */
  async retire (): Promise<void> {
    await Promise.all(this.#pools.map(async pool => await pool.close()))
  }

  /** Ends every connection. */
  async close (): Promise<void> {
    await Promise.all(this.#pools.map(async pool => await pool.destroy()))
  }

  #lineTo (origin: Origin, { live, connect }: { live: boolean, connect: buildConnector.connector }): Line {
    const { config } = this
    const connections = live ? config.liveConnections : config.connections
    const pool = new Pool(origin.url.origin, {
      connect,
      connections,
      pipelining: 1,
      allowH2: config.http2,
      headersTimeout: config.firstByteTimeoutMs,
      bodyTimeout: live ? config.liveIdleTimeoutMs : config.idleTimeoutMs,
      keepAliveTimeout: config.keepAliveMs,
      keepAliveMaxTimeout: config.keepAliveMs,
      maxHeaderSize: config.maxHeaderBytes
    })
    this.#pools.push(pool)
    // One name for all: undici would take that of `Host`, and make a new connection for each client's.
    const servername = config.tls?.servername ?? origin.url.hostname
    const isOverHttp2 = config.http2 && origin.url.protocol === 'https:'
    return {
      places: new Places(isOverHttp2 ? connections * STREAMS_PER_CONNECTION : connections, config.maxWaiting),
      dispatch ({ method, path, headers, body }: UpstreamRequest, attempt: Attempt) {
        const options = { method, path: origin.basePath + path, headers, servername, ...(body === undefined ? {} : { body }) }
        pool.dispatch(options, attempt)
      }
    }
  }
}

async function answerOf (start: (request: UpstreamRequest) => Exchange, request: UpstreamRequest): Promise<UpstreamResponse> {
  const { signal } = request
  signal?.throwIfAborted()
  const exchange = start(request)
  if (signal === undefined) return await exchange.response
  const leave = (): void => exchange.cancel(signal.reason as Error)
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await exchange.response
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
