import { createHash } from 'node:crypto'
import type { S3Client } from '../sources/s3/client.ts'
import { discard } from '../sources/http/discard.ts'
import { nothing } from '../sources/s3/payload.ts'
import { isWhole, MAX_HEADER_BYTES, parseRecord, recordHeader, refusalOf, type RecordHeader } from './record.ts'
import type { RedisLeases } from './redis-leases.ts'
import { S3Layout } from './s3-layout.ts'
import { bytesIn, S3Link } from './s3-link.ts'
import { S3Removal } from './s3-removal.ts'
import type { MakingLease, NewVariant, OnStoreFault, StoredVariant, VariantKey, VariantStore } from './store.ts'
import { WholeVariant } from './whole-variant.ts'

/** What is kept in a bucket, and how. */
export interface S3StoreOptions {
  /** Closed by its holder. */
  readonly client: S3Client
  /** What begins the names of all objects; it ends in a slash. Nobody else may write there. */
  readonly prefix: string
  /** How many days a variant is kept. */
  readonly days: number
  /** Bytes of the largest variant that is kept: it is read whole. */
  readonly maxVariantBytes?: number | undefined
  /** By what instances agree on who makes a variant. Closed with the store. */
  readonly leases?: RedisLeases | undefined
  readonly onFault?: OnStoreFault | undefined
}

/** Bytes of the largest variant that is kept, where nothing else is said. */
const MAX_VARIANT_BYTES = 8_388_608

const DAY_MS = 86_400_000

/** Milliseconds for a read, for a write, and for each MiB of them. */
const READ_MS = 1000
const WRITE_MS = 10_000
const MS_PER_MIB = 125

/** Variants that are written at once; past that none is kept. What is made while the store is slow pushes against it. */
const MAX_WRITES = 64

/** What lies in a variant's place. */
interface Read {
  /** Milliseconds since it was written. */
  readonly age: number
  /** Undefined where it is too large to be a variant. */
  readonly record: Buffer | undefined
}

/**
 * Variants as objects of a bucket that instances share, header and bytes in one. A bucket has no index, so
 * that one is kept beside them: a variant costs a PUT for itself and one for each of its tags. A purge costs
 * a LIST for each thousand of what it covers, and for each of these a GET and a DELETE of what it is made of.
 * What is older than it may be is removed when it is met; what nobody meets is for a lifecycle rule of the bucket.
 */
export class S3Store implements VariantStore {
  readonly #link: S3Link
  readonly #layout: S3Layout
  readonly #removal: S3Removal
  readonly #leases: RedisLeases | undefined
  readonly #keptMs: number
  readonly #maxBytes: number
  readonly #writes = new Set<Promise<unknown>>()
  readonly #removals = new Set<Promise<unknown>>()
  #closed = false

  constructor ({ client, prefix, days, maxVariantBytes = MAX_VARIANT_BYTES, leases, onFault }: S3StoreOptions) {
    this.#link = new S3Link(client, onFault)
    this.#layout = new S3Layout(prefix)
    this.#removal = new S3Removal(this.#link, this.#layout)
    this.#leases = leases
    this.#keptMs = days * DAY_MS
    this.#maxBytes = maxVariantBytes
  }

  async get (key: VariantKey): Promise<StoredVariant | undefined> {
    const read = await this.#read(key)
    if (read === undefined) return undefined
    const { age, record = Buffer.alloc(0) } = read
    const header = parseRecord(record, key)
    const body = typeof header === 'object' ? record.subarray(header.start) : undefined
    if (typeof header !== 'object' || body === undefined || !isWhole(header, body)) {
      this.#link.report('What was kept as a variant in the bucket is none')
      return this.#discard(key)
    }
    if (age > this.#keptMs) return this.#discard(key, header)
    return this.#removal.isOwed(header.facts.tags) ? undefined : new WholeVariant(header.facts, body, 's3')
  }

  async put (key: VariantKey, variant: NewVariant): Promise<void> {
    const refusal = refusalOf(variant) ?? (this.#writes.size < MAX_WRITES ? undefined : 'The bucket is too slow for all that is made')
    if (refusal !== undefined) this.#link.report(refusal)
    if (refusal !== undefined || this.#closed || variant.bytes.length > this.#maxBytes) return
    await tracked(this.#writes, this.#write(key, variant))
  }

  async purge (tag: string): Promise<number | undefined> {
    await Promise.all(this.#writes) // what began before the purge is found by it
    return await this.#removal.purge(tag)
  }

  async claim (key: VariantKey, signal: AbortSignal): Promise<MakingLease | StoredVariant | undefined> {
    const claimed = await this.#leases?.claim(key, signal)
    if (claimed === undefined || !claimed.hasWaited) return claimed?.lease
    const made = await this.get(key)
    if (made !== undefined) await claimed.lease.release()
    return made ?? claimed.lease
  }

  async close (): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#writes, ...this.#removals])
    await this.#removal.close()
    await this.#leases?.close()
  }

  async #read (key: VariantKey): Promise<Read | undefined> {
    return await this.#link.run(async (client, signal) => {
      const found = await client.get(this.#layout.variant(key), { signal })
      if (found === undefined) return undefined
      const { object: { size, lastModified }, body } = found
      const isOurs = size <= this.#maxBytes + MAX_HEADER_BYTES
      if (!isOurs) discard(body)
      return { age: Date.now() - lastModified, record: isOurs ? await bytesIn(body, signal) : undefined }
    }, READ_MS + transferMs(this.#maxBytes))
  }

  /** What leads to it comes first: what a purge would not find must not be there. */
  async #write (key: VariantKey, variant: NewVariant): Promise<void> {
    const header = recordHeader(key, variant)
    const record = { chunks: [header, variant.bytes], bytes: header.length + variant.bytes.length, sha256: createHash('sha256').update(header).update(variant.bytes).digest('hex') }
    await this.#link.run(async (client, signal) => {
      await Promise.all(variant.tags.map(async tag => await client.put(this.#layout.index(tag, key), nothing, { signal })))
      await client.put(this.#layout.variant(key), record, { signal })
    }, WRITE_MS + transferMs(record.bytes))
  }

  /** Removes a variant that is none, or is too old, while its reader goes on. */
  #discard (key: VariantKey, header?: RecordHeader): undefined {
    void tracked(this.#removals, this.#removal.remove(key, header?.facts.tags ?? []))
  }
}

function transferMs (bytes: number): number {
  return Math.ceil(bytes / 1_048_576) * MS_PER_MIB
}

async function tracked (under: Set<Promise<unknown>>, way: Promise<unknown>): Promise<void> {
  under.add(way)
  await way.finally(() => under.delete(way))
}
