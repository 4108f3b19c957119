import { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { bytesOf, chunkPart, readFully, type Chunk, type ChunkPool } from './chunk-pool.ts'
import type { Lease } from './descriptors.ts'

/** Bytes a reader reads for itself, when it wants few or the pool has no buffer to spare. */
const SMALL_READ_BYTES = 64 * 1024

/**
 * Bytes that a socket is given at once where they are in memory anyway: each time it asks for
 * more costs a turn of the event loop. A slow client holds as much, of chunks that are shared.
 */
const BATCH_BYTES = 4 * 1024 * 1024

/** The bytes of an open file from `start` up to, and without, `end`. */
export interface FileSlice {
  readonly lease: Lease
  readonly pool: ChunkPool
  readonly start: number
  readonly end: number
}

/**
 * A part of an open file as a stream. Piped into an HTTP/1 response it writes the pool's
 * chunks as they are, each when the socket took the one before; read in any other way it
 * gives copies of its own. A file that ends early is an error: the length was promised.
 */
export class FileStream extends Readable {
  readonly #slice: FileSlice
  #position: number
  /** What the socket has been given and not yet taken. */
  #held: Chunk[] = []
  #small: Buffer | undefined
  #response: ServerResponse | undefined
  /** Settles when no read is under way; never rejects. */
  #reading: Promise<unknown> = Promise.resolve()

  constructor (slice: FileSlice) {
    super({ highWaterMark: SMALL_READ_BYTES })
    this.#slice = slice
    this.#position = slice.start
  }

  override pipe<T extends NodeJS.WritableStream> (destination: T, options?: { end?: boolean }): T {
    if (!(destination instanceof ServerResponse) || options?.end === false) return super.pipe(destination, options)
    this.#response = destination
    destination.once('close', () => this.#letGo()) // the socket is closed by then: nothing reads the chunks any more
    void this.#writeTo(destination)
    return destination
  }

  override _read (): void {
    void this.#readCopy()
  }

  override _destroy (error: Error | null, done: (error: Error | null) => void): void {
    // A pipelined response whose turn never came: the bytes it was given went nowhere, and it calls nobody back.
    if (this.#response?.socket === null) this.#letGo()
    // Not while a read is under way: the descriptor's number may be another file's by then.
    void this.#reading.finally(() => {
      this.#slice.lease.release()
      done(error)
    })
  }

  async #writeTo (response: ServerResponse): Promise<void> {
    try {
      while (this.#position < this.#slice.end) {
        const bytes = await this.#next()
        if (this.destroyed || response.destroyed) break
        for (const { length } of bytes) this.#position += length
        await written(response, bytes)
        this.#letGo()
        if (this.destroyed) return
      }
    } catch (error) {
      this.#letGo()
      this.destroy(error as Error)
      return
    }
    this.#letGo()
    if (!this.destroyed) this.#finish(response)
  }

  #finish (response: ServerResponse): void {
    response.end()
    this.push(null)
    this.resume() // so that 'end' comes, and with it the release of the lease
  }

  /** The next bytes: views of shared chunks, held until `#letGo`, or a small read of our own. */
  async #next (): Promise<Buffer[]> {
    const { lease: { file }, pool, end } = this.#slice
    const part = chunkPart(this.#position, end)
    const isShared = pool.isShared(file, part)
    const chunk = isShared ? pool.hold(file, part.index) : undefined
    if (chunk === undefined) {
      // One buffer for all turns: the socket has taken what was in it before it is read into again.
      this.#small ??= Buffer.allocUnsafeSlow(SMALL_READ_BYTES)
      return [await this.#readInto(this.#small.subarray(0, Math.min(part.length, SMALL_READ_BYTES)))]
    }
    this.#held.push(chunk)
    if (chunk.loading !== undefined) await this.#track(chunk.loading)
    const batch = [bytesOf(chunk, part) ?? shrunk()]
    for (let ahead = this.#position + part.length, bytes = part.length; ahead < end && bytes < BATCH_BYTES;) {
      const following = chunkPart(ahead, end)
      const loaded = pool.holdLoaded(file, following.index)
      if (loaded === undefined) break
      this.#held.push(loaded)
      batch.push(bytesOf(loaded, following) ?? shrunk())
      ahead += following.length
      bytes += following.length
    }
    return batch
  }

  async #readInto (buffer: Buffer): Promise<Buffer> {
    const count = await this.#track(readFully(this.#slice.lease.file.fd, buffer, 0, buffer.length, this.#position))
    return count === buffer.length ? buffer : shrunk()
  }

  async #track<T> (read: Promise<T>): Promise<T> {
    this.#reading = read.catch(() => undefined)
    return await read
  }

  #letGo (): void {
    const held = this.#held
    this.#held = []
    for (const chunk of held) this.#slice.pool.release(chunk)
  }

  async #readCopy (): Promise<void> {
    try {
      const length = Math.min(SMALL_READ_BYTES, this.#slice.end - this.#position)
      const bytes = length === 0 ? null : await this.#readInto(Buffer.allocUnsafe(length))
      this.#position += length
      this.push(bytes)
    } catch (error) {
      this.destroy(error as Error)
    }
  }
}

/** The file has become shorter than what was promised to the client. */
class ShrunkError extends Error {
  override readonly name = 'ShrunkError'
  readonly code = 'ERR_FILE_SHRUNK'

  constructor () {
    super('The file became shorter while it was sent')
  }
}

function shrunk (): never {
  throw new ShrunkError()
}

/** Settles when the socket took the bytes, or is closed. */
function written (response: ServerResponse, batch: readonly Buffer[]): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      response.off('close', done)
      resolve()
    }
    response.once('close', done)
    response.cork()
    batch.forEach((bytes, place) => response.write(bytes, place === batch.length - 1 ? done : undefined))
    response.uncork()
  })
}
