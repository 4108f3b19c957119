import { Transform, type TransformCallback } from 'node:stream'
import { MediaError } from '../../errors.ts'

/** Changes a body from one chunk to the next. What is given out one by one is made one by one. */
export interface Pieces {
  push (chunk: Buffer): Iterable<Buffer>
  /** There is no more: what was held back. */
  end (): Iterable<Buffer>
}

/**
 * A stream through {@link Pieces}. Its reader sets the pace within a chunk too, so that a chunk
 * that becomes a thousand times as long is never in memory as a whole.
 */
export class PiecesStream extends Transform {
  readonly #pieces: Pieces
  #continue: (() => void) | undefined

  constructor (pieces: Pieces) {
    super()
    this.#pieces = pieces
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#give(this.#pieces.push(chunk)[Symbol.iterator](), done)
  }

  override _flush (done: TransformCallback): void {
    this.#give(this.#pieces.end()[Symbol.iterator](), done)
  }

  override _read (size: number): void {
    const next = this.#continue
    this.#continue = undefined
    next?.()
    // The next chunk too, unless this one is not given out yet: without a push nobody would ask again.
    if (this.#continue === undefined) super._read(size) // oxlint-disable-line no-underscore-dangle -- the name is Node's
  }

  /** What a decoder upstream of this stream fails with is the origin's fault. */
  override destroy (error?: Error): this {
    return super.destroy(error instanceof Error ? codingFault(error) : error)
  }

  #give (pieces: Iterator<Buffer>, done: TransformCallback): void {
    for (let piece = pieces.next(); piece.done !== true; piece = pieces.next()) {
      if (this.push(piece.value)) continue
      this.#continue = () => this.#give(pieces, done)
      return
    }
    done()
  }
}

/** Of zlib: `Z_DATA_ERROR`, `Z_BUF_ERROR` for a body that is cut off; of Brotli: `ERR__ERROR_FORMAT_…`. */
const codingErrors = /^(?:Z_|ERR__ERROR_)/

function codingFault (error: Error): Error {
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string' || !codingErrors.test(code)) return error
  return new MediaError('upstream-content', { detail: 'The body is not in the coding that its Content-Encoding names', cause: error })
}
