import { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { CHUNK_BYTES, readFully, type Chunk, type ChunkPool } from './chunk-pool.ts'
import type { Lease } from './descriptors.ts'

/** Bytes a reader reads for itself, when it wants few or the pool has no buffer to spare. */
const SMALL_READ_BYTES = 64 * 1024

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
  #held: Chunk | undefined
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
    destination.once('close', () => this.#letGo()) // the socket is closed by then: nothing reads the chunk any more
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
        this.#position += bytes.length
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

  /** The next bytes: a view of a shared chunk, held until `#letGo`, or a small read of our own. */
  async #next (): Promise<Buffer> {
    const { lease, pool, end } = this.#slice
    const index = Math.floor(this.#position / CHUNK_BYTES)
    const from = this.#position - index * CHUNK_BYTES
    const wanted = Math.min(end - this.#position, CHUNK_BYTES - from)
    const worthSharing = wanted * 2 >= CHUNK_BYTES || pool.has(lease.file, index)
    const chunk = worthSharing ? pool.hold(lease.file, index) : undefined
    if (chunk === undefined) return await this.#readSmall(Math.min(wanted, worthSharing ? SMALL_READ_BYTES : wanted))
    this.#held = chunk
    if (chunk.loading !== undefined) await this.#track(chunk.loading)
    if (chunk.length < from + wanted) throw new ShrunkError()
    return chunk.buffer.subarray(from, from + wanted)
  }

  async #readSmall (length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    const count = await this.#track(readFully(this.#slice.lease.file.fd, buffer, 0, length, this.#position))
    if (count < length) throw new ShrunkError()
    return buffer
  }

  async #track<T> (read: Promise<T>): Promise<T> {
    this.#reading = read.catch(() => undefined)
    return await read
  }

  #letGo (): void {
    const chunk = this.#held
    this.#held = undefined
    if (chunk !== undefined) this.#slice.pool.release(chunk)
  }

  async #readCopy (): Promise<void> {
    try {
      const length = Math.min(SMALL_READ_BYTES, this.#slice.end - this.#position)
      const bytes = length === 0 ? null : await this.#readSmall(length)
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

function written (response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      response.off('close', done)
      resolve()
    }
    response.once('close', done)
    response.write(bytes, done)
  })
}
