import type { StrategyConfig, StrategyInput } from '../config/access-schema.ts'
import { resolveConfig } from '../config/resolve.ts'

/** Who may do what, for apps that compose the plugins themselves or bring ways of their own to prove who one is. */
export type { AccessConfig, Requirement, StrategyConfig, StrategyInput } from '../config/access-schema.ts'
export { openRateCounter, type RateLimitsConfig } from '../rate/open-counter.ts'
export type { Count, RateCounter, Tell, Use } from '../rate/counter.ts'
export { signer, signTarget, type Sign, type SigningKey, type SignOptions } from '../signing/signer.ts'
export type { AccessLog, AccessRequest, Principal, Strategy, Verdict } from './access.ts'
export { keyHash } from './api-keys.ts'
export { secretMistake } from './secrets.ts'

/** Where strategies are to hold. */
export interface StrategiesPlace {
  /** The directory that names of files with keys start from. */
  readonly base: string
  /** Prefixes that API keys may be for; without any, keys name none. */
  readonly mounts?: readonly string[]
}

/**
 * Strategies as a configuration has them, checked and with every default, for the plugin `strategies`; the root app
 * does the same for its own.
 *
 * @throws {ConfigError} with every mistake: secrets that can be guessed, keys that fit no algorithm, files that are not there
 *
 * @example
 * await app.register(strategies, { strategies: await checkedStrategies({ office: { driver: 'ip', allow: ['192.0.2.0/24'] } }, { base: process.cwd() }) })
 */
export async function checkedStrategies (strategies: Readonly<Record<string, StrategyInput>>, { base, mounts = [] }: StrategiesPlace): Promise<Readonly<Record<string, StrategyConfig>>> {
  const { config } = await resolveConfig({
    strategies,
    // Stand for the scopes of the app, by their prefixes alone.
    sources: { none: { driver: 'file', root: base } },
    mounts: mounts.map(prefix => ({ prefix, source: 'none' }))
  }, { base })
  return config.strategies
}
