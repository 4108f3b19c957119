import type { ImageJob, ImageResult, JobInput } from '../job.ts'
import { checkSizes, discardInputs, holdInputs } from './job-inputs.ts'
import { WorkerCrew, type Slot } from './worker-crew.ts'
import { RunningJob } from './worker-job.ts'
import type { Engine } from './worker-messages.ts'
import { resolveOptions, workerPoolDefaults, type RunOptions, type WorkerPoolOptions } from './worker-options.ts'

/** Milliseconds between two looks at the memory of workers that work: the least where it is near a bound, else the most. */
const LOOK_MS = { least: 20, most: 100 } as const
/**
 * Bytes of fresh memory that one worker can fill in a millisecond: measured 2 to 3 MiB. While the
 * bounds are further off than that there is nothing to see, and a look wakes a process for 0.15 ms.
 */
const FILLED_PER_MS = 3 * 1024 * 1024
/** A worker that keeps more than this share of its bound after a job is replaced: the next job needs the room. */
const REST_SHARE = 0.7

/**
 * Image workers: child processes that make pictures, one job at a time each. They start when
 * they are needed, and are bounded in time and memory from here, since a decoder cannot be
 * interrupted and a picture may have taken it over: what goes past a bound is killed.
 *
 * @example
 * const pool = new WorkerPool({ workers: 2 })
 * const { bytes } = await pool.run(job, [original], { signal })
 * await pool.close()
 */
export class WorkerPool {
  readonly #options: ReturnType<typeof resolveOptions>
  readonly #crew: WorkerCrew
  #look: NodeJS.Timeout | undefined

  constructor (options: WorkerPoolOptions = {}) {
    this.#options = resolveOptions(options)
    this.#crew = new WorkerCrew(this.#options)
  }

  /** Workers that do a job. */
  get busy (): number {
    return this.#working().length
  }

  /** Workers that are there, starting ones and those about to end included. */
  get alive (): number {
    return this.#crew.slots.size
  }

  get pids (): number[] {
    return [...this.#crew.slots].flatMap(({ worker }) => worker.pid ?? [])
  }

  /**
   * Has a job done. Streams among the inputs are destroyed in any case when this settles, and it
   * settles no sooner than the work has ended: with the answer, or with the worker.
   *
   * @param inputs the first is the original
   * @throws {MediaError} what the job throws; `image-too-costly` where it went past a bound or its worker crashed; `image-too-large` for too many bytes; `busy` where it had to give way to the bound of all workers; `unavailable` where no worker can be started
   * @throws {RepresentationChanged} where a stored file is no longer the one that was looked at
   * @throws what a stream fails with, and the signal's reason
   */
  async run (job: ImageJob, inputs: readonly JobInput[], options: RunOptions = {}): Promise<ImageResult> {
    const { signal, deadlineMs = this.#options.deadlineMs, maxInputBytes = workerPoolDefaults.maxInputBytes, needBytes = 0 } = options
    holdInputs(inputs)
    try {
      checkSizes(inputs, maxInputBytes)
      const slot = await this.#roomy(needBytes, signal)
      const running = new RunningJob(slot.worker, { job, inputs, signal, deadlineMs, maxInputBytes, workerBytes: this.#options.workerBytes })
      slot.job = running
      this.#watch()
      try {
        return await running.result
      } finally {
        this.#release(slot)
      }
    } finally {
      discardInputs(inputs)
    }
  }

  /**
   * What workers read and write. Starts one where none was there yet.
   *
   * @throws {MediaError} `unavailable`
   */
  async engine (): Promise<Engine> {
    if (this.#crew.engine === undefined) this.#crew.release(await this.#crew.acquire())
    return this.#crew.engine ?? { inputs: [], outputs: [] }
  }

  /** Ends all workers. What waits or runs is rejected as `unavailable`. Settles when no process is left. */
  async close (): Promise<void> {
    await this.#crew.close()
    this.#rest()
  }

  /** A worker with room for a job: one that keeps too much of earlier pictures is replaced, lest this one be blamed for it. */
  async #roomy (needBytes: number, signal: AbortSignal | undefined): Promise<Slot> {
    for (;;) {
      const slot = await this.#crew.acquire(signal)
      if (!slot.isUsed || slot.worker.memory() + needBytes <= this.#options.workerBytes) {
        slot.isUsed = true
        return slot
      }
      slot.worker.kill('rest')
      this.#crew.release(slot)
    }
  }

  #working (): Slot[] {
    return [...this.#crew.slots].filter(({ job }) => job !== undefined)
  }

  #release (slot: Slot): void {
    if (slot.worker.state === 'idle' && slot.worker.memory() > this.#options.workerBytes * REST_SHARE) slot.worker.kill('rest')
    this.#crew.release(slot)
    if (this.busy === 0) this.#rest()
  }

  #rest (): void {
    clearTimeout(this.#look)
    this.#look = undefined
  }

  /** Looks now, and again before those that work can have passed a bound. */
  #watch (): void {
    clearTimeout(this.#look)
    this.#checkMemory()
    const { workerBytes, totalBytes } = this.#options
    const sizes = [...this.#crew.slots].map(({ worker }) => worker.memory())
    const room = Math.min(workerBytes - Math.max(0, ...sizes), sizes.reduce((left, bytes) => left - bytes, totalBytes) / Math.max(1, this.busy))
    this.#look = setTimeout(() => this.#watch(), Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, room / FILLED_PER_MS)))
  }

  #checkMemory (): void {
    const { workerBytes, totalBytes } = this.#options
    const sizes = new Map<Slot, number>()
    for (const slot of this.#crew.slots) {
      const bytes = slot.worker.memory()
      if (slot.job !== undefined && bytes > workerBytes) slot.worker.kill('memory')
      // One that was killed gives its memory back in a moment.
      if (slot.worker.state !== 'killed') sizes.set(slot, bytes)
    }
    let excess = [...sizes.values()].reduce((sum, bytes) => sum + bytes, -totalBytes)
    // Those that only wait cost nothing to end.
    for (const [slot, bytes] of sizes) {
      if (excess <= 0) return
      if (slot.worker.state !== 'idle') continue
      slot.worker.kill('rest')
      excess -= bytes
    }
    if (excess <= 0) return
    const working = [...sizes].filter(([{ job }]) => job !== undefined).toSorted(([, one], [, other]) => other - one)
    working[0]?.[0].worker.kill(working.length > 1 ? 'total-memory' : 'memory')
  }
}
