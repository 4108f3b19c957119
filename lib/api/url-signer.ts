import type { Principal } from '../access/access.ts'
import { signingSecrets } from '../access/open.ts'
import { signerOf } from '../access/mount-access.ts'
import { namesIn } from '../access/policy.ts'
import { requirementFor } from '../access/requirement.ts'
import type { SignedConfig } from '../config/access-schema.ts'
import { didYouMean } from '../config/mistakes.ts'
import type { Config, MountConfig } from '../config/schema.ts'
import { MediaError } from '../errors.ts'
import { signTarget, type SigningKey } from '../signing/signer.ts'

/** How long a URL holds where nothing is said, in seconds: as with `fastify-media sign`. */
export const DEFAULT_LIFETIME_SECONDS = 3600

/** What is to be signed, and how. */
export interface SigningWish {
  readonly mount: MountConfig
  /** Percent-encoded, with its query. */
  readonly target: string
  readonly method: string
  readonly strategy?: string | undefined
  /** Seconds from now. */
  readonly expiresIn?: number | undefined
  /** RFC 3339. */
  readonly expires?: string | undefined
  /** RFC 3339. */
  readonly notBefore?: string | undefined
  /** Of the client that it is for. */
  readonly address?: string | undefined
  /** Who asks, as the API and as the mount know them: what they sign ends with their own right. */
  readonly principals: ReadonlyArray<Principal | null>
}

/** A signed URL. */
export interface SignedUrl {
  readonly target: string
  /** Milliseconds since the epoch. */
  readonly expires: number
}

interface Signer {
  readonly key: SigningKey
  readonly maxLifetimeSeconds: number
}

/** Signs URLs by the strategies of a configuration that mounts take signatures of. */
export class UrlSigner {
  readonly #config: Readonly<Config>
  readonly #signers: ReadonlyMap<string, Signer>
  readonly #now: () => number

  private constructor (config: Readonly<Config>, signers: ReadonlyMap<string, Signer>, now: () => number) {
    this.#config = config
    this.#signers = signers
    this.#now = now
  }

  /** @throws where a file with a key is gone since it was checked */
  static async open (config: Readonly<Config>, now: () => number = Date.now): Promise<UrlSigner> {
    const signed = Object.entries(config.strategies).filter((entry): entry is [string, SignedConfig] => entry[1].driver === 'signed')
    return new UrlSigner(config, new Map(await Promise.all(signed.map(async ([name, strategy]) => [name, await signerFor(strategy)] as const))), now)
  }

  /**
   * Signs a target that its mount takes signed, for a time that is within what the strategy takes, and within the
   * right of whoever asks as far as it is known when that ends.
   *
   * @throws {MediaError} `bad-request` where it cannot be signed so
   */
  sign (wish: SigningWish): SignedUrl {
    const { key, maxLifetimeSeconds } = this.#signerOf(wish)
    const now = this.#now()
    const latest = Math.floor(Math.min(now + maxLifetimeSeconds * 1000, ...wish.principals.map(principal => this.#endOf(principal))) / 1000)
    const expires = expiryOf(wish, now, latest)
    try {
      const target = signTarget(wish.target, key, { expires, notBefore: secondsOf(wish.notBefore), method: wish.method, address: wish.address, now })
      return { target, expires: expires * 1000 }
    } catch (error) {
      throw new MediaError('bad-request', { detail: (error as Error).message, cause: error }) // it never shows the secret
    }
  }

  #signerOf ({ mount, method, strategy }: SigningWish): Signer {
    const taken = this.#takenBy(mount, method).filter(name => this.#signers.has(name))
    if (strategy !== undefined && !taken.includes(strategy)) throw new MediaError('bad-request', { detail: `strategy: Expected one whose signatures this mount takes for ${method}${didYouMean(strategy, taken)}` })
    const [first, second] = taken
    if (first === undefined) throw new MediaError('bad-request', { detail: `path: Expected one of a mount that takes signed URLs for ${method}` })
    if (strategy === undefined && second !== undefined) throw new MediaError('bad-request', { detail: `strategy: Expected one of ${taken.join(', ')}, because there are several` })
    return this.#signers.get(strategy ?? first) as Signer
  }

  #takenBy (mount: MountConfig, method: string): string[] {
    const rule = mount.access === undefined ? [] : namesIn(requirementFor(mount.access, method))
    const isForVariants = mount.delivery === 'serve' && mount.images.mode === 'signed'
    const own = isForVariants ? signerOf(this.#config, mount) : undefined
    return [...new Set([...rule, ...own === undefined ? [] : [own]])]
  }

  /** When the right of a principal ends, in milliseconds since the epoch: that of a token, and of an API key. */
  #endOf (principal: Principal | null): number {
    const strategy = principal === null ? undefined : this.#config.strategies[principal.strategy]
    if (principal === null || strategy === undefined) return Infinity
    if (strategy.driver === 'apiKey') {
      const { expires } = strategy.keys.find(({ name }) => name === principal.name) ?? {}
      return expires === undefined ? Infinity : Date.parse(expires)
    }
    if (strategy.driver !== 'jwt') return Infinity
    const { exp, iat } = principal.claims ?? {}
    return 1000 * Math.min(numberOf(exp), numberOf(iat) + (strategy.maxAgeSeconds ?? Infinity))
  }
}

async function signerFor (config: SignedConfig): Promise<Signer> {
  const secrets = await signingSecrets(config)
  const key = secrets.find(({ revoked }) => !revoked) as SigningKey // a configuration without one does not hold
  return { key, maxLifetimeSeconds: config.maxLifetimeSeconds }
}

/** In seconds since the epoch. @throws {MediaError} `bad-request` */
function expiryOf ({ expires, expiresIn }: SigningWish, now: number, latest: number): number {
  if (expires !== undefined && expiresIn !== undefined) throw new MediaError('bad-request', { detail: 'expires: Expected either this or expiresIn but received both' })
  const present = Math.floor(now / 1000)
  const asked = secondsOf(expires) ?? (expiresIn === undefined ? Math.min(present + DEFAULT_LIFETIME_SECONDS, latest) : present + expiresIn)
  if (asked > latest) throw new MediaError('bad-request', { detail: `${expires === undefined ? 'expiresIn' : 'expires'}: Expected a time until ${new Date(latest * 1000).toISOString()}, when the strategy, or your own right, ends` })
  return asked
}

/** The schema lets texts through that are no time, and JavaScript reads 30 February as 2 March. */
function secondsOf (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = Date.parse(text)
  if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(text.slice(0, 19))) throw new MediaError('bad-request', { detail: `Expected a time that there is but received ${text}` })
  return Math.floor(time / 1000)
}

function numberOf (value: unknown): number {
  return typeof value === 'number' ? value : Infinity
}
