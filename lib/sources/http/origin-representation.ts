import type { EntityTag } from '../../http/entity-tag.ts'
import type { ByteRange } from '../../http/range.ts'
import { RepresentationChanged, type Body, type Representation } from '../../representation.ts'
import { entityTagOf, hashOf, HEAD_MS, type Reading } from './description.ts'
import type { HeldBodies } from './held-bodies.ts'
import type { KeptBytes } from './kept-bytes.ts'
import type { OriginBody } from './origin-body.ts'
import { fetchPart, type Described } from './part.ts'

/** What the representations of one source share. */
export interface Surroundings extends Pick<Reading, 'smallBytes' | 'wholeMs'> {
  readonly held: HeldBodies
  readonly kept: KeptBytes
}

/** The most bytes of a held body that are looked at while it stays whole: what tells the size of a picture. */
const PEEK_BYTES = 1024 * 1024

/** A file of an origin, as it was described; with its body, as long as that waits. */
export class OriginRepresentation implements Representation {
  readonly type: string
  readonly size: number | undefined
  readonly entityTag: EntityTag | undefined
  readonly lastModified: number | undefined
  bytes: Buffer | undefined
  cacheOutcome = 'origin'
  readonly overhead: number
  readonly #described: Described
  readonly #around: Surroundings
  readonly #forget: () => void
  #held: OriginBody | undefined
  #isNew = false
  #mayKeep = false
  #loading: Promise<Buffer | undefined> | undefined

  /**
   * @param overhead bytes that knowing it costs
   * @param forget told when the description holds no longer
   */
  constructor (described: Described, around: Surroundings, { overhead, forget }: { overhead: number, forget: () => void }) {
    const { facts } = described
    this.type = facts.type
    this.size = facts.size
    this.entityTag = entityTagOf(facts)
    this.lastModified = facts.validators.lastModified
    this.overhead = overhead
    this.#described = described
    this.#around = around
    this.#forget = forget
  }

  /**
   * The body that came with the description: it is there where it is small, else it waits.
   *
   * @param mayKeep whether others may have it after this
   */
  adopt (body: OriginBody, mayKeep: boolean): void {
    const { whole } = body
    this.#mayKeep = mayKeep
    if (whole === undefined || whole.length > this.#around.smallBytes) this.#hold(body)
    else this.#keep(whole)
  }

  /** Somebody was told of it, and may open it. */
  claim (): void {
    if (this.#held !== undefined) this.#around.held.claim(this.#held)
    this.cacheOutcome = this.bytes === undefined ? 'origin' : this.#isNew ? 'load' : 'hot'
    this.#isNew = false
    this.#around.kept.touch(this)
  }

  /** Who was told of it needs no bytes. */
  readonly release = (): void => {
    if (this.#held !== undefined) this.#around.held.release(this.#held)
  }

  readonly outdated = (): void => this.#forget()

  readonly open = async (range?: ByteRange): Promise<Body> => {
    try {
      const whole = this.bytes ?? await this.#small()
      if (whole !== undefined) return range === undefined ? whole : whole.subarray(range.start, range.end + 1)
      return await this.#fromHeld(range) ?? await fetchPart(this.#described, range)
    } catch (error) {
      if (error instanceof RepresentationChanged) this.outdated()
      throw error
    }
  }

  /** All of a small file, kept from now on; once for all who ask. */
  async #small (): Promise<Buffer | undefined> {
    if ((this.size ?? Infinity) > this.#around.smallBytes || this.#held !== undefined) return undefined
    this.#loading ??= this.#load().finally(() => { this.#loading = undefined })
    return await this.#loading
  }

  async #load (): Promise<Buffer | undefined> {
    const { smallBytes, wholeMs } = this.#around
    const body = await fetchPart(this.#described)
    await body.gather(smallBytes + 1, wholeMs)
    const { whole } = body
    if (whole === undefined) {
      this.#hold(body)
      return undefined
    }
    const { hash } = this.#described.facts
    if (whole.length !== this.size || (hash !== undefined && hash !== hashOf(whole))) throw new RepresentationChanged('A file of an origin')
    this.#keep(whole)
    return whole
  }

  #keep (bytes: Buffer): void {
    this.bytes = bytes
    this.#isNew = true
    if (this.#mayKeep) this.#around.kept.add(this)
  }

  #hold (body: OriginBody): void {
    if (body.destroyed) return
    if (this.#held !== undefined) {
      body.destroy()
      return
    }
    this.#held = body
    this.#around.held.hold(body)
    body.once('close', () => { if (this.#held === body) this.#held = undefined })
  }

  /** From the body that waits: its first bytes, or all of it. */
  async #fromHeld (range: ByteRange | undefined): Promise<Body | undefined> {
    const body = this.#held
    if (body === undefined) return undefined
    if (range !== undefined && range.end < PEEK_BYTES) return await peek(body, range)
    if (range !== undefined && range.start > 0) {
      this.release()
      return undefined
    }
    this.#held = undefined
    this.#around.held.take(body)
    await body.idle()
    if (body.destroyed) return undefined
    return range === undefined ? body : body.upTo(range.end)
  }
}

/** Bytes from the beginning, of which all is left for who reads it later. Undefined where they did not come. */
async function peek (body: OriginBody, { start, end }: ByteRange): Promise<Buffer | undefined> {
  const beginning = await body.gather(end + 1, HEAD_MS).catch(() => undefined) // then another request is to tell
  if (beginning === undefined || (beginning.length <= end && body.whole === undefined)) return undefined
  return beginning.subarray(start, end + 1)
}
