import { StoreFault, type StoredVariant, type VariantKey } from '../cache/store.ts'
import { RepresentationChanged, type CompleteOptions, type Representation } from '../representation.ts'
import type { Made } from './deriver.ts'
import type { Ingredients, Variant } from './variant.ts'

/** Where variants come from. */
export interface Maker {
  kept (key: VariantKey): StoredVariant | undefined | Promise<StoredVariant | undefined>
  /** @param signal aborts when who asked has left */
  made (variant: Variant, from: Ingredients, signal?: AbortSignal): Promise<Made>
  /** What was just made, as it is kept. */
  written (key: VariantKey): Promise<StoredVariant | undefined>
}

/** Bytes of a variant above which it is read from where it is kept while it is sent: clients that read slowly would hold them in memory. */
const HELD_BYTES = 1_048_576

const representations = new WeakMap<StoredVariant, Map<string, Representation>>()

/** A variant that is kept: the same representation each time, for as long as it is. */
export function keptRepresentation (kept: StoredVariant, { entityTag }: Variant, vary: string | undefined): Representation {
  let byVary = representations.get(kept)
  if (byVary === undefined) representations.set(kept, byVary = new Map())
  let representation = byVary.get(vary ?? '')
  if (representation === undefined) {
    const { type, size, bytes, tier } = kept
    representation = { type, size, bytes, entityTag, vary, cacheOutcome: `hit-${tier}`, open: opening(kept) }
    byVary.set(vary ?? '', representation)
  }
  return representation
}

/** A variant that is not in memory: looked for, or made, when it is certain that it is wanted. */
export function unmadeRepresentation (variant: Variant, from: Ingredients, { vary, maker }: { vary: string | undefined, maker: Maker }): Representation {
  const { type, entityTag } = variant
  const complete = async ({ make, signal }: CompleteOptions): Promise<Representation> => {
    if (!make) {
      const kept = await maker.kept(variant.key)
      return kept === undefined ? { type, entityTag, vary, open } : keptRepresentation(kept, variant, vary)
    }
    const { stored: made, outcome } = await maker.made(variant, from, signal)
    const stored = made.size > HELD_BYTES ? await maker.written(variant.key) ?? made : made
    return { type, entityTag, vary, size: stored.size, bytes: stored.bytes, cacheOutcome: outcome, open: opening(stored) }
  }
  const open: Representation['open'] = async range => await opening((await maker.made(variant, from)).stored)(range)
  return { type, entityTag, vary, complete, open }
}

/** What was kept and is gone, or damaged, is to be described anew: it is then made anew. */
function opening (stored: Made['stored']): Representation['open'] {
  return async function open (range) {
    try {
      return await stored.open(range)
    } catch (error) {
      throw error instanceof StoreFault ? new RepresentationChanged('A kept variant', error) : error
    }
  }
}
