import { fstatSync, readlinkSync, readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { RepresentationChanged } from '../../representation.ts'
import { openStored, revisionOf, type StoredFile } from '../../sources/stored-file.ts'
import { FrameFault } from './frames.ts'
import type { OpenInput } from '../job.ts'

/** An input that a worker got ready, and gives back when the job is over. */
export interface WorkerInput extends OpenInput {
  /** Settles when all of it can be read. */
  ready (): Promise<void>
  /** @throws {RepresentationChanged} where what was read may be a mixture of old and new */
  verify (): void
  close (): Promise<void>
  /** Bytes that it put into memory. */
  readonly held: number
}

/** A file that the worker opened itself. */
export class StoredInput implements WorkerInput {
  readonly size: number
  held = 0
  readonly #stored: StoredFile
  #handle: FileHandle | undefined
  #path: string | undefined

  constructor (stored: StoredFile) {
    this.#stored = stored
    this.size = stored.size
  }

  get path (): string | undefined {
    return this.#path
  }

  async ready (): Promise<void> {
    this.#handle = await openStored(this.#stored)
    this.#path = pathOfDescriptor(this.#handle.fd)
  }

  async head (length: number): Promise<Buffer> {
    return await this.#read(Math.min(length, this.size))
  }

  async bytes (): Promise<Buffer> {
    return await this.#read(this.size)
  }

  verify (): void {
    if (this.#handle !== undefined && revisionOf(fstatSync(this.#handle.fd, { bigint: true })) !== this.#stored.revision) {
      throw new RepresentationChanged(this.#stored.path)
    }
  }

  async close (): Promise<void> {
    await this.#handle?.close()
  }

  /** At once: a thread that is woken for it costs more, and nothing else waits in this process. */
  async #read (length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    this.held += length
    let filled = 0
    while (filled < length) {
      const got = this.#handle === undefined ? 0 : readSync(this.#handle.fd, bytes, filled, length - filled, filled)
      if (got === 0) throw new RepresentationChanged(this.#stored.path)
      filled += got
    }
    return bytes
  }
}

/** A path that names an open descriptor, where the system has such a thing. */
function pathOfDescriptor (fd: number): string | undefined {
  const path = `/proc/self/fd/${fd}`
  try {
    readlinkSync(path)
    return path
  /* c8 ignore next 3 -- only where there is no /proc: not on Linux, where the tests run */
  } catch {
    return undefined
  }
}

/** An input that is sent to the worker. */
export class SentInput implements WorkerInput {
  readonly path = undefined
  readonly #buffer: Buffer
  #filled = 0
  readonly #whole: Promise<void>
  #settle: { resolve: () => void, reject: (error: unknown) => void } | undefined

  /**
   * @param size bytes, null where nobody knows yet
   * @param limit bytes that are reserved then: what is not written to takes no memory
   */
  constructor (size: number | null, limit: number) {
    this.#buffer = Buffer.allocUnsafeSlow(size ?? limit)
    this.#whole = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    // The job may fail for another reason before anyone waits for this.
    this.#whole.catch(() => {})
  }

  get size (): number {
    return this.#filled
  }

  get held (): number {
    return this.#filled
  }

  /** Where the next bytes go. */
  next (length: number): Buffer {
    if (this.#filled + length > this.#buffer.length) throw new FrameFault('An input longer than was told')
    this.#filled += length
    return this.#buffer.subarray(this.#filled - length, this.#filled)
  }

  end (): void {
    this.#settle?.resolve()
  }

  /** Nothing more comes. */
  fail (error: unknown): void {
    this.#settle?.reject(error)
  }

  async ready (): Promise<void> {
    await this.#whole
  }

  async head (length: number): Promise<Buffer> {
    return this.#buffer.subarray(0, Math.min(length, this.#filled))
  }

  async bytes (): Promise<Buffer> {
    return this.#buffer.subarray(0, this.#filled)
  }

  verify (): void {}

  async close (): Promise<void> {}
}
