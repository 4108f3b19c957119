import type { Purges } from '../cache/purges.ts'
import { SingleFlight } from '../cache/single-flight.ts'
import type { MakingLease, StoredVariant, VariantKey, VariantStore } from '../cache/store.ts'
import { MediaError } from '../errors.ts'
import { RepresentationChanged } from '../representation.ts'
import type { FoundFile } from '../sources/source.ts'
import { decodingBudget, inTurn, OUTPUT_SHARE, type Priority, type Queue } from './in-turn.ts'
import type { ImageJob, ImageResult, JobInput } from './job.ts'
import type { Transform } from '../transform/transform.ts'
import { isPlain, Refusals } from './refusals.ts'
import { memoryNeed, type HeaderFacts } from './sniff.ts'
import type { Ingredients, Variant } from './variant.ts'

export type { Priority, Queue } from './in-turn.ts'

/** Who does the jobs: `WorkerPool` is one. */
export interface Workers {
  run (job: ImageJob, inputs: readonly JobInput[], options: { signal: AbortSignal, maxInputBytes: number, deadlineMs?: number | undefined, needBytes?: number | undefined }): Promise<ImageResult>
}

/** How one variant is made. */
export interface MakeOptions {
  /** Whose turn it counts as: the mount. */
  readonly lane: string
  /** Bytes of the original that are read at most. */
  readonly inputBytes: number
  /** How long one may take, in milliseconds; that of the workers where nothing is said. */
  readonly deadlineMs?: number | undefined
  /** Default `request`. */
  readonly priority?: Priority
  readonly from: Ingredients
  /** Who asked has left. Without it the work goes on to its end. */
  readonly signal?: AbortSignal
}

/** A variant that was just made, or was there. */
export interface Made {
  readonly stored: Pick<StoredVariant, 'type' | 'size' | 'bytes' | 'open'>
  /** `made`, or the tier that had it. */
  readonly outcome: string
}

/** Makes variants: each once, however many ask, and keeps them. */
export class Deriver {
  readonly #workers: Workers
  readonly #queue: Queue
  readonly #store: VariantStore
  readonly #purges: Pick<Purges, 'generationOf'>
  readonly #refusals: Refusals
  readonly #workerBytes: number
  readonly #flights = new SingleFlight<Made>()
  readonly #writes = new Map<VariantKey, Promise<void>>()

  /**
   * @param parts.hostileMs how long what cannot be made is refused without another try, in milliseconds
   * @param parts.workerBytes memory of one worker: what is known to need more is not tried
   * @param parts.purges what was purged while it was made is not kept
   */
  constructor (parts: { workers: Workers, queue: Queue, store: VariantStore, purges: Pick<Purges, 'generationOf'>, hostileMs: number, workerBytes: number }) {
    this.#workers = parts.workers
    this.#queue = parts.queue
    this.#store = parts.store
    this.#purges = parts.purges
    this.#refusals = new Refusals(parts.hostileMs)
    this.#workerBytes = parts.workerBytes
  }

  /** What is kept in memory under a key. */
  atHand (key: VariantKey): StoredVariant | undefined {
    return this.#store.peek?.(key)
  }

  /** What is kept under a key, wherever that is. */
  kept (key: VariantKey): StoredVariant | undefined | Promise<StoredVariant | undefined> {
    return this.#store.get(key)
  }

