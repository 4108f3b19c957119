import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { ConnectorBuilder } from './guarded-connect.ts'
import { LoanPool, type Loan } from './loans.ts'

/**
 * Bytes of a buffer that one connection reads into. Measured on bodies of 10 MB, against reads of
 * 64 KiB into buffers that are made anew each time: half the CPU per MB. 512 KiB saves a twentieth
 * more and holds twice as much.
 */
const LARGE_BYTES = 256 * 1024

/** Bytes of the buffer that all connections read into first, and of the buffers that take what is copied out of it. */
const SMALL_BYTES = 64 * 1024

/** Fewer bytes are copied into a buffer of their own: few would hold a pooled one, and making one so small costs next to nothing. */
const FEW_BYTES = 4 * 1024

/** Bounds on what connections read into. */
export interface SocketBufferOptions {
  /** Bytes that pooled buffers take together. Slow clients hold them, three for each connection at most; where they have run out, buffers are made for each read. */
  poolBytes: number
}

/** What is kept where nothing else is said. */
export const socketBufferDefaults: SocketBufferOptions = { poolBytes: 33_554_432 }

/**
 * What connections to origins read into, so that no read of a large body makes a buffer.
 *
 * All connections share one buffer, and what they read is copied out of it at once: idle ones and
 * slow ones hold nothing. A read that fills it tells of a body that comes fast: the next reads of
 * that connection go into buffers of its own, which are handed on as they are, as long as they are
 * filled at least by half. Copies and large buffers come from a pool, and return to it once each of
 * their bytes was used up: heads and framing by having been parsed (`parsed`), the bytes of bodies
 * when who has them gives them back (`release`). What is never given back is left to the
 * garbage collector: nothing depends on giving back, save speed.
 */
export class SocketBuffers {
  readonly #common = Buffer.allocUnsafeSlow(SMALL_BYTES)
  readonly #pool: LoanPool

  constructor (options: Partial<SocketBufferOptions> = {}) {
    this.#pool = new LoanPool(options.poolBytes ?? socketBufferDefaults.poolBytes)
  }

  /** Bytes of pooled buffers that wait to be used, and of all. */
  get bytes (): { free: number, made: number } {
    return this.#pool.bytes
  }

  /**
   * A piece of a body came out of the parser: what stands before it in what was read is of no more
   * use, nor is what is left of the read before: framing that was cut in two. To be told of every
   * piece, in the order in which they came.
   *
   * @param last what the call before returned, for the same body
   * @returns of whose rest the end of the body is to be told: what follows the last piece is framing
   */
  parsed (piece: Buffer, last?: Loan): Loan | undefined {
    const loan = this.#pool.loanOf(piece)
    if (last !== loan) last?.passRest()
    loan?.passTo(piece)
    return loan
  }

  /** Whether bytes have to be given back: who keeps them copies them first. */
  isLent (piece: Buffer): boolean {
    return this.#pool.loanOf(piece) !== undefined
  }

  /**
   * Gives back a piece that nobody reads any more (which, for what is written to a socket, is when it
   * calls back), or a part of one: each byte once. Bytes from elsewhere are let be.
   */
  release (piece: Buffer): void {
    this.#pool.loanOf(piece)?.giveBack(piece.length)
  }

  /**
   * Makes connections as undici does, of which those without TLS read into these buffers. (Over TLS
   * it is OpenSSL that reads, 16 KiB at a time.)
   */
  readonly connector: ConnectorBuilder = options => {
    const overTls = buildConnector(options)
    return (target, callback) => {
      if (target.protocol === 'https:') return overTls(target, callback)
      const reader = new SocketReader(this.#common, this.#pool)
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
  readonly #common: Buffer
  readonly #pool: LoanPool
  #socket!: Socket
  /** A buffer of its own, as long as bytes come fast. */
  #own: Buffer | undefined

  constructor (common: Buffer, pool: LoanPool) {
    this.#common = common
    this.#pool = pool
  }

  /** For the next read. */
  get buffer (): Buffer {
    return this.#own ?? this.#common
  }

  attach (socket: Socket): void {
    this.#socket = socket
    socket.once('close', () => this.#letGo())
  }

  /** @returns whether more may be read at once */
  read (length: number): boolean {
    const own = this.#own
    if (own === undefined || length <= SMALL_BYTES) return this.#readFew(length)
    this.#own = length >= LARGE_BYTES / 2 ? this.#pool.take(LARGE_BYTES) : undefined
    return this.#socket.push(this.#pool.lend(own, length))
  }

  /** Copies, so that what was read into can be read into again. */
  #readFew (length: number): boolean {
    const copy = this.#copy(this.buffer.subarray(0, length))
    this.#letGo()
    if (length === SMALL_BYTES) this.#own = this.#pool.take(LARGE_BYTES)
    return this.#socket.push(copy)
  }

  #copy (bytes: Buffer): Buffer {
    const buffer = bytes.length < FEW_BYTES ? undefined : this.#pool.take(SMALL_BYTES)
    if (buffer === undefined) return Buffer.from(bytes)
    bytes.copy(buffer)
    return this.#pool.lend(buffer, bytes.length)
  }

  #letGo (): void {
    if (this.#own !== undefined) this.#pool.putBack(this.#own)
    this.#own = undefined
  }
}
