import type { ByteRange } from '../http/range.ts'
import type { StoredVariant, VariantFacts } from './store.ts'

/** A variant that a store gave whole, its bytes in memory. */
export class WholeVariant implements StoredVariant {
  readonly type
  readonly tags
  readonly quality
  readonly bytes: Buffer
  readonly size: number
  readonly tier

  constructor ({ type, tags, quality }: VariantFacts, bytes: Buffer, tier: StoredVariant['tier']) {
    this.type = type
    this.tags = tags
    this.quality = quality
    this.bytes = bytes
    this.size = bytes.length
    this.tier = tier
  }

  async open (range?: ByteRange): Promise<Buffer> {
    return range === undefined ? this.bytes : this.bytes.subarray(range.start, range.end + 1)
  }
}
