import { MediaError } from '../errors.ts'

/** Characters of a remote URL. Whoever names one pushes against it; it is the longest that goes into a cache's key or a request's head. */
export const MAX_REMOTE_URL = 4096

/** Characters by which it can be spelled: each of them percent-encoded. */
const MAX_SPELLED = 3 * MAX_REMOTE_URL

/**
 * The URL that a client names, by what stands below the mount in the request target, as it was
 * sent. It is one of
 *
 * - the URL itself, `https://img.example.com/cat.jpg`, or with one slash less, as some servers in front
 *   leave it. The query of the request is not its own: `%3F` begins that. It is in ASCII;
 * - the URL percent-encoded as one segment: `https%3A%2F%2Fimg.example.com%2Fcat.jpg%3Fid%3D5`;
 * - the URL in base64url (RFC 4648 §5) as one segment, with or without padding. Another segment may
 *   follow, for the eye: `aHR0cHM6Ly9hLmV4YW1wbGUvYj9j/cat.jpg`.
 *
 * Whatever two readers could read differently is refused: user information, fragments, dot segments,
 * backslashes, white space, control characters, malformed percent-encoding.
 *
 * @param spelled the part of the raw path behind the mount's prefix, with or without its first slash; no query
 * @returns in the canonical form of the WHATWG URL standard, without a dot at the end of the host
 * @throws {MediaError} `bad-remote-url`
 */
export function parseRemoteUrl (spelled: string): URL {
  const text = spelled.startsWith('/') ? spelled.slice(1) : spelled
  if (text.length > MAX_SPELLED) throw tooLong()
  if (/[?#]/.test(text)) throw refusal('ends before the query of the request')
  const named = read(text)
  const [, scheme = '', authority = '', rest = ''] = /^(https?:)\/{1,2}([^/?#]+)(.*)$/is.exec(named) ?? []
  if (scheme === '') throw refusal('has to begin with https:// or http://')
  if (authority.includes('@')) throw refusal('may not hold a user or a password')
  if (rest.includes('#')) throw refusal('may not hold a fragment')
  if (/%(?![\da-f]{2})/i.test(named)) throw refusal('is not percent-encoded')
  if (/\/(?:\.|%2e){1,2}(?:[/?]|$)/i.test(rest.split('?', 1)[0] ?? '')) throw refusal('may not hold dot segments')
  return resolveRemoteUrl(`${scheme}//${authority}${rest}`)
}

/** The text of the URL, however it is spelled. */
function read (text: string): string {
  if (/^https?:\//i.test(text)) {
    if (/[^\u0021-\u007e]/.test(text)) throw refusal('has to be percent-encoded where it is not ASCII')
    return text.replace(/%3f/i, '?')
  }
  if (/^https?(?::|%3a)%2f[^/]*$/i.test(text)) return decode(text)
  const [, encoded] = /^([\w-]+)(?:=|%3d){0,2}(?:\/[^/]*)?$/i.exec(text) ?? []
  if (encoded === undefined) throw refusal('has to begin with https:// or http://, or to be in base64url')
  return fromBase64(encoded)
}

function decode (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw refusal('is not percent-encoded UTF-8', cause)
  }
}

function fromBase64 (encoded: string): string {
  const bytes = Buffer.from(encoded, 'base64url')
  const text = bytes.toString('utf8')
  // Of what is no base64url, or no UTF-8, Node.js makes something all the same.
  if (bytes.toString('base64url') !== encoded || !bytes.equals(Buffer.from(text))) throw refusal('is not base64url of UTF-8')
  return text
}

/**
 * A URL, or a reference to one from another, in its canonical form: without fragment, and without the
 * dot at the end of its host.
 *
 * @param reference absolute, or relative to `base`
 * @throws {MediaError} `bad-remote-url` where it is none, is not of HTTP, or holds what readers read differently
 */
export function resolveRemoteUrl (reference: string, base?: URL): URL {
  // Some of these the standard leaves out before it reads, and of a backslash it makes a slash.
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0020\u007f-\u009f\s\\]/.test(reference)) throw refusal('may not hold white space, control characters or backslashes')
  if (!URL.canParse(reference, base?.href)) throw refusal('is no URL')
  const url = new URL(reference, base?.href)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refusal('has to begin with https:// or http://')
  if (url.username !== '' || url.password !== '') throw refusal('may not hold a user or a password')
  const host = url.hostname.endsWith('.') ? url.hostname.slice(0, -1) : url.hostname
  if (host.split('.').includes('')) throw refusal('has to have a host without empty labels')
  url.hostname = host
  url.hash = ''
  if (url.href.length > MAX_REMOTE_URL) throw tooLong()
  return url
}

/**
 * How a URL is named below a mount, so that {@link parseRemoteUrl} gives it back.
 *
 * @param form `plain` is the URL as it is, `encoded` percent-encoded as one segment, `base64url` what
 * nothing in between takes for more than letters. A path with an encoded question mark has no plain form, nor a
 * query with another one: they are encoded
 */
export function spellRemoteUrl ({ href }: URL, form: 'plain' | 'encoded' | 'base64url' = 'plain'): string {
  if (form === 'base64url') return Buffer.from(href).toString('base64url')
  const [path = '', , ...more] = href.split('?')
  return form === 'encoded' || more.length > 0 || /%3f/i.test(path) ? encodeURIComponent(href) : href.replace('?', '%3F')
}

function tooLong (): MediaError {
  return refusal(`may not be longer than ${MAX_REMOTE_URL} characters`)
}

function refusal (why: string, cause?: unknown): MediaError {
  return new MediaError('bad-remote-url', { detail: `The URL of the remote file ${why}`, cause })
}
