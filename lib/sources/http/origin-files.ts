import { SingleFlight } from '../../cache/single-flight.ts'
import type { Fields, UpstreamResponse } from '../../upstream/message.ts'
import type { Found, FoundFile } from '../source.ts'
import { describe, type OriginFacts, type Reading } from './description.ts'
import { discard } from './discard.ts'
import { statusFailure } from './failures.ts'
import { freshnessOf } from './freshness.ts'
import { HeldBodies } from './held-bodies.ts'
import { KeptBytes } from './kept-bytes.ts'
import { KnownFiles } from './known-files.ts'
import { OriginRepresentation } from './origin-representation.ts'
import type { Place } from './part.ts'
import { ifChanged, mayBeSame } from './validators.ts'

/** Where an answer was found. */
export interface Answered {
  readonly response: UpstreamResponse
  /** Where it came from in the end. */
  readonly place: Place
}

/** A file that an origin may have. */
export interface Wanted {
  /** What it is known by. */
  readonly key: string
  /**
   * Asks for it, and for what it redirects to.
   *
   * @returns `'directory'` where it is one
   * @throws {MediaError} `upstream-…`
   */
  ask (headers: Fields): Promise<Answered | 'directory'>
}

/** How the files of one source are read and remembered. */
export interface OriginFilesOptions extends Reading {
  /** How long a file without a lifetime of its own is believed unchanged, in milliseconds. */
  readonly revalidateMs: number
  /** What is kept of small files in memory, in bytes. */
  readonly keptBytes: number
  /** How long a body waits that came with a description, in milliseconds. */
  readonly holdMs?: number | undefined
}

/** What is known of a file takes this many bytes, beside texts: those of its key are in several places. */
const FILE_BYTES = 2048
const KEY_COPIES = 6

/** A file that was described. */
interface Known {
  readonly found: FoundFile
  readonly facts: OriginFacts
  readonly representation: OriginRepresentation
  readonly overhead: number
  /** When its origin was asked last, on a clock that nobody sets back. */
  asked: number
  /** How long it is fresh from then on, in milliseconds. */
  lifetime: number
}

const directory: Found = Object.freeze({ kind: 'directory' })

/** What every request of ours says: no client's field is among them. Some servers refuse who does not say its name. */
const ownFields: Fields = { 'accept': '*/*', 'accept-encoding': 'identity', 'user-agent': 'fastify-media' }

/** The files of an origin: known for as long as they are fresh, then asked for by one conditional request. */
export class OriginFiles {
  readonly #options: OriginFilesOptions
  readonly #known = new KnownFiles<Known>()
  readonly #flights = new SingleFlight<Known | 'directory' | undefined>()
  readonly #held: HeldBodies
  readonly #kept: KeptBytes
  #doubted = -Infinity

  constructor (options: OriginFilesOptions) {
    this.#options = options
    this.#held = new HeldBodies(options.holdMs)
    this.#kept = new KeptBytes(options.keptBytes)
  }

