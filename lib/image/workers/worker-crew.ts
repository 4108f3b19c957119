import { unavailable, type RunningJob } from './worker-job.ts'
import type { Engine } from './worker-messages.ts'
import type { resolveOptions, WorkerEvent } from './worker-options.ts'
import type { KillReason, WorkerEnd } from './worker-end.ts'
import { WorkerProcess } from './worker-process.ts'

/** Milliseconds before workers are started again after one could not be, doubled each time up to the second. */
const BACKOFF_MS = 200
const MAX_BACKOFF_MS = 10_000

/** A worker and what it is at. */
export interface Slot {
  readonly worker: WorkerProcess
  job: RunningJob | undefined
  /** Ends it when it was idle for long. */
  idle: NodeJS.Timeout | undefined
  /** When it was last free, by `performance.now()`. */
  freedAt: number
  /** Whether it had a job already. */
  isUsed: boolean
}

interface Waiting {
  readonly resolve: (slot: Slot) => void
  readonly reject: (error: unknown) => void
}

/** The workers that are there: started when they are asked for, ended when nobody asks. */
export class WorkerCrew {
  readonly slots = new Set<Slot>()
  readonly #options: ReturnType<typeof resolveOptions>
  readonly #waiting = new Set<Waiting>()
  #engine: Engine | undefined
  #failedStarts = 0
  /** When a worker may be started again, by `performance.now()`. */
  #startAfter = 0
  #lastFault: Error | undefined
  #isClosed = false
  #whenEmpty: (() => void) | undefined

  constructor (options: ReturnType<typeof resolveOptions>) {
    this.#options = options
  }

  /** What workers said that they read and write, once one has started. */
  get engine (): Engine | undefined {
    return this.#engine
  }

  /**
   * A worker to have a job done by, in the order of asking.
   *
   * @throws {MediaError} `unavailable`
   * @throws the signal's reason
   */
  async acquire (signal?: AbortSignal): Promise<Slot> {
    signal?.throwIfAborted()
    if (this.#isClosed) throw unavailable({ cause: this.#lastFault })
    const { promise, waiting } = this.#wait()
    const abort = (): void => {
      this.#waiting.delete(waiting)
      waiting.reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort)
    this.#assign()
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Takes a worker back that answered. One that is gone is no longer known anyway. */
  release (slot: Slot): void {
    slot.job = undefined
    if (slot.worker.state === 'busy') slot.worker.rest()
    if (slot.worker.state !== 'idle') return
    if (this.#isClosed) {
      slot.worker.retire()
      return
    }
    slot.freedAt = performance.now()
    slot.idle = setTimeout(() => slot.worker.kill('rest'), this.#options.idleMs).unref()
    this.#assign()
  }

  /** Ends all. Settles when none is left. */
  async close (): Promise<void> {
    this.#isClosed = true
    this.#rejectWaiting()
    const empty = new Promise<void>(resolve => { this.#whenEmpty = resolve })
    for (const { worker, job } of this.slots) {
      if (job !== undefined) job.stop(unavailable({ cause: this.#lastFault }))
      else if (worker.state === 'idle') worker.retire()
      else worker.kill('closed')
    }
    if (this.slots.size > 0) await empty
  }

  #wait (): { promise: Promise<Slot>, waiting: Waiting } {
    let waiting: Waiting = { resolve: () => {}, reject: () => {} }
    const promise = new Promise<Slot>((resolve, reject) => { waiting = { resolve, reject } })
    this.#waiting.add(waiting)
    return { promise, waiting }
  }

  #assign (): void {
    for (const waiting of this.#waiting) {
      const slot = this.#idleSlot()
      if (slot === undefined) break
      this.#waiting.delete(waiting)
      clearTimeout(slot.idle)
      slot.worker.take()
      waiting.resolve(slot)
    }
    if (this.#waiting.size === 0) return
    const starting = [...this.slots].filter(({ worker }) => worker.state === 'starting').length
    const wanted = Math.min(this.#waiting.size - starting, this.#options.workers - this.slots.size)
    for (let count = 0; count < wanted && performance.now() >= this.#startAfter; count++) this.#start()
    if (this.slots.size === 0) this.#rejectWaiting()
  }

  /** The one used last: the others may then be idle for long enough to end. */
  #idleSlot (): Slot | undefined {
    let latest: Slot | undefined
    for (const slot of this.slots) if (slot.worker.state === 'idle' && slot.freedAt >= (latest?.freedAt ?? 0)) latest = slot
    return latest
  }

  #start (): void {
    const began = performance.now()
    let slot: Slot | undefined
    try {
      const worker = new WorkerProcess(this.#options.launch, {
        started: engine => {
          this.#failedStarts = 0
          this.#engine = engine
          this.#options.onEvent({ kind: 'started', pid: worker.pid, startMs: performance.now() - began })
          if (slot !== undefined) this.release(slot)
        },
        answered: answer => slot?.job?.answered(answer),
        ended: end => { if (slot !== undefined) this.#ended(slot, end) }
      })
      slot = { worker, job: undefined, idle: undefined, freedAt: began, isUsed: false }
      this.slots.add(slot)
    } catch (error) {
      // No memory or no process to be had: some of it is told at once.
      this.#noteFailedStart(String(error))
    }
  }

  #ended (slot: Slot, end: WorkerEnd): void {
    this.slots.delete(slot)
    clearTimeout(slot.idle)
    slot.job?.workerEnded(end)
    const kind = kindOfEnd(slot.worker.hasStarted, end.reason)
    if (kind === 'not-started') this.#noteFailedStart(end.stderr)
    this.#options.onEvent({ kind, pid: slot.worker.pid, ...end })
    if (this.slots.size === 0) this.#whenEmpty?.()
    this.#assign()
  }

  #noteFailedStart (why: string): void {
    this.#lastFault = new Error(`An image worker could not be started: ${why}`)
    this.#startAfter = performance.now() + Math.min(BACKOFF_MS * 2 ** this.#failedStarts++, MAX_BACKOFF_MS)
  }

  #rejectWaiting (): void {
    for (const { reject } of this.#waiting) reject(unavailable({ cause: this.#lastFault }))
    this.#waiting.clear()
  }
}

function kindOfEnd (hasStarted: boolean, reason: KillReason | undefined): Exclude<WorkerEvent['kind'], 'started'> {
  if (reason === 'closed' || reason === 'rest') return 'ended'
  if (!hasStarted) return 'not-started'
  return reason === undefined ? 'crashed' : 'killed'
}
