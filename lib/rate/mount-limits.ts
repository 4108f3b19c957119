import type { RateLimitConfig } from '../config/access-schema.ts'
import type { MountConfig } from '../config/schema.ts'
import type { RateCounter } from './counter.ts'

/** What the plugin `rate-limit` is registered with for one stage. */
export interface StageLimit<Stage> {
  readonly stage: Stage
  readonly limit: NonNullable<RateLimitConfig['addresses']>
  readonly costs: RateLimitConfig['costs']
  readonly scopeName: string
  readonly counter: RateCounter
}

/** How much clients of a mount may ask for, before anyone is asked who they are and behind it. */
export interface MountLimits {
  readonly addresses: StageLimit<'addresses'> | undefined
  readonly principals: StageLimit<'principals'> | undefined
}

/** @param counter undefined where no mount has limits */
export function limitsOf ({ prefix: scopeName, rateLimit }: MountConfig, counter: RateCounter | undefined): MountLimits {
  if (rateLimit === undefined || counter === undefined) return { addresses: undefined, principals: undefined }
  const { addresses, principals, costs } = rateLimit
  return {
    addresses: addresses === undefined ? undefined : { stage: 'addresses', limit: addresses, costs, scopeName, counter },
    principals: principals === undefined ? undefined : { stage: 'principals', limit: principals, costs, scopeName, counter }
  }
}
