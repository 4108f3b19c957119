import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { record, type Loose } from '../config/loose.ts'
import type { AccessLog } from './access.ts'
import { fitting, sizeMistake, tokenKeyOf, type TokenKey } from './jwt-keys.ts'
import { ServiceError, type ServiceAnswer } from './service-request.ts'

/** How a JSON Web Key Set (RFC 7517) is kept. */
export interface KeySetOptions {
  /** The name of the strategy, for the log. */
  readonly strategy: string
  /** Asks for it. Throws {@link ServiceError}. */
  readonly ask: () => Promise<ServiceAnswer>
  /** Keys for others are passed over. */
  readonly algorithms: readonly string[]
  /** How long it is believed, and as long again while it cannot be asked for, in milliseconds. */
  readonly maxAgeMs: number
  /** How long it is not asked for again because of unknown keys, in milliseconds. */
  readonly cooldownMs: number
  readonly log: AccessLog
  /** Milliseconds, on a clock that nobody sets back. */
  readonly now?: (() => number) | undefined
}

/** The most bytes of a key set. Who publishes it pushes against it. */
export const MAX_KEY_SET_BYTES = 262_144
/** The most keys of it. */
const MAX_KEYS = 100
/** The longest name of a key: tokens choose it. */
export const MAX_KEY_ID_CHARACTERS = 256
/** Up to which share of their time nobody waits for keys that are a little too old: they are asked for behind the answer. */
const REFRESH_SHARE = 1.1
/** How long a service that failed is left alone, in milliseconds, however many ask. */
const FAILURE_PAUSE_MS = 1000

/**
 * The keys of an issuer, by the names that tokens call them by. Asked for when the first token comes, and
 * again when they are old or a token names another; once for all who wait, and seldom, because tokens that
 * name unknown keys cost nothing to make.
 */
export class KeySet {
  readonly #options: KeySetOptions
  readonly #now: () => number
  #keys: ReadonlyMap<string | undefined, TokenKey> = new Map()
  #fetchedAt = -Infinity
  #flight: Promise<void> | undefined
  /** When it was last asked for in vain or not, and what went wrong then. */
  #settledAt = -Infinity
  #failure: ServiceError | undefined

