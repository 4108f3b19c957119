import type { Requirement } from '../config/access-schema.ts'
import { MediaError } from '../errors.ts'
import type { AccessRequest, Principal, Strategy, Verdict } from './access.ts'

/** Says whether a request may go on. Without waiting wherever that is possible. */
export type Judge = (request: AccessRequest) => Verdict | Promise<Verdict>

/** What has to hold for some of the methods of a mount. */
export interface Policy {
  readonly judge: Judge
  /** All strategies that it rests on, each once. */
  readonly strategies: readonly Strategy[]
  /** Those that do not count yet. */
  readonly reporting: readonly Strategy[]
  /** The same as if these let everybody in. */
  readonly leniently: Judge
}

/** A requirement in its one shape: some of which one has to hold, or all. */
interface Shape {
  readonly every: boolean
  readonly members: ReadonlyArray<string | Shape>
}

/**
 * The names in a requirement, in their order.
 *
 * @throws {TypeError} where it is of no shape that requirements have
 */
export function namesIn (requirement: unknown): string[] {
  return requirement === 'public' || requirement === 'nobody' ? [] : namesOf(shapeOf(requirement))
}

/**
 * Compiles a requirement.
 *
 * @param scopes what whoever has scopes needs of them
 * @returns undefined for `public`
 * @throws {TypeError} where it is of no shape that requirements have, or names a strategy that is none
 */
export function policyOf (requirement: Requirement, strategies: ReadonlyMap<string, Strategy>, scopes: readonly string[] = []): Policy | undefined {
  if (requirement === 'public') return undefined
  if (requirement === 'nobody') return { judge: denies, strategies: [], reporting: [], leniently: denies }
  const shape = shapeOf(requirement)
  const named = new Map([...new Set(namesOf(shape))].map(name => {
    const strategy = strategies.get(name)
    if (strategy === undefined) throw new TypeError(`Expected the name of a strategy but received ${name}`)
    return [name, strategy] as const
  }))
  const compile = (member: string | Shape, judgeFor: (strategy: Strategy) => Judge): Judge => {
    return typeof member === 'string' ? judgeFor(named.get(member) as Strategy) : (member.every ? allOf : anyOf)(member.members.map(inner => compile(inner, judgeFor)))
  }
  const all = [...named.values()]
  const reporting = all.filter(strategy => strategy.report !== undefined)
  const judge = compile(shape, strategy => judgeOf(strategy, scopes))
  const leniently = reporting.length === 0 ? judge : compile(shape, strategy => strategy.report === undefined ? judgeOf(strategy, scopes) : lets(strategy))
  return { judge, strategies: all, reporting, leniently }
}

function denies (): Verdict {
  return { kind: 'denied', reason: 'nobody may do this' }
}

/** Lets everybody in, as nobody. */
function lets ({ name }: Strategy): Judge {
  const verdict: Verdict = { kind: 'granted', principal: { strategy: name, name: '' } }
  return () => verdict
}

function shapeOf (requirement: unknown, depth = 0): Shape {
  const { any, all, ...others } = typeof requirement === 'object' && requirement !== null && !Array.isArray(requirement) ? requirement as Record<string, unknown> : { any: typeof requirement === 'string' ? [requirement] : requirement }
  const members = any ?? all
  if (Object.keys(others).length > 0 || (any !== undefined) === (all !== undefined) || !Array.isArray(members) || members.length === 0 || depth > 1) {
    throw new TypeError('Expected public, nobody, a list of names, {any: […]} or {all: […]}')
  }
  return {
    every: all !== undefined,
    members: members.map((member: unknown) => {
      if (member === 'public' || member === 'nobody') throw new TypeError(`Expected names of strategies but received ${member}, which stands alone`)
      return typeof member === 'string' ? member : shapeOf(member, depth + 1)
    })
  }
}

function namesOf ({ members }: Shape): string[] {
  return members.flatMap(member => typeof member === 'string' ? [member] : namesOf(member))
}

function judgeOf (strategy: Strategy, scopes: readonly string[]): Judge {
  const checked = (verdict: Verdict): Verdict => {
    if (verdict.kind === 'absent') return verdict
    if (verdict.kind !== 'granted') return { ...verdict, reason: `${strategy.name}: ${verdict.reason}` }
    const { scopes: own } = verdict.principal
    const missing = own === undefined ? undefined : scopes.find(scope => !own.includes(scope))
    return missing === undefined ? verdict : { kind: 'forbidden', reason: `${strategy.name}: without the scope ${missing}` }
  }
  return request => {
    const verdict = strategy.judge(request)
    return verdict instanceof Promise ? verdict.then(checked) : checked(verdict)
  }
}

