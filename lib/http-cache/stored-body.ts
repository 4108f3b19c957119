import { Readable } from 'node:stream'
import type { StoredVariant } from '../cache/store.ts'
import type { ByteRange } from '../http/range.ts'
import { RepresentationChanged, type Body } from '../representation.ts'
import { checked, DamagedBody, spanOf } from './blocks.ts'
import type { KeptBody } from './entry.ts'

/** How a head finds its body on disk. */
export interface BodyReference {
  /** The key of its file. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** CRC-32 of each block. */
  readonly sums: readonly number[]
}

/** A large body in a file of its own. */
export class StoredBody implements KeptBody {
  readonly size: number
  readonly reference: BodyReference
  /** Told when the bytes turn out to be gone, or others. */
  onDamage: () => void = () => undefined
  readonly #file: StoredVariant
  /** Whether every block is known to be what was written. */
  #isTrusted: boolean

  /** @param isTrusted whether it was written just now */
  constructor (reference: BodyReference, file: StoredVariant, isTrusted: boolean) {
    this.size = reference.size
    this.reference = reference
    this.#file = file
    this.#isTrusted = isTrusted
  }

  async open (range: ByteRange = { start: 0, end: this.size - 1 }): Promise<Body> {
    try {
      return this.#isTrusted ? await this.#file.open(range) : await this.#openChecked(range)
    } catch (error) {
      this.onDamage()
      throw new RepresentationChanged('A stored body', error)
    }
  }

  /** The first block is checked before anything is sent: where that one is damaged, nobody sees it. */
  async #openChecked ({ start, end }: ByteRange): Promise<Body> {
    const span = spanOf(start, end, this.size)
    const body = await this.#file.open(span)
    const stream = Buffer.isBuffer(body) ? Readable.from([body], { objectMode: false }) : body
    const pieces = checked(stream, span, { from: start, to: end, sums: this.reference.sums })
    const first = await pieces.next()
    return Readable.from(this.#rest(first, pieces, span.start === 0 && span.end === this.size - 1), { objectMode: false })
  }

  async * #rest (first: IteratorResult<Buffer, void>, pieces: AsyncGenerator<Buffer, void>, isWhole: boolean): AsyncGenerator<Buffer, void> {
    try {
      if (first.done !== true) yield first.value
      yield * pieces
    } catch (error) {
      if (error instanceof DamagedBody) this.onDamage()
      throw error
    } finally {
      await pieces.return()
    }
    if (isWhole) this.#isTrusted = true
  }
}
