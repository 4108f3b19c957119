import { essence } from './media-type.ts'

/**
 * The words of a cache rule, the same as in `Cache-Control` except that `30d` stands for
 * `public, max-age=2592000`, beside `private` for `max-age=2592000` alone. Durations are a
 * number and `s m h d w y`.
 */
const flags = ['public', 'private', 'no-cache', 'no-store', 'no-transform', 'must-revalidate', 'immutable'] as const
const durations = ['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'] as const

const units = new Map([['s', 1], ['m', 60], ['h', 3600], ['d', 86_400], ['w', 604_800], ['y', 31_536_000]])

/** RFC 9111 §1.2.2: a greater delta-seconds may overflow in a cache. */
const MAX_SECONDS = 2_147_483_648

const unit = `[${[...units.keys()].join('')}]`
const duration = `\\d{1,10}${unit}`
const word = `(?:${duration}|${flags.join('|')}|(?:${durations.join('|')})=\\d{1,10}${unit}?)`

/** What a cache rule looks like, for the configuration's schema. */
export const cacheRulePattern = `^${word}(?:[ ,]+${word})*$`

/**
 * The value of `Cache-Control` (RFC 9111 §5.2.2, RFC 5861, RFC 8246) for a rule such as
 * `30d immutable` or `5m stale-while-revalidate=1d no-transform`.
 *
 * @throws {TypeError} naming the word that is not one of a rule's, or that contradicts another
 */
export function cacheControl (rule: string): string {
  const words = rule.split(/[ ,]+/).filter(Boolean)
  const directives = new Map<string, string>()
  for (const text of words.flatMap(directivesOf)) {
    const [name = ''] = text.split('=', 1)
    if ((directives.get(name) ?? text) !== text) throw new TypeError(`Expected one value of ${name} but received ${directives.get(name)} and ${text}`)
    directives.set(name, text)
  }
  if (directives.has('private')) {
    if (words.includes('public')) throw new TypeError('Expected either public or private')
    directives.delete('public') // which a bare duration implied
  }
  if (directives.has('no-store') && directives.size > 1) throw new TypeError('Expected no-store to stand alone')
  return [...directives.values()].join(', ')
}

function directivesOf (text: string): string[] {
  if ((flags as readonly string[]).includes(text)) return [text]
  if (new RegExp(`^${duration}$`).test(text)) return ['public', `max-age=${seconds(text)}`]
  const [name = ''] = text.split('=', 1)
  if ((durations as readonly string[]).includes(name)) return [`${name}=${seconds(text.slice(name.length + 1))}`]
  throw new TypeError(`Expected a duration such as 30d, or a word of Cache-Control, but received ${text}`)
}

function seconds (text: string): number {
  const match = /^(\d{1,10})([smhdwy]?)$/.exec(text)
  if (match === null) throw new TypeError(`Expected a duration such as 30d but received ${text}`)
  const [, amount, letter = ''] = match
  return Math.min(MAX_SECONDS, Number(amount) * (units.get(letter) ?? 1))
}

/**
 * The same for answers that are for one client alone: without what lets shared caches keep them (RFC 9111 §5.2.2),
 * whoever wrote it.
 */
export function privateCacheControl (value: string): string {
  const directives = value.match(/[^\s,"=]+(?:\s*=\s*(?:"[^"]*"|[^\s,"]*))?/g) ?? []
  const kept = directives.filter(directive => !shared.has((/^[^\s=]+/.exec(directive)?.[0] ?? '').toLowerCase()))
  return kept.some(directive => directive.toLowerCase() === 'no-store') ? kept.join(', ') : ['private', ...kept].join(', ')
}

/** Directives to shared caches. `private` with fields is about these fields alone; `must-understand` takes `no-store` away (RFC 9111 §5.2.2.3). */
const shared: ReadonlySet<string> = new Set(['public', 'private', 's-maxage', 'proxy-revalidate', 'must-understand'])

/** A mount's cache rules: one for everything, others by media type. */
export interface CacheRules {
  /** The rule where no type matches. */
  readonly default: string
  /** Rules by media type (`image/png`) or range (`image/*`). */
  readonly types: Readonly<Record<string, string>>
}

/** Resolves rules once into a function from a `Content-Type` to its `Cache-Control`. */
export function cachePolicy (rules: CacheRules): (type: string) => string {
  const fallback = cacheControl(rules.default)
  const byType = new Map(Object.entries(rules.types).map(([type, rule]) => [type.toLowerCase(), cacheControl(rule)]))
  const known = new Map<string, string>()
  return function policyOf (type) {
    let value = known.get(type)
    if (value !== undefined) return value
    const name = essence(type)
    value = byType.get(name) ?? byType.get(`${name.split('/', 1)[0]}/*`) ?? byType.get('*/*') ?? fallback
    // Types come from the table of endings, or from an upstream: bounded against the latter.
    if (known.size < 1000) known.set(type, value)
    return value
  }
}