/** Which refusal is told of several: who is known but may not goes before what would help, and that before what would not. */
const weights: Record<Exclude<Verdict['kind'], 'granted'>, number> = { forbidden: 4, unavailable: 3, invalid: 2, absent: 1, denied: 0 }

function anyOf (judges: readonly Judge[]): Judge {
  const from = (start: number, request: AccessRequest, before: Verdict | undefined): Verdict | Promise<Verdict> => {
    let told = before
    for (let place = start; place < judges.length; place++) {
      const verdict = (judges[place] as Judge)(request)
      if (verdict instanceof Promise) return verdict.then(async late => late.kind === 'granted' ? late : await from(place + 1, request, weightier(told, late)))
      if (verdict.kind === 'granted') return verdict
      told = weightier(told, verdict)
    }
    return told as Verdict
  }
  return judges.length === 1 ? judges[0] as Judge : request => from(0, request, undefined)
}

function weightier (first: Verdict | undefined, second: Verdict): Verdict {
  if (first === undefined || first.kind === 'granted' || second.kind === 'granted') return second
  return weights[second.kind] > weights[first.kind] ? second : first
}

type Grant = Extract<Verdict, { kind: 'granted' }>

function allOf (judges: readonly Judge[]): Judge {
  const from = (start: number, request: AccessRequest, before: Grant | undefined): Verdict | Promise<Verdict> => {
    let granted = before
    for (let place = start; place < judges.length; place++) {
      const verdict = (judges[place] as Judge)(request)
      if (verdict instanceof Promise) return verdict.then(async late => late.kind === 'granted' ? await from(place + 1, request, together(granted, late)) : late)
      if (verdict.kind !== 'granted') return verdict
      granted = together(granted, verdict)
    }
    return granted as Grant
  }
  return request => from(0, request, undefined)
}

/**
 * What has to hold for a request that somebody may take for another one.
 *
 * @param as the request as that one
 */
export function both (first: Policy | undefined, second: Policy | undefined, as: (request: AccessRequest) => AccessRequest): Policy | undefined {
  if (second === undefined) return first
  const other: Policy = { ...second, judge: request => second.judge(as(request)), leniently: request => second.leniently(as(request)) }
  if (first === undefined) return other
  return {
    judge: allOf([first.judge, other.judge]),
    strategies: [...new Set([...first.strategies, ...other.strategies])],
    reporting: [...new Set([...first.reporting, ...other.reporting])],
    leniently: allOf([first.leniently, other.leniently])
  }
}

/** Who it is, is told by the first that knows a name; scopes are those that all of them give. */
function together (first: Grant | undefined, second: Grant): Grant {
  if (first === undefined) return second
  const known = first.principal.name === '' ? second.principal : first.principal
  const target = second.target ?? first.target
  const principal = { ...known, scopes: common(first.principal, second.principal) }
  return { kind: 'granted', principal, ...target === undefined ? {} : { target } }
}

function common ({ scopes: first }: Principal, { scopes: second }: Principal): readonly string[] | undefined {
  return first === undefined || second === undefined ? first ?? second : first.filter(scope => second.includes(scope))
}

/**
 * The failure that answers a refused request. It says no more than it must: why is for the log.
 *
 * A 401 has to say what would help (RFC 9110 §15.5.2); where no credentials could be sent, it is 403.
 */
export function refusalOf (verdict: Exclude<Verdict, Grant>, { strategies }: Pick<Policy, 'strategies'>, mount: string): MediaError {
  if (verdict.kind === 'unavailable') {
    return new MediaError('unavailable', { context: { mount, reason: verdict.reason }, headers: { 'retry-after': String(verdict.retryAfterSeconds ?? 1) } })
  }
  const isInvalid = verdict.kind === 'invalid'
  const challenge = isInvalid || verdict.kind === 'absent' ? challengeOf(strategies, isInvalid) : ''
  const context = verdict.kind === 'absent' ? {} : { context: { mount, reason: verdict.reason } }
  return challenge === '' ? new MediaError('forbidden', context) : new MediaError('unauthorized', { ...context, headers: { 'www-authenticate': challenge } })
}

/** RFC 6750 §3.1 has a word for a token that does not hold. */
function challengeOf (strategies: readonly Strategy[], isInvalid: boolean): string {
  const challenges = new Set(strategies.flatMap(({ challenge }) => challenge ?? []))
  return [...challenges].map(challenge => isInvalid && challenge.startsWith('Bearer ') ? `${challenge}, error="invalid_token"` : challenge).join(', ')
}
