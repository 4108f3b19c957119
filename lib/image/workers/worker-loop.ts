import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { CHUNK_BYTES, FrameFault, FrameReader, JOB_BYTES, sendFrame, sendJson, type FrameKind, type FrameReceiver } from './frames.ts'
import type { ImageResult, RunJob } from '../job.ts'
import { SentInput, StoredInput, type WorkerInput } from './worker-inputs.ts'
import { failureOf, resultParts, type Engine, type JobMessage } from './worker-messages.ts'

/** The descriptor of the pipe to the server. */
const CHANNEL_FD = 3
/** Milliseconds an idle worker has to end by itself when the server is gone. */
const END_MS = 2000
/** Bytes of inputs and results after which a collection is worth its 4 ms: V8 does not see them as its own, and lets them lie. */
const COLLECT_BYTES = 16 * 1024 * 1024

/** What a test gives in place of the process it runs in. */
export interface LoopOptions {
  channel?: Duplex
  /** Ends the process at once, whatever its threads do. */
  die?: () => void
}

/**
 * The loop of an image worker: takes one job after another from the server that started it,
 * and ends when that server does, also in the midst of a decode: decoders run in threads, so
 * that this loop sees the end of the pipe. A job counts as done when `runJob` has settled,
 * which it must not do before its decoders have ended.
 */
export function serveJobs (runJob: RunJob, engine: Engine, options: LoopOptions = {}): void {
  const channel = options.channel ?? new Socket({ fd: CHANNEL_FD, readable: true, writable: true })
  const { die = (): void => { process.kill(process.pid, 'SIGKILL') } } = options
  const loop = new JobLoop(channel, runJob)
  const reader = new FrameReader(loop)
  channel.on('data', (bytes: Buffer) => reader.push(bytes))
  channel.on('error', () => {}) // the server is gone: `close` follows
  channel.once('end', () => channel.destroy())
  channel.once('close', () => {
    if (loop.isBusy) die()
    // Nothing holds an idle worker; should something do so after all, this ends it.
    else setTimeout(die, END_MS).unref()
  })
  // Sent to a whole group by a terminal or a service manager: the server decides what is still finished.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) if (options.channel === undefined) process.on(signal, () => {})
  sendJson(channel, 'hello', engine)
}

class JobLoop implements FrameReceiver {
  readonly #channel: Duplex
  readonly #runJob: RunJob
  #held = 0
  #current: { readonly controller: AbortController, readonly sent: SentInput[] } | undefined

  constructor (channel: Duplex, runJob: RunJob) {
    this.#channel = channel
    this.#runJob = runJob
  }

  get isBusy (): boolean {
    return this.#current !== undefined
  }

  accept (kind: FrameKind, length: number): Buffer {
    const limit = kind === 'chunk' ? CHUNK_BYTES : kind === 'job' ? JOB_BYTES : 0
    if (length > limit) throw new FrameFault(`A frame of ${length} bytes`)
    // What still comes for a job that is over falls into a buffer that nobody reads.
    if (kind === 'chunk') return this.#current?.sent[0]?.next(length) ?? Buffer.allocUnsafeSlow(length)
    return Buffer.allocUnsafe(length)
  }

  receive (kind: FrameKind, payload: Buffer): void {
    if (kind === 'job') void this.#perform(JSON.parse(payload.toString()) as JobMessage)
    if (kind === 'input-end') this.#current?.sent.shift()?.end()
    if (kind !== 'cancel') return
    const reason = new Error('The job was cancelled')
    this.#current?.controller.abort(reason)
    for (const input of this.#current?.sent ?? []) input.fail(reason)
  }

  async #perform (message: JobMessage): Promise<void> {
    const inputs = message.inputs.map(input => 'sent' in input ? new SentInput(input.sent, message.maxInputBytes) : new StoredInput(input))
    const controller = new AbortController()
    this.#current = { controller, sent: inputs.filter(input => input instanceof SentInput) }
    let result: ImageResult | undefined
    let failure: unknown
    try {
      result = await this.#result(message, inputs, controller.signal)
    } catch (error) {
      failure = error
    }
    await Promise.allSettled(inputs.map(async input => await input.close()))
    this.#current = undefined
    if (result === undefined) sendJson(this.#channel, 'failure', failureOf(failure))
    else sendFrame(this.#channel, 'result', ...resultParts(result))
    this.#held += inputs.reduce((sum, input) => sum + input.held, result?.bytes.length ?? 0)
    if (this.#held < COLLECT_BYTES) return
    this.#held = 0
    globalThis.gc?.()
  }

  async #result ({ job }: JobMessage, inputs: readonly WorkerInput[], signal: AbortSignal): Promise<ImageResult> {
    await settled(inputs.map(async input => await input.ready()))
    signal.throwIfAborted()
    const result = await this.#runJob(job, inputs, signal)
    for (const input of inputs) input.verify()
    return result
  }
}

/** Like Promise.all, but waits for all of them also when one fails: what was opened meanwhile is to be closed. */
async function settled (promises: Array<Promise<void>>): Promise<void> {
  await Promise.allSettled(promises)
  await Promise.all(promises)
}
