import { climbs } from '../../upstream/climbing.ts'
import type { Fields } from '../../upstream/message.ts'
import { single } from './fields.ts'

/** Statuses that lead elsewhere (RFC 9110 §15.4): 300 is a choice, 304 none, 305 and 306 are no more. */
const redirecting: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Stands for the origins of an upstream where none are known: then only what names no host is followed. */
const NOWHERE = 'http://upstream.invalid'

/** An answer that leads elsewhere. */
export function isRedirect (status: number): boolean {
  return redirecting.has(status)
}

/**
 * Where a redirect leads below the base path of an upstream's origins; undefined where it leads out of
 * it, or to nowhere.
 *
 * @param path what was asked for, below the base path
 * @param bases scheme, host, port and base path of each origin: which of them answered is not known
 */
export function redirectedPath (headers: Fields, path: string, bases: readonly string[]): string | undefined {
  const location = single(headers, 'location')
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (location === undefined || /[\u0000-\u0020\u007f\\]/.test(location)) return undefined
  for (const base of bases.length === 0 ? [NOWHERE] : bases) {
    const below = pathBelow(location, path, base.replace(/\/+$/, ''))
    if (below !== undefined) return below
  }
  return undefined
}

function pathBelow (location: string, path: string, base: string): string | undefined {
  const asked = base + path
  if (!URL.canParse(location, asked)) return undefined
  const target = new URL(location, asked)
  const { origin, pathname: root } = new URL(base)
  const prefix = root === '/' ? '' : root
  if (target.origin !== origin || target.username !== '' || target.password !== '') return undefined
  if (!target.pathname.startsWith(`${prefix}/`) || climbs(target.pathname)) return undefined
  return target.pathname.slice(prefix.length) + target.search
}
