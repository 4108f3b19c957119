import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import { networkOf } from './client-network.ts'
import { bindsAddress, hasOtherSignature, messageOf, readFields, readSignature, type SentSignature, type SignedFields } from './signed-target.ts'
import { isReading } from '../access/requirement.ts'
import { secretMistake } from '../access/secrets.ts'

/** A key whose URLs are taken, or were. */
export interface SigningSecret {
  readonly id: string
  readonly secret: string
  readonly revoked: boolean
}

/** What signed URLs have to keep to. */
export interface SigningRules {
  readonly requireExpiry: boolean
  /** Seconds that an expiry may lie ahead. */
  readonly maxLifetimeSeconds: number
  /** Seconds that the clocks may be apart. */
  readonly leewaySeconds: number
}

/** What is verified. */
export interface SignedRequest {
  readonly method: string
  /** As it was sent. */
  readonly target: string
  /** The client's IP address. */
  readonly address: string
}

/** Why a signature is refused: for the log, not for the client. */
export type SignatureRefusal =
  'malformed signature' | 'revoked or unknown key' | 'signature does not match' | 'for another method' |
  'without an expiry' | 'expired' | 'expires too far ahead' | 'not valid yet'

/** The name of the key that signed, and whether for a time or one client; or why it does not hold. */
export type Verification = { readonly id: string, readonly isPassing: boolean } | { readonly refusal: SignatureRefusal }

/** Made once: a refusal costs no more than a signature that holds. */
const refused = (refusal: SignatureRefusal): Verification => Object.freeze({ refusal })
const malformed = refused('malformed signature')
const unknown = refused('revoked or unknown key')
const unequal = refused('signature does not match')

/** Verifies signed URLs: the signature first, byte for byte as it was sent; what it says is read after. */
export class SignatureVerifier {
  /** A revoked key is as one that never was. */
  readonly #keys: ReadonlyMap<string, { readonly key: KeyObject, readonly lasting: Verification, readonly passing: Verification }>
  readonly #rules: SigningRules

  /** @throws {TypeError} where a secret is too short, too simple or an example */
  constructor (secrets: readonly SigningSecret[], rules: SigningRules) {
    for (const { id, secret } of secrets) {
      const mistake = secretMistake(secret)
      if (mistake !== undefined) throw new TypeError(`Expected a secret that cannot be guessed for the key ${id}, but it ${mistake}`)
    }
    const held = secrets.filter(({ revoked }) => !revoked)
    this.#keys = new Map(held.map(({ id, secret }) => [id, { key: createSecretKey(secret, 'utf8'), lasting: Object.freeze({ id, isPassing: false }), passing: Object.freeze({ id, isPassing: true }) }]))
    this.#rules = rules
  }

  /**
   * @param place as `placeOfSignature` gives it for the target
   * @param now in milliseconds since 1970
   */
  verify (request: SignedRequest, place: number, now: number): Verification {
    const sent = readSignature(request.target, place)
    if (sent === undefined) return malformed
    const held = this.#keys.get(sent.id)
    if (held === undefined) return unknown
    if (!matches(sent, held.key, request)) return unequal
    const fields = readFields(sent.fields)
    if (fields === undefined || hasOtherSignature(request.target, place)) return malformed
    const refusal = refusalOf(fields, this.#rules, { method: request.method, seconds: now / 1000 })
    if (refusal !== undefined) return refused(refusal)
    return fields.expires === undefined && fields.notBefore === undefined && !fields.isBound ? held.lasting : held.passing
  }
}

function matches ({ fields, mac, signed }: SentSignature, key: KeyObject, request: SignedRequest): boolean {
  const network = bindsAddress(fields) ? networkOf(request.address) : ''
  if (network === undefined) return false
  // As text: `mac` is of its one spelling and length, and no buffer outside the heap is made.
  const expected = createHmac('sha256', key).update(messageOf(network, signed)).digest('base64url')
  return timingSafeEqual(Buffer.from(expected), Buffer.from(mac))
}

function refusalOf ({ expires, notBefore, method }: SignedFields, rules: SigningRules, asked: { method: string, seconds: number }): SignatureRefusal | undefined {
  const { requireExpiry, maxLifetimeSeconds, leewaySeconds } = rules
  const { seconds } = asked
  if (expires === undefined && requireExpiry) return 'without an expiry'
  if (expires !== undefined && seconds >= expires + leewaySeconds) return 'expired'
  if (expires !== undefined && expires > seconds + maxLifetimeSeconds + leewaySeconds) return 'expires too far ahead'
  if (notBefore !== undefined && seconds < notBefore - leewaySeconds) return 'not valid yet'
  return isFor(asked.method, method) ? undefined : 'for another method'
}

function isFor (method: string, signed: string | undefined): boolean {
  if (signed === undefined) return isReading(method)
  return method === signed || (signed === 'GET' && method === 'HEAD')
}
