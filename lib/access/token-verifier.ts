/** What a token has to say. */
export interface TokenDemands {
  /** Those that are taken: all of one family. */
  readonly algorithms: readonly string[]
  readonly leewaySeconds: number
  readonly requiredClaims: readonly string[]
  /** How long after `iat` it is taken at most. */
  readonly maxAgeSeconds?: number | undefined
  /** Without any, anybody. */
  readonly issuers: readonly string[]
  /** One of them; without any, whoever it is for. */
  readonly audiences: readonly string[]
  /** What `typ` has to be. */
  readonly type?: string | undefined
}

/** The claims of a token that holds. Throws for any other. */
export type TokenCheck = (token: string) => Record<string, unknown>

/**
 * Makes what checks tokens by a key.
 *
 * @param key a public key in PEM, or a shared secret
 * @throws where the key is none for these algorithms
 */
export type VerifierOf = (key: string | Buffer, demands: TokenDemands) => TokenCheck

/** What @fastify/jwt is given instead of an app: it decorates, and that is all that is taken of it. */
interface Decorated {
  decorate (name: string, value: { readonly verify: TokenCheck }): void
  decorateRequest (): void
  decorateReply (): void
}

/** The function of the plugin @fastify/jwt. */
export type JwtPlugin = (app: Decorated, options: object, done: (error?: Error) => void) => void

/**
 * Checks tokens by @fastify/jwt. Its `verify` is taken rather than the plugin registered, because it can be
 * registered once per app and knows one key for good, and because its hooks answer several bad tokens with 500.
 *
 * It keeps nothing of tokens: what failed is kept as if it had held where the reason is an error that is not
 * its own, and bad tokens drive out good ones.
 *
 * @param plugin the function that @fastify/jwt exports
 */
export function verifierOf (plugin: JwtPlugin): VerifierOf {
  return function verifierOfKey (key, demands) {
    let verify: TokenCheck | undefined
    let failure: Error | undefined
    plugin({
      decorate: (_name, value) => { verify = value.verify },
      decorateRequest: () => undefined,
      decorateReply: () => undefined
    }, { secret: { public: key }, verify: optionsOf(demands) }, error => { failure = error })
    if (failure !== undefined || verify === undefined) throw failure ?? new TypeError('Expected @fastify/jwt to decorate at once')
    return verify
  }
}

/** A claim that is not there passes @fastify/jwt's check of its value, so it is required too. */
function optionsOf ({ algorithms, leewaySeconds, requiredClaims, maxAgeSeconds, issuers, audiences, type }: TokenDemands): object {
  const needed = [issuers.length > 0 ? 'iss' : '', audiences.length > 0 ? 'aud' : '', maxAgeSeconds === undefined ? '' : 'iat'].filter(claim => claim !== '')
  return {
    algorithms: [...algorithms],
    clockTolerance: leewaySeconds * 1000, // in milliseconds, unlike maxAge
    requiredClaims: [...new Set([...requiredClaims, ...needed])],
    cache: false,
    ...maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds },
    ...issuers.length === 0 ? {} : { allowedIss: [...issuers] },
    ...audiences.length === 0 ? {} : { allowedAud: [...audiences] },
    ...type === undefined ? {} : { checkTyp: type }
  }
}
