import { MediaError } from '../errors.ts'
import { targetPath } from './target.ts'

/** Where a mount's clients are sent. */
export interface RedirectOptions {
  /** The mount's, without a trailing slash; `''` at the root. */
  readonly prefix: string
  /** No target ever leaves it. */
  readonly base: string
  /** What follows the base; `{path}` is the path below the mount. */
  readonly template: string
  /** Whether the query of the request goes along. */
  readonly query: 'keep' | 'drop'
}

/** Who gets the bytes through this server rather than a redirect. */
export interface ProxyRules {
  readonly proxyFor: readonly ('range' | 'user-agent' | 'cors')[]
  /** Texts in `User-Agent`, in any letter case. */
  readonly userAgents: readonly string[]
}

/**
 * Compiles how a request target becomes a `Location`: a function that gives it.
 *
 * The function throws `bad-path` for whatever would lead out of the base; what the URL standard
 * would read otherwise than a plain look is percent-encoded.
 *
 * @throws {TypeError} where the template alone leads out of the base
 */
export function redirectTarget ({ prefix, base, template, query }: RedirectOptions): (target: string) => string {
  const root = base.replace(/\/+$/, '')
  const home = new URL(`${root}/`)
  const [before = '', after = ''] = template.split('{path}')
  if (!isWithin(`${root}${before}/x${after}`, home)) throw new TypeError(`Expected a template that stays below ${base} but received ${template}`)
  return function locationOf (target) {
    const path = targetPath(target, { prefix, replacement: '/' })
    const mark = path.indexOf('?')
    const asked = mark === -1 ? '' : path.slice(mark + 1)
    const place = `${root}${before}${mark === -1 ? path : path.slice(0, mark)}${after}`
    const location = encoded(query === 'drop' || asked === '' ? place : `${place}${place.includes('?') ? '&' : '?'}${asked}`)
    if (!isWithin(location, home)) throw new MediaError('bad-path', { detail: 'The path may not lead elsewhere' })
    return location
  }
}

/** As a browser reads it: a backslash is a slash, dots climb. */
function isWithin (location: string, home: URL): boolean {
  if (!URL.canParse(location)) return false
  const { origin, pathname, username, password } = new URL(location)
  return origin === home.origin && username === home.username && password === home.password && pathname.startsWith(home.pathname)
}

/** What no URL may hold as it is (RFC 3986 §2); bytes beyond ASCII came as one character each. */
function encoded (location: string): string {
  return location.replace(/[^\x21-\x7e]|["<>\\^`{|}]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/**
 * Compiles who cannot follow a redirect, or had better not: who says `Prefer: proxy`, and whom
 * the rules name. `vary` names the fields that decide.
 */
export function proxyTest ({ proxyFor, userAgents }: ProxyRules): { needsProxy: (headers: Readonly<Record<string, string | string[] | undefined>>) => boolean, vary: string } {
  const names = userAgents.map(text => text.toLowerCase())
  const tests: Record<ProxyRules['proxyFor'][number], { field: string, test: (value: string) => boolean }> = {
    range: { field: 'range', test: () => true },
    cors: { field: 'sec-fetch-mode', test: value => value === 'cors' },
    'user-agent': { field: 'user-agent', test: value => names.some(name => value.toLowerCase().includes(name)) }
  }
  const own = [{ field: 'prefer', test: (value: string) => /(?:^|[,;])\s*proxy\s*(?:[,;]|$)/i.test(value) }, ...proxyFor.map(rule => tests[rule])]
  return {
    needsProxy: headers => own.some(({ field, test }) => headers[field] !== undefined && test(String(headers[field]))),
    vary: own.map(({ field }) => field.replace(/(?:^|-)[a-z]/g, letter => letter.toUpperCase())).join(', ')
  }
}
