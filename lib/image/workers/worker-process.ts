import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { PassThrough, type Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { FrameFault, FrameReader, type FrameKind, type FrameReceiver } from './frames.ts'
import { ProcessMemory } from './process-memory.ts'
import { FAILURE_BYTES, HELLO_BYTES, readFailure, readHello, readResult, type Engine, type FailureMessage } from './worker-messages.ts'
import type { ImageResult } from '../job.ts'
import type { KillReason, WorkerEnd } from './worker-end.ts'
import type { Launch } from './worker-options.ts'

/** Who is told what a worker does. */
export interface WorkerOwner {
  started (engine: Engine): void
  /** Its answer to the one job it has. */
  answered (answer: ImageResult | FailureMessage): void
  /** It is gone. The last call. */
  ended (end: WorkerEnd): void
}

/** The descriptor of the pipe, in the worker. */
const CHANNEL_FD = 3
const STDERR_BYTES = 2048
/** What a worker may write to its standard error in its life: decoders warn, one that floods is sick. */
const STDERR_LIFE_BYTES = 4 * 1024 * 1024
/** Milliseconds a worker has to end by itself when it is asked to. */
const RETIRE_MS = 1000
/** Milliseconds after a kill, or an exit, when a worker counts as gone though the system has not said so, or something holds its pipes. */
const KILL_MS = 2000
/** Where memory runs out all the same, the system ends a worker rather than the server. proc_pid_oom_score_adj(5) */
const OOM_SCORE = '800'

type State = 'starting' | 'idle' | 'busy' | 'retiring' | 'killed' | 'gone'

/** One worker as the server sees it. Nothing it says is believed without a look: a picture may have taken it over. */
export class WorkerProcess implements FrameReceiver {
  readonly #launch: Launch
  readonly #owner: WorkerOwner
  readonly #child: ChildProcess
  readonly #memory: ProcessMemory | undefined
  #state: State = 'starting'
  #reason: KillReason | undefined
  #hasStarted = false
  #stderr = Buffer.alloc(0)
  #stderrBytes = 0
  #timer: NodeJS.Timeout
  readonly channel: Duplex

  constructor (launch: Launch, owner: WorkerOwner) {
    this.#launch = launch
    this.#owner = owner
    this.#child = spawn(process.execPath, [...launch.execArgv, fileURLToPath(launch.program)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...launch.env },
      windowsHide: true
    })
    this.#child.once('error', error => {
      this.#stderr = Buffer.from(String(error))
      if (this.pid === undefined) this.#gone(null, null)
    })
    this.#child.once('exit', (code, signal) => this.#ending(code, signal))
    // `close` comes when its pipes are read to their end too.
    this.#child.once('close', (code, signal) => this.#gone(code, signal))
    // Out of descriptors or processes, there are no pipes.
    this.channel = (this.#child.stdio as ChildProcess['stdio'] | undefined)?.[CHANNEL_FD] as Duplex | undefined ?? new PassThrough()
    if (this.pid !== undefined) this.#memory = new ProcessMemory(this.pid, launch.pageSize)
    this.#stepBack()
    this.#listen()
    this.#timer = setTimeout(() => this.kill('start'), launch.startMs)
  }

  /** Undefined where it could not be started. */
  get pid (): number | undefined {
    return this.#child.pid
  }

  get state (): State {
    return this.#state
  }

  /** Resident bytes, 0 where they cannot be told. */
  memory (): number {
    return this.#memory?.read() ?? 0
  }

  /** Whether it ever said hello. */
  get hasStarted (): boolean {
    return this.#hasStarted
  }

  /** Takes it for a job: it answers once. While it is taken it keeps the server's process alive. */
  take (): void {
    this.#state = 'busy'
    this.#hold(true)
  }

  /** It has nothing to do. */
  rest (): void {
    this.#state = 'idle'
    this.#hold(false)
  }

  /** Ends it at once, whatever it does. */
  kill (reason: KillReason): void {
    if (this.#state === 'killed' || this.#state === 'gone') return
    this.#reason = reason
    this.#state = 'killed'
    this.#ending(null, 'SIGKILL')
    this.#child.kill('SIGKILL')
  }

  /** Lets an idle worker end by itself. The server's process stays alive until it has. */
  retire (): void {
    this.#state = 'retiring'
    this.#reason = 'closed'
    this.#hold(true)
    this.channel.end()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.kill('closed'), RETIRE_MS)
  }

  accept (kind: FrameKind, length: number): Buffer {
    const limit = this.#limitOf(kind)
    if (length > limit) throw new FrameFault(`A frame '${kind}' of ${length} bytes while the worker was ${this.#state}`)
    return Buffer.allocUnsafeSlow(length)
  }

  receive (kind: FrameKind, payload: Buffer): void {
    if (kind === 'hello') {
      const engine = readHello(payload)
      clearTimeout(this.#timer)
      this.#hasStarted = true
      this.rest()
      this.#owner.started(engine)
      return
    }
    const answer = kind === 'result' ? readResult(payload) : readFailure(payload)
    this.rest()
    this.#owner.answered(answer)
  }

  #limitOf (kind: FrameKind): number {
    if (kind === 'hello' && this.#state === 'starting') return HELLO_BYTES
    if (kind === 'result' && this.#state === 'busy') return this.#launch.resultBytes
    if (kind === 'failure' && this.#state === 'busy') return FAILURE_BYTES
    return -1
  }

  #listen (): void {
    const reader = new FrameReader(this)
    this.channel.on('error', () => {}) // its end is told by `exit`
    this.channel.on('data', (bytes: Buffer) => {
      if (this.#state === 'killed' || this.#state === 'gone') return
      try {
        reader.push(bytes)
      } catch (error) {
        this.#stderr = Buffer.from(String(error))
        this.kill('malformed')
      }
    })
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#stderrBytes += bytes.length
      this.#stderr = Buffer.from(Buffer.concat([this.#stderr, bytes]).subarray(-STDERR_BYTES))
      if (this.#stderrBytes > STDERR_LIFE_BYTES) this.kill('malformed')
    })
  }

  /** Whether this worker keeps the server's process from ending. */
  #hold (isHeld: boolean): void {
    const method = isHeld ? 'ref' : 'unref'
    for (const handle of [this.#child, this.channel, this.#child.stderr]) (handle as Partial<ChildProcess> | null)?.[method]?.()
  }

  /** Pictures give way to the server that answers requests, in time and in memory. */
  #stepBack (): void {
    if (this.pid === undefined) return
    try {
      setPriority(this.pid, this.#launch.niceness)
      writeFileSync(`/proc/${this.pid}/oom_score_adj`, OOM_SCORE)
    /* c8 ignore next 3 -- only where the system has no such thing, or the process is gone already: nothing depends on it */
    } catch {
      // It works all the same.
    }
  }

  #ending (exitCode: number | null, signal: string | null): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#gone(exitCode, signal), KILL_MS)
  }

  #gone (exitCode: number | null, signal: string | null): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    clearTimeout(this.#timer)
    this.#memory?.close()
    this.channel.destroy()
    this.#child.stderr?.destroy()
    this.#owner.ended({ reason: this.#reason, exitCode, signal, stderr: this.#stderr.toString() })
  }
}
