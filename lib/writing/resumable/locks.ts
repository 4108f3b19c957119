import { ERRORS, type Lock, type Locker } from '@tus/server'
import { MediaError } from '../../errors.ts'
import { LocalLocks, type AskRelease } from './local-locks.ts'
import type { RedisLocks } from './redis-locks.ts'

/** Milliseconds for which a request waits for an upload that another one is writing. */
const WAIT_MS = 15_000

/** One request at a time for each upload: in this process, and among instances where they share a Redis. */
export class UploadLocks {
  readonly #local = new LocalLocks()
  readonly #shared: RedisLocks | undefined
  readonly #waitMs: number

  constructor (shared?: RedisLocks, waitMs = WAIT_MS) {
    this.#shared = shared
    this.#waitMs = waitMs
  }

  /** @throws {MediaError} `locked` where the wait is too long; `unavailable`; the reason of a signal */
  async take (id: string, askRelease: AskRelease, signals: readonly AbortSignal[] = []): Promise<void> {
    const late = AbortSignal.timeout(this.#waitMs)
    const signal = AbortSignal.any([...signals, late])
    try {
      await this.#local.take(id, askRelease, signal)
      try {
        await this.#shared?.take(id, askRelease, signal)
      } catch (error) {
        this.#local.give(id)
        throw error
      }
    } catch (error) {
      throw error === late.reason ? new MediaError('locked', { headers: { 'retry-after': '1' } }) : error
    }
  }

  /** Never throws. */
  async give (id: string): Promise<void> {
    await this.#shared?.give(id)
    this.#local.give(id)
  }

  /** As the library asks for them. @param left of the request: nobody waits for a client that left */
  locker (left: AbortSignal): Locker {
    return {
      newLock: (id: string): Lock => ({
        lock: async (stop, askRelease) => {
          try {
            await this.take(id, askRelease, [stop, left])
          } catch (error) {
            throw stop.aborted ? ERRORS.ABORTED : error // the library aborts with an event as its reason
          }
        },
        unlock: async () => await this.give(id)
      })
    }
  }
}
