import { networkOf } from './client-network.ts'
import { hasOtherSignature, keyId, messageOf, writeFields } from './signed-target.ts'

/** Bytes of a secret at least: as many as SHA-256 gives (RFC 2104 §3). */
const MIN_SECRET_BYTES = 32

/** Seconds since 1970 at most: twelve digits. What is larger is mostly milliseconds. */
const MAX_SECONDS = 999_999_999_999

/** What signs. */
export interface SigningKey {
  /** How URLs name it, as the server's configuration does. */
  readonly id: string
  /** The text itself, at least 32 bytes; of a file, without white space at its end. */
  readonly secret: string
}

/** What a signed URL allows. */
export interface SignOptions {
  /** From when on it is refused: a date, or seconds since 1970. Servers refuse URLs without, where they are not told otherwise. */
  readonly expires?: Date | number | undefined
  /** The same in seconds from now on. */
  readonly expiresIn?: number | undefined
  /** Until when it is refused: a date, or seconds since 1970. */
  readonly notBefore?: Date | number | undefined
  /** The method that it is for, such as `PUT`. Without it: GET, HEAD and OPTIONS. */
  readonly method?: string | undefined
  /** The client's IP address: no other gets in. Of IPv6, its network of 64 bits. */
  readonly address?: string | undefined
  /** In milliseconds since 1970: the clock's by default. */
  readonly now?: number | undefined
}

/** Signs one target. @throws {TypeError} where it is none that clients send as it is, or is signed already */
export type Sign = (target: string) => string

/**
 * Signs a path with its query, or an absolute URL, of which the origin stays outside: the
 * signature holds on whatever host the path does. For servers: whoever has the secret signs.
 *
 * @param target percent-encoded, as clients send it
 * @throws {TypeError} where target, id, method or address is malformed, the target is signed already, or it does not run on a server
 * @throws {RangeError} for a secret shorter than 32 bytes, and times that are none or over
 * @example signTarget('/private/cat.jpg?w=320', { id: '2026-11', secret }, { expiresIn: 3600 })
 */
export function signTarget (target: string, key: SigningKey, options: SignOptions = {}): string {
  return signer(key, options)(target)
}

/** The same for many targets: key and options are checked once, and `expiresIn` counts from here. */
export function signer ({ id, secret }: SigningKey, options: SignOptions = {}): Sign {
  const { createHmac } = serverCrypto()
  if (typeof id !== 'string' || !keyId.test(id)) throw new TypeError('Expected the id of a key to be 1 to 32 letters, digits, underscores or hyphens')
  if (typeof secret !== 'string') throw new TypeError('Expected the secret of a key to be a text')
  const bytes = new TextEncoder().encode(secret)
  if (bytes.length < MIN_SECRET_BYTES) throw new RangeError(`Expected a secret of at least ${MIN_SECRET_BYTES} bytes but received ${bytes.length}`)
  const network = options.address === undefined ? '' : checkedNetwork(options.address)
  const name = `${id}.${writeFields({ ...timesOf(options), method: checkedMethod(options.method), isBound: network !== '' })}.`
  return function sign (target) {
    const [origin, path] = partsOf(target)
    const signed = `${path}${path.includes('?') ? '&' : '?'}sig=${name}`
    return `${origin}${signed}${createHmac('sha256', bytes).update(messageOf(network, signed)).digest('base64url')}`
  }
}

/** Asked for only where something is signed: browsers load this file too. */
function serverCrypto (): typeof import('node:crypto') {
  const crypto = globalThis.process?.getBuiltinModule?.('node:crypto')
  if (crypto === undefined) throw new TypeError('Expected to sign on a server, in Node.js: signing is for servers, a key in a page is no secret')
  return crypto
}

function partsOf (target: string): [origin: string, path: string] {
  const [origin = ''] = /^(?:https?:)?\/\/[^/?#]*/i.exec(target) ?? []
  const path = target.slice(origin.length)
  if (hasOtherSignature(path)) throw new TypeError('Expected a URL without the parameter sig: it is signed already')
  if (origin.endsWith('/') || !path.startsWith('/')) throw new TypeError(`Expected a path that begins with a slash, or a URL with one, but received ${target}`)
  if (path.includes('#')) throw new TypeError(`Expected no fragment, which is never sent to a server, but received ${target}`)
  const sent = new URL(`http://h${path}`).href.slice('http://h'.length)
  if (sent !== path) throw new TypeError(`Expected ${sent}, as clients send it, but received ${path}`)
  return [origin, path]
}

function timesOf ({ expires, expiresIn, notBefore, now = Date.now() }: SignOptions): { expires: number | undefined, notBefore: number | undefined } {
  if (expires !== undefined && expiresIn !== undefined) throw new TypeError('Expected either expires or expiresIn but received both')
  if (expiresIn !== undefined && !(expiresIn > 0)) throw new RangeError(`Expected expiresIn to be seconds above 0 but received ${expiresIn}`)
  const end = secondsOf('expires', expiresIn === undefined ? expires : Math.ceil(now / 1000 + expiresIn))
  const start = secondsOf('notBefore', notBefore)
  if (end !== undefined && end * 1000 <= now) throw new RangeError(`Expected an expiry in the future but received ${new Date(end * 1000).toISOString()}`)
  if (end !== undefined && start !== undefined && end <= start) throw new RangeError('Expected an expiry later than notBefore')
  return { expires: end, notBefore: start }
}

function secondsOf (name: string, time: Date | number | undefined): number | undefined {
  if (time === undefined) return undefined
  const seconds = time instanceof Date ? Math.floor(time.getTime() / 1000) : time
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_SECONDS) throw new RangeError(`Expected ${name} to be a date, or whole seconds since 1970, but received ${String(time)}`)
  return seconds
}

function checkedMethod (method: string | undefined): string | undefined {
  if (method !== undefined && !/^[A-Z-]{1,24}$/.test(method)) throw new TypeError(`Expected a method in capital letters, such as PUT, but received ${method}`)
  return method
}

function checkedNetwork (address: string): string {
  const network = networkOf(address)
  if (network === undefined) throw new TypeError(`Expected an IP address but received ${address}`)
  return network
}
