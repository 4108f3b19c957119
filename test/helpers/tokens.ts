import { constants, createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

/* JSON Web Tokens made by hand (RFC 7515 §7.1), good ones and each way to be bad. */

/** A private key and what belongs to it. */
export interface KeyPair {
  readonly privateKey: KeyObject
  /** In PEM. */
  readonly publicKey: string
  /** As it stands in a key set. */
  jwk (members?: Record<string, unknown>): Record<string, unknown>
}

function pairOf ({ privateKey }: { privateKey: KeyObject }): KeyPair {
  const publicKey = createPublicKey(privateKey)
  return {
    privateKey,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    jwk: members => ({ ...publicKey.export({ format: 'jwk' }), ...members })
  }
}

/** A pair for RS… and PS…; each call makes one. */
export const rsaKeys = (modulusLength = 2048): KeyPair => pairOf(generateKeyPairSync('rsa', { modulusLength }))

/** A pair for ES256, or the algorithm of another curve. */
export const ecKeys = (namedCurve = 'P-256'): KeyPair => pairOf(generateKeyPairSync('ec', { namedCurve }))

/** A pair for EdDSA. */
export const edKeys = (): KeyPair => pairOf(generateKeyPairSync('ed25519'))

/** A secret for HS…: new in each process. */
export const sharedSecret = createHmac('sha256', String(process.pid)).update(String(process.hrtime.bigint())).digest('base64url')

/** What a token is made of. */
export interface TokenParts {
  /** `none` leaves the signature empty. */
  readonly alg: string
  readonly key?: KeyPair | string
  readonly kid?: unknown
  /** More members of the header, or others. */
  readonly header?: Record<string, unknown>
  /** An object, or the text of the payload as it stands: `{"exp":1e400}`. */
  readonly claims: Record<string, unknown> | string
}

const encoded = (text: string): string => Buffer.from(text).toString('base64url')

/** A signed token in its compact form. */
export function token ({ alg, key = sharedSecret, kid, header = {}, claims }: TokenParts): string {
  const head = JSON.stringify({ alg, typ: 'JWT', ...kid === undefined ? {} : { kid }, ...header })
  return signed(`${encoded(head)}.${encoded(typeof claims === 'string' ? claims : JSON.stringify(claims))}`, alg, key)
}

/** Any text before the second dot, signed as an algorithm says. */
export function signed (input: string, alg: string, key: KeyPair | string = sharedSecret): string {
  return `${input}.${alg === 'none' ? '' : signatureOf(input, alg, key).toString('base64url')}`
}

function signatureOf (input: string, alg: string, key: KeyPair | string): Buffer {
  const digest = `sha${alg.slice(2)}`
  if (typeof key === 'string') return createHmac(digest, key).update(input).digest()
  const { privateKey } = key
  if (alg === 'EdDSA') return sign(null, Buffer.from(input), privateKey)
  if (alg.startsWith('ES')) return sign(digest, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const padding = alg.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {}
  return sign(digest, Buffer.from(input), { key: privateKey, ...padding })
}

/** Seconds since 1970, so many from now on. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds
