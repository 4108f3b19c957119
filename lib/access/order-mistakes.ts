import type { PrintedRoute } from './printed-routes.ts'
import { isReading } from './requirement.ts'

/** A mount whose routes have to ask who is there, and what is known of its routes. */
export interface GuardedMount {
  /** As its mistakes name it. */
  readonly name: string
  /** Where its URLs begin: it may hold parameters. `''` at the root, where only its own routes are looked at. */
  readonly prefix: string
  /** Where those of other mounts begin: what is below a longer one is theirs. */
  readonly others: readonly string[]
  /** URLs of others' routes below the prefix that need no authentication, with all below them. */
  readonly except: readonly string[]
  /** Its own routes, by {@link routeKey}. */
  readonly own: ReadonlySet<string>
  /** Those of its own that answer that there is no such method. */
  readonly refused: ReadonlySet<string>
  /** Whether URLs are matched without letter case. */
  readonly foldsCase: boolean
  /** Whether everybody may use a method. */
  readonly isPublic: (method: string) => boolean
}

/** The hook that asks who is there. */
const AUTHENTICATE = 'authenticate'

/** Hooks before the route's handler, in the order in which they run. */
const kindsBefore = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

/** As many methods as a sentence names. */
const MAX_NAMED_METHODS = 3

/** What a route is known by, whatever its parameters are called. */
export function routeKey (method: string, url: string): string {
  return `${method} ${url.replaceAll(/:[^/]*/g, ':')}`
}

/**
 * What is unsafe in the order of hooks of a mount's routes, a sentence for each. Hooks are known by their
 * names: this finds what was mistaken, not what was disguised. It does not see what another hook before
 * `authenticate` answers by itself, nor handlers of what is not found.
 */
export function orderMistakes (routes: readonly PrintedRoute[], mount: GuardedMount): string[] {
  return routes.filter(route => isOfMount(route, mount)).flatMap(route => routeMistakes(route, mount))
}

function routeMistakes (route: PrintedRoute, { name, isPublic, refused }: GuardedMount): string[] {
  const { url, methods } = route
  const open = methods.filter(method => !isReading(method) && isPublic(method) && !refused.has(routeKey(method, url)))
  const misplaced = placeMistakes(route).map(mistake => `mount ${name}: ${shortly(methods)} ${url} ${mistake}`)
  return open.length === 0 ? misplaced : [...misplaced, `mount ${name}: ${shortly(open)} ${url} is open to everybody: name in access.write who may write`]
}

function placeMistakes ({ methods, hooks }: PrintedRoute): string[] {
  const before = kindsBefore.flatMap(kind => hooks[kind] ?? [])
  const place = before.indexOf(AUTHENTICATE)
  if (hooks.onRequest?.includes(AUTHENTICATE) !== true) {
    // A preflight carries no credentials.
    const isPreflight = methods.every(method => method === 'OPTIONS') && before.some(isCors)
    return isPreflight ? [] : [`has no ${AUTHENTICATE} hook: register it in the mount's scope, or list it in access.except`]
  }
  const cors = before.slice(place).find(isCors)
  const [kept, set] = ['keepPrivate', 'setCacheControl'].map(name => hooks.onSend?.indexOf(name) ?? -1) as [number, number]
  return [
    ...(cors === undefined ? [] : [`runs ${AUTHENTICATE} before ${cors}: register CORS first, preflights carry no credentials`]),
    ...(kept !== -1 && set > kept ? ['runs setCacheControl behind keepPrivate: register the cache policy first, or shared caches keep what is private'] : []),
    ...(before.slice(0, place).includes('limitPrincipal') ? [`runs limitPrincipal before ${AUTHENTICATE}: nobody is known there yet, register it behind`] : []),
    ...(before.slice(place).includes('limitAddress') ? [`runs limitAddress behind ${AUTHENTICATE}: register it first, against floods of bad credentials`] : [])
  ]
}

function isCors (name: string): boolean {
  return /cors/i.test(name)
}

function isOfMount ({ url, methods }: PrintedRoute, { prefix, others, except, own, foldsCase }: GuardedMount): boolean {
  if (methods.some(method => own.has(routeKey(method, url)))) return true
  if (prefix === '') return false
  const path = foldsCase ? url.toLowerCase() : url
  const isBelow = (place: string): boolean => isAtOrBelow(path, foldsCase ? place.toLowerCase() : place)
  const isOthers = others.some(other => other.length > prefix.length && isAtOrBelow(other, prefix) && isBelow(other))
  return isBelow(prefix) && !isOthers && !except.some(isBelow)
}

/**
 * Segment by segment, a parameter of the place being any. Parameters and wildcards of the route where the
 * place has a word are not below it: the router prefers words, and mounts answer every method.
 */
function isAtOrBelow (url: string, place: string): boolean {
  const segments = url.split('/')
  return place.replace(/\/$/, '').split('/').every((word, level) => word === segments[level] || (word.startsWith(':') && segments[level] !== undefined))
}

function shortly (methods: readonly string[]): string {
  const named = methods.slice(0, MAX_NAMED_METHODS).join(', ')
  return methods.length > MAX_NAMED_METHODS ? `${named} and ${methods.length - MAX_NAMED_METHODS} more methods of` : named
}
