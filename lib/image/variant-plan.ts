import type { Purges } from '../cache/purges.ts'
import type { Representation } from '../representation.ts'
import type { FoundFile } from '../sources/source.ts'
import type { Deriver } from './deriver.ts'
import type { Variant } from './variant.ts'

/** What serves all mounts. */
export interface ImageParts {
  readonly deriver: Deriver
  /** The overlay of a name. @throws {MediaError} `bad-transform` where it is not there */
  readonly overlay: (name: string) => Promise<FoundFile>
  readonly purges: Pick<Purges, 'version' | 'generationOf'>
}

/**
 * A variant that was described before, for who asks again. It holds no file: thousands of plans
 * are kept, and each would keep its original's bytes from being let go.
 */
export interface VariantPlan {
  readonly parts: ImageParts
  /** The original, while it is what it was. */
  readonly original: WeakRef<Representation>
  /** That of the purges that were known then. */
  readonly version: number
  readonly variant: Variant
  /** What is made fast where the variant takes long. */
  readonly quick: Variant | undefined
  readonly vary: string | undefined
}
