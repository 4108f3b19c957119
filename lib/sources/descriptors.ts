import type { FileHandle } from 'node:fs/promises'
import { RepresentationChanged } from '../representation.ts'
import { CLOCK_GRAIN_MS, openStored, revisionOf, type StoredFile } from './stored-file.ts'

/** How many descriptors are kept, and for how long nobody has to ask for one until it is closed. */
export interface DescriptorOptions {
  /** The most that stay open while nobody reads. More are open while more files are read at once. */
  maxDescriptors: number
  /** Milliseconds. */
  descriptorIdleMs: number
}

/** A descriptor that several readers share. Each calls `release` once. */
export interface Lease {
  readonly file: KeptFile
  release (): void
}

/** An open file, kept for the next reader. */
export class KeptFile {
  readonly stored: StoredFile
  readonly opened = Date.now()
  #isClosed = false
  readonly handle: Promise<FileHandle>
  /** Known once `handle` is there, as it is to every holder of a lease. */
  fd = -1
  leases = 0
  lastUsed = performance.now()
  /** Whether newer content took its place: it closes with its last reader. */
  retired = false

  constructor (stored: StoredFile) {
    this.stored = stored
    this.handle = openStored(stored)
  }

  /** Whether it is to be closed now: true the first time. */
  closeOnce (): boolean {
    const isFirst = !this.#isClosed
    this.#isClosed = true
    return isFirst
  }

  /** Whether `stored` is what was opened, beyond the doubt of a coarse clock. */
  isCurrent (stored: StoredFile): boolean {
    if (this.stored.revision !== stored.revision) return false
    const doubtful = this.opened - stored.changed < CLOCK_GRAIN_MS
    return !doubtful || Date.now() - this.opened < CLOCK_GRAIN_MS
  }
}

/** Descriptors by path: shared while read, kept a while after, closed when the file changes. */
export class Descriptors {
  readonly #options: DescriptorOptions
  readonly #onClose: (file: KeptFile) => void
  readonly #files = new Map<string, KeptFile>()
  #sweep: NodeJS.Timeout | undefined
  #closed = false

  /** @param onClose told of each file before its descriptor is closed */
  constructor (options: DescriptorOptions, onClose: (file: KeptFile) => void) {
    this.#options = options
    this.#onClose = onClose
  }

  /** @throws as `openStored` */
  async acquire (stored: StoredFile): Promise<Lease> {
    const file = this.#current(stored)
    file.leases++
    this.#trim()
    try {
      const handle = await file.handle
      file.fd = handle.fd
      // It may have been written to since it was opened: the path does not tell, the file does.
      if (revisionOf(await handle.stat({ bigint: true })) !== stored.revision) throw new RepresentationChanged(stored.path)
    } catch (error) {
      this.#release(file)
      void this.#retire(file)
      throw error
    }
    let released = false
    return {
      file,
      release: () => {
        if (released) return
        released = true
        this.#release(file)
      }
    }
  }

  /** Closes what nobody reads, for who needs its descriptors more. */
  async closeUnread (): Promise<void> {
    const unread = [...this.#files.values()].filter(file => file.leases === 0)
    await Promise.all(unread.map(file => this.#retire(file)))
  }

  /** Closes what nobody reads; the rest closes with its last reader. */
  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    await Promise.all([...this.#files.values()].map(file => this.#retire(file)))
  }

  #current (stored: StoredFile): KeptFile {
    const kept = this.#files.get(stored.path)
    if (kept !== undefined && kept.isCurrent(stored)) {
      // Least recently used first: the order of a Map is that of insertion.
      this.#files.delete(stored.path)
      this.#files.set(stored.path, kept)
      return kept
    }
    if (kept !== undefined) void this.#retire(kept)
    const file = new KeptFile(stored)
    this.#files.set(stored.path, file)
    this.#sweep ??= setInterval(() => this.#closeIdle(), this.#options.descriptorIdleMs).unref()
    return file
  }

  #release (file: KeptFile): void {
    file.leases--
    file.lastUsed = performance.now()
    if (file.leases > 0) return
    if (file.retired || this.#closed) void this.#retire(file)
    else this.#trim()
  }

  #trim (): void {
    let excess = this.#files.size - this.#options.maxDescriptors
    for (const file of this.#files.values()) {
      if (excess <= 0) return
      if (file.leases > 0) continue
      void this.#retire(file)
      excess--
    }
  }

  #closeIdle (): void {
    const since = performance.now() - this.#options.descriptorIdleMs
    for (const file of this.#files.values()) {
      if (file.leases === 0 && file.lastUsed <= since) void this.#retire(file)
    }
    if (this.#files.size > 0) return
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  async #retire (file: KeptFile): Promise<void> {
    if (this.#files.get(file.stored.path) === file) this.#files.delete(file.stored.path)
    file.retired = true
    if (file.leases === 0 && file.closeOnce()) await this.#close(file)
  }

  async #close (file: KeptFile): Promise<void> {
    this.#onClose(file)
    try {
      await (await file.handle).close()
    } catch {
      // It never opened, which whoever asked has been told; or closing reports a fault of an earlier write.
    }
  }
}
