import { availableParallelism } from 'node:os'
import { pageBytes } from './process-memory.ts'
import type { WorkerEnd } from './worker-end.ts'

const MIB = 1024 * 1024

/** How image workers are run, and what bounds them. Who chooses pictures pushes against the bounds. */
export interface WorkerPoolOptions {
  /** Processes. Default: one per core. */
  workers?: number
  /** What a worker runs. Default: the program beside this file. */
  program?: URL
  /** Milliseconds for a job, its inputs' arrival included. */
  deadlineMs?: number
  /** Resident bytes of one worker, above which it is killed. Looked at 10 to 50 times a second while it works, the more often the nearer it is; where there is no /proc, never. */
  workerBytes?: number
  /** Resident bytes of all workers together, above which the biggest that works is killed. */
  totalBytes?: number
  /** Milliseconds after which a worker that nobody needed is ended. */
  idleMs?: number
  /** Milliseconds a worker may take to start. */
  startMs?: number
  /** Bytes of one result. */
  maxResultBytes?: number
  /** How far workers give way to the server, 0 to 19, as `nice` means it. */
  niceness?: number
  /** The workers' environment, beside {@link workerEnv}. They need nothing of the server's own. */
  env?: Readonly<Record<string, string>>
  /** Told what happens to workers, for the log. */
  onEvent?: (event: WorkerEvent) => void
}

/** How workers are started. */
export interface Launch {
  readonly program: URL
  readonly execArgv: readonly string[]
  /** All of the worker's environment. */
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds from the start to the hello. */
  readonly startMs: number
  /** Bytes of one result. */
  readonly resultBytes: number
  /** As `os.setPriority` takes it. */
  readonly niceness: number
  /** As `pageBytes` gives it. */
  readonly pageSize: number | undefined
}

/** What happens to workers: `ended` is in order, `killed` is for what its job did, `crashed` of itself. */
export type WorkerEvent =
  | { readonly kind: 'started', readonly pid: number | undefined, readonly startMs: number }
  | ({ readonly kind: 'ended' | 'killed' | 'crashed' | 'not-started', readonly pid: number | undefined } & WorkerEnd)

/** Choices for one job. */
export interface RunOptions {
  signal?: AbortSignal | undefined
  /** Milliseconds, in place of the pool's. */
  deadlineMs?: number | undefined
  /** Bytes of memory that the job is expected to take. Default 0: unknown. */
  needBytes?: number | undefined
  /** Bytes of one input. Default 64 MiB. */
  maxInputBytes?: number | undefined
}

export const workerPoolDefaults = {
  deadlineMs: 10_000,
  workerBytes: 320 * MIB,
  totalBytes: 384 * MIB,
  idleMs: 60_000,
  startMs: 10_000,
  maxResultBytes: 256 * MIB,
  niceness: 5,
  maxInputBytes: 64 * MIB
} as const

/** What workers find in their environment unless told otherwise; `docs/adr` has the figures. */
export const workerEnv: Readonly<Record<string, string>> = {
  // More arenas cost memory and bring no speed: one thread decodes.
  MALLOC_ARENA_MAX: '1',
  // One for the picture, one for files.
  UV_THREADPOOL_SIZE: '2',
  // libvips' loaders that nobody hardened against hostile input; the worker's program lets SVG in again.
  VIPS_BLOCK_UNTRUSTED: '1'
}

const FLAG_WITH_VALUE = /^(?:--import|--require|-r|--loader|--experimental-loader)$/
/** Of the server's own flags those that tell how to load a program in TypeScript. */
const LOADER_FLAG = /^(?:--import|--require|-r|--loader|--experimental-loader|--experimental-strip-types)(?:=|$)/
/** MiB of JavaScript's own heap: a worker's bytes lie outside it. And the leave to ask for a collection, which measured 20 to 50 MB less at rest after large inputs. No other flag of V8's made an idle worker smaller without making its code slow. */
const MEMORY_FLAGS = ['--max-old-space-size=128', '--expose-gc']

export type ResolvedOptions = Required<Omit<WorkerPoolOptions, 'program' | 'env'>>

/** What a pool goes by, all choices made. */
export function resolveOptions ({ program, env, ...rest }: WorkerPoolOptions): ResolvedOptions & { launch: Launch } {
  const options = { ...workerPoolDefaults, workers: availableParallelism(), onEvent: () => {}, ...rest }
  const url = program ?? new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
  return {
    ...options,
    launch: {
      program: url,
      execArgv: [...MEMORY_FLAGS, ...url.pathname.endsWith('.ts') ? loaderFlags(process.execArgv) : []],
      env: { ...workerEnv, ...env },
      startMs: options.startMs,
      resultBytes: options.maxResultBytes,
      niceness: options.niceness,
      pageSize: pageBytes()
    }
  }
}

function loaderFlags (flags: readonly string[]): string[] {
  // A flag without `=` has its value in the next one.
  const loaders = flags.filter((flag, index) => LOADER_FLAG.test(flag) || FLAG_WITH_VALUE.test(flags[index - 1] ?? ''))
  // tap's instruments are for the process that tests, and fail without its environment.
  return loaders.filter(flag => !flag.includes('/@tapjs/'))
}
