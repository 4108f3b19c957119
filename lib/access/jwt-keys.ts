import { createPublicKey, type KeyObject } from 'node:crypto'
import { list, type Loose } from '../config/loose.ts'
import type { Mistake } from '../config/mistakes.ts'
import { secretMistake } from './secrets.ts'

/** What tokens are checked with, and by which algorithms. */
export interface TokenKey {
  /** A public key in PEM, or a shared secret. */
  readonly key: string
  /** Of those that are allowed, the ones that it is for. */
  readonly algorithms: readonly string[]
}

/** Bits of an RSA key: fewer are broken (RFC 7518 §3.3), and OpenSSL takes no more. */
const RSA_BITS = { least: 2048, most: 16_384 } as const

/** Which keys an algorithm is for (RFC 7518 §3.1, RFC 8037 §3.1): a type, and a curve where it has one. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  RS: ['rsa'],
  PS: ['rsa'],
  ES256: ['ec prime256v1'],
  ES384: ['ec secp384r1'],
  ES512: ['ec secp521r1'],
  EdDSA: ['ed25519', 'ed448']
}

/** `HS`, `RS`, `PS`, `ES` or `EdDSA`: a key is for one of them. */
export function familyOf (algorithm: string): string {
  return algorithm === 'EdDSA' ? algorithm : algorithm.slice(0, 2)
}

/** Those algorithms that a public key is for. */
export function fitting (algorithms: readonly string[], key: KeyObject): string[] {
  const kind = kindOf(key)
  return algorithms.filter(algorithm => (kinds[algorithm] ?? kinds[familyOf(algorithm)])?.includes(kind) === true)
}

function kindOf ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  return [asymmetricKeyType, asymmetricKeyDetails?.namedCurve].filter(word => word !== undefined).join(' ')
}

/** Why the size of a public key is none that may be used; undefined for others. */
export function sizeMistake ({ asymmetricKeyDetails }: KeyObject): string | undefined {
  const bits = asymmetricKeyDetails?.modulusLength
  if (bits === undefined || (bits >= RSA_BITS.least && bits <= RSA_BITS.most)) return undefined
  return `has ${bits} bits, ${bits < RSA_BITS.least ? `fewer than ${RSA_BITS.least}` : `more than ${RSA_BITS.most}`}`
}

/** A public key as tokens are checked with it, for those algorithms that it is for. */
export function tokenKeyOf (key: KeyObject, algorithms: readonly string[]): TokenKey {
  return { key: key.export({ type: 'spki', format: 'pem' }).toString(), algorithms: fitting(algorithms, key) }
}

/**
 * The key of a configuration that has no {@link jwtMistakes mistakes}.
 *
 * @param text a shared secret, or a public key or certificate in PEM
 */
export function configuredKey (text: string, algorithms: readonly string[]): TokenKey {
  return algorithms[0]?.startsWith('HS') === true ? { key: text, algorithms } : tokenKeyOf(createPublicKey(text), algorithms)
}

/**
 * What no schema can say about a strategy of the driver `jwt`. Nothing of a secret is in it.
 *
 * @param strategy as configured, with its defaults
 * @param path where it stands: `strategies.staff`
 * @param text what `key` holds, or `keyFile`; undefined where it could not be read
 */
export function jwtMistakes (strategy: Loose, path: string, text: string | undefined): Mistake[] {
  const algorithms = list(strategy.algorithms).filter(algorithm => typeof algorithm === 'string')
  const families = [...new Set(algorithms.map(familyOf))]
  const given = ['key', 'keyFile', 'jwks'].filter(name => strategy[name] !== undefined)
  const mistakes: Mistake[] = []
  if (families.length > 1) mistakes.push({ path: `${path}.algorithms`, message: `Expected algorithms of one family but received ${families.join(' and ')}: a key is for one` })
  if (given.length !== 1) mistakes.push({ path, message: `Expected one of key, keyFile and jwks but received ${given.length === 0 ? 'none' : given.join(' and ')}` })
  if (families.includes('HS') && strategy.jwks !== undefined) mistakes.push({ path: `${path}.jwks`, message: 'Expected key or keyFile, because algorithms that begin with HS need a shared secret, and a key set is for everybody to read' })
  if (text === undefined || families.length !== 1 || mistakes.length > 0) return mistakes
  const message = families[0] === 'HS' ? sharedMistake(text) : publicMistake(text, algorithms)
  return message === undefined ? [] : [{ path: `${path}.${given[0]}`, message }]
}

/** A public key as a shared secret would let everybody sign (RFC 8725 §2.1). */
function sharedMistake (text: string): string | undefined {
  if (text.includes('-----BEGIN ')) return 'Expected a shared secret, because of algorithms that begin with HS, but received a key or a certificate in PEM'
  if (isJson(text)) return 'Expected a shared secret, because of algorithms that begin with HS, but received JSON, as public keys are written in'
  const mistake = secretMistake(text)
  return mistake === undefined ? undefined : `Expected a secret that nobody can guess, but this one ${mistake}`
}

function isJson (text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function publicMistake (text: string, algorithms: readonly string[]): string | undefined {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return 'Expected a public key, but received a private one: that is for who signs, and for nobody else'
  let key: KeyObject
  try {
    key = createPublicKey(text)
  } catch {
    return 'Expected a public key or a certificate in PEM, but it cannot be read as one'
  }
  const suitable = fitting(algorithms, key)
  const other = algorithms.find(algorithm => !suitable.includes(algorithm))
  if (other !== undefined) return `Expected a key for ${other}, but this one is of the kind ${kindOf(key)}`
  const size = sizeMistake(key)
  return size === undefined ? undefined : `Expected a key of a safe size, but this one ${size}`
}
