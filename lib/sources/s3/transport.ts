import { setTimeout as wait } from 'node:timers/promises'
import type { UpstreamConfig } from '../../config/schema.ts'
import type { S3Config } from '../../config/writing-schema.ts'
import { MediaError } from '../../errors.ts'
import type { Fields, Sender, UpstreamResponse } from '../../upstream/message.ts'
import { openUpstreams, type UpstreamLog } from '../../upstream/registry.ts'
import { RetryBudget } from '../../upstream/retry-budget.ts'
import { addressOf, encodeQuery, type Address } from './address.ts'
import { awayFailure, failureOf, isPassing, reasonOf } from './failures.ts'
import { bodyOf, nothing, type Payload } from './payload.ts'
import { Signer } from './signing.ts'

/** What is asked of a store. */
export interface S3Request {
  readonly method: string
  /** The object; the bucket itself without one. */
  readonly object?: string | undefined
  readonly query?: Readonly<Record<string, string>> | undefined
  /** Fields that are signed: their names begin with `x-amz-`. */
  readonly signed?: Readonly<Record<string, string>> | undefined
  /** Further fields. */
  readonly headers?: Fields | undefined
  readonly payload?: Payload | undefined
  readonly signal?: AbortSignal | undefined
}

/** Attempts for one request. Each of ours may be repeated: what that leaves behind is told where it is asked. */
const MAX_ATTEMPTS = 3
/** Milliseconds before the second attempt; twice as long before the next, and up to half more or less. */
const RETRY_MS = 100
/** Retries for each request: a store that is overloaded must not be asked three times as much. */
const RETRY_SHARE = 0.2
/** The longest that a connection may take to be made, in milliseconds. */
const CONNECT_MS = 5000
/** Milliseconds after which a store that failed is tried again: it is out about twice as long as it was away. */
const EJECT_MS = 250

const silent: UpstreamLog = { info () {}, warn () {} }

/** Failures of a connection: another one may do. A store that is silent is not asked twice, which would double its load. */
const interrupted = new Set(['upstream-refused', 'upstream-reset'])

/**
 * Signed requests to one bucket, over connections of our own upstreams: bounded, with verified TLS, idle
 * limits, and downloads that go on where they broke off. Redirects are not followed.
 */
export class S3Transport {
  readonly name: string
  readonly bucket: string
  readonly #sender: Sender
  readonly #address: Address
  readonly #signer: Signer
  readonly #close: () => Promise<void>
  readonly #log: UpstreamLog
  readonly #budget = new RetryBudget(RETRY_SHARE)

  private constructor ({ name, bucket, sender, address, signer, log, close }: { name: string, bucket: string, sender: Sender, address: Address, signer: Signer, log: UpstreamLog, close: () => Promise<void> }) {
    this.name = name
    this.bucket = bucket
    this.#sender = sender
    this.#address = address
    this.#signer = signer
    this.#log = log
    this.#close = close
  }

  /** Connects to nothing yet. @throws where a file with a secret or an authority cannot be read */
  static async open (config: S3Config, { name, log = silent }: { name: string, log?: UpstreamLog | undefined }): Promise<S3Transport> {
    const address = addressOf(config)
    const signer = await Signer.open(config)
    const upstreams = await openUpstreams({ upstreams: { [name]: upstreamOf(config, address) } }, log)
    return new S3Transport({ name, bucket: config.bucket, sender: upstreams.named(name) as Sender, address, signer, log, close: async () => await upstreams.close() })
  }

  /**
   * An answer of success, its body to be read.
   *
   * @throws {S3Failure} for every other, and where none came
   * @throws the signal's reason
   */
  async send (request: S3Request): Promise<UpstreamResponse> {
    this.#budget.request()
    for (let attempt = 1; ; attempt++) {
      const { response, failure, again } = await this.#attempt(request)
      if (response !== undefined) return response
      if (!again || attempt === MAX_ATTEMPTS || !this.#budget.take()) throw failure
      this.#log.warn({ store: this.name, method: request.method, err: failure }, 'A request to an object store is sent again')
      await wait(RETRY_MS * 2 ** (attempt - 1) * (0.5 + Math.random()), undefined, { signal: request.signal }).catch(() => undefined)
      request.signal?.throwIfAborted()
    }
  }

  /** A URL by which whoever has it may ask for an object. @throws {MediaError} `bad-path` */
  async presign ({ method, object, query }: Pick<S3Request, 'method' | 'object' | 'query'>, seconds: number): Promise<string> {
    return await this.#signer.url({ method, url: this.#address.origin + this.#target({ object, query: this.#signer.signs ? query : undefined }) }, seconds)
  }

  /** Ends every connection. */
  async close (): Promise<void> {
    await this.#close()
  }

  #target ({ object, query = {} }: Pick<S3Request, 'object' | 'query'>): string {
    return this.#address.pathOf(object) + encodeQuery(query)
  }

  async #attempt (request: S3Request): Promise<{ readonly response?: UpstreamResponse, readonly failure?: MediaError, readonly again?: boolean }> {
    let response: UpstreamResponse
    try {
      response = await this.#ask(request)
    } catch (error) {
      if (!(error instanceof MediaError) || !error.code.startsWith('upstream-')) throw error
      return { failure: awayFailure(this.name, error), again: interrupted.has(error.code) }
    }
    if (response.status >= 200 && response.status < 300) return { response }
    const reason = await reasonOf(response)
    return { failure: failureOf(this.name, response, reason), again: isPassing(response.status, reason) }
  }

  async #ask ({ method, object, query, signed, headers, payload, signal }: S3Request): Promise<UpstreamResponse> {
    const path = this.#target({ object, query })
    const own = await this.#signer.fields({ method, url: this.#address.origin + path, headers: { 'x-amz-content-sha256': (payload ?? nothing).sha256, ...signed } })
    const body = payload === undefined ? undefined : bodyOf(payload)
    return await this.#sender.send({
      method,
      path,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'fastify-media', ...headers, ...own, ...(payload === undefined ? {} : { 'content-length': String(payload.bytes) }) },
      ...(body === undefined ? {} : { body }),
      signal
    })
  }
}

/** A store as an upstream. What is sent again is decided here, where the answers are understood. */
function upstreamOf ({ connections, timeoutMs, ca }: S3Config, { origin }: Address): UpstreamConfig {
  return {
    origins: [{ url: origin, weight: 1, drain: false }],
    balance: 'round-robin',
    addresses: 'any',
    host: 'origin',
    connections,
    liveConnections: 1,
    maxWaiting: 1024,
    connectTimeoutMs: Math.min(CONNECT_MS, timeoutMs),
    firstByteTimeoutMs: timeoutMs,
    idleTimeoutMs: timeoutMs,
    liveIdleTimeoutMs: timeoutMs,
    keepAliveMs: 10_000,
    maxHeaderBytes: 64 * 1024,
    retries: 0,
    retryBudget: 0,
    resumes: 3,
    ejectAfter: 5,
    ejectMs: EJECT_MS,
    http2: false,
    ...(ca === undefined ? {} : { tls: { ca } })
  }
}
