import { setTimeout as wait } from 'node:timers/promises'
import { StoreFault } from '../cache/store.ts'
import { MediaError } from '../errors.ts'
import type { Key } from '../paths/request-path.ts'
import type { Source } from '../sources/source.ts'
import { filesOf } from '../sources/walk.ts'
import type { Asked } from '../transform/asked.ts'
import type { MountImages } from './mount-images.ts'
import type { Makeable } from './variant.ts'

/** A mount whose pictures are made ahead of requests. */
export interface WarmMount {
  /** As clients see it, without a trailing slash; `''` at the root. */
  readonly prefix: string
  readonly source: Source
  readonly images: Pick<MountImages, 'variants' | 'keep'>
  /** What is asked of each picture. */
  readonly asked: readonly Asked[]
}

/** What is told while variants are made. `path` is the URL path of the original. */
export type WarmNews =
  /** A file was looked at; it is `made` into variants, or no picture. */
  | { readonly kind: 'picture' | 'no-picture', readonly path: string }
  /** A variant was made, or was there. */
  | { readonly kind: 'made' | 'there', readonly path: string }
  /** A variant could not be made, or a file or directory not be read. `isNew`: the first time for this reason and file. */
  | { readonly kind: 'failed', readonly path: string, readonly error: Error, readonly isNew: boolean }

/** How variants are made ahead of requests. */
export interface WarmOptions {
  /** Variants at once. */
  readonly concurrency: number
  readonly signal: AbortSignal
  readonly tell: (news: WarmNews) => void
  /** Milliseconds until what failed for want of room is tried again. */
  readonly retryMs?: number
}

/** Longer than a store pauses after a fault. */
const RETRY_MS = 1500

/** How often one variant is tried. */
const TRIES = 3

/** Variants in a row that were made and not kept: then nothing is. */
const MAX_UNKEPT = 3

/** One variant to make. */
interface Task {
  readonly images: WarmMount['images']
  readonly makeable: Makeable
  readonly file: File
}

interface File {
  readonly path: string
  /** Why variants of it failed, so that each reason is told once. */
  readonly reasons: Set<string>
}

/**
 * Makes variants of every picture of some mounts, and keeps them. Those that are kept already
 * are left as they are: stopped at any point, it goes on there when it is run again. Holds a few
 * variants and the directories on the way down, however many files there are.
 *
 * @throws {MediaError} `unavailable` where the cache keeps nothing; the signal's reason
 */
export async function warmMounts (mounts: readonly WarmMount[], options: WarmOptions): Promise<void> {
  const { concurrency, signal } = options
  const warming = new Warming(options)
  const tasks = warming.tasks(mounts)
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  // All take from one walk, which goes no further than they do.
  const work = async (): Promise<void> => {
    for (let next = await tasks.next(); next.done !== true && !stop.aborted; next = await tasks.next()) await warming.make(next.value, stop)
  }
  await Promise.all(Array.from({ length: concurrency }, async () => await work().catch((error: unknown) => failed.abort(error))))
  await tasks.return()
  stop.throwIfAborted()
}

class Warming {
  readonly #tell: WarmOptions['tell']
  readonly #retryMs: number
  #unkept = 0

  constructor ({ tell, retryMs = RETRY_MS }: WarmOptions) {
    this.#tell = tell
    this.#retryMs = retryMs
  }

  async * tasks (mounts: readonly WarmMount[]): AsyncGenerator<Task, void, undefined> {
    for (const mount of mounts) {
      const onFault = (key: Key, error: unknown): void => this.#fail(fileOf(mount, key), error)
      for await (const key of filesOf(mount.source, onFault)) {
        const file = fileOf(mount, key)
        for (const makeable of await this.#variants(mount, key, file)) yield { images: mount.images, makeable, file }
      }
    }
  }

  /** Makes one, or tells why not. @throws where it is no use to go on */
  async make ({ images, makeable, file }: Task, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const kind = await images.keep(makeable, signal)
        this.#unkept = 0
        this.#tell({ kind, path: file.path })
        return
      } catch (error) {
        signal.throwIfAborted()
        const isPassing = error instanceof StoreFault || (error instanceof MediaError && error.code === 'busy')
        if (!isPassing || tries === TRIES) return this.#giveUp(file, error)
      }
      await wait(this.#retryMs, undefined, { signal })
    }
  }

  #giveUp (file: File, error: unknown): void {
    this.#fail(file, error)
    if (!(error instanceof StoreFault)) return
    this.#unkept++
    if (this.#unkept === MAX_UNKEPT) throw new MediaError('unavailable', { detail: 'The variant cache keeps nothing: it is of no use to go on', cause: error })
  }

  /** Each once, whatever it is asked by. */
  async #variants ({ source, images, asked }: WarmMount, key: Key, file: File): Promise<Iterable<Makeable>> {
    const variants = new Map<string, Makeable>()
    try {
      const found = await source.stat(key)
      if (found?.kind !== 'file') return [] // it went since it was listed
      for (const one of asked) {
        for (const makeable of await images.variants({ asked: one, path: file.path, key }, found)) variants.set(makeable.variant.key, makeable)
      }
      this.#tell({ kind: 'picture', path: file.path })
    } catch (error) {
      this.#fail(file, error)
    }
    return variants.values()
  }

  #fail ({ path, reasons }: File, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    const isNew = !reasons.has(error.message)
    reasons.add(error.message)
    if (!(error instanceof MediaError && error.code === 'unsupported-image')) this.#tell({ kind: 'failed', path, error, isNew })
    else if (isNew) this.#tell({ kind: 'no-picture', path })
  }
}

function fileOf ({ prefix }: WarmMount, key: Key): File {
  return { path: `${prefix}/${key}`, reasons: new Set() }
}
