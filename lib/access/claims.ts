import type { Principal } from './access.ts'

/** How the claims of a token are read. */
export interface ClaimRules {
  /** The name of the strategy. */
  readonly strategy: string
  /** The claim that tells scopes. */
  readonly scopeClaim: string
  /** The claim that restricts it to paths. */
  readonly pathsClaim: string
  readonly leewaySeconds: number
  readonly maxAgeSeconds?: number | undefined
}

/** What a token gives, as long as it is valid. */
export interface TokenGrant {
  readonly principal: Principal
  /** Whether it is for a path; undefined where it is for all. */
  readonly covers: ((path: string) => boolean) | undefined
  /** When it begins to hold, in milliseconds since 1970, the leeway counted in. */
  readonly fromMs: number
  /** From when on it does not. */
  readonly untilMs: number
}

/** The last moment that a Date can hold, in seconds (ECMA-262 §21.4.1.1): JSON's `1e400` is infinite. */
const MAX_SECONDS = 8_640_000_000_000
/** Paths of a token: each request is held against all of them, and who issues tokens pushes against it. */
const MAX_PATHS = 1000

type Claims = Readonly<Record<string, unknown>>

/**
 * Reads the claims of a token whose signature holds.
 *
 * @returns what it gives, or in few fixed words why it gives nothing
 */
export function grantOf (claims: Claims, rules: ClaimRules): TokenGrant | string {
  const [issued, from, until] = ['iat', 'nbf', 'exp'].map(name => secondsOf(own(claims, name))) as [number | undefined, number | undefined, number | undefined]
  if ([issued, from, until].some(seconds => Number.isNaN(seconds))) return 'times that are none'
  if (from !== undefined && until !== undefined && from > until) return 'ends before it begins'
  const scopes = scopesOf(own(claims, rules.scopeClaim))
  if (scopes === undefined) return 'scopes that are none'
  const paths = own(claims, rules.pathsClaim)
  if (paths !== undefined && !arePaths(paths)) return 'paths that are none'
  const subject = own(claims, 'sub')
  return {
    principal: freezeDeep({ strategy: rules.strategy, name: typeof subject === 'string' ? subject : '', scopes, claims }),
    covers: paths === undefined ? undefined : coverOf(paths),
    fromMs: (Math.max(issued ?? 0, from ?? 0) - rules.leewaySeconds) * 1000,
    untilMs: Math.min((until ?? Infinity) + rules.leewaySeconds, (issued ?? Infinity) + (rules.maxAgeSeconds ?? Infinity)) * 1000
  }
}

/** A claim may be named as what every object has: `constructor`. */
function own (claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

/** NumericDate, RFC 7519 §2: undefined where there is none, NaN for what is none. */
function secondsOf (value: unknown): number | undefined {
  if (value === undefined) return undefined
  return typeof value === 'number' && value >= 0 && value <= MAX_SECONDS ? value : NaN
}

/** A text with spaces (RFC 8693 §4.2) or a list; undefined for anything else. */
function scopesOf (value: unknown): readonly string[] | undefined {
  if (value === undefined) return []
  if (typeof value === 'string') return value.split(' ').filter(scope => scope !== '')
  return Array.isArray(value) && value.every(scope => typeof scope === 'string') ? [...value] : undefined
}

function arePaths (value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_PATHS && value.every(isPath)
}

/** As decoded paths are, which have no dot segments and no empty ones; what else is in it is text. */
function isPath (value: unknown): boolean {
  if (typeof value !== 'string' || !value.startsWith('/')) return false
  const segments = value.slice(1).split('/')
  return segments.every((segment, place) => segment !== '.' && segment !== '..' && (segment !== '' || place === segments.length - 1))
}

/** What is a name here, and a way up to some origins: with a parameter (Java's servers), with dots or spaces behind it (Windows). */
const climbing = /\/\.\.[;. ]/

/** With a slash at its end a path is all below, and not what only begins alike: `/a/4/` is not `/a/42/`. */
function coverOf (paths: readonly string[]): (path: string) => boolean {
  const directories = paths.filter(path => path.endsWith('/'))
  const files = new Set(paths)
  return path => (files.has(path) || directories.some(directory => path.startsWith(directory))) && !climbing.test(path)
}

/** All requests with one token share what it says. In a loop: a token decides how deep it is. */
function freezeDeep<T extends object> (value: T): T {
  const found: object[] = [value]
  for (let next = found.pop(); next !== undefined; next = found.pop()) {
    Object.freeze(next)
    for (const inner of Object.values(next) as unknown[]) if (typeof inner === 'object' && inner !== null) found.push(inner)
  }
  return value
}
