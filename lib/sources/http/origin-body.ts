import { Readable } from 'node:stream'
import type { ByteRange } from '../../http/range.ts'
import type { Body } from '../../representation.ts'
import { bodyFailure, endedEarly, tooLarge, tooLong } from './failures.ts'

/** What a body has to keep to. */
export interface BodyBounds {
  /** The upstream's, for messages. */
  readonly name: string
  /** The most bytes. The origin pushes against it, whatever it says of the length. */
  readonly maxBytes: number
  /** Bytes that were told; undefined where none were. */
  readonly length: number | undefined
  /** The part of it that is wanted, or as much of that as there is; all without it. */
  readonly window?: ByteRange | undefined
}

/** Bytes that wait for whoever reads. */
const WAITING_BYTES = 64 * 1024

/**
 * A body on its way from an origin. Nothing is read of it until somebody wants it: then its first bytes
 * can be looked at as often as one likes, and it is still whole for who reads it in the end. It
 * fails where it is larger than it may be, or ends before its end.
 */
export class OriginBody extends Readable {
  readonly #source: Readable | undefined
  readonly #bounds: BodyBounds
  /** What came before anybody read. */
  #early: Buffer[] = []
  #window: ByteRange | undefined
  #received = 0
  #passed = 0
  #isRead = false
  #isComplete = false
  #isOver = false
  #wanted = 0
  #enough: (() => void) | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor (body: Body, bounds: BodyBounds) {
    super({ highWaterMark: WAITING_BYTES })
    this.#bounds = bounds
    this.#window = bounds.window
    this.on('error', () => {}) // nobody may be there yet to be told: who comes is, by `errored`
    if (Buffer.isBuffer(body)) {
      this.#arrive(body)
      this.#complete()
      return
    }
    this.#source = body.pause()
    body.on('data', (chunk: Buffer) => this.#arrive(chunk))
    body.on('error', error => { this.destroy(bodyFailure(error, bounds.name)) })
    body.on('end', () => this.#complete())
    body.on('close', () => { if (!this.#isComplete) this.destroy(endedEarly(bounds.name)) })
  }

  /** Bytes that were told. */
  get length (): number | undefined {
    return this.#bounds.length
  }

  /** All of it, where it has come and nobody read any. */
  get whole (): Buffer | undefined {
    if (!this.#isComplete || this.#isRead || this.errored !== null) return undefined
    if (this.#early.length !== 1) this.#early = [Buffer.concat(this.#early)]
    return this.#early[0]
  }

  /**
   * Its beginning, when so many bytes are there, or all, or when the time is over. It stays whole.
   * One after the other, if several want some.
   *
   * @param ms milliseconds
   * @throws what the body failed with
   */
  async gather (bytes: number, ms: number): Promise<Buffer> {
    const turn = this.#turn.then(async () => await this.#gather(bytes, ms))
    this.#turn = turn.then(() => undefined, () => undefined)
    return await turn
  }

  /** Settles when nobody gathers. */
  async idle (): Promise<void> {
    await this.#turn
  }

  /** Leaves out what comes after a byte: nothing may have been read yet. */
  upTo (end: number): this {
    this.#window = { start: 0, end }
    return this
  }

  async #gather (bytes: number, ms: number): Promise<Buffer> {
    if (!this.#isComplete && !this.destroyed && this.#received < bytes) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, ms)
        this.#wanted = bytes
        this.#enough = () => {
          clearTimeout(timer)
          resolve()
        }
        this.#source?.resume()
      })
      this.#source?.pause()
      this.#enough = undefined
    }
    if (this.errored !== null) throw this.errored
    if (this.#early.length !== 1) this.#early = [Buffer.concat(this.#early)]
    return this.#early[0] as Buffer
  }

  #arrive (chunk: Buffer): void {
    const { name, maxBytes, length = Infinity } = this.#bounds
    this.#received += chunk.length
    if (this.#received > maxBytes) this.destroy(tooLarge(name, maxBytes))
    else if (this.#received > length) this.destroy(tooLong(name))
    else if (!this.#isRead) this.#keep(chunk)
    else if (!this.#pass(chunk)) this.#source?.pause()
  }

  #keep (chunk: Buffer): void {
    this.#early.push(chunk)
    if (this.#received < this.#wanted) return
    this.#source?.pause()
    this.#enough?.()
  }

  /** @returns whether more may come at once */
  #pass (chunk: Buffer): boolean {
    if (this.#isOver) return false
    const window = this.#window
    const at = this.#passed
    this.#passed += chunk.length
    const wanted = window === undefined ? chunk : chunk.subarray(Math.max(0, window.start - at), Math.max(0, window.end + 1 - at))
    const isRoomy = wanted.length === 0 || this.push(wanted)
    if (window === undefined || this.#passed <= window.end) return isRoomy
    this.#finish()
    this.#source?.destroy() // the rest is for nobody
    return false
  }

  #complete (): void {
    const { name, length = this.#received } = this.#bounds
    if (this.#received < length) {
      this.destroy(endedEarly(name))
      return
    }
    this.#isComplete = true
    this.#enough?.()
    if (this.#isRead) this.#finish()
  }

  #finish (): void {
    if (this.#isOver) return
    this.#isComplete = true
    this.#isOver = true
    this.push(null)
  }

  override _read (): void {
    if (!this.#isRead) {
      this.#isRead = true
      let isRoomy = true
      for (const chunk of this.#early) isRoomy = this.#pass(chunk)
      this.#early = []
      if (this.#isComplete) this.#finish()
      if (!isRoomy) return
    }
    if (!this.#isComplete) this.#source?.resume()
  }

  override _destroy (error: Error | null, done: (error: Error | null) => void): void {
    this.#early = []
    this.#source?.destroy()
    this.#enough?.()
    done(error)
  }
}
