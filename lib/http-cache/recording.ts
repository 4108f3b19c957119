import type { Readable } from 'node:stream'
import { MediaError } from '../errors.ts'
import type { ByteRange } from '../http/range.ts'
import { RepresentationChanged, type Body } from '../representation.ts'
import type { Fields } from '../upstream/message.ts'
import type { KeptBody } from './entry.ts'
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

/** Bytes that are fetched ahead of the fastest reader, and that wait for the disk, or for the slowest one. */
const AHEAD_BYTES = 1024 * 1024

/** Up to this many bytes are still fetched when the last reader has left. Clients that leave early push against it. */
const REMAINDER_BYTES = 1024 * 1024

/** Milliseconds until a body that nobody reads, or begins to read, is given up. */
const UNREAD_MS = 2000

/** Milliseconds for which one reader may hold up others where nothing is kept. */
const STALL_MS = 5000

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
  #unread: NodeJS.Timeout | undefined
  #stall: NodeJS.Timeout | undefined

  constructor (options: RecordingOptions) {
    this.#options = options
    this.size = options.length
    this.trailers = options.trailers
    this.done = this.#record()
    this.#watch()
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
    this.#watch()
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
    this.#watch()
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
      this.#watch()
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
    this.#watch()
  }

  #stopKeeping (): void {
    this.#tape.stopKeeping()
    this.#options.onGivenUp()
  }

  #mayTakeMore (): boolean {
    if (this.#error !== undefined) throw this.#error
    const { mode, end, written } = this.#tape
    if (mode === 'memory') return true
    const positions = [...this.#readers].map(({ position }) => position)
    if (positions.length === 0 ? !this.#isFetchedUnread() : end - Math.max(...positions) > AHEAD_BYTES) return false
    if (mode === 'disk') return end - written < AHEAD_BYTES
    const slowest = Math.max(written, Math.min(...positions))
    this.#tape.release(slowest)
    const isRoomy = end - slowest < AHEAD_BYTES
    if (!isRoomy && positions.length > 1) this.#stall ??= setTimeout(() => this.#cutSlowest(), STALL_MS).unref()
    return isRoomy
  }

  /** One reader that takes nothing must not end the bodies of the others. */
  #cutSlowest (): void {
    this.#stall = undefined
    const slowest = Math.min(...[...this.#readers].map(({ position }) => position))
    if (this.#readers.size < 2 || this.#tape.end - slowest < AHEAD_BYTES) return
    for (const reader of this.#readers) if (reader.position === slowest) reader.destroy(new Error('This reader held up the others'))
  }

  #isFetchedUnread (): boolean {
    const { mode, end } = this.#tape
    return mode === 'memory' || (this.#options.isWanted && mode === 'disk') || (this.size !== undefined && this.size - end <= REMAINDER_BYTES)
  }

  /** Gives up what nobody reads, after a while: its first reader may be on the way. */
  #watch (): void {
    clearTimeout(this.#unread)
    if (this.#readers.size > 0 || this.#isOver || this.#isFetchedUnread()) return
    this.#unread = setTimeout(() => this.abort(new RepresentationChanged('A body that nobody read')), UNREAD_MS).unref()
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
    if (!this.#isOver || this.#readers.size > 0) return
    clearTimeout(this.#stall)
    void this.#tape.close()
  }
}
