import { MediaError } from '../errors.ts'
import { discard } from './discard.ts'
import type { Fields, UpstreamResponse } from './message.ts'
import { resolveRemoteUrl } from './remote-url.ts'

/** How redirects are followed. */
export interface FollowOptions {
  /** How many are followed. */
  readonly maxRedirects: number
  /** Fields of the first request. On the way to another origin only those go along that tell nothing of the client. */
  readonly headers?: Fields | undefined
  /** @throws {MediaError} where a URL may not be asked for */
  readonly check: (url: URL) => void
  /** Sends one GET or HEAD, and follows nothing by itself. */
  readonly send: (url: URL, headers: Fields) => Promise<UpstreamResponse>
}

/** The answer that is no redirect, and where it was found. */
export interface Followed {
  readonly url: URL
  readonly response: UpstreamResponse
}

/** RFC 9110 §15.4: 300 is a choice, 304 no redirect, 305 and 306 are no more. */
const redirecting: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** What may go to another origin than it was meant for. */
const impersonal: ReadonlySet<string> = new Set([
  'accept', 'accept-encoding', 'accept-language', 'user-agent', 'range', 'if-range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'
])

/**
 * Asks for a URL, and for what it redirects to, each after it has been checked. From `https:` it leads
 * to `http:` only where the check allows that very origin.
 *
 * @throws {MediaError} what `check` and `send` throw for the first URL; `upstream-redirects` for too
 * many redirects, a loop, and one to nowhere or to where the check does not allow it
 */
export async function followRedirects (url: URL, { maxRedirects, headers = {}, check, send }: FollowOptions): Promise<Followed> {
  check(url)
  const seen = new Set<string>([url.href])
  let place = url
  let fields = headers
  for (;;) {
    const response = await send(place, fields)
    if (!redirecting.has(response.status)) return { url: place, response }
    discard(response.body)
    const next = target(response, place)
    if (seen.has(next.href)) throw refusal('in a circle', place, next)
    if (seen.size > maxRedirects) throw refusal(`more than ${maxRedirects} times`, place, next)
    checkHop(check, place, next)
    seen.add(next.href)
    fields = fieldsFor(fields, place, next)
    place = next
  }
}

/** Where a redirect leads. Not covered: the fragment, which is no part of a request. */
function target ({ headers: { location } }: UpstreamResponse, from: URL): URL {
  if (typeof location !== 'string') throw refusal('to nowhere', from)
  try {
    return resolveRemoteUrl(asUtf8(location), from)
  } catch (cause) {
    throw refusal('to what is no URL of HTTP', from, undefined, cause)
  }
}

/** Fields arrive as bytes in Latin-1, and servers put UTF-8 into them. */
function asUtf8 (text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  const decoded = bytes.toString('utf8')
  return bytes.toString('latin1') === text && Buffer.from(decoded).equals(bytes) ? decoded : text
}

function checkHop (check: FollowOptions['check'], from: URL, to: URL): void {
  try {
    check(to)
  } catch (cause) {
    throw refusal('to where it may not be followed', from, to, cause)
  }
}

/** `Host` is the place's own, and what else could be a credential stays with the origin it was meant for. */
function fieldsFor (fields: Fields, from: URL, to: URL): Fields {
  const isSame = from.origin === to.origin
  return Object.fromEntries(Object.entries(fields).filter(([name]) => isSame ? name !== 'host' : impersonal.has(name)))
}

function refusal (how: string, from: URL, to?: URL, cause?: unknown): MediaError {
  return new MediaError('upstream-redirects', { detail: `The server behind this one redirects ${how}`, context: { from: from.origin, ...to === undefined ? {} : { to: to.origin } }, cause })
}
