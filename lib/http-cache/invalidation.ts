import type { Fields } from '../upstream/message.ts'

/** Methods that change nothing at the origin (RFC 9110 §9.2.1, and the registry). All others may, the unknown ones too. */
const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY', 'PRI'])

/** Whether an answer means that something changed at the origin (RFC 9111 §4.4). */
export function changes (method: string, status: number): boolean {
  return !safe.has(method) && status >= 200 && status < 400
}

/** The base of references where an origin's own is not known: of the reserved names, nobody's. */
const UNKNOWN_ORIGIN = 'http://origin.invalid'

/**
 * The paths below the origin that the answer to such a request makes doubtful: its own, and what
 * `Location` and `Content-Location` name on the same origin.
 *
 * @param origins the URLs of the origin's servers, with their base paths
 */
export function doubtfulPaths (path: string, headers: Fields, origins: readonly string[]): string[] {
  const bases = (origins.length === 0 ? [UNKNOWN_ORIGIN] : origins).map(origin => new URL(origin))
  const paths = new Set([path])
  for (const reference of [headers.location, headers['content-location']]) {
    const found = typeof reference === 'string' ? pathOf(reference, path, bases) : undefined
    if (found !== undefined) paths.add(found)
  }
  return [...paths]
}

function pathOf (reference: string, path: string, bases: readonly URL[]): string | undefined {
  for (const base of bases) {
    const prefix = base.pathname.replace(/\/$/, '')
    const own = `${base.origin}${prefix}${path}`
    if (!URL.canParse(reference, own)) continue
    const url = new URL(reference, own)
    const target = url.pathname + url.search
    if (url.origin === base.origin && target.startsWith(`${prefix}/`)) return target.slice(prefix.length)
  }
  return undefined
}
