import type { EntityTag } from '../../http/entity-tag.ts'
import type { ByteRange } from '../../http/range.ts'
import { RepresentationChanged, type Body, type Representation } from '../../representation.ts'
import { entityTagOf, hashOf } from './description.ts'
import type { HeldBodies } from './held-bodies.ts'
import type { KeptBytes } from './kept-bytes.ts'
import type { OriginBody } from './origin-body.ts'
import { fetchPart, type Described } from './part.ts'

/** What the representations of one source share. */
export interface Surroundings {
  readonly held: HeldBodies
  readonly kept: KeptBytes
  /** Up to this many bytes a file is read whole. */
  readonly smallBytes: number
}

/** The most bytes of a held body that are looked at while it stays whole: what tells the size of a picture. */
const PEEK_BYTES = 1024 * 1024

/** How long these may take, in milliseconds; how long a small file may take until it is passed on as it comes. */
const PEEK_MS = 10_000
const WHOLE_MS = 500

/** A file of an origin, as it was described; with its body, as long as that waits. */
export class OriginRepresentation implements Representation {
  readonly type: string
  readonly size: number | undefined
  readonly entityTag: EntityTag | undefined
  readonly lastModified: number | undefined
  bytes: Buffer | undefined
  cacheOutcome = 'origin'
  readonly #described: Described
  readonly #around: Surroundings
  readonly #forget: () => void
  #held: OriginBody | undefined
  #loading: Promise<Buffer | undefined> | undefined

  /** @param forget told when the description holds no longer */
  constructor (described: Described, around: Surroundings, forget: () => void) {
    const { facts } = described
    this.type = facts.type
    this.size = facts.size
    this.entityTag = entityTagOf(facts)
    this.lastModified = facts.validators.lastModified
    this.#described = described
    this.#around = around
    this.#forget = forget
  }

  /** The body that came with the description: kept where it is small and there already, else it waits. */
  adopt (body: OriginBody, keep = true): void {
    const { whole } = body
    if (whole === undefined || whole.length > this.#around.smallBytes) this.#hold(body)
    else this.#keep(whole, keep)
  }

  /** Somebody was told of it, and may open it. */
  claim (): void {
    if (this.#held !== undefined) this.#around.held.claim(this.#held)
    if (this.bytes !== undefined) this.#around.kept.touch(this)
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
    const body = await fetchPart(this.#described)
    await body.gather(this.#around.smallBytes + 1, WHOLE_MS)
    const { whole } = body
    if (whole === undefined) {
      this.#hold(body)
      return undefined
    }
    const { hash } = this.#described.facts
    if (whole.length !== this.size || (hash !== undefined && hash !== hashOf(whole))) throw new RepresentationChanged('A file of an origin')
    this.#keep(whole, true)
    return whole
  }

  #keep (bytes: Buffer, keep: boolean): void {
    this.bytes = bytes
    this.cacheOutcome = 'load'
    if (keep) this.#around.kept.add(this)
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
    if (range !== undefined && range.start > 0) return undefined
    this.#held = undefined
    this.#around.held.take(body)
    await body.idle()
    if (body.destroyed) return undefined
    return range === undefined ? body : body.upTo(range.end)
  }
}

/** Bytes from the beginning, of which all is left for who reads it later. Undefined where they did not come. */
async function peek (body: OriginBody, { start, end }: ByteRange): Promise<Buffer | undefined> {
  const beginning = await body.gather(end + 1, PEEK_MS).catch(() => undefined) // then another request is to tell
  if (beginning === undefined || (beginning.length <= end && body.whole === undefined)) return undefined
  return beginning.subarray(start, end + 1)
}
