import { hash } from 'node:crypto'
import { Recent } from '../cache/recent.ts'
import type { JwtConfig } from '../config/access-schema.ts'
import type { AccessLog, AccessRequest, Strategy, Verdict } from './access.ts'
import { bearerOf } from './bearer.ts'
import { grantOf, type TokenGrant } from './claims.ts'
import { configuredKey, jwtMistakes, type TokenKey } from './jwt-keys.ts'
import { KeySet, MAX_KEY_ID_CHARACTERS, MAX_KEY_SET_BYTES } from './key-set.ts'
import { ServiceClient, type ServiceError } from './service-request.ts'
import { tokenFault } from './token-fault.ts'
import type { TokenCheck, VerifierOf } from './token-verifier.ts'

/** What a strategy of the driver `jwt` is opened with. */
export interface JwtOptions {
  /** As the configuration has it. */
  readonly name: string
  /** With its defaults. */
  readonly config: JwtConfig
  /** What `keyFile` holds. Default: what `key` does. */
  readonly key?: string | undefined
  readonly verifierOf: VerifierOf
  readonly log: AccessLog
  /** Milliseconds since 1970: tokens tell when they end by that. */
  readonly now?: (() => number) | undefined
}

/** Tokens of a generation that are remembered, with what they said: who issues tokens pushes against it. */
const MAX_TOKENS = 1000

const absent: Verdict = Object.freeze({ kind: 'absent' })

/** What a token says before its signature counts: for choosing the key, and for nothing else. */
interface Header {
  readonly kid: string | undefined
}

/** A token that held, and with which key. */
interface Known extends Header {
  readonly key: TokenKey
  readonly grant: TokenGrant
}

/** A token, and what is known of it. */
interface Shown {
  readonly token: string
  /** Tokens are remembered by that: no comparison of theirs tells anything of one. */
  readonly digest: string
  readonly known: Known | undefined
  readonly kid: string | undefined
}

/**
 * JSON Web Tokens (RFC 7519) in `Authorization: Bearer`. Keys are those of the configuration alone: what a
 * token says of where its key is (`jku`, `jwk`, `x5u`, `x5c`) is not looked at (RFC 8725 §3.10).
 *
 * A token that held is remembered, and holds again as long as its key is one of ours and its time has come
 * and is not over. Not covered: tokens that were revoked.
 */
export class JwtStrategy implements Strategy {
  readonly name: string
  readonly challenge = 'Bearer realm="fastify-media"'
  readonly fields = ['Authorization']
  readonly credentials = ['authorization']
  readonly #config: JwtConfig
  readonly #keyFor: (kid: string | undefined) => TokenKey | undefined | Promise<TokenKey | undefined>
  readonly #service: ServiceClient | undefined
  readonly #verifierOf: VerifierOf
  readonly #checks = new WeakMap<TokenKey, TokenCheck>()
  readonly #known = new Recent<string, Known>(MAX_TOKENS)
  readonly #now: () => number

  /** @throws {TypeError} where the key cannot be used */
  constructor ({ name, config, key: text = config.key, verifierOf, log, now = Date.now }: JwtOptions) {
    this.name = name
    this.#config = config
    this.#verifierOf = verifierOf
    this.#now = now
    const [mistake] = jwtMistakes(config, name, text)
    if (mistake !== undefined) throw new TypeError(`${mistake.path}: ${mistake.message}`)
    if (config.jwks !== undefined) {
      const { jwks, algorithms, jwksMaxAgeMs: maxAgeMs, jwksCooldownMs: cooldownMs, jwksTimeoutMs: timeoutMs } = config
      const service = new ServiceClient({ url: jwks, connections: 1, maxWaiting: 1, timeoutMs, maxBytes: MAX_KEY_SET_BYTES })
      const set = new KeySet({ strategy: name, algorithms, maxAgeMs, cooldownMs, log, ask: async () => await service.ask({ method: 'GET', headers: { accept: 'application/jwk-set+json, application/json' } }) })
      this.#service = service
      this.#keyFor = kid => set.keyFor(kid)
    } else {
      if (text === undefined) throw new TypeError(`${name}: Expected what is in keyFile`)
      const key = configuredKey(text, config.algorithms)
      this.#checkOf(key)
      this.#keyFor = () => key
    }
  }

  judge (request: AccessRequest): Verdict | Promise<Verdict> {
    const bearer = bearerOf(request)
    if (bearer.kind === 'absent') return absent
    if (bearer.kind === 'malformed') return invalid('malformed credentials')
    const { token } = bearer
    const digest = hash('sha256', token, 'base64')
    const known = this.#known.get(digest)
    const header = known ?? headerOf(token, this.#config.algorithms)
    if (typeof header === 'string') return invalid(header)
    const shown = { token, digest, known, kid: header.kid }
    const key = this.#keyFor(header.kid)
    return key instanceof Promise ? this.#judgeLater(key, shown, request) : this.#judgeBy(key, shown, request)
  }

  async close (): Promise<void> {
    await this.#service?.close()
  }

  async #judgeLater (asked: Promise<TokenKey | undefined>, shown: Shown, request: AccessRequest): Promise<Verdict> {
    let key: TokenKey | undefined
    try {
      key = await asked
    } catch (error) {
      return { kind: 'unavailable', reason: `key set: ${(error as ServiceError).reason}` } // why is in the log, once
    }
    return this.#judgeBy(key, shown, request)
  }

  #judgeBy (key: TokenKey | undefined, shown: Shown, request: AccessRequest): Verdict {
    if (key === undefined) return invalid('unknown key')
    // A key that was replaced under its own name has to prove it anew.
    const grant = shown.known?.key === key ? shown.known.grant : this.#grantBy(key, shown)
    if (typeof grant === 'string') return invalid(grant)
    const now = this.#now()
    if (now < grant.fromMs) return invalid('not valid yet')
    if (now >= grant.untilMs) return invalid('expired')
    if (grant.covers?.(request.path) === false) return { kind: 'forbidden', reason: 'not for this path' }
    return { kind: 'granted', principal: grant.principal }
  }

  #grantBy (key: TokenKey, { token, digest, kid }: Shown): TokenGrant | string {
    let claims: Record<string, unknown>
    try {
      claims = this.#checkOf(key)(token)
    } catch (error) {
      return tokenFault(error)
    }
    const { scopeClaim, pathsClaim, leewaySeconds, maxAgeSeconds } = this.#config
    const grant = grantOf(claims, { strategy: this.name, scopeClaim, pathsClaim, leewaySeconds, maxAgeSeconds })
    if (typeof grant !== 'string') this.#known.set(digest, { kid, key, grant })
    return grant
  }

  #checkOf (key: TokenKey): TokenCheck {
    let check = this.#checks.get(key)
    if (check === undefined) this.#checks.set(key, check = this.#verifierOf(key.key, { ...this.#config, algorithms: key.algorithms }))
    return check
  }
}

function invalid (reason: string): Verdict {
  return { kind: 'invalid', reason }
}

/** What stands before the first dot, or why the token is none. No `crit` is understood here (RFC 7515 §4.1.11). */
function headerOf (token: string, algorithms: readonly string[]): Header | string {
  const segments = token.split('.', 4)
  if (segments.length !== 3) return 'malformed'
  let header: unknown
  try {
    header = JSON.parse(Buffer.from(segments[0] as string, 'base64url').toString())
  } catch {
    return 'malformed'
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return 'malformed'
  const { alg, kid, crit } = header as Record<string, unknown>
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'algorithm not allowed'
  if (crit !== undefined) return 'critical extensions'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KEY_ID_CHARACTERS)) return 'key name is none'
  return { kid }
}
