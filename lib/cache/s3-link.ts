import { setMaxListeners } from 'node:events'
import type { Body } from '../representation.ts'
import type { S3Client } from '../sources/s3/client.ts'
import { StoreFaults } from './store-faults.ts'
import type { OnStoreFault } from './store.ts'

/** Milliseconds without requests after one failed; then one tries. */
const OPEN_MS = 1000

/**
 * Requests to a bucket of which nobody has to wait long: where it is gone, slow or refuses us each comes
 * to nothing within a bounded time, and for a second none is sent.
 */
export class S3Link {
  readonly #client: S3Client
  readonly #faults: StoreFaults
  #openUntil = 0
  #isProbing = false

  /** @param client closed by its holder */
  constructor (client: S3Client, onFault?: OnStoreFault) {
    this.#client = client
    this.#faults = new StoreFaults(onFault)
  }

  /**
   * Sends a request, or several.
   *
   * @param limitMs how long they may take
   * @returns undefined where the store did not answer in time, or refused
   */
  async run<T> (request: (client: S3Client, signal: AbortSignal) => Promise<T>, limitMs: number): Promise<T | undefined> {
    if (this.#isProbing || performance.now() < this.#openUntil) return undefined
    const isProbe = this.#openUntil > 0
    this.#isProbing = isProbe
    const signal = AbortSignal.timeout(limitMs)
    setMaxListeners(0, signal) // each request listens, and there may be one for every tag
    try {
      const answer = await request(this.#client, signal)
      if (isProbe) this.#openUntil = 0
      return answer
    } catch (error) {
      this.report('The bucket of the variant cache failed', error)
      this.#openUntil = performance.now() + OPEN_MS
      return undefined
    } finally {
      if (isProbe) this.#isProbing = false
    }
  }

  report (what: string, cause?: unknown): void {
    this.#faults.report(what, cause)
  }
}

/** All of a body. @throws what it fails with, and the signal's reason */
export async function bytesIn (body: Body, signal: AbortSignal): Promise<Buffer> {
  return Buffer.isBuffer(body) ? body : Buffer.concat(await body.toArray({ signal }) as Buffer[])
}
