import { join } from 'node:path'
import type { DiskLayout } from './disk-layout.ts'
import { removeOlder } from './disk-removal.ts'
import { namesIn } from './disk-shards.ts'
import type { DiskSpace } from './disk-space.ts'
import type { StoreFaults } from './store-faults.ts'

/** 256 looks in half a minute: with 100,000 variants a tenth of a core for that time. */
const SURVEY_MS = 100

/** Milliseconds after a look that failed. */
const RETRY_SURVEY_MS = 10_000

/** Milliseconds after which nobody writes to a file any more that was begun. */
const ABANDONED_MS = 600_000

/** One small look after another at what is there already, beside the requests: a start does not wait for it. */
export class DiskSurvey {
  readonly #layout: DiskLayout
  readonly #space: DiskSpace
  readonly #faults: StoreFaults
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  /** @param options.everyMs milliseconds between two looks */
  constructor (layout: DiskLayout, space: DiskSpace, { faults, everyMs = SURVEY_MS }: { faults: StoreFaults, everyMs: number | undefined }) {
    this.#layout = layout
    this.#space = space
    this.#faults = faults
    this.#everyMs = everyMs
  }

  /** What was begun and never finished goes first; then every shard is counted. */
  begin (): void {
    this.#later(async () => await this.#removeAbandoned())
  }

  stop (): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #later (look: () => Promise<void>, waitMs = this.#everyMs): void {
    this.#timer = setTimeout(() => void this.#now(look), waitMs).unref()
  }

  async #now (look: () => Promise<void>): Promise<void> {
    let waitMs = this.#everyMs
    try {
      await look()
    } catch (error) {
      this.#faults.report('The cache directory cannot be used', error)
      waitMs = RETRY_SURVEY_MS
    }
    if (!this.#isStopped && !this.#space.isLearned) this.#later(async () => await this.#space.learn(), waitMs)
  }

  async #removeAbandoned (): Promise<void> {
    for (const name of await namesIn(this.#layout.aside)) await removeOlder(join(this.#layout.aside, name), ABANDONED_MS)
  }
}
