import type { RateLimitConfig } from '../config/access-schema.ts'
import type { MountConfig } from '../config/schema.ts'
import { mayAskForVariant } from '../image/reading.ts'
import type { RateCounter } from './counter.ts'
import { UnderWay } from './under-way.ts'

/** What the plugin `rate-limit` is registered with for one stage. */
export interface StageLimit<Stage> {
  readonly stage: Stage
  readonly limit: NonNullable<RateLimitConfig['addresses']>
  readonly costs: RateLimitConfig['costs']
  readonly scopeName: string
  readonly underWay: UnderWay | undefined
  readonly mayCost: (target: string) => boolean
  readonly counter: RateCounter
}

/** How much clients of a mount may ask for, before anyone is asked who they are and behind it. */
export interface MountLimits {
  readonly addresses: StageLimit<'addresses'> | undefined
  readonly principals: StageLimit<'principals'> | undefined
}

/** What is read of a mount here. */
type LimitedMount = Pick<MountConfig, 'prefix' | 'delivery'> & { readonly rateLimit?: MountConfig['rateLimit'] | undefined, readonly images: Pick<MountConfig['images'], 'mode'> }

/** To be made once for all places of a mount. @param counter undefined where no mount has limits */
export function limitsOf ({ prefix: scopeName, rateLimit, delivery, images }: LimitedMount, counter: RateCounter | undefined): MountLimits {
  if (rateLimit === undefined || counter === undefined) return { addresses: undefined, principals: undefined }
  const { addresses, principals, costs } = rateLimit
  const makes = delivery === 'serve' && images.mode !== 'off'
  const shared = { costs, scopeName, mayCost: makes ? mayAskForVariant : () => false, counter }
  return {
    addresses: addresses === undefined ? undefined : { ...shared, stage: 'addresses', limit: addresses, underWay: underWay(addresses) },
    principals: principals === undefined ? undefined : { ...shared, stage: 'principals', limit: principals, underWay: underWay(principals) }
  }
}

/** One for all places of a mount. */
function underWay ({ concurrent }: NonNullable<RateLimitConfig['addresses']>): UnderWay | undefined {
  return concurrent === undefined ? undefined : new UnderWay(concurrent)
}
