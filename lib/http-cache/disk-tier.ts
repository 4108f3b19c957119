import { createHash, randomBytes } from 'node:crypto'
import type { DiskStore } from '../cache/disk-store.ts'
import type { DiskWriting } from '../cache/disk-writing.ts'
import { MAX_TAG_BYTES } from '../cache/record.ts'
import type { VariantFacts, VariantKey } from '../cache/store.ts'
import { decodeRecord, encodeRecord, type AnswerRecord, type DiskRecord } from './disk-record.ts'
import { bodyOf, Entry, type KeptBody } from './entry.ts'
import { freshnessOf, type FreshnessPolicy } from './freshness.ts'
import type { FieldOf } from './selection.ts'
import { newSalt, type Resource } from './resource.ts'
import type { Shelf } from './shelf.ts'
import { StoredBody, type BodyReference } from './stored-body.ts'

/** Where something is kept: which URL, of which scope. */
export interface Spot {
  readonly shelf: Shelf
  readonly resource: Resource
}

const TYPE = 'application/vnd.fastify-media.answer'

/**
 * Answers on disk. A record is named by a hash of scope, path, the generation of the purges that
 * reach it, its salt, and what selects it; a mark beside it tells what the URL varies by, and the
 * salt. Whatever is purged or invalidated is never addressed again; that its bytes are removed is
 * housekeeping. Bodies that are not small lie in files of their own, so that new fields for an
 * old body are a small write.
 */
export class DiskTier {
  readonly #store: DiskStore
  /** Writes by key, one after the other: a later one is never undone by an earlier one. */
  readonly #writes = new Map<string, Promise<void>>()

  constructor (store: DiskStore) {
    this.#store = store
  }

