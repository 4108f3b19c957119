import { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { showTruncation } from '../http/visible-end.ts'
import { trail } from './trailing.ts'
import type { Fields } from './message.ts'

/** Bytes that wait for a reader before the origin is told to pause. */
const HELD_BYTES = 64 * 1024

/** Who lets the origin's bytes flow, and ends them. */
export interface BodySource {
  resume (): void
  /** Nobody reads these bytes any more. */
  taken (chunk: Buffer): void
  /** The reader has gone. */
  abandon (reason: Error): void
}

/**
 * The body of an answer, as it arrives. Piped into an HTTP/1 response each chunk is written as it
 * is, and the origin pauses while the client's socket is full; read in any other way it is a
 * stream as any other.
 */
export class UpstreamBody extends Readable {
  readonly #source: BodySource
  #waiting: Buffer[] = []
  #held = 0
  #response: ServerResponse | undefined
  #isRead = false
  #isComplete = false
  #trailers: Fields | undefined

  constructor (source: BodySource) {
    super({ highWaterMark: HELD_BYTES })
    this.#source = source
    this.on('error', () => {}) // it may fail before anybody listens
  }

  /** Trailer fields, once the body is complete. */
  get trailers (): Fields | undefined {
    return this.#trailers
  }

  /** The next bytes. @returns whether more may come at once */
  receive (chunk: Buffer): boolean {
    if (this.destroyed) return true
    if (this.#response !== undefined) return this.#write(this.#response, chunk)
    if (this.#isRead) return this.push(chunk)
    this.#waiting.push(chunk)
    this.#held += chunk.length
    return this.#held < HELD_BYTES
  }

  /** That was all. */
  complete (trailers: Fields | undefined): void {
    this.#isComplete = true
    this.#trailers = trailers
    if (this.destroyed) return
    if (this.#response !== undefined) this.#finish(this.#response)
    else if (this.#isRead) this.push(null)
  }

  override pipe<T extends NodeJS.WritableStream> (destination: T, options?: { end?: boolean }): T {
    if (!(destination instanceof ServerResponse) || options?.end === false || this.#isRead) return super.pipe(destination, options)
    if (this.destroyed) return destination // who sends it is told, before a head that promises what does not come
    this.#response = destination
    showTruncation(this, destination)
    destination.on('drain', () => { this.#source.resume() })
    let isRoomy = true
    if (this.#waiting.length > 1) destination.cork()
    for (const chunk of this.#waiting) isRoomy = this.#write(destination, chunk)
    if (this.#waiting.length > 1) destination.uncork()
    if (this.#waiting.length === 0) destination.flushHeaders() // a client may wait for the head alone
    this.#waiting = []
    if (this.#isComplete) this.#finish(destination)
    else if (isRoomy) this.#source.resume()
    return destination
  }

  override _read (): void {
    if (this.#response !== undefined) return
    if (!this.#isRead) {
      this.#isRead = true
      let isRoomy = true
      for (const chunk of this.#waiting) isRoomy = this.push(chunk)
      this.#waiting = []
      if (this.#isComplete) this.push(null)
      if (!isRoomy) return
    }
    if (!this.#isComplete) this.#source.resume()
  }

  override _destroy (error: Error | null, done: (error: Error | null) => void): void {
    this.#waiting = []
    if (!this.#isComplete) this.#source.abandon(error ?? new Error('The body was not read to its end'))
    done(error)
  }

  #write (response: ServerResponse, chunk: Buffer): boolean {
    return response.write(chunk, () => this.#source.taken(chunk))
  }

  #finish (response: ServerResponse): void {
    trail(response, this.#trailers)
    response.end()
    this.push(null)
    this.resume() // so that 'end' comes
  }
}
