import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { ConnectorBuilder } from './guarded-connect.ts'

/**
 * Bytes of a lent buffer. Measured on bodies of 10 MB, against reads of 64 KiB into buffers that are
 * made anew each time: half the CPU per MB; 512 KiB saves a twentieth more and holds twice as much.
 */
const LENT_BYTES = 256 * 1024

/** Bytes of the buffer that all connections read into first, and whose contents are copied. */
const COMMON_BYTES = 64 * 1024

/** Below this part of a lent buffer the bytes are copied, lest a few of them hold all of it. */
const SPARSE_PART = 1 / 4

/** Bounds on what connections read into. */
export interface SocketBufferOptions {
  /** Bytes that lent buffers take together. Slow clients hold them, three for each connection at most; where they have run out reads are smaller. */
  poolBytes: number
}

/** What is kept where nothing else is said. */
export const socketBufferDefaults: SocketBufferOptions = { poolBytes: 33_554_432 }

/** A lent buffer out of which bytes are on their way. */
interface Loan {
  readonly buffer: Buffer
  /** Bytes that have not been given back. */
  owed: number
}

/**
 * What connections to origins read into, so that no read of a large body makes a buffer.
 *
 * All connections share one buffer, and what they read is copied out of it at once: idle ones and
 * slow ones hold nothing. A read that fills it tells of a body that comes fast; the next reads of
 * that connection go into buffers of its own, which are handed on as they are, until one is not
 * filled. Such a buffer is read into again once every one of its bytes has been given back by
 * `release`. What is never given back (bytes that another reader kept, buffers in which there was
 * more than a body) is left to the garbage collector: nothing depends on giving back, save speed.
 */
export class SocketBuffers {
  readonly #limit: number
  readonly #common = Buffer.allocUnsafeSlow(COMMON_BYTES)
  readonly #free: Buffer[] = []
  readonly #loans = new WeakMap<ArrayBufferLike, Loan>()
  readonly #collected = new FinalizationRegistry<undefined>(() => { this.#made-- })
  /** Lent buffers that there are: free, read into, on their way. */
  #made = 0

  constructor (options: Partial<SocketBufferOptions> = {}) {
    this.#limit = Math.floor((options.poolBytes ?? socketBufferDefaults.poolBytes) / LENT_BYTES)
  }

  /** Bytes of lent buffers that wait for a reader, and of all. */
  get bytes (): { free: number, made: number } {
    return { free: this.#free.length * LENT_BYTES, made: this.#made * LENT_BYTES }
  }

  /** The buffer that is everyone's. */
  get common (): Buffer {
    return this.#common
  }

  /** A buffer for one reader; the common one where there is no other. */
  take (): Buffer {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#made >= this.#limit) return this.#common
    const buffer = Buffer.allocUnsafeSlow(LENT_BYTES)
    this.#made++
    this.#collected.register(buffer.buffer, undefined)
    return buffer
  }

  /** Takes back a buffer that nobody has bytes of. */
  putBack (buffer: Buffer): void {
    if (buffer !== this.#common) this.#free.push(buffer)
  }

  /** The first bytes of a buffer from `take`, which is theirs until all of them are given back. */
  lend (buffer: Buffer, length: number): Buffer {
    this.#loans.set(buffer.buffer, { buffer, owed: length })
    return buffer.subarray(0, length)
  }

  /**
   * Gives back bytes that came over a connection: all that were read, or a part of them, each once,
   * and only when nobody reads them any more, which for a socket is when it calls back. Bytes from
   * elsewhere are let be.
   */
  release (chunk: Buffer): void {
    const loan = this.#loans.get(chunk.buffer)
    if (loan === undefined) return
    loan.owed -= chunk.length
    if (loan.owed > 0) return
    this.#loans.delete(chunk.buffer)
    // More given back than was lent: somebody did so twice, and may do so again.
    if (loan.owed === 0) this.#free.push(loan.buffer)
  }
}

/**
 * Makes connections as undici does, of which those without TLS read into `buffers`. (Over TLS it is
 * OpenSSL that reads, 16 KiB at a time.)
 */
export function pooledConnector (buffers: SocketBuffers): ConnectorBuilder {
  return function buildPooled (options) {
    const overTls = buildConnector(options)
    return function connectPooled (target, callback) {
      if (target.protocol === 'https:') return overTls(target, callback)
      const reader = new SocketReader(buffers)
      const onread = { buffer: () => reader.buffer, callback: (length: number) => reader.read(length) }
      buildConnector({ ...options, onread })(target, (...[error, socket]: Parameters<buildConnector.Callback>) => {
        if (error !== null) return callback(error, null)
        reader.attach(socket) // before its first read
        callback(null, socket)
      })
    }
  }
}

/** What one connection reads into. */
class SocketReader {
  readonly #buffers: SocketBuffers
  #socket!: Socket
  #buffer: Buffer

  constructor (buffers: SocketBuffers) {
    this.#buffers = buffers
    this.#buffer = buffers.common
  }

  /** For the next read. */
  get buffer (): Buffer {
    return this.#buffer
  }

  attach (socket: Socket): void {
    this.#socket = socket
    socket.once('close', () => {
      this.#buffers.putBack(this.#buffer)
      this.#buffer = this.#buffers.common
    })
  }

  /** @returns whether more may be read at once */
  read (length: number): boolean {
    const buffer = this.#buffer
    const isFull = length === buffer.length
    if (buffer === this.#buffers.common) {
      if (isFull) this.#buffer = this.#buffers.take()
      return this.#push(copyOf(buffer, length))
    }
    if (length < buffer.length * SPARSE_PART) {
      const copy = copyOf(buffer, length)
      this.#buffer = this.#buffers.common
      this.#buffers.putBack(buffer)
      return this.#push(copy)
    }
    this.#buffer = isFull ? this.#buffers.take() : this.#buffers.common
    return this.#push(this.#buffers.lend(buffer, length))
  }

  #push (chunk: Buffer): boolean {
    return this.#socket.push(chunk)
  }
}

function copyOf (buffer: Buffer, length: number): Buffer {
  return Buffer.from(buffer.subarray(0, length))
}