  /** What is kept for a request, if anything; with what is known of the URL taken note of. */
  async find ({ shelf, resource }: Spot, field: FieldOf, policy: FreshnessPolicy): Promise<Entry | undefined> {
    if (!isFit(resource)) return undefined
    const keyOf = (salt: string, selection: string): VariantKey => this.#keyOf({ shelf, resource }, salt, selection)
    const selection = resource.selectionOf(field)
    const [marked, guessed] = await Promise.all([this.#read(this.#markKey({ shelf, resource })), this.#read(keyOf(resource.salt, selection))])
    let record = guessed
    if (marked?.mark !== undefined && marked.mark.salt !== resource.salt) {
      if (!resource.adopt(marked.mark)) return undefined
      record = await this.#read(keyOf(resource.salt, resource.selectionOf(field)))
    }
    const entry = await this.#entryOf(record, { resource, selection: resource.selectionOf(field) }, policy)
    // What was on its way up during a purge is not given, since nobody knows which came first.
    if (entry === undefined || resource.isGone) return undefined
    entry.diskKeys = this.#keysOf({ shelf, resource }, entry)
    return entry
  }

  /** Keeps an answer, or what is new of its head. Never fails. */
  async put ({ shelf, resource }: Spot, entry: Entry): Promise<void> {
    const { head, selection, body } = entry
    if (!isFit(resource) || (!(body instanceof StoredBody) && body.bytes === undefined)) return
    const tags = [resource.tag]
    entry.diskKeys = this.#keysOf({ shelf, resource }, entry)
    if (resource.salt !== '' && !resource.isMarked) {
      resource.isMarked = true
      const mark = encodeRecord({ mark: { varying: resource.varying, salt: resource.salt } })
      await this.#write(this.#markKey({ shelf, resource }), async key => await this.#store.put(key, { type: TYPE, tags, bytes: mark }))
    }
    const answer: AnswerRecord = { path: resource.path, selection, head, ...(body instanceof StoredBody ? { reference: body.reference } : {}) }
    const bytes = encodeRecord({ answer }, body instanceof StoredBody ? undefined : body.bytes)
    await this.#write(this.#keyOf({ shelf, resource }, resource.salt, selection), async key => { if (!resource.isGone) await this.#store.put(key, { type: TYPE, tags, bytes }) })
  }

  /** Begins a body in a file of its own. Undefined where that is impossible now. */
  async beginBody ({ resource }: Spot): Promise<{ key: VariantKey, writing: DiskWriting } | undefined> {
    if (!isFit(resource)) return undefined
    const key = randomBytes(32).toString('base64url') as VariantKey
    const facts: VariantFacts = { type: TYPE, tags: [resource.tag] }
    const writing = await this.#store.begin(key, facts)
    return writing === undefined ? undefined : { key, writing }
  }

  /** A body that lies in a file of its own; undefined where it is gone. @param isTrusted whether it was written just now */
  async body (reference: BodyReference, isTrusted: boolean): Promise<StoredBody | undefined> {
    const file = await this.#store.get(reference.key as VariantKey)
    if (file === undefined || file.size !== reference.size) return undefined
    return new StoredBody(reference, file, isTrusted)
  }

  /** Forgets one answer, with its body. */
  async drop (entry: Entry): Promise<void> {
    await this.forget(entry)
    await this.dropBody(entry.body)
  }

  /** Forgets one answer, but for a body in a file of its own. */
  async forget ({ diskKeys: [, answer] }: Entry): Promise<void> {
    if (answer !== undefined) await this.#write(answer as VariantKey, async key => await this.#store.remove(key))
  }

  async dropBody (body: KeptBody): Promise<void> {
    if (body instanceof StoredBody) await this.#store.remove(body.reference.key as VariantKey)
  }

  /** Forgets all answers of a URL: the marked ones by a new salt, the others one by one. */
  async invalidate ({ shelf, resource }: Spot, field: FieldOf): Promise<void> {
    if (!isFit(resource)) return
    const markKey = this.#markKey({ shelf, resource })
    const marked = await this.#read(markKey)
    const tags = [resource.tag]
    if (marked?.mark !== undefined) {
      const mark = encodeRecord({ mark: { varying: marked.mark.varying, salt: newSalt() } })
      await this.#write(markKey, async key => await this.#store.put(key, { type: TYPE, tags, bytes: mark }))
    }
    await this.#write(this.#keyOf({ shelf, resource }, '', resource.selectionOf(field)), async key => await this.#store.remove(key))
    for (const entry of resource.entries.values()) await this.drop(entry)
  }

  /** Takes note that answers are in use although they were not asked for here. */
  touch (entries: readonly Entry[]): void {
    for (const { diskKeys, body } of entries) {
      for (const key of diskKeys) this.#store.touch(key as VariantKey)
      if (body instanceof StoredBody) this.#store.touch(body.reference.key as VariantKey)
    }
  }

  async purge (tag: string): Promise<void> {
    await this.#store.purge(tag)
  }

  async close (): Promise<void> {
    await Promise.all(this.#writes.values())
    await this.#store.close()
  }

  async #entryOf (record: DiskRecord | undefined, { resource, selection }: { resource: Resource, selection: string }, policy: FreshnessPolicy): Promise<Entry | undefined> {
    if (record?.answer === undefined) return undefined
    const { path, head, reference, selection: own } = record.answer
    if (path !== resource.path || own !== selection) return undefined
    const body = reference === undefined ? bodyOf(record.body) : await this.body(reference, false)
    return body === undefined ? undefined : new Entry({ head, freshness: freshnessOf(head, policy), selection, body })
  }

  async #read (key: VariantKey): Promise<DiskRecord | undefined> {
    await this.#writes.get(key)
    const found = await this.#store.get(key)
    return found?.bytes === undefined ? undefined : decodeRecord(found.bytes)
  }

  async #write (key: VariantKey, action: (key: VariantKey) => Promise<void>): Promise<void> {
    const write = (this.#writes.get(key) ?? Promise.resolve()).then(async () => await action(key))
    this.#writes.set(key, write)
    await write
    if (this.#writes.get(key) === write) this.#writes.delete(key)
  }

  #keysOf (spot: Spot, { selection }: Entry): readonly string[] {
    return [this.#markKey(spot), this.#keyOf(spot, spot.resource.salt, selection)]
  }

  #markKey (spot: Spot): VariantKey {
    return this.#hash(spot, ['mark'])
  }

  #keyOf (spot: Spot, salt: string, selection: string): VariantKey {
    return this.#hash(spot, ['answer', salt, selection])
  }

  #hash ({ shelf, resource }: Spot, parts: readonly string[]): VariantKey {
    const text = JSON.stringify([shelf.scope, resource.path, resource.generation, ...parts])
    return createHash('sha256').update(text).digest('base64url') as VariantKey
  }
}

/** Longer ones, which a client chooses, are kept in memory alone. */
function isFit ({ tag, path }: Resource): boolean {
  return Buffer.byteLength(tag) <= MAX_TAG_BYTES && path.length <= MAX_TAG_BYTES
}
