import { read } from 'node:fs'
import type { KeptFile } from './descriptors.ts'

/** Bytes of one chunk. Measured: 256 KiB costs a tenth more CPU per MB, 1 MiB a third more memory for 3 %. */
export const CHUNK_BYTES = 512 * 1024

/** The part of one chunk that lies between two positions of a file. */
export interface ChunkPart {
  readonly index: number
  /** Bytes from the chunk's beginning. */
  readonly from: number
  readonly length: number
}

/** The first chunk's part of the bytes from `position` up to, and without, `end`. */
export function chunkPart (position: number, end: number): ChunkPart {
  const index = Math.floor(position / CHUNK_BYTES)
  const from = position - index * CHUNK_BYTES
  return { index, from, length: Math.min(end - position, CHUNK_BYTES - from) }
}

/** One chunk of an open file. It stays as it is while anyone holds it. */
export interface Chunk {
  readonly file: KeptFile
  readonly index: number
  readonly buffer: Buffer
  /** Bytes that were there to read: fewer than asked for where the file has shrunk. */
  length: number
  holders: number
  /** Undefined once the bytes are there. */
  loading: Promise<void> | undefined
}

/** A part's bytes, valid while the chunk is held; undefined where the file has become too short for them. */
export function bytesOf (chunk: Chunk, { from, length }: ChunkPart): Buffer | undefined {
  return chunk.length < from + length ? undefined : chunk.buffer.subarray(from, from + length)
}

/**
 * Buffers of one size, each holding a chunk of an open file for all who read it now and
 * for those who come soon after; the chunk unused for the longest gives its buffer up.
 * Bounded: when every buffer is held, by slow clients at worst, `hold` gives undefined and
 * the reader reads small for itself, so that no reader waits for another.
 */
export class ChunkPool {
  readonly #limit: number
  readonly #chunks = new WeakMap<KeptFile, Map<number, Chunk>>()
  /** Chunks of which a small part was wanted: at most one number for each chunk of an open file. */
  readonly #wanted = new WeakMap<KeptFile, Set<number>>()
  readonly #idle = new Set<Chunk>()
  readonly #free: Buffer[] = []
  #allocated = 0

  /** @param bytes the most that all buffers take together */
  constructor (bytes: number) {
    this.#limit = Math.floor(bytes / CHUNK_BYTES)
  }

  /**
   * Whether a part is better read for all, with its whole chunk, than for oneself: most of the
   * chunk is wanted, it is there anyway, or it was wanted before.
   */
  isShared (file: KeptFile, { index, length }: ChunkPart): boolean {
    if (length * 2 >= CHUNK_BYTES || this.#chunks.get(file)?.has(index) === true) return true
    const wanted = this.#wanted.get(file) ?? new Set()
    const isAgain = wanted.has(index)
    this.#wanted.set(file, wanted.add(index))
    return isAgain
  }

  /**
   * Holds a chunk if its bytes are there already, and buffers are plenty: what a reader takes
   * ahead of its turn must not keep others from theirs.
   */
  holdLoaded (file: KeptFile, index: number): Chunk | undefined {
    const chunk = this.#chunks.get(file)?.get(index)
    const isPlenty = (this.#allocated - this.#idle.size - this.#free.length) * 2 < this.#limit
    return chunk === undefined || chunk.loading !== undefined || !isPlenty ? undefined : this.hold(file, index)
  }

  /**
   * Holds a chunk until `release`. Wait for its `loading` before reading it.
   *
   * @returns undefined where every buffer is held
   */
  hold (file: KeptFile, index: number): Chunk | undefined {
    let chunks = this.#chunks.get(file)
    if (chunks === undefined) this.#chunks.set(file, chunks = new Map())
    let chunk = chunks.get(index)
    if (chunk === undefined) {
      const buffer = this.#buffer()
      if (buffer === undefined) return undefined
      chunk = { file, index, buffer, length: 0, holders: 0, loading: undefined }
      chunks.set(index, chunk)
      chunk.loading = this.#load(chunk)
    }
    this.#idle.delete(chunk)
    chunk.holders++
    return chunk
  }

  release (chunk: Chunk): void {
    chunk.holders--
    this.#settle(chunk)
  }

  /** Gives up the chunks of a file that is about to be closed. */
  forgetFile (file: KeptFile): void {
    for (const chunk of this.#chunks.get(file)?.values() ?? []) {
      this.#settle(chunk)
    }
  }

  /** A chunk nobody holds waits for the next reader, or goes with its file. While it loads, its buffer is written to. */
  #settle (chunk: Chunk): void {
    if (chunk.holders > 0 || chunk.loading !== undefined) return
    if (chunk.file.retired || !this.#isKnown(chunk)) this.#forget(chunk)
    else this.#idle.add(chunk)
  }

  #isKnown (chunk: Chunk): boolean {
    return this.#chunks.get(chunk.file)?.get(chunk.index) === chunk
  }

  async #load (chunk: Chunk): Promise<void> {
    try {
      const position = chunk.index * CHUNK_BYTES
      chunk.length = await readFully(chunk.file.fd, chunk.buffer, 0, Math.min(CHUNK_BYTES, chunk.file.stored.size - position), position)
    } catch (error) {
      this.#chunks.get(chunk.file)?.delete(chunk.index)
      throw error
    } finally {
      chunk.loading = undefined
      this.#settle(chunk)
    }
  }

  #forget (chunk: Chunk): void {
    this.#idle.delete(chunk)
    if (this.#isKnown(chunk)) this.#chunks.get(chunk.file)?.delete(chunk.index)
    this.#free.push(chunk.buffer)
  }

  #buffer (): Buffer | undefined {
    if (this.#free.length === 0 && this.#allocated >= this.#limit) {
      const [oldest] = this.#idle
      if (oldest === undefined) return undefined
      this.#forget(oldest)
    }
    const buffer = this.#free.pop()
    if (buffer !== undefined) return buffer
    this.#allocated++
    return Buffer.allocUnsafeSlow(CHUNK_BYTES)
  }
}

/**
 * Reads until `length` bytes are there or the file ends.
 *
 * @returns how many bytes were there
 */
export async function readFully (fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
  let done = 0
  while (done < length) {
    const count = await readOnce(fd, buffer, offset + done, length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}

function readOnce (fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, offset, length, position, (error, count) => error === null ? resolve(count) : reject(error))
  })
}
