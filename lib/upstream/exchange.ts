import { MediaError } from '../errors.ts'
import { Attempt, type AttemptListener } from './attempt.ts'
import { downloadOf, isRest, lengthOf, requestOfRest, type Download } from './download.ts'
import { upstreamFailure } from './failures.ts'
import type { Fields, UpstreamRequest, UpstreamResponse } from './message.ts'
import type { Origin, OriginLease, Origins } from './origins.ts'
import type { Places } from './places.ts'
import type { RetryBudget } from './retry-budget.ts'
import { UpstreamBody, type BodySource } from './upstream-body.ts'

/** Connections to one origin. */
export interface Line {
  readonly places: Places
  dispatch (request: UpstreamRequest, attempt: Attempt): void
}

/** What all exchanges of one upstream share. */
export interface ExchangeContext {
  readonly name: string
  readonly origins: Origins
  readonly budget: RetryBudget
  readonly retries: number
  readonly resumes: number
  /** Milliseconds that a request may wait for a connection. */
  readonly maxWaitMs: number
  lineTo (origin: Origin): Line
  /** Told of what was mended, for the log. */
  onEvent? (event: ExchangeEvent): void
}

/** What went wrong with an origin and may have been mended. */
export interface ExchangeEvent {
  readonly kind: 'retried' | 'resumed'
  readonly origin: string
  readonly error: Error
}

/** Methods that may be sent again when nobody knows whether they arrived (RFC 9110 §9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Bytes that are gathered before a body is known to be a stream. */
const GATHERED_BYTES = 64 * 1024
/** Turns of the event loop that a short body may take to come with its head. */
const GATHERING_TURNS = 2
/** Milliseconds before an origin is asked for the rest a second time, and longer each time. */
const RESUME_DELAY_MS = 100

/** The code of an address that may not be connected to. */
const FORBIDDEN = 'UPSTREAM_FORBIDDEN_ADDRESS'

const nothing = Buffer.alloc(0)

/** One request of a client, over as many attempts as it takes. */
export class Exchange implements AttemptListener, BodySource {
  readonly response: Promise<UpstreamResponse>
  readonly #context: ExchangeContext
  readonly #request: UpstreamRequest
  #resolve!: (response: UpstreamResponse) => void
  #reject!: (error: Error) => void
  #attempt: Attempt | undefined
  #lease: OriginLease | undefined
  #line: Line | undefined
  #stopWaiting: (() => void) | undefined
  #tried: Set<Origin> | undefined
  #failure: MediaError | undefined
  #attempts = 0
  #resumed = 0
  #head: { status: number, headers: Fields } | undefined
  #download: Download | undefined
  #early: Buffer[] = []
  #earlyBytes = 0
  #received = 0
  #body: UpstreamBody | undefined
  #flow: (() => void) | undefined
  #isOver = false

  constructor (context: ExchangeContext, request: UpstreamRequest) {
    this.#context = context
    this.#request = request
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    context.budget.request()
    this.#begin(request)
  }

