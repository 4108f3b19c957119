import { RepresentationChanged, type Body, type Representation } from '../representation.ts'

/** Who keeps representations, each in an entry of its own. */
export interface Keeper<E> {
  /** Bytes were read into an entry. */
  grow (entry: E, bytes: number): void
  /** What an entry describes is no longer there. */
  drop (entry: E): void
}

/** A representation that keeps its bytes, if they are few, from its first reader on. */
export class HotRepresentation<E> implements Representation {
  readonly type
  readonly size
  readonly entityTag
  readonly lastModified
  readonly encoding
  readonly vary
  readonly stored
  bytes: Buffer | undefined
  cacheOutcome: string
  readonly #source: Representation
  readonly #keeper: Keeper<E>
  readonly #entry: E
  readonly #isSmall: boolean
  #loading: Promise<Buffer> | undefined

  /** @param place where it is kept, told when bytes come to it and when it is outdated */
  constructor (source: Representation, place: { keeper: Keeper<E>, entry: E }, maxFileBytes: number) {
    this.type = source.type
    this.size = source.size
    this.entityTag = source.entityTag
    this.lastModified = source.lastModified
    this.encoding = source.encoding
    this.vary = source.vary
    this.stored = source.stored
    this.#source = source
    this.#keeper = place.keeper
    this.#entry = place.entry
    this.#isSmall = source.size !== undefined && source.size <= maxFileBytes
    this.cacheOutcome = this.#isSmall ? 'load' : 'disk'
  }

  async open (range?: { start: number, end: number }): Promise<Body> {
    try {
      if (!this.#isSmall) return await this.#source.open(range)
      const bytes = this.bytes ?? await (this.#loading ??= this.#load())
      return range === undefined ? bytes : bytes.subarray(range.start, range.end + 1)
    } catch (error) {
      if (error instanceof RepresentationChanged) this.outdated()
      throw error
    } finally {
      this.#loading = undefined
    }
  }

  outdated (): void {
    this.#keeper.drop(this.#entry)
  }

  async #load (): Promise<Buffer> {
    const bytes = await wholeOf(await this.#source.open())
    this.bytes = bytes
    this.cacheOutcome = 'hot'
    this.#keeper.grow(this.#entry, bytes.length)
    return bytes
  }
}

async function wholeOf (body: Body): Promise<Buffer> {
  return Buffer.isBuffer(body) ? body : Buffer.concat(await body.toArray())
}
