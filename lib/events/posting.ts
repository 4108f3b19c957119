import { Pool } from 'undici'
import { Attempt, type AttemptListener } from '../upstream/attempt.ts'
import { upstreamFailure } from '../upstream/failures.ts'
import { guardedConnect } from '../upstream/guarded-connect.ts'
import type { Fields } from '../upstream/message.ts'

/** Bytes of an answer that are read, and thrown away, for the sake of the connection: a receiver that sends more loses it. */
const MAX_ANSWER_BYTES = 65_536

/** To whom is posted. */
export interface MailboxOptions {
  /** `http` or `https`, whose certificate is always verified. */
  readonly url: string
  /** The most at once; whoever posts keeps to it. */
  readonly connections: number
  /** How long one may take, with connecting and the answer, in milliseconds. */
  readonly timeoutMs: number
  /** The authorities that are trusted instead of the system's, in PEM. */
  readonly ca?: string | undefined
}

/** What was answered: of it only the head counts. */
export interface PostAnswer {
  readonly status: number
  readonly headers: Fields
}

/** No answer came. `reason` says why in few fixed words. */
export class PostError extends Error {
  override readonly name = 'PostError'
  readonly reason: string

  constructor (reason: string, cause?: unknown) {
    super(`No answer: ${reason}`, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

/** Posts to one URL. Follows no redirect, which could lead messages elsewhere; reads no answer. */
export class Mailbox {
  readonly #pool: Pool
  readonly #path: string
  readonly #timeoutMs: number

  constructor ({ url, connections, timeoutMs, ca }: MailboxOptions) {
    const { origin, pathname, search } = new URL(url)
    this.#path = pathname + search
    this.#timeoutMs = timeoutMs
    // One time counts for the whole exchange, so undici's own are off.
    this.#pool = new Pool(origin, { connect: guardedConnect({ addresses: 'any', connectTimeoutMs: timeoutMs, tls: { ca } }), connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  }

  /**
   * The head of the answer, whatever its status, once its body is over or cut off.
   *
   * @throws {PostError} where there is none
   */
  async post (headers: Readonly<Record<string, string>>, body: string): Promise<PostAnswer> {
    return await new Promise((resolve, reject) => {
      const posting = new Posting(this.#timeoutMs, { resolve, reject })
      this.#pool.dispatch({ method: 'POST', path: this.#path, headers: { ...headers }, body }, posting.attempt)
    })
  }

  /** Ends every connection; who still waits is told that there is no answer. */
  async close (): Promise<void> {
    await this.#pool.destroy()
  }
}

/** One request, within its time. */
class Posting implements AttemptListener {
  readonly attempt: Attempt
  readonly #timer: NodeJS.Timeout
  readonly #settle: { resolve: (answer: PostAnswer) => void, reject: (error: Error) => void }
  #head: PostAnswer | undefined
  #bytes = 0

  constructor (timeoutMs: number, settle: { resolve: (answer: PostAnswer) => void, reject: (error: Error) => void }) {
    this.#settle = settle
    this.attempt = new Attempt(this, timeoutMs)
    this.#timer = setTimeout(() => this.#cut(new PostError('timed out')), timeoutMs)
  }

  informed (): void { /* interim answers say nothing */ }

  answered (status: number, headers: Fields): void {
    this.#head = { status, headers }
  }

  received (chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes > MAX_ANSWER_BYTES) this.#cut(new PostError('answer too large'))
    return true
  }

  completed (): void {
    this.#end(new PostError('no answer'))
  }

  failed (error: Error): void {
    this.#end(new PostError(upstreamFailure(error, '').code.replace(/^upstream-/, '').replaceAll('-', ' '), error))
  }

  #cut (error: PostError): void {
    this.#end(error)
    this.attempt.cancel(error)
  }

  /** With the head the message is told: how the body ends is of no matter. */
  #end (error: PostError): void {
    clearTimeout(this.#timer)
    if (this.#head === undefined) this.#settle.reject(error)
    else this.#settle.resolve(this.#head)
  }
}
