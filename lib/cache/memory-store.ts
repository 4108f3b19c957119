import type { ByteRange } from '../http/range.ts'
import { covers } from './purge-tags.ts'
import { refusalOf } from './record.ts'
import { StoreFaults } from './store-faults.ts'
import type { NewVariant, OnStoreFault, StoredVariant, VariantKey, VariantStore } from './store.ts'

/** What is kept in memory. Whoever asks for many different variants pushes against all three. */
export interface MemoryStoreOptions {
  /** Bytes of all variants together, with what each costs beside its bytes. */
  totalBytes: number
  /** The most variants. */
  maxVariants: number
  /** Bytes of the largest variant that is kept. */
  maxVariantBytes: number
}

/** What is kept where nothing else is said. */
export const memoryStoreDefaults: MemoryStoreOptions = { totalBytes: 67_108_864, maxVariants: 20_000, maxVariantBytes: 4_194_304 }

/** What a variant costs beside its bytes: buffer, facts, key, map. Measured. */
const VARIANT_BYTES = 768

/** Finished variants in memory; the one unused for the longest goes first. */
export class MemoryStore implements VariantStore {
  readonly #options: MemoryStoreOptions
  readonly #faults: StoreFaults
  /** In the order of use, the latest last: a Map keeps the order of insertion. */
  readonly #variants = new Map<VariantKey, MemoryVariant>()
  #latest: MemoryVariant | undefined
  #bytes = 0

  constructor (options: Partial<MemoryStoreOptions> = {}, onFault?: OnStoreFault) {
    this.#options = { ...memoryStoreDefaults, ...options }
    this.#faults = new StoreFaults(onFault)
  }

  /** Bytes kept now, overhead included. */
  get bytes (): number {
    return this.#bytes
  }

  /** Variants kept now. */
  get size (): number {
    return this.#variants.size
  }

  get (key: VariantKey): StoredVariant | undefined {
    const variant = this.#variants.get(key)
    if (variant === undefined || variant === this.#latest) return variant
    variant.isUsed = true
    this.#latest = variant
    this.#variants.delete(key)
    this.#variants.set(key, variant)
    return variant
  }

  peek (key: VariantKey): StoredVariant | undefined {
    return this.get(key)
  }

  async put (key: VariantKey, variant: NewVariant): Promise<void> {
    const refusal = refusalOf(variant)
    if (refusal !== undefined) this.#faults.report(refusal)
    else this.keep(key, variant)
  }

  /** As `put`, at once, for facts that are known to be sound. */
  keep (key: VariantKey, variant: NewVariant): void {
    this.#drop(key)
    if (variant.bytes.length > this.#options.maxVariantBytes) return
    const kept = new MemoryVariant(variant)
    this.#variants.set(key, kept)
    this.#bytes += kept.cost
    this.#latest = kept
    for (const oldest of this.#variants.keys()) {
      if (this.#bytes <= this.#options.totalBytes && this.#variants.size <= this.#options.maxVariants) return
      this.#drop(oldest)
    }
  }

  async purge (tag: string): Promise<number> {
    return this.forget(tag)
  }

  /** As `purge`, at once. It looks at every variant: a purge is rare, an index would cost every `put`. */
  forget (tag: string): number {
    let found = 0
    for (const [key, variant] of this.#variants) {
      if (!variant.tags.some(own => covers(tag, own)) && tag !== '*') continue
      this.#drop(key)
      found++
    }
    return found
  }

  /** The variants that were asked for since this was last called. */
  takeUsed (): VariantKey[] {
    const used: VariantKey[] = []
    for (const [key, variant] of this.#variants) {
      if (variant.isUsed) used.push(key)
      variant.isUsed = false
    }
    this.#latest = undefined // so that its next use is noted
    return used
  }

  async close (): Promise<void> {
    this.forget('*')
  }

  #drop (key: VariantKey): void {
    const variant = this.#variants.get(key)
    if (variant === undefined) return
    this.#variants.delete(key)
    this.#bytes -= variant.cost
    if (this.#latest === variant) this.#latest = undefined
  }
}

class MemoryVariant implements StoredVariant {
  readonly type
  readonly tags
  readonly quality
  readonly bytes: Buffer
  readonly size: number
  readonly tier = 'memory'
  /** Bytes it takes of the bound. */
  readonly cost: number
  isUsed = false

  constructor ({ type, tags, quality, bytes }: NewVariant) {
    this.type = type
    this.tags = [...tags]
    this.quality = quality
    this.bytes = ownBytes(bytes)
    this.size = bytes.length
    this.cost = VARIANT_BYTES + bytes.length + tags.reduce((sum, tag) => sum + tag.length * 2, type.length)
  }

  async open (range?: ByteRange): Promise<Buffer> {
    return range === undefined ? this.bytes : this.bytes.subarray(range.start, range.end + 1)
  }
}

/** The bytes in a buffer of their own: a few of a large one would keep all of it. */
export function ownBytes (bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength === bytes.length) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(own)
  return own
}
