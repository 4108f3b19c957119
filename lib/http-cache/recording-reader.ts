import { Readable } from 'node:stream'

/** Who has the bytes that a reader wants, or will have them. */
export interface ReaderSource {
  /** Gives a reader what there is for it, now or once it is there. */
  feed (reader: RecordingReader): void
  leave (reader: RecordingReader): void
}

/** Bytes that a reader holds ahead of who takes them. */
const HELD_BYTES = 64 * 1024

/** One reader of a body that is still arriving: from its own place, at its own pace. */
export class RecordingReader extends Readable {
  readonly #source: ReaderSource
  /** The next byte it wants. */
  position: number
  /** Where it ends: the byte after its last. Infinite where nobody knows yet. */
  readonly end: number
  /** Whether it wants more than there is. */
  isWaiting = false
  /** Whether it is being fed: who asks for more meanwhile gets it by that. */
  isFed = false

  constructor (source: ReaderSource, { start, end }: { start: number, end: number }) {
    super({ highWaterMark: HELD_BYTES })
    this.#source = source
    this.position = start
    this.end = end
    this.on('error', () => undefined) // it may fail before anyone listens: who comes later finds it destroyed
  }

  /** Takes the next bytes. @returns whether it wants more at once */
  receive (bytes: Buffer): boolean {
    const wanted = bytes.subarray(0, this.end - this.position)
    this.position += wanted.length
    const wantsMore = this.push(wanted)
    if (this.position < this.end) return wantsMore
    this.push(null)
    return false
  }

  override _read (): void {
    this.#source.feed(this)
  }

  override _destroy (error: Error | null, done: (error: Error | null) => void): void {
    this.#source.leave(this)
    done(error)
  }
}