  constructor (options: KeySetOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /**
   * The key that a token names: at once where that is known, undefined where there is none of that name.
   *
   * @param kid undefined stands for the only key of a set
   * @throws {ServiceError} as a rejection, where it cannot be told
   */
  keyFor (kid: string | undefined): TokenKey | undefined | Promise<TokenKey | undefined> {
    const age = this.#now() - this.#fetchedAt
    if (age > REFRESH_SHARE * this.#options.maxAgeMs) return this.#renewed(kid, age)
    if (age > this.#options.maxAgeMs) this.#later(kid, FAILURE_PAUSE_MS).catch(() => undefined) // it is in the log
    const key = this.#keys.get(kid)
    if (key !== undefined || kid === undefined) return key
    const isCooling = this.#flight === undefined && this.#failure === undefined && this.#now() - this.#settledAt < this.#options.cooldownMs
    return isCooling ? undefined : this.#later(kid, Math.max(FAILURE_PAUSE_MS, this.#options.cooldownMs))
  }

  /** Keys that are too old are taken as long as they cannot be had anew, up to twice their time. */
  async #renewed (kid: string | undefined, age: number): Promise<TokenKey | undefined> {
    try {
      return await this.#later(kid, FAILURE_PAUSE_MS)
    } catch (error) {
      const key = age > 2 * this.#options.maxAgeMs ? undefined : this.#keys.get(kid)
      if (key === undefined) throw error // of a key that is not among the old ones nothing can be told
      return key
    }
  }

  /** @param pauseMs how long after a failure it is not asked for again */
  async #later (kid: string | undefined, pauseMs: number): Promise<TokenKey | undefined> {
    if (this.#flight === undefined && this.#failure !== undefined && this.#now() - this.#settledAt < pauseMs) throw this.#failure
    await (this.#flight ??= this.#fetch())
    return this.#keys.get(kid)
  }

  async #fetch (): Promise<void> {
    const { ask, algorithms, log, strategy } = this.#options
    try {
      const { keys, refused } = readKeySet(await ask(), algorithms)
      if (refused.length > 0) log.warn({ strategy, refused }, 'Some keys of the key set are not used')
      this.#keys = keptOf(this.#keys, keys)
      this.#fetchedAt = this.#now()
      this.#failure = undefined
    } catch (error) {
      this.#failure = error instanceof ServiceError ? error : new ServiceError('no key set', error)
      log.warn({ strategy, reason: this.#failure.reason }, 'The key set could not be fetched')
      throw this.#failure
    } finally {
      this.#flight = undefined
      this.#settledAt = this.#now()
    }
  }
}

/** Keys that did not change stay what they were: what was found out with them holds on. */
function keptOf (before: ReadonlyMap<string | undefined, TokenKey>, after: ReadonlyMap<string | undefined, TokenKey>): ReadonlyMap<string | undefined, TokenKey> {
  const kept = new Map<string, TokenKey>()
  for (const key of before.values()) kept.set(spell(key), key)
  return new Map([...after].map(([kid, key]) => [kid, kept.get(spell(key)) ?? key]))
}

function spell ({ key, algorithms }: TokenKey): string {
  return `${algorithms.join(' ')} ${key}`
}

/** The usable keys of an answer, and for others of them why they are not used: those that nobody should publish. */
function readKeySet ({ status, body }: ServiceAnswer, algorithms: readonly string[]): { keys: Map<string | undefined, TokenKey>, refused: string[] } {
  if (status !== 200) throw new ServiceError(`status ${status}`)
  const { keys: members } = record(JSON.parse(body.toString()))
  if (!Array.isArray(members)) throw new ServiceError('no key set')
  if (members.length > MAX_KEYS) throw new ServiceError('too many keys')
  const read = (members as unknown[]).map(member => readKey(record(member), algorithms))
  const usable = read.filter(found => typeof found === 'object')
  const [only] = usable
  if (only === undefined) throw new ServiceError('no usable keys')
  const keys = new Map<string | undefined, TokenKey>()
  for (const { kid, key } of usable) if (kid !== undefined && !keys.has(kid)) keys.set(kid, key)
  // A token that names no key may mean one alone.
  if (usable.length === 1) keys.set(undefined, only.key)
  return { keys, refused: read.filter(found => typeof found === 'string') }
}

/** Members of private keys (RFC 7518 §6.2.2, §6.3.2), and of shared secrets (§6.4). */
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** One key: undefined for what is not for us, and why for what nobody should use. */
function readKey (jwk: Loose, algorithms: readonly string[]): { kid: string | undefined, key: TokenKey } | string | undefined {
  const { kty, kid, use, alg, key_ops: operations } = jwk
  if (secretMembers.some(member => Object.hasOwn(jwk, member))) return 'a secret'
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return undefined
  if ((use !== undefined && use !== 'sig') || (Array.isArray(operations) && !operations.includes('verify'))) return undefined
  const allowed = alg === undefined ? algorithms : algorithms.filter(algorithm => algorithm === alg)
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_CHARACTERS)) return 'a name that is none'
  const key = publicKeyOf(jwk)
  if (key === undefined) return 'a key that cannot be read'
  if (fitting(allowed, key).length === 0) return undefined
  return sizeMistake(key) === undefined ? { kid, key: tokenKeyOf(key, allowed) } : 'a key of an unsafe size'
}

/** By its public members alone: certificates and URLs beside them are not looked at. */
function publicKeyOf ({ kty, n, e, crv, x, y }: Loose): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty, n, e, crv, x, y } as JsonWebKey, format: 'jwk' })
  } catch {
    return undefined
  }
}
