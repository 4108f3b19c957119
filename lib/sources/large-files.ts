import { MediaError } from '../errors.ts'
import type { ByteRange } from '../http/range.ts'
import { RepresentationChanged, type Body } from '../representation.ts'
import { bytesOf, chunkPart, ChunkPool, CHUNK_BYTES, readFully } from './chunk-pool.ts'
import { Descriptors, type DescriptorOptions } from './descriptors.ts'
import { FileStream, type FileSlice } from './file-stream.ts'
import { openStored, type StoredFile } from './stored-file.ts'

/** Bounds on what is kept to send large files. */
export interface LargeFileOptions extends DescriptorOptions {
  /** Bytes that the buffers of all who read take together. */
  poolBytes: number
}

/** What is kept where nothing else is said. */
export const largeFileDefaults: LargeFileOptions = { poolBytes: 33_554_432, maxDescriptors: 256, descriptorIdleMs: 5000 }

/** Up to this many bytes a file is read whole, without a kept descriptor. */
const WHOLE_BYTES = CHUNK_BYTES / 2

/** Up to this many bytes of a larger file are read at once, without a stream. */
const SMALL_PART_BYTES = 128 * 1024

/** Opens files for sending: kept descriptors, pooled buffers. One serves all sources. */
export class LargeFiles {
  readonly #pool: ChunkPool
  readonly #descriptors: Descriptors

  constructor (options: Partial<LargeFileOptions> = {}) {
    const bounds = { ...largeFileDefaults, ...options }
    this.#pool = new ChunkPool(bounds.poolBytes)
    this.#descriptors = new Descriptors(bounds, file => this.#pool.forgetFile(file))
  }

  /** The bytes of a file, or of one range of it. @throws as `openStored` */
  async open (file: StoredFile, range?: ByteRange): Promise<Body> {
    const start = range?.start ?? 0
    const end = range === undefined ? file.size : range.end + 1
    if (file.size <= WHOLE_BYTES) return await this.#withDescriptor(async () => await readPart(file, start, end))
    const lease = await this.#withDescriptor(async () => await this.#descriptors.acquire(file))
    const slice = { lease, pool: this.#pool, start, end }
    return end - start <= SMALL_PART_BYTES ? await readSmallPart(slice) : new FileStream(slice)
  }

  /** Where descriptors have run out, those that are only kept are given up for it. */
  async #withDescriptor<T> (action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof MediaError) || error.code !== 'out-of-descriptors') throw error
      await this.#descriptors.closeUnread()
      return await action()
    }
  }

  async close (): Promise<void> {
    await this.#descriptors.close()
  }
}

/** A few bytes of a large file: a copy, since nobody tells when they were sent. */
async function readSmallPart ({ lease, pool, start, end }: FileSlice): Promise<Buffer> {
  const part = chunkPart(start, end)
  const chunk = part.length === end - start && pool.isShared(lease.file, part) ? pool.hold(lease.file, part.index) : undefined
  try {
    if (chunk !== undefined) {
      if (chunk.loading !== undefined) await chunk.loading
      return Buffer.from(bytesOf(chunk, part) ?? changedWhileRead(lease.file.stored))
    }
    const buffer = Buffer.allocUnsafe(end - start)
    const length = await readFully(lease.file.fd, buffer, 0, end - start, start)
    return length === end - start ? buffer : changedWhileRead(lease.file.stored)
  } finally {
    if (chunk !== undefined) pool.release(chunk)
    lease.release()
  }
}

async function readPart (file: StoredFile, start: number, end: number): Promise<Buffer> {
  const handle = await openStored(file)
  try {
    const buffer = Buffer.allocUnsafeSlow(end - start)
    const length = await readFully(handle.fd, buffer, 0, end - start, start)
    return length === end - start ? buffer : changedWhileRead(file)
  } finally {
    await handle.close()
  }
}

/* c8 ignore next 3 -- shorter than it was a moment ago, when it was looked at: a race no test can win */
function changedWhileRead (file: StoredFile): never {
  throw new RepresentationChanged(file.path)
}
