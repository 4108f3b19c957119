import { parseHttpDate } from '../http/http-date.ts'
import { OCTET_STREAM } from '../http/media-type.ts'
import type { ByteRange } from '../http/range.ts'
import type { Body, ContentCoding, Representation } from '../representation.ts'
import type { Fields } from '../upstream/message.ts'
import { noTrailers, type CacheAnswer, type CacheOutcome, type PlainAnswer, type RepresentationAnswer } from './answer.ts'
import { cacheStatus, type Forwarded } from './cache-status.ts'
import { joined } from './directives.ts'
import type { Freshness, ReceivedHead } from './freshness.ts'
import { fieldsWhere, storedFields } from './storing.ts'

/** The bytes of a stored answer, wherever they are. */
export interface KeptBody {
  /** Bytes, where their number is known. */
  readonly size: number | undefined
  /** All of it, where it is in memory. */
  readonly bytes?: Buffer | undefined
  /** @throws {RepresentationChanged} where the bytes are gone or damaged: the answer is to be fetched anew */
  open (range?: ByteRange): Body | Promise<Body>
  /** For a body that is still arriving: whether bytes from there on can be had without waiting for many others. */
  reaches? (start: number): boolean
  readonly trailers?: () => Fields | undefined
}

/** What a stored answer costs beside its bytes and fields: objects, map, headers for sending. Measured. */
const ENTRY_BYTES = 1536

/** How one answer came about. */
export interface Disposition {
  readonly outcome: CacheOutcome
  /** Undefined where the origin was not asked. */
  readonly forwarded?: Forwarded
  /** Fields for this one client. */
  readonly own?: Fields
}

const hit: Disposition = { outcome: 'hit' }
const nothing = Buffer.alloc(0)

/** Fields that the representation gives, or that would be wrong for a part of it. */
const describing = new Set(['accept-ranges', 'content-digest', 'content-encoding', 'content-length', 'content-type', 'etag'])

/** One stored answer, ready to be sent. It never changes: what is newer is another one. */
export class Entry {
  readonly head: ReceivedHead
  readonly freshness: Freshness
  readonly selection: string
  readonly body: KeptBody
  /** Bytes it takes of the bound in memory. */
  readonly cost: number
  /** Whether it was asked for since this was last looked at. */
  isUsed = false
  /** Until when its origin is not asked about it again although it is stale: it was asked just now. */
  retryAt = 0
  /** The keys under which the disk has it. */
  diskKeys: readonly string[] = []
  readonly #base: Fields
  readonly #representation: Representation | undefined
  #age = -1
  #hit: CacheAnswer | undefined

  constructor ({ head, freshness, selection, body }: Pick<Entry, 'head' | 'freshness' | 'selection' | 'body'>) {
    this.freshness = freshness
    this.selection = selection
    this.body = body
    const fields = storedFields(head)
    this.head = { ...head, fields: head.fields.age === undefined ? fields : { ...fields, age: head.fields.age } }
    const modified = typeof fields['last-modified'] === 'string' ? parseHttpDate(fields['last-modified']) : undefined
    this.#representation = head.status === 200 ? new KeptRepresentation(fields, modified, body) : undefined
    this.#base = head.status === 200 ? fieldsWhere(fields, name => !describing.has(name) && (name !== 'last-modified' || modified === undefined)) : fields
    this.cost = ENTRY_BYTES + (body.bytes?.length ?? 0) + selection.length * 2 + Object.entries(fields).reduce((sum, [name, value]) => sum + 2 * (name.length + String(value).length), 0)
  }

  /** The same, with its body somewhere else. */
  with (body: KeptBody): Entry {
    return new Entry({ head: this.head, freshness: this.freshness, selection: this.selection, body })
  }

  /** Whether all of its body is there, and it can be answered with in the same turn. */
  get isReady (): boolean {
    return this.body.reaches === undefined && (this.#representation !== undefined || this.body.bytes !== undefined)
  }

  /** The answer to a GET or HEAD that finds it fresh: the same object for all of one second. */
  hit (now: number, method: string): CacheAnswer | Promise<CacheAnswer> {
    const age = Math.floor((now - this.freshness.bornAt) / 1000)
    if (age === this.#age && this.#hit !== undefined && method === 'GET') return this.#hit
    const answer = this.answer(now, method, hit)
    if (method !== 'GET' || answer instanceof Promise || !this.isReady) return answer
    this.#age = age
    this.#hit = answer
    return answer
  }

  /** The answer to a GET or HEAD. @throws {RepresentationChanged} */
  answer (now: number, method: string, { outcome, forwarded, own }: Disposition): CacheAnswer | Promise<CacheAnswer> {
    const { status } = this.head
    const { bornAt, freshUntil } = this.freshness
    const age = Math.max(0, Math.floor((now - bornAt) / 1000))
    const headers: Fields = { ...own, ...this.#base, 'cache-status': cacheStatus(this.#base['cache-status'], forwarded, (freshUntil - now) / 1000) }
    // What the origin was asked for has no age, unless it was old when it came.
    if (forwarded === undefined || age > 0) headers.age = String(age)
    const head = { status, headers, outcome, trailers: this.body.trailers ?? noTrailers }
    if (this.#representation !== undefined) return { ...head, representation: this.#representation } satisfies RepresentationAnswer
    const plain = (body: Body): PlainAnswer => ({ ...head, body })
    if (method === 'HEAD') return plain(nothing)
    const body = this.body.bytes ?? this.body.open()
    return body instanceof Promise ? body.then(plain) : plain(body)
  }
}

class KeptRepresentation implements Representation {
  readonly type: string
  readonly size: number | undefined
  readonly entityTag: string | undefined
  readonly lastModified: number | undefined
  readonly encoding: ContentCoding | undefined
  readonly bytes: Buffer | undefined
  readonly #body: KeptBody

  constructor (fields: Fields, modified: number | undefined, body: KeptBody) {
    this.type = joined(fields['content-type']) ?? OCTET_STREAM
    this.size = body.size
    this.entityTag = joined(fields.etag)
    this.lastModified = modified
    this.encoding = joined(fields['content-encoding']) as ContentCoding | undefined // passed on as it is, also where it is another
    this.bytes = body.bytes
    this.#body = body
  }

  open (range?: ByteRange): Body | Promise<Body> {
    return this.#body.open(range)
  }
}

/** A body that is in memory. */
export function bodyOf (bytes: Buffer): KeptBody {
  return { size: bytes.length, bytes, open: range => range === undefined ? bytes : bytes.subarray(range.start, range.end + 1) }
}
