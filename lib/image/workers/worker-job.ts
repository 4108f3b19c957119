import { MediaError, type MediaErrorOptions } from '../../errors.ts'
import { RepresentationChanged } from '../../representation.ts'
import { sendFrame, sendJson } from './frames.ts'
import type { ImageJob, ImageResult, JobInput } from '../job.ts'
import { describeInput, isStored, sendInputs } from './job-inputs.ts'
import type { FailureMessage, JobMessage } from './worker-messages.ts'
import type { WorkerEnd } from './worker-end.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Milliseconds a worker has to say that it dropped a job, before it is killed. */
const CANCEL_MS = 50
const MIB = 1024 * 1024

/** Seconds that are told to clients where no worker can be had. */
const RETRY_AFTER = '5'

/** What is answered where no worker can be had. */
export function unavailable (more: MediaErrorOptions = {}): MediaError {
  return new MediaError('unavailable', { headers: { 'retry-after': RETRY_AFTER }, ...more })
}

/** A job with all that bounds it. */
export interface Order {
  readonly job: ImageJob
  readonly inputs: readonly JobInput[]
  readonly signal: AbortSignal | undefined
  /** Milliseconds from its start in a worker to its answer. */
  readonly deadlineMs: number
  /** Bytes of one input. */
  readonly maxInputBytes: number
  /** Bytes a worker may have; only told, here. */
  readonly workerBytes: number
}

/** A job in the one worker that does it. */
export class RunningJob {
  /** Settles when the worker is free again, or gone. Rejects as `WorkerPool.run` says. */
  readonly result: Promise<ImageResult>
  readonly #worker: WorkerProcess
  readonly #order: Order
  readonly #ended = new AbortController()
  readonly #deadline: NodeJS.Timeout
  #settle: { resolve: (result: ImageResult) => void, reject: (error: unknown) => void } | undefined
  #grace: NodeJS.Timeout | undefined
  /** Why nobody wants the result any more. */
  #stopped: { readonly error: unknown } | undefined

  /** @param worker taken for this job */
  constructor (worker: WorkerProcess, order: Order) {
    this.#worker = worker
    this.#order = order
    this.result = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    this.#deadline = setTimeout(() => worker.kill('time'), order.deadlineMs)
    order.signal?.addEventListener('abort', this.#abort)
    const message: JobMessage = { job: order.job, inputs: order.inputs.map(describeInput), maxInputBytes: order.maxInputBytes }
    sendJson(worker.channel, 'job', message)
    const sending = sendInputs(worker.channel, order.inputs, { limit: order.maxInputBytes, ended: this.#ended.signal })
    sending.catch((error: unknown) => this.stop(error))
  }

  /** Ends it with an error: kindly first, then not. */
  stop (error: unknown): void {
    if (this.#stopped !== undefined || this.#ended.signal.aborted) return
    this.#stopped = { error }
    this.#ended.abort()
    sendFrame(this.#worker.channel, 'cancel')
    this.#grace = setTimeout(() => this.#worker.kill('cancelled'), CANCEL_MS)
  }

  answered (answer: ImageResult | FailureMessage): void {
    this.#release()
    if (this.#stopped !== undefined) this.#settle?.reject(this.#stopped.error)
    else if ('bytes' in answer) this.#settle?.resolve(answer)
    else this.#settle?.reject(this.#failure(answer))
  }

  /** The worker is gone. */
  workerEnded (end: WorkerEnd): void {
    this.#release()
    this.#settle?.reject(this.#stopped === undefined ? this.#loss(end) : this.#stopped.error)
  }

  readonly #abort = (): void => {
    this.stop(this.#order.signal?.reason)
  }

  #release (): void {
    clearTimeout(this.#deadline)
    clearTimeout(this.#grace)
    this.#order.signal?.removeEventListener('abort', this.#abort)
    this.#ended.abort()
  }

  #failure ({ kind, code, detail, message }: FailureMessage): Error {
    const cause = new Error(message)
    if (kind === 'changed') return new RepresentationChanged(this.#order.inputs.find(isStored)?.path ?? 'An input', cause)
    if (code === undefined) return new MediaError('broken-image', { detail: 'The image cannot be read', cause })
    return new MediaError(code, { cause, ...(detail === undefined ? {} : { detail }) })
  }

  #loss ({ reason, exitCode, signal, stderr }: WorkerEnd): MediaError {
    const context = { reason: reason ?? 'crash', exitCode, signal, stderr }
    switch (reason) {
      case 'time': return new MediaError('image-too-costly', { detail: `The image takes more time than ${this.#order.deadlineMs} ms`, context })
      case 'memory': return new MediaError('image-too-costly', { detail: `The image takes more memory than ${Math.floor(this.#order.workerBytes / MIB)} MiB`, context })
      // It kept its own bound, so the picture is not to blame: alone it may well be made.
      case 'total-memory': return new MediaError('busy', { headers: { 'retry-after': '1' }, context })
      case 'closed': return unavailable({ context })
      default: return new MediaError('image-too-costly', { detail: 'The image worker ended while it read this image', context })
    }
  }
}
