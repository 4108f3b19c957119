import type { MediaError } from '../errors.ts'
import { Attempt, type AttemptListener } from './attempt.ts'
import { downloadOf, lengthOf, requestOfRest, restOf, type Download } from './download.ts'
import { upstreamFailure } from './failures.ts'
import type { Fields, UpstreamRequest, UpstreamResponse } from './message.ts'
import type { Origin } from './origins.ts'
import { isRepeatable, MAX_STALE, verdictOn } from './retrying.ts'
import type { RetryBudget } from './retry-budget.ts'
import { Turn, type Line, type TurnContext } from './turn.ts'
import type { SocketBuffers } from './socket-buffers.ts'
import { UpstreamBody, type BodySource } from './upstream-body.ts'

/** What all exchanges of one upstream share. */
export interface ExchangeContext extends TurnContext {
  readonly budget: RetryBudget
  readonly retries: number
  readonly resumes: number
  /** What connections read into, which gets back what nobody reads any more. */
  readonly buffers?: SocketBuffers | undefined
  /** Told of what was mended, for the log. */
  onEvent? (event: ExchangeEvent): void
}

/** What went wrong with an origin and may have been mended. */
export interface ExchangeEvent {
  readonly kind: 'retried' | 'resumed'
  readonly origin: string
  readonly error: Error
}

/** Bytes that are gathered before a body is known to be a stream. */
const GATHERED_BYTES = 64 * 1024
/** Turns of the event loop that a short body may take to come with its head. */
const GATHERING_TURNS = 2
/** Milliseconds before an origin is asked for the rest a second time, and longer each time. */
const RESUME_DELAY_MS = 100

const nothing = Buffer.alloc(0)

/** One request of a client, over as many attempts as it takes. */
export class Exchange implements AttemptListener, BodySource {
  readonly response: Promise<UpstreamResponse>
  readonly #context: ExchangeContext
  readonly #request: UpstreamRequest
  #resolve!: (response: UpstreamResponse) => void
  #reject!: (error: Error) => void
  #attempt: Attempt | undefined
  #turn: Turn | undefined
  #pause: NodeJS.Timeout | undefined
  #tried: Set<Origin> | undefined
  #failure: MediaError | undefined
  #retried = 0
  #stale = 0
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

  #begin (request: UpstreamRequest): void {
    try {
      this.#turn = new Turn(this.#context, this.#tried)
      this.#turn.take(this.#context, line => this.#send(line, request), error => this.#giveUp(error))
    } catch (error) {
      // What began it tells more than that now nobody is left to be asked.
      this.#giveUp(this.#failure ?? error as Error)
    }
  }

  #send (line: Line, request: UpstreamRequest): void {
    this.#attempt = new Attempt(this, this.#context.maxWaitMs, this.#context.buffers)
    line.dispatch(request, this.#attempt)
  }

  informed (status: number, headers: Fields): void {
    if (this.#head === undefined) this.#request.onInformation?.(status, headers)
  }

  answered (status: number, headers: Fields, resume: () => void): void {
    this.#turn?.answered()
    this.#flow = resume
    if (this.#head !== undefined) {
      this.#download &&= restOf(this.#download, this.#received, { status, headers })
      if (this.#download === undefined) this.#refuseRest('What the origin has is no longer what it began to send')
      return
    }
    this.#head = { status, headers }
    this.#download = downloadOf(this.#request, status, headers)
    if ((lengthOf(headers) ?? 0) > GATHERED_BYTES) this.#stream()
    else queueMicrotask(() => this.#gather(GATHERING_TURNS)) // by then most are whole
  }

  /** Ends a download whose rest is none: another attempt would not make it better. */
  #refuseRest (why: string): void {
    const error = new Error(why)
    this.#resumed = Infinity
    this.#attempt?.cancel(error)
    this.failed(error)
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
    if (this.#resumed > 0 && this.#isTooMuch()) {
      this.#refuseRest('The rest is longer than it should be')
      return true
    }
    if (this.#body !== undefined) return this.#body.receive(chunk)
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes < GATHERED_BYTES) return true
    this.#stream()
    return false
  }

  /** Beyond the length that a client was told the next answer begins: not one byte more may be passed on. */
  #isTooMuch (): boolean {
    const { end, start = 0 } = this.#download ?? {}
    return end !== undefined && this.#received > end - start + 1
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
    else this.#resolve({ ...this.#head, body: this.#whole(), trailers: () => undefined })
  }

  /** All of the body, in bytes of its own. */
  #whole (): Buffer {
    const [first = nothing] = this.#early
    if (this.#early.length < 2 && this.#context.buffers?.isLent(first) !== true) return first
    const whole = Buffer.concat(this.#early, this.#earlyBytes)
    for (const chunk of this.#early) this.taken(chunk)
    return whole
  }

  failed (error: Error): void {
    if (this.#isOver) return
    const { isFinal, outcome, isStale } = verdictOn(error, this.#request)
    const origin = this.#turn?.origin
    const isForgiven = isStale && this.#head === undefined && this.#stale < MAX_STALE
    this.#leave(isForgiven ? 'neutral' : outcome)
    this.#failure ??= upstreamFailure(error, this.#context.name, origin?.label)
    const { label = '' } = origin ?? {}
    if (this.#head === undefined && !isFinal && this.#mayRetry(isForgiven)) {
      if (origin !== undefined && !isForgiven) (this.#tried ??= new Set()).add(origin)
      this.#context.onEvent?.({ kind: 'retried', origin: label, error })
      this.#begin(this.#request)
    } else if (this.#download !== undefined && this.#resumed < this.#context.resumes) {
      this.#context.onEvent?.({ kind: 'resumed', origin: label, error })
      this.#resume(this.#download)
    } else {
      this.#giveUp(this.#failure)
    }
  }

  #mayRetry (isForgiven: boolean): boolean {
    if (!isRepeatable(this.#request)) return false
    if (isForgiven) return ++this.#stale <= MAX_STALE
    return this.#retried < this.#context.retries && this.#context.budget.take() && ++this.#retried > 0
  }

  #resume (download: Download): void {
    const { end, start } = download
    if (end !== undefined && this.#received === end - start + 1) {
      this.completed(undefined) // all of it had come
      return
    }
    const again = (): void => this.#begin(requestOfRest(this.#request, download, this.#received))
    this.#resumed++
    if (this.#resumed === 1) again()
    else this.#pause = setTimeout(again, RESUME_DELAY_MS * 2 ** (this.#resumed - 2))
  }

  resume (): void {
    this.#flow?.()
  }

  taken (chunk: Buffer): void {
    this.#context.buffers?.release(chunk)
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
    clearTimeout(this.#pause)
    if (reason !== undefined) this.#attempt?.cancel(reason)
    this.#leave(outcome)
  }

  #leave (outcome: 'good' | 'bad' | 'neutral'): void {
    this.#turn?.end(outcome)
    this.#flow = undefined
  }
}
