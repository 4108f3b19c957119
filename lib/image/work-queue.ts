import { MediaError } from '../errors.ts'
import { Lanes } from './lanes.ts'

/** How much is done at once, and how much may wait. Who asks for many different variants pushes against these. */
export interface WorkQueueOptions {
  /** Tasks at once. */
  concurrency: number
  /** Tasks that wait. Background tasks take no more than half of the places. */
  maxWaiting?: number
  /** Milliseconds. */
  maxWaitMs?: number
  /** Decoded pixels in flight. A task that needs more runs alone. */
  pixels?: number
}

/** What a task needs, and for whom it is. */
export interface Placement {
  /** Who takes turns with others: the mount. */
  lane: string
  /** Decoded pixels. */
  pixels: number
  /** Background tasks start when no request waits. */
  priority?: 'request' | 'background' | undefined
  signal?: AbortSignal | undefined
}

export const workQueueDefaults = { maxWaiting: 1000, maxWaitMs: 30_000, pixels: 50e6 } as const

/** Seconds told to a client that is sent away. */
const MIN_RETRY_AFTER = 1
const MAX_RETRY_AFTER = 30
/** Weight of the newest duration in the running average, which starts at a guess: milliseconds. */
const NEWEST_SHARE = 0.1
const FIRST_DURATION_MS = 200

interface Entry {
  readonly placement: Placement
  readonly start: () => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout
  readonly abort: () => void
}

/**
 * Where tasks wait until there is room for them: lanes take turns, a lane is served in the order
 * of arrival, background tasks come last. No task overtakes one whose turn it is and that waits for
 * pixels: a large picture would otherwise wait forever behind small ones.
 */
export class WorkQueue {
  readonly #concurrency: number
  readonly #limits: typeof workQueueDefaults | Required<Omit<WorkQueueOptions, 'concurrency'>>
  readonly #lanes = { request: new Lanes<Entry>(), background: new Lanes<Entry>() }
  #running = 0
  #pixels = 0
  #durationMs = FIRST_DURATION_MS
  readonly #whenIdle: Array<() => void> = []

  constructor ({ concurrency, ...limits }: WorkQueueOptions) {
    this.#concurrency = concurrency
    this.#limits = { ...workQueueDefaults, ...limits }
  }

  /** Tasks that wait. For tests, as the three below: nobody decides by them. */
  get size (): number {
    return this.#lanes.request.size + this.#lanes.background.size
  }

  /** Tasks that run. */
  get running (): number {
    return this.#running
  }

  /** Decoded pixels of the tasks that run. */
  get pixels (): number {
    return this.#pixels
  }

  /**
   * Runs a task when its turn comes. Its place is free again when it has settled, not when its
   * signal is aborted: a task that was told to stop still holds what it holds.
   *
   * @param task given the signal of its placement
   * @returns what the task returns
   * @throws {MediaError} `busy` where too many wait, or it waited too long; `Retry-After` is what the recent durations let expect
   * @throws the signal's reason where it is aborted while the task waits; what the task throws
   */
  async run<T> (task: (signal: AbortSignal) => Promise<T>, placement: Placement): Promise<T> {
    const { signal = new AbortController().signal } = placement
    signal.throwIfAborted()
    // No more than what lets it run alone: a sum with infinity, or with what is no number, would never be one again.
    const pixels = placement.pixels >= 0 ? Math.min(placement.pixels, this.#limits.pixels + 1) : this.#limits.pixels + 1
    const place = { ...placement, pixels }
    if (!this.#fits(place) || this.#next() !== undefined) await this.#wait(place)
    else this.#begin(pixels)
    const began = performance.now()
    try {
      return await task(signal)
    } finally {
      this.#durationMs += (performance.now() - began - this.#durationMs) * NEWEST_SHARE
      this.#end(pixels)
    }
  }

  /** Settles when nothing runs nor waits. */
  async idle (): Promise<void> {
    if (this.#running === 0 && this.size === 0) return
    await new Promise<void>(resolve => { this.#whenIdle.push(resolve) })
  }

  #fits ({ pixels }: Placement): boolean {
    return this.#running === 0 || (this.#running < this.#concurrency && this.#pixels + pixels <= this.#limits.pixels)
  }

  #next (): Entry | undefined {
    return this.#lanes.request.first() ?? this.#lanes.background.first()
  }

  /** Settles when the task has its place. */
  async #wait (placement: Placement): Promise<void> {
    const { priority = 'request', signal } = placement
    const { maxWaiting, maxWaitMs } = this.#limits
    const lanes = this.#lanes[priority]
    if (this.size >= maxWaiting || (priority === 'background' && lanes.size >= maxWaiting / 2)) throw this.#busy()
    await new Promise<void>((resolve, reject) => {
      const leave = (error: unknown): void => {
        lanes.remove(entry)
        this.#forget(entry)
        reject(error)
        this.#advance()
      }
      const entry: Entry = {
        placement,
        start: resolve,
        reject,
        timer: setTimeout(() => leave(this.#busy()), maxWaitMs),
        abort: () => leave(signal?.reason)
      }
      signal?.addEventListener('abort', entry.abort)
      lanes.add(entry)
      this.#advance()
    })
  }

  #busy (): MediaError {
    const seconds = Math.ceil(this.#durationMs * (this.size + 1) / this.#concurrency / 1000)
    return new MediaError('busy', { headers: { 'retry-after': String(Math.min(MAX_RETRY_AFTER, Math.max(MIN_RETRY_AFTER, seconds))) } })
  }

  #forget (entry: Entry): void {
    clearTimeout(entry.timer)
    entry.placement.signal?.removeEventListener('abort', entry.abort)
  }

  #begin (pixels: number): void {
    this.#running++
    this.#pixels += pixels
  }

  #end (pixels: number): void {
    this.#running--
    this.#pixels -= pixels
    this.#advance()
  }

  /** Starts what there is room for. */
  #advance (): void {
    for (let entry = this.#next(); entry !== undefined && this.#fits(entry.placement); entry = this.#next()) {
      this.#lanes[entry.placement.priority ?? 'request'].shift(entry)
      this.#forget(entry)
      this.#begin(entry.placement.pixels)
      entry.start()
    }
    if (this.#running > 0 || this.size > 0) return
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}
