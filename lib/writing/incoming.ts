import { Readable } from 'node:stream'
import { MediaError } from '../errors.ts'
import { ClientLeft } from '../http/client-left.ts'
import type { Incoming } from '../sources/writing.ts'

/** How much may come, and how patiently it is waited for. */
export interface IncomingLimits {
  readonly maxBytes: number
  /** Bytes that were announced. */
  readonly size?: number | undefined
  /** Milliseconds in which nothing may come. */
  readonly stallMs: number
  /** Milliseconds for all of it. */
  readonly timeoutMs: number
}

/**
 * Takes bytes as they come, within limits. What refuses leaves the rest unread, and the stream as it is: whoever
 * answers decides what becomes of the connection.
 */
export class IncomingBytes {
  readonly #iterator: AsyncIterator<Buffer>
  readonly #limits: IncomingLimits
  readonly #body: Readable | undefined
  #bytes = 0
  #late: MediaError | undefined
  #fail: (reason: unknown) => void = () => undefined

  /** @throws {MediaError} `body-too-large` where more was announced than may come */
  constructor (body: Incoming, limits: IncomingLimits) {
    if (limits.size !== undefined && limits.size > limits.maxBytes) throw tooLarge(limits.maxBytes)
    this.#limits = limits
    this.#body = body instanceof Readable ? body : undefined
    this.#iterator = body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body[Symbol.asyncIterator]()
  }

  /**
   * Gives every chunk to `take`, in order, one at a time.
   *
   * @throws {MediaError} `body-too-large`, `request-timeout`, `bad-request` where other than what was announced came
   * @throws {ClientLeft}
   * @throws what `take` throws
   */
  async each (take: (chunk: Buffer) => Promise<void> | undefined): Promise<void> {
    const { stallMs, timeoutMs, maxBytes, size } = this.#limits
    const stall = setTimeout(() => this.#fail(tooSlow()), stallMs)
    const deadline = setTimeout(() => {
      this.#late = tooSlow()
      this.#fail(this.#late)
    }, timeoutMs)
    try {
      for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) {
        this.#bytes += chunk.length
        if (this.#bytes > maxBytes) throw tooLarge(maxBytes)
        await take(chunk)
        if (this.#late !== undefined) throw this.#late // it went by while nobody waited for bytes
        stall.refresh()
      }
    } finally {
      clearTimeout(stall)
      clearTimeout(deadline)
      this.#body?.removeAllListeners('readable') // what is left can flow off then
    }
    // A stream of HTTP/2 that is cut ends like one that is whole.
    if (this.#body !== undefined && 'aborted' in this.#body && this.#body.aborted === true) throw new ClientLeft()
    if (size !== undefined && size !== this.#bytes) throw new MediaError('bad-request', { detail: `${size} bytes were announced, and ${this.#bytes} came` })
  }

  /** Each wait has a promise of its own: one for all would keep what every wait left with it. */
  async #next (): Promise<Buffer | undefined> {
    return await new Promise<Buffer | undefined>((resolve, reject) => {
      this.#fail = reject
      this.#iterator.next().then(({ done, value }) => resolve(done === true ? undefined : value), (error: unknown) => reject(faultOf(error)))
    }).finally(() => { this.#fail = () => undefined })
  }
}

/** A connection that ended before its request did; everything else is as whoever gives the bytes says. */
function faultOf (error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' ? new ClientLeft() : error
}

function tooSlow (): MediaError {
  return new MediaError('request-timeout', { detail: 'The upload took too long' })
}

function tooLarge (maxBytes: number): MediaError {
  return new MediaError('body-too-large', { detail: `A file may have ${maxBytes} bytes here` })
}
