import type { Body } from '../representation.ts'
import type { ByteRange } from '../http/range.ts'

/** The name of a variant: 43 characters of base64url, a SHA-256 over all that makes it what it is. */
export type VariantKey = string & { readonly __variantKey: unique symbol }

/** What is kept beside a variant's bytes. Plain data, small. */
export interface VariantFacts {
  /** Media type: 1 to 256 printable ASCII characters. */
  readonly type: string
  /** Names by which it is purged: that of its original, and further ones. At most 16, of 1 byte to 2 KiB. */
  readonly tags: readonly string[]
  /** The quality that `q=auto` chose. */
  readonly quality?: number | undefined
}

/** A variant to be kept. */
export interface NewVariant extends VariantFacts {
  readonly bytes: Buffer
}

/** A variant that is kept. */
export interface StoredVariant extends VariantFacts {
  /** Bytes. */
  readonly size: number
  /** The bytes, where they are in memory already. Shared by all who get them: never written to. */
  readonly bytes?: Buffer | undefined
  /** Which tier had it. */
  readonly tier: 'memory' | 'disk' | 'redis' | 's3'
  /** @throws {StoreFault} where the bytes are gone or damaged: treat it as a miss */
  open (range?: ByteRange): Promise<Body>
}

/** The right to make a variant, held against other instances until it is released, or its holder dies. */
export interface MakingLease {
  /** Call it when the variant is put, or will not be. Never throws; a second call does nothing. */
  release (): Promise<void>
}

/**
 * Where variants are kept. `test/contracts/variant-store.ts` holds every store to this. A store
 * is a cache: what it lost is made anew, so its own faults are misses, told to `onFault`, never thrown.
 */
export interface VariantStore {
  /** What is kept under a key, whole, or undefined. Synchronous where it can be. */
  get (key: VariantKey): StoredVariant | undefined | Promise<StoredVariant | undefined>
  /** As `get`, of what is in memory alone: for who asks again by `get` once it is certain that the variant is wanted. */
  peek? (key: VariantKey): StoredVariant | undefined
  /** Keeps a variant: all of it is visible when this settles, or (full, faulty, facts beyond their bounds) nothing is. */
  put (key: VariantKey, variant: NewVariant): Promise<void>
  /**
   * Forgets every variant with a tag that the given one covers, as `covers` in `purge-tags.ts` says.
   * Settles when none of them is given any more. Returns how many were found, where that is known.
   */
  purge (tag: string): Promise<number | undefined>
  /** Takes note that a variant is in use although it was not asked for here: a tier above had it. */
  touch? (key: VariantKey): void
  /**
   * For a store that instances share: who misses asks here before making. Gives the lease to one of
   * them, to the others what that one made, once it is there. Undefined where nobody can tell, or
   * after a bounded wait: then make it without.
   *
   * @throws the signal's reason
   */
  claim? (key: VariantKey, signal: AbortSignal): Promise<MakingLease | StoredVariant | undefined>
  close (): Promise<void>
}

/** Why a variant that was kept cannot be had, or one was not kept. For the log. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'

  constructor (message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
  }
}

/** Told of a store's own faults, at most a few a second. */
export type OnStoreFault = (fault: StoreFault) => void
