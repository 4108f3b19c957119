import { byteSet, type ByteSet } from './automaton.ts'
import { basesOf, type Base, type Places } from './references.ts'
import type { Rule } from './replacement.ts'

/**
 * How texts spell a URL. Not covered: more than one of these at once, base64, letters of
 * scheme and host in upper case, and hosts of which the name is not in Punycode.
 */
const spellings: ReadonlyArray<(text: string) => string> = [
  text => text,
  text => text.replaceAll('/', '\\/'), // JSON, as PHP writes it
  text => text.replaceAll('/', '\\u002F'), // JSON and scripts that fear </script>
  text => text.replaceAll('/', '\\u002f'),
  text => text.replaceAll('/', '&#x2F;'), // HTML, as templates of Mustache write it
  encodeURIComponent, // a URL within a query
  text => encodeURIComponent(text).replaceAll(/%[0-9A-F]{2}/g, code => code.toLowerCase())
]

/** Of these, those that write a path by itself: percent-encoded it would be part of another URL. */
const PATH_SPELLINGS = 5

/** What stands before a URL without a scheme. Behind a colon, or within a path, two slashes mean something else. */
const opening = byteSet(' \t\r\n"\'`(=,;>')
/** What stands before a path in an attribute of HTML, a string or `url()` of CSS. */
const quoting = byteSet('"\'(=')
/** Quotes that are written as entities, and further candidates of `srcset`. */
const quotes = ['&quot;', '&#34;', '&#39;', 'x, ', 'w, ', 'x,', 'w,']
/** What would go on with a name, a port or a segment: `http://origin` is not in `http://origin.evil.com`. */
const continuing = withBytesAbove(0x80, byteSet('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~%!$*+:@'))
const slash = byteSet('/\\')

function withBytesAbove (least: number, set: ByteSet): ByteSet {
  return set.fill(1, least)
}

/** Where a path that is only a slash leads to the origin: elsewhere, as in scripts, it is an operator or a text of its own. */
const rootAttributes = ['action', 'data', 'formaction', 'href', 'poster', 'src', 'srcset'].flatMap(name => [`${name}="`, `${name}='`])
const rootReferences = [...rootAttributes, 'url(', 'url("', 'url(\'']

/**
 * Rules by which URLs below the bases of the origins lead to the mount: absolute ones and those
 * without a scheme, in each of the {@link spellings}.
 */
export function urlRules (places: Places): Rule[] {
  const target = targetOf(places)
  return basesOf(places.origins).flatMap(base => hostsOf(base).flatMap(host => {
    const reference = `//${host}${base.path}`
    const absolute = spellings.flatMap(spell => rulesOf(base.protocol + reference, { spell, target }))
    return absolute.concat(spellings.flatMap(spell => rulesOf(reference, { spell, target, before: opening })))
  }))
}

/**
 * Rules by which paths from the root of the origin lead to the mount, for HTML, CSS and XML: where
 * a quote, `(` or `=` stands before them. Not covered: the further candidates of a `srcset` on
 * lines of their own, and, where the base of an origin is its root, all but common attributes
 * and `url()`.
 */
export function pathRules (places: Places): Rule[] {
  const target = targetOf(places)
  const paths = new Set(basesOf(places.origins).map(({ path }) => path))
  return [...paths].filter(path => path !== target).flatMap(path => {
    if (path === '') return rootRules(places.mountPrefix, target)
    const quoted = spellings.slice(0, PATH_SPELLINGS).flatMap(spell => rulesOf(path, { spell, target, before: quoting }))
    return quoted.concat(quotes.flatMap(quote => rulesOf(path, { spell: text => quote + text, target })))
  })
}

function targetOf ({ mountPrefix, publicBase = '' }: Places): string {
  return publicBase + mountPrefix
}

/** A host with its port, where that is the usual one too. */
function hostsOf ({ protocol, host }: Base): string[] {
  const hasPort = /:\d+$/.test(host)
  return hasPort ? [host] : [host, `${host}:${protocol === 'https:' ? 443 : 80}`]
}

interface RuleOptions {
  readonly spell: (text: string) => string
  /** Without a slash at the end. */
  readonly target: string
  readonly before?: ByteSet
}

function rulesOf (from: string, { spell, target, before }: RuleOptions): Rule[] {
  const below: Rule = { from: spell(`${from}/`), to: spell(`${target}/`), before }
  const itself: Rule = { from: spell(from), to: spell(isHostAlone(from) || target === '' ? `${target}/` : target), before, notBefore: continuing }
  if (target !== '') return [below, itself]
  // Two slashes at the beginning would name a host: `http://origin//evil.com` must not become `//evil.com`.
  return [below, itself, { from: spell(`${from}//`), to: spell('/.//'), before }]
}

function isHostAlone (from: string): boolean {
  return /^(?:https?:)?\/\/[^/]*$/.test(from)
}

/** A path that begins with two slashes names another host, and one that begins with the prefix comes of an origin that was told of it. */
function rootRules (mountPrefix: string, target: string): Rule[] {
  return rootReferences.flatMap(reference => [
    { from: `${reference}/`, to: `${reference}${target}/`, notBefore: slash },
    { from: `${reference}${mountPrefix}/`, to: `${reference}${mountPrefix}/` }
  ])
}
