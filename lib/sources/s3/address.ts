import type { S3Config } from '../../config/writing-schema.ts'
import { MediaError } from '../../errors.ts'

/** Bytes of an object's name; every store ends there. */
export const MAX_NAME_BYTES = 1024

/** Where a bucket is asked for. */
export interface Address {
  /** Scheme, host and port. */
  readonly origin: string
  /** The path of an object, or of the bucket itself, as it stands on the wire. @throws {MediaError} `bad-path` */
  pathOf (object: string | undefined): string
}

/** By the configuration: in the path of the endpoint's URLs, or as a name below its host. */
export function addressOf ({ endpoint, region, bucket, pathStyle }: Pick<S3Config, 'endpoint' | 'region' | 'bucket' | 'pathStyle'>): Address {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
  const root = pathStyle ? `/${encodeText(bucket)}` : ''
  const origin = pathStyle ? url.origin : `${url.protocol}//${bucket}.${url.host}`
  return { origin, pathOf: object => object === undefined ? root === '' ? '/' : root : `${root}/${encodeName(object)}` }
}

/**
 * The name of an object in a path: each segment percent-encoded, all but the unreserved characters
 * (RFC 3986 §2.3), as the store does it itself when it checks a signature.
 *
 * @throws {MediaError} `bad-path` for what no URL can hold, and what it would read as another path
 */
export function encodeName (object: string): string {
  if (!isName(object)) throw new MediaError('bad-path', { detail: 'No object is named so' })
  return object.split('/').map(encodeText).join('/')
}

/** Whether a store can hold an object of this name, and a URL lead to it and nowhere else. */
export function isName (object: string): boolean {
  return object !== '' && !/\p{Surrogate}/u.test(object) && Buffer.byteLength(object) <= MAX_NAME_BYTES && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(object)
}

/** Percent-encoded, the characters included that `encodeURIComponent` leaves and signatures do not. */
export function encodeText (text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** A query as signatures have it: in order of name, each with a value. */
export function encodeQuery (query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${encodeText(name)}=${encodeText(value)}`)
  return pairs.length === 0 ? '' : `?${pairs.toSorted().join('&')}`
}
