import type { RecordingReader } from './recording-reader.ts'
import type { Tape } from './tape.ts'

/** Bytes that are fetched ahead of the fastest reader, and that wait for the disk, or for the slowest one. */
export const AHEAD_BYTES = 1024 * 1024

/** Up to this many bytes are still fetched when the last reader has left. Clients that leave early push against it. */
const REMAINDER_BYTES = 1024 * 1024

/** Milliseconds until a body that nobody reads, or begins to read, is given up. */
const UNREAD_MS = 2000

/** Milliseconds for which one reader may hold up others where nothing is kept. */
const STALL_MS = 5000

/** Whose pace it is. */
export interface Paced {
  readonly tape: Tape
  readonly readers: ReadonlySet<RecordingReader>
  /** Bytes of the body, where that is known. */
  readonly size: number | undefined
  /** Whether it is fetched for keeping, also where nobody reads it. */
  readonly isWanted: boolean
  /** Called where nobody has read it for a while. */
  giveUp (): void
}

/** How fast a body is fetched: by its fastest reader where it is kept, by its slowest where it is not. */
export class Pace {
  readonly #paced: Paced
  #unread: NodeJS.Timeout | undefined
  #stall: NodeJS.Timeout | undefined
  #isOver = false

  constructor (paced: Paced) {
    this.#paced = paced
  }

  /** Whether more may be fetched now. */
  mayTakeMore (): boolean {
    const { tape, readers } = this.#paced
    const { mode, end, written } = tape
    if (mode === 'memory') return true
    const positions = [...readers].map(({ position }) => position)
    if (positions.length === 0 ? !this.#isFetchedUnread() : end - Math.max(...positions) > AHEAD_BYTES) return false
    if (mode === 'disk') return end - written < AHEAD_BYTES
    const slowest = Math.max(written, Math.min(...positions))
    tape.release(slowest)
    const isRoomy = end - slowest < AHEAD_BYTES
    if (!isRoomy && positions.length > 1) this.#stall ??= setTimeout(() => this.#cutSlowest(), STALL_MS).unref()
    return isRoomy
  }

  /** Readers came or went, or what happens without any has changed: the first one may be on the way. */
  watch (): void {
    clearTimeout(this.#unread)
    if (this.#paced.readers.size > 0 || this.#isOver || this.#isFetchedUnread()) return
    this.#unread = setTimeout(() => this.#paced.giveUp(), UNREAD_MS).unref()
  }

  /** Nothing is fetched any more. */
  end (): void {
    this.#isOver = true
    clearTimeout(this.#unread)
    clearTimeout(this.#stall)
  }

  #isFetchedUnread (): boolean {
    const { tape: { mode, end }, size, isWanted } = this.#paced
    return mode === 'memory' || (isWanted && mode === 'disk') || (size !== undefined && size - end <= REMAINDER_BYTES)
  }

  /** One reader that takes nothing must not end the bodies of the others. */
  #cutSlowest (): void {
    this.#stall = undefined
    const { tape, readers } = this.#paced
    const slowest = Math.min(...[...readers].map(({ position }) => position))
    if (readers.size < 2 || tape.end - slowest < AHEAD_BYTES) return
    for (const reader of readers) if (reader.position === slowest) reader.destroy(new Error('This reader held up the others'))
  }
}