  /** Bodies that wait, and bytes that are kept. */
  get holds (): { bodies: number, bytes: number } {
    return { bodies: this.#held.size, bytes: this.#kept.bytes }
  }

  /**
   * What the origin has: at once, where that is known and fresh; else asked for once, for all who
   * want it at the same time.
   *
   * @throws {MediaError} `forbidden`, `unavailable`, `upstream-…`
   */
  find (wanted: Wanted): Found | undefined | Promise<Found | undefined> {
    const known = this.#known.get(wanted.key)
    if (known !== undefined && known.asked > this.#doubted && performance.now() < known.asked + known.lifetime) return claimed(known)
    return this.#flights.run(wanted.key, async () => await this.#look(wanted)).then(claimed)
  }

  /** The next who wants it asks the origin. */
  forget (key: string): void {
    this.#known.delete(key)
  }

  /** Whatever is wanted next, its origin is asked whether it changed. */
  doubt (): void {
    this.#doubted = performance.now()
  }

  close (): void {
    this.#known.clear()
    this.#held.close()
    this.#kept.clear()
  }

  async #look (wanted: Wanted): Promise<Known | 'directory' | undefined> {
    const known = this.#known.get(wanted.key)
    const asked = performance.now()
    const condition = known === undefined ? undefined : ifChanged(known.facts.validators)
    const answered = await wanted.ask({ ...ownFields, ...condition })
    if (answered === 'directory') {
      this.forget(wanted.key)
      return answered
    }
    const { response, place } = answered
    const { status, headers, body } = response
    if (status === 200 || status === 203) return await this.#described(wanted.key, answered, { known, asked })
    discard(body)
    if (status === 304 && known !== undefined && condition !== undefined) {
      if (mayBeSame(known.facts.validators, headers)) return this.#stillFresh(wanted.key, known, { headers, asked })
      this.forget(wanted.key) // it tells of another content: that is asked for (RFC 9111 §4.3.3)
      return await this.#look(wanted)
    }
    if (status !== 404 && status !== 410) throw statusFailure(place.name, response)
    this.forget(wanted.key)
    return undefined
  }

  async #described (key: string, { response, place }: Answered, { known, asked }: { known: Known | undefined, asked: number }): Promise<Known> {
    const { facts, body } = await describe(response, { key, name: place.name, reading: this.#options })
    const { ms: lifetime = this.#options.revalidateMs, storable } = freshnessOf(response.headers)
    const fresh = known !== undefined && isSame(known.facts, facts) ? known : this.#file(key, { facts, place })
    fresh.representation.adopt(body, storable)
    return this.#remember(key, fresh, { lifetime: storable ? lifetime : undefined, asked })
  }

  #file (key: string, { facts, place }: { facts: OriginFacts, place: Place }): Known {
    const { smallBytes, wholeMs, maxBytes } = this.#options
    const asking: Place = { name: place.name, ask: async headers => await place.ask({ ...ownFields, ...headers }) }
    const overhead = overheadOf(key, facts)
    const forget = (): void => { if (this.#known.get(key)?.representation === representation) this.forget(key) }
    const representation = new OriginRepresentation({ place: asking, facts, maxBytes }, { held: this.#held, kept: this.#kept, smallBytes, wholeMs }, { overhead, forget })
    const { revision, changed } = facts
    return { found: { kind: 'file', representation, revision, changed }, facts, representation, overhead, asked: 0, lifetime: 0 }
  }

  /** A 304 without a lifetime leaves the one that was told before (RFC 9111 §4.3.4). */
  #stillFresh (key: string, known: Known, { headers, asked }: { headers: Fields, asked: number }): Known {
    const { ms = known.lifetime, storable } = freshnessOf(headers)
    return this.#remember(key, known, { lifetime: storable ? ms : undefined, asked })
  }

  /** Its life began when it was asked for; what may not be remembered has none. */
  #remember (key: string, known: Known, { lifetime, asked }: { lifetime: number | undefined, asked: number }): Known {
    known.asked = asked
    known.lifetime = lifetime ?? 0
    if (lifetime === undefined) this.forget(key)
    else this.#known.set(key, known)
    return known
  }
}

/** Whether an origin that looked at no condition sent what is known: then it stays what it was. */
function isSame (known: OriginFacts, facts: OriginFacts): boolean {
  return known.revision === facts.revision && known.size === facts.size && known.type === facts.type && known.isCoded === facts.isCoded
}

function overheadOf (key: string, { type, revision, validators: { entityTag = '' } }: OriginFacts): number {
  return FILE_BYTES + KEY_COPIES * key.length + 2 * (type.length + revision.length + entityTag.length)
}

function claimed (known: Known | 'directory' | undefined): Found | undefined {
  if (known === undefined) return undefined
  if (known === 'directory') return directory
  known.representation.claim()
  return known.found
}