  /** Who asked has left. */
  cancel (reason: Error): void {
    if (this.#isOver) return
    this.#end('neutral', reason)
    if (this.#body !== undefined) this.#body.destroy(reason)
    else this.#reject(reason)
  }

  /** Takes an origin, and a place among its connections. */
  #begin (request: UpstreamRequest): void {
    try {
      this.#attempts++
      const lease = this.#context.origins.lease(this.#tried)
      this.#lease = lease
      const line = this.#context.lineTo(lease.origin)
      if (line.places.take()) this.#send(line, request)
      else this.#waitFor(line, request)
    } catch (error) {
      // What began it tells more than that now nobody is left to be asked.
      this.#giveUp(this.#failure ?? error as Error)
    }
  }

  #waitFor (line: Line, request: UpstreamRequest): void {
    const full = (): MediaError => new MediaError('upstream-busy', { detail: `Too many requests wait for the upstream ${this.#context.name}`, headers: { 'retry-after': '1' }, context: { upstream: this.#context.name } })
    const leave = line.places.wait(() => {
      this.#stopWaiting?.()
      this.#send(line, request)
    })
    if (leave === undefined) throw full()
    const timer = setTimeout(() => {
      leave()
      this.#giveUp(full())
    }, this.#context.maxWaitMs)
    this.#stopWaiting = () => {
      this.#stopWaiting = undefined
      clearTimeout(timer)
      leave()
    }
  }

  #send (line: Line, request: UpstreamRequest): void {
    this.#line = line
    this.#attempt = new Attempt(this)
    line.dispatch(request, this.#attempt)
  }

  informed (status: number, headers: Fields): void {
    if (this.#head === undefined) this.#request.onInformation?.(status, headers)
  }

  answered (status: number, headers: Fields, resume: () => void): void {
    this.#lease?.answered()
    this.#flow = resume
    if (this.#head !== undefined) {
      if (this.#download === undefined || !isRest(this.#download, this.#received, { status, headers })) {
        this.#attempt?.cancel(new Error('The rest is no longer there'))
        this.#resumed = Infinity
        this.failed(new Error('What the origin has is no longer what it began to send'))
      }
      return
    }
    this.#head = { status, headers }
    this.#download = downloadOf(this.#request, status, headers)
    if ((lengthOf(headers) ?? 0) > GATHERED_BYTES) this.#stream()
    else setImmediate(() => this.#gather(GATHERING_TURNS - 1))
  }

  /** A short body mostly comes with its head, or in the next turn: then it is sent in one piece. */
  #gather (turns: number): void {
    if (this.#isOver || this.#body !== undefined || this.#head === undefined) return
    if (turns > 0 && lengthOf(this.#head.headers) !== undefined) setImmediate(() => this.#gather(turns - 1))
    else this.#stream()
  }

  #stream (): void {
    if (this.#head === undefined || this.#body !== undefined) return
    const body = new UpstreamBody(this)
    this.#body = body
    for (const chunk of this.#early) body.receive(chunk)
    this.#early = []
    this.#resolve({ ...this.#head, body, trailers: () => body.trailers })
  }

  received (chunk: Buffer): boolean {
    this.#received += chunk.length
    if (this.#body !== undefined) return this.#body.receive(chunk)
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes < GATHERED_BYTES) return true
    this.#stream()
    return false
  }

  completed (trailers: Fields | undefined): void {
    if (this.#head === undefined) return
    const { end, start = 0 } = this.#download ?? {}
    if (end !== undefined && this.#resumed > 0 && this.#received !== end - start + 1) {
      this.failed(new Error('The rest has another length than it should have'))
      return
    }
    this.#end('good')
    if (trailers !== undefined) this.#stream() // they travel behind a stream alone
    if (this.#body !== undefined) this.#body.complete(trailers)
    else this.#resolve({ ...this.#head, body: this.#early.length < 2 ? this.#early[0] ?? nothing : Buffer.concat(this.#early, this.#earlyBytes), trailers: () => undefined })
  }

  failed (error: Error): void {
    if (this.#isOver) return
    const origin = this.#lease?.origin
    this.#leave((error as { code?: string }).code === FORBIDDEN ? 'neutral' : 'bad') // our own refusal says nothing of the origin
    this.#failure ??= upstreamFailure(error, this.#context.name, origin?.label)
    if (this.#head === undefined && this.#mayRetry(error)) {
      if (origin !== undefined) (this.#tried ??= new Set()).add(origin)
      this.#context.onEvent?.({ kind: 'retried', origin: origin?.label ?? '', error })
      this.#begin(this.#request)
    } else if (this.#download !== undefined && this.#resumed < this.#context.resumes) {
      this.#context.onEvent?.({ kind: 'resumed', origin: origin?.label ?? '', error })
      this.#resume(this.#download)
    } else {
      this.#giveUp(this.#failure)
    }
  }

  #mayRetry ({ code }: Error & { code?: string }): boolean {
    const { method, body } = this.#request
    // An origin that takes too long is not asked twice: that would double its load.
    return body === undefined && idempotent.has(method) && code !== 'UND_ERR_HEADERS_TIMEOUT' && code !== FORBIDDEN && this.#attempts <= this.#context.retries && this.#context.budget.take()
  }

  #resume (download: Download): void {
    const { end, start } = download
    if (end !== undefined && this.#received === end - start + 1) {
      this.completed(undefined) // all of it had come
      return
    }
    const again = (): void => {
      this.#stopWaiting = undefined
      this.#begin(requestOfRest(this.#request, download, this.#received))
    }
    this.#resumed++
    if (this.#resumed === 1) {
      again()
      return
    }
    const timer = setTimeout(again, RESUME_DELAY_MS * 2 ** (this.#resumed - 2))
    this.#stopWaiting = () => {
      this.#stopWaiting = undefined
      clearTimeout(timer)
    }
  }

  resume (): void {
    this.#flow?.()
  }

  abandon (reason: Error): void {
    if (!this.#isOver) this.#end('neutral', reason)
  }

  #giveUp (error: Error): void {
    if (this.#isOver) return
    this.#end('neutral')
    const failure = upstreamFailure(error, this.#context.name)
    if (this.#body === undefined) this.#reject(failure)
    else this.#body.destroy(failure)
  }

  #end (outcome: 'good' | 'neutral', reason?: Error): void {
    this.#isOver = true
    this.#stopWaiting?.()
    if (reason !== undefined) this.#attempt?.cancel(reason)
    this.#leave(outcome)
  }

  /** Gives back the origin, and the place among its connections. */
  #leave (outcome: 'good' | 'bad' | 'neutral'): void {
    this.#lease?.end(outcome)
    this.#lease = undefined
    this.#line?.places.leave()
    this.#line = undefined
    this.#flow = undefined
  }
}
