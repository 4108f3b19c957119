import { MediaError } from '../errors.ts'
import { climbs } from './climbing.ts'

/** How a mount's paths become an upstream's. */
export interface TargetOptions {
  /** As clients see it, without a trailing slash; `''` at the root. */
  readonly prefix: string
  /** What takes its place, percent-encoded: `/`, `/backend/assets/`. */
  readonly replacement: string
}

/** The longest request target that is sent on, in characters. */
const MAX_TARGET_LENGTH = 16 * 1024

/**
 * The path and query of a request target below an upstream's base path: the mount's prefix
 * stripped or replaced, everything else as it was sent, byte for byte.
 *
 * @param target `request.raw.url`, also in absolute form (RFC 9112 §3.2.2)
 * @throws {MediaError} `bad-path` for what could climb out of the base path, holds a NUL, a
 *   fragment or a space; `uri-too-long`; `not-found` outside the prefix
 */
export function targetPath (target: string, { prefix, replacement }: TargetOptions): string {
  if (target.length > MAX_TARGET_LENGTH) throw new MediaError('uri-too-long')
  const origin = target.charCodeAt(0) === 47 ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
  const mark = origin.indexOf('?')
  const path = mark === -1 ? origin : origin.slice(0, mark)
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000- #\u007f]|%00/.test(path)) throw refusal('may not hold control characters, spaces or a fragment')
  if (climbs(path)) throw refusal('may not hold dot segments')
  const below = belowPrefix(path, prefix)
  return joined(replacement, below) + (mark === -1 ? '' : safeQuery(origin.slice(mark)))
}

/** What follows the prefix, with its slash; `''` for the prefix itself. Letters of the prefix may be percent-encoded: the router reads them so. */
function belowPrefix (path: string, prefix: string): string {
  if (path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 47)) return path.slice(prefix.length)
  const segments = path.split('/')
  const own = prefix.split('/')
  const named = segments.slice(0, own.length).map(decoded)
  if (named.length !== own.length || named.some((segment, place) => segment !== own[place])) throw new MediaError('not-found')
  return segments.length === own.length ? '' : `/${segments.slice(own.length).join('/')}`
}

function decoded (segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function joined (replacement: string, below: string): string {
  if (replacement === '/') return below === '' ? '/' : below
  return replacement.endsWith('/') ? replacement + below.slice(1) : replacement + below
}

function safeQuery (query: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000- #\u007f]/.test(query)) throw refusal('may not be followed by a query with control characters, spaces or a fragment')
  return query
}

function refusal (why: string): MediaError {
  return new MediaError('bad-path', { detail: `The path ${why}` })
}
