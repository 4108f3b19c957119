import { Pool } from 'undici'
import type { FailureCode } from '../errors.ts'
import { Attempt } from '../upstream/attempt.ts'
import { upstreamFailure } from '../upstream/failures.ts'
import { guardedConnect } from '../upstream/guarded-connect.ts'
import type { Fields } from '../upstream/message.ts'
import { Places } from '../upstream/places.ts'

/** How a service is asked. */
export interface ServiceOptions {
  /** Its URL, with a query where it has one; `http` or `https`, whose certificate is always verified. */
  readonly url: string
  /** The most connections. */
  readonly connections: number
  /** The most requests that wait for one: clients who ask for ever more push against it. */
  readonly maxWaiting: number
  /** How long an answer may take, with waiting, connecting and its body, in milliseconds. */
  readonly timeoutMs: number
  /** The most bytes of an answer's body: a service that lies pushes against it. */
  readonly maxBytes: number
  /** The authorities that are trusted instead of the system's, in PEM. */
  readonly ca?: string | undefined
}

/** What a service is asked. */
export interface ServiceRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body?: Buffer | undefined
  /** Path and query instead of those of the URL. */
  readonly path?: string | undefined
}

/** What it answered: any status, redirects too. */
export interface ServiceAnswer {
  readonly status: number
  /** End-to-end fields by their lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** No answer came. `reason` says why in few fixed words, for the log. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly reason: string

  constructor (reason: string, cause?: unknown) {
    super(`No answer of the service: ${reason}`, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

const reasons: Partial<Record<FailureCode, string>> = {
  'bad-request': 'request cannot be sent',
  'upstream-refused': 'refused',
  'upstream-unresolved': 'name not found',
  'upstream-tls': 'not trusted',
  'upstream-connect-timeout': 'timed out',
  'upstream-timeout': 'timed out',
  'upstream-malformed': 'no valid HTTP'
}

/**
 * Asks a service that is part of deciding about access: one exchange within one time, nothing is
 * asked twice, and no redirect is followed, which could lead the credentials elsewhere.
 */
export class ServiceClient {
  readonly #pool: Pool
  readonly #places: Places
  readonly #path: string
  readonly #timeoutMs: number
  readonly #maxBytes: number

  constructor ({ url, connections, maxWaiting, timeoutMs, maxBytes, ca }: ServiceOptions) {
    const { origin, pathname, search } = new URL(url)
    this.#path = pathname + search
    this.#timeoutMs = timeoutMs
    this.#maxBytes = maxBytes
    this.#places = new Places(connections, maxWaiting)
    // One time counts for the whole exchange, so undici's own are off.
    this.#pool = new Pool(origin, { connect: guardedConnect({ addresses: 'any', connectTimeoutMs: timeoutMs, tls: { ca } }), connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  }

  /**
   * The answer, whatever its status.
   *
   * @throws {ServiceError} where there is none
   */
  async ask ({ method, headers, body, path = this.#path }: ServiceRequest): Promise<ServiceAnswer> {
    return await new Promise((resolve, reject) => {
      const exchange = new Exchange({ maxBytes: this.#maxBytes, timeoutMs: this.#timeoutMs }, { resolve, reject })
      const start = (): void => {
        exchange.onEnd = () => this.#places.leave()
        this.#pool.dispatch({ method, path, headers: { ...headers }, body: body ?? null }, exchange.attempt)
      }
      if (this.#places.take()) return start()
      const leave = this.#places.wait(start)
      if (leave === undefined) exchange.fail(new ServiceError('too many waiting'))
      else exchange.onEnd = leave
    })
  }

  /** Ends every connection; who still waits is told that there is no answer. */
  async close (): Promise<void> {
    await this.#pool.destroy()
  }
}

/** One request: gathers its answer, within its time and its size. */
class Exchange {
  readonly attempt: Attempt
  /** Gives back what it holds: a place, or one in the line. */
  onEnd: () => void = () => undefined
  readonly #timer: NodeJS.Timeout
  readonly #settle: { resolve: (answer: ServiceAnswer) => void, reject: (error: Error) => void }
  readonly #maxBytes: number
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #head: { status: number, headers: Fields } = { status: 0, headers: {} }

  constructor ({ maxBytes, timeoutMs }: { maxBytes: number, timeoutMs: number }, settle: { resolve: (answer: ServiceAnswer) => void, reject: (error: Error) => void }) {
    this.#settle = settle
    this.#maxBytes = maxBytes
    this.#timer = setTimeout(() => this.fail(new ServiceError('timed out')), timeoutMs)
    this.attempt = new Attempt(this, timeoutMs)
  }

  informed (): void { /* interim answers decide nothing */ }

  answered (status: number, headers: Fields): void {
    this.#head = { status, headers }
  }

  received (chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) this.fail(new ServiceError('answer too large'))
    else this.#chunks.push(chunk)
    return true
  }

  completed (): void {
    this.#end()
    this.#settle.resolve({ ...this.#head, body: Buffer.concat(this.#chunks) })
  }

  failed (error: Error): void {
    this.fail(new ServiceError(reasons[upstreamFailure(error, '').code] ?? 'connection ended', error))
  }

  fail (error: ServiceError): void {
    this.#end()
    this.attempt.cancel(error)
    this.#settle.reject(error)
  }

  #end (): void {
    clearTimeout(this.#timer)
    this.onEnd()
  }
}
