import type { Readable } from 'node:stream'
import { MediaError } from '../errors.ts'
import type { ByteRange } from '../http/range.ts'
import { RepresentationChanged, type Body } from '../representation.ts'
import type { Fields } from '../upstream/message.ts'
import type { KeptBody } from './entry.ts'
import { AHEAD_BYTES, Pace } from './recording-pace.ts'
import { RecordingReader, type ReaderSource } from './recording-reader.ts'
import type { Spool } from './spool.ts'
import { Tape } from './tape.ts'

/** How a body is recorded. */
export interface RecordingOptions {
  readonly body: Readable
  /** Bytes that were promised, where they were. */
  readonly length: number | undefined
  /** Bytes of the largest body that is kept. */
  readonly maxBytes: number
  /** Up to this many bytes are kept in memory; they are fetched whether their readers hurry or not. */
  readonly memoryBytes: number
  /** Where more than that go; undefined where that is impossible. */
  readonly openSpool: () => Promise<Spool | undefined>
  /** Whether it is fetched for keeping, also where nobody reads it. */
  readonly isWanted: boolean
  readonly trailers: () => Fields | undefined
  /** Told when it turns out that it will not be kept: nobody else is to read it. */
  readonly onGivenUp: () => void
}

/**
 * A body that goes to its readers while it is kept: small ones in memory, others on disk. The
 * fastest reader sets the pace, all others read what is there already. Where it cannot be kept
 * after all, those who read it get it to its end, then at the pace of the slowest.
 */
export class Recording implements KeptBody, ReaderSource {
  readonly size: number | undefined
  /** The body, once it is whole and kept; undefined where it does not come to that. Never rejects. */
  readonly done: Promise<KeptBody | undefined>
  readonly trailers: () => Fields | undefined
  readonly #options: RecordingOptions
  readonly #tape = new Tape(() => this.#wake())
  readonly #readers = new Set<RecordingReader>()
  #state: 'arriving' | 'complete' | 'failed' = 'arriving'
  #error: Error | undefined
  #isOver = false
  #kept: KeptBody | undefined
  #wake: () => void = () => undefined
  readonly #pace: Pace

  constructor (options: RecordingOptions) {
    this.#options = options
    this.size = options.length
    this.trailers = options.trailers
    this.#pace = new Pace({ tape: this.#tape, readers: this.#readers, size: options.length, isWanted: options.isWanted, giveUp: () => this.abort(new RepresentationChanged('A body that nobody read')) })
    this.done = this.#record()
    this.#pace.watch()
  }

  /**
   * @throws {MediaError} where the origin failed already
   * @throws {RepresentationChanged} where it was given up because nobody read it, or is over and was not kept
   */
  open (range?: ByteRange): Body | Promise<Body> {
    if (this.#error !== undefined) throw this.#error
    if (this.#isOver) return this.#openKept(range)
    const reader = new RecordingReader(this, { start: range?.start ?? 0, end: range === undefined ? this.size ?? Infinity : range.end + 1 })
    this.#readers.add(reader)
    this.#pace.watch()
    this.#wake()
    return reader
  }

  /** Who has known of it while it arrived, and opens it only now. */
  #openKept (range: ByteRange | undefined): Body | Promise<Body> {
    if (this.#kept === undefined) throw new RepresentationChanged('A body that was not kept')
    return this.#kept.open(range)
  }

  reaches (start: number): boolean {
    return start <= this.#tape.end + AHEAD_BYTES
  }

  /** Ends it, unless all of it is there: who reads it sees that it is not whole. */
  abort (reason: Error): void {
    if (this.#state !== 'arriving' || this.#tape.end === this.size) return
    this.#error ??= reason
    this.#options.body.destroy(reason)
    this.#wake()
  }

  feed (reader: RecordingReader): void {
    if (reader.isFed) return
    reader.isWaiting = false
    reader.isFed = true
    while (reader.position < reader.end) {
      const bytes = this.#tape.read(reader.position)
      if (bytes instanceof Promise) {
        void this.#feedLater(reader, bytes)
        return
      }
      if (bytes.length === 0) break
      if (bytes.every(piece => reader.receive(piece))) continue
      reader.isFed = false
      this.#wake()
      return
    }
    reader.isFed = false
    if (this.#state === 'complete' || reader.position >= reader.end) reader.push(null)
    else reader.isWaiting = true
    this.#wake()
  }

  leave (reader: RecordingReader): void {
    this.#readers.delete(reader)
    this.#pace.watch()
    this.#wake()
    this.#tidy()
  }

  async #feedLater (reader: RecordingReader, reading: Promise<readonly Buffer[]>): Promise<void> {
    try {
      const bytes = await reading
      const wantsMore = bytes.every(piece => reader.receive(piece))
      reader.isFed = false
      if (wantsMore) this.feed(reader)
    } catch (error) {
      reader.destroy(error as Error)
    }
  }

  async #record (): Promise<KeptBody | undefined> {
    const { body, memoryBytes } = this.#options
    try {
      if (this.size !== undefined && this.size > memoryBytes) await this.#leaveMemory()
      for await (const chunk of body as AsyncIterable<Buffer>) {
        await this.#take(chunk)
        while (!this.#mayTakeMore()) await new Promise<void>(resolve => { this.#wake = resolve })
      }
      if (this.size !== undefined && this.#tape.end < this.size) throw new MediaError('upstream-reset', { context: { promised: this.size, sent: this.#tape.end } })
      this.#state = 'complete'
      this.#feedWaiting()
      return this.#kept = await this.#tape.finish()
    } catch (error) {
      this.#fail(error as Error)
      return undefined
    } finally {
      this.#isOver = true
      this.#pace.end()
      this.#tidy()
    }
  }

  async #take (chunk: Buffer): Promise<void> {
    const end = this.#tape.end + chunk.length
    if (this.size !== undefined && end > this.size) throw new MediaError('upstream-malformed', { context: { promised: this.size, sent: end } })
    this.#tape.add(chunk)
    if (this.#tape.mode === 'memory' && end > this.#options.memoryBytes) await this.#leaveMemory()
    if (this.#tape.mode === 'disk' && end > this.#options.maxBytes) this.#stopKeeping()
    this.#feedWaiting()
  }

  async #leaveMemory (): Promise<void> {
    const spool = await this.#options.openSpool()
    if (spool === undefined) this.#stopKeeping()
    else this.#tape.spoolTo(spool)
    this.#pace.watch()
  }

  #stopKeeping (): void {
    this.#tape.stopKeeping()
    this.#pace.watch()
    this.#options.onGivenUp()
  }

  #mayTakeMore (): boolean {
    if (this.#error !== undefined) throw this.#error
    return this.#pace.mayTakeMore()
  }

  #feedWaiting (): void {
    for (const reader of this.#readers) if (reader.isWaiting) this.feed(reader)
  }

  #fail (error: Error): void {
    this.#error ??= error
    this.#state = 'failed'
    for (const reader of this.#readers) reader.destroy(this.#error)
  }

  /** What was written can be read until the last reader has gone. */
  #tidy (): void {
    if (this.#isOver && this.#readers.size === 0) void this.#tape.close()
  }
}