  /**
   * The variant, kept or made now. Who leaves is let go; when all have left, the work stops.
   *
   * @throws {MediaError} `busy`, `unsupported-image`, `broken-image`, `image-too-large`, `image-too-costly`, `bad-transform`, `unavailable`
   * @throws {RepresentationChanged} where the original is no longer what was described
   */
  async made (variant: Variant, options: MakeOptions): Promise<Made> {
    // Who waits for it now does not wait as long as what nobody waits for.
    const flight = options.priority === 'background' ? `${variant.key} later` : variant.key
    return await this.#flights.run(flight, async signal => {
      // With a lease no other instance makes it meanwhile; or another just did.
      const there = await this.#store.get(variant.key) ?? await this.#store.claim?.(variant.key, signal)
      if (there !== undefined && 'open' in there) return { stored: there, outcome: `hit-${there.tier}` }
      try {
        return await this.#make(variant, options, signal)
      } finally {
        if (there !== undefined) void this.#release(there, variant.key)
      }
    }, options.signal)
  }

  /** What was just made, as it is kept, when it is. */
  async written (key: VariantKey): Promise<StoredVariant | undefined> {
    await this.#writes.get(key)
    return await this.#store.get(key)
  }

  /** Settles when all that was made is kept. */
  async settled (): Promise<void> {
    await Promise.all(this.#writes.values())
  }

  /** When it is kept, or will not be. */
  async #release (lease: MakingLease, key: VariantKey): Promise<void> {
    await this.#writes.get(key)
    await lease.release()
  }

  async #make (variant: Variant, options: MakeOptions, signal: AbortSignal): Promise<Made> {
    const { original } = variant
    const id = `${original.path}\n${original.revision}`
    this.#refusals.check(id, variant.key)
    if ((original.size ?? 0) > options.inputBytes) {
      throw new MediaError('image-too-large', { detail: `The original has more than ${options.inputBytes} bytes (limits.inputBytes)` })
    }
    if ((memoryNeed(original.facts) ?? 0) > this.#workerBytes) {
      throw new MediaError('image-too-costly', { detail: `The image takes more memory than a worker may have: ${this.#workerBytes} bytes` })
    }
    try {
      const result = await inTurn(
        this.#queue,
        async running => await this.#workers.run(variant.job, await inputsOf(options.from), { signal: running, maxInputBytes: options.inputBytes, deadlineMs: options.deadlineMs, needBytes: memoryNeed(original.facts) }),
        { lane: options.lane, pixels: budgetOf(variant), priority: options.priority ?? 'request', signal }
      )
      return this.#keep(variant, result)
    } catch (error) {
      if (error instanceof MediaError) this.#refusals.remember(error, { original: id, variant: variant.key, wasPlain: isPlain(variant.job) })
      else if (error instanceof RepresentationChanged) for (const { representation } of filesOf(options.from)) representation.outdated?.()
      throw error
    }
  }

  #keep (variant: Variant, { bytes, facts }: ImageResult): Made {
    const { tags } = variant.original
    if (this.#purges.generationOf(tags) === variant.original.generation) {
      const write = this.#store.put(variant.key, { bytes, type: variant.type, tags, quality: facts.quality })
      this.#writes.set(variant.key, write.finally(() => this.#writes.delete(variant.key)))
    }
    const stored = { type: variant.type, size: bytes.length, bytes, open: async (range?: { start: number, end: number }) => range === undefined ? bytes : bytes.subarray(range.start, range.end + 1) }
    return { stored, outcome: 'made' }
  }
}

/** What decoding and encoding take of the queue's budget. */
function budgetOf ({ job, original: { facts } }: Variant): number {
  return Math.ceil(decodingBudget(facts) + (job.kind === 'variant' ? outputPixels(job.transform, facts) * OUTPUT_SHARE : 0))
}

/** About as many as the variant will have. */
function outputPixels ({ w, h }: Transform, { width = 1, height = 1 }: HeaderFacts): number {
  if (w !== undefined && h !== undefined) return w * h
  if (w !== undefined) return w * w * height / width
  return h === undefined ? width * height : h * h * width / height
}

async function inputsOf (from: Ingredients): Promise<JobInput[]> {
  return await Promise.all(filesOf(from).map(inputOf))
}

function filesOf ({ original, overlay }: Ingredients): FoundFile[] {
  return overlay === undefined ? [original] : [original, overlay]
}

/** A file on disk is opened by the worker itself. */
async function inputOf ({ representation }: FoundFile): Promise<JobInput> {
  return representation.stored ?? representation.bytes ?? await representation.open()
}
