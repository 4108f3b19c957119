import { setTimeout as wait } from 'node:timers/promises'
import type { AccessLog } from '../access/access.ts'
import type { MountImages } from '../image/mount-images.ts'
import { pathBelow } from '../paths/request-path.ts'
import type { Source } from '../sources/source.ts'
import { CLOCK_GRAIN_MS } from '../sources/stored-file.ts'
import type { FileEvent } from './parts.ts'

/** Pictures that wait to be made ahead: at more, further ones are made when they are asked for. Whoever uploads pushes against it. */
const MAX_WAITING = 1000

/** What is made ahead, and of what. */
export interface MakeAheadOptions {
  /** As clients see it, without a trailing slash. */
  readonly prefix: string
  readonly images: Pick<MountImages, 'variants' | 'keep'>
  readonly source: Source
  /** Names of presets. */
  readonly presets: readonly string[]
  readonly log: AccessLog
}

/** Makes the variants that presets name of each picture once it was written, one after the other, behind whoever asks for some now. */
export class MakeAhead {
  readonly #options: MakeAheadOptions
  readonly #paths = new Set<string>()
  readonly #closing = new AbortController()
  #work: Promise<void> | undefined

  constructor (options: MakeAheadOptions) {
    this.#options = options
  }

  /** Takes note of what happened to a file. Nobody waits for it. */
  note ({ type, path }: FileEvent): void {
    if (type === 'file.deleted' || this.#closing.signal.aborted || this.#paths.size >= MAX_WAITING) return
    this.#paths.add(path)
    this.#work ??= this.#makeAll().finally(() => { this.#work = undefined })
  }

  /** What is being made is given up. */
  async close (): Promise<void> {
    this.#closing.abort(new Error('It is being closed'))
    await this.#work
  }

  async #makeAll (): Promise<void> {
    for (const path of this.#paths) {
      this.#paths.delete(path)
      if (this.#closing.signal.aborted) continue
      await this.#make(path).catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error, path }, 'A picture was not made ahead')
      })
    }
  }

  async #make (path: string): Promise<void> {
    const { prefix, images, source, presets } = this.#options
    const key = pathBelow(path, prefix)?.key
    const written = key === undefined ? undefined : await source.stat(key)
    if (key === undefined || written?.kind !== 'file' || !written.representation.type.startsWith('image/')) return
    // What was changed a moment ago gets variants of another name, since it may be changed again unseen.
    await wait(Math.max(0, written.changed + CLOCK_GRAIN_MS - Date.now() + 1), undefined, { signal: this.#closing.signal })
    const found = await source.stat(key)
    if (found?.kind !== 'file') return
    for (const preset of presets) {
      for (const makeable of await images.variants({ asked: { values: {}, preset, info: false }, path, key }, found)) await images.keep(makeable, this.#closing.signal)
    }
  }
}
