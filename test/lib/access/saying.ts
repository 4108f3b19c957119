import type { AccessRequest, Strategy, Verdict } from '../../../lib/access/access.ts'

/** What a strategy of tests says, and how. */
export interface SayingOptions extends Partial<Pick<Strategy, 'challenge' | 'fields' | 'credentials'>> {
  /** Whether it has to wait first. */
  readonly later?: boolean
  /** Whether it does not count yet. */
  readonly reporting?: boolean
}

/** A strategy that keeps what it was asked, and told. */
export interface Saying extends Strategy {
  readonly asked: AccessRequest[]
  readonly told: Array<readonly [reason: string, target: string]>
}

/** @param what its verdict, or what finds it */
export function saying (name: string, what: Verdict | ((request: AccessRequest) => Verdict), { later = false, reporting = false, ...rest }: SayingOptions = {}): Saying {
  const asked: AccessRequest[] = []
  const told: Saying['told'] = []
  return {
    name,
    fields: [],
    ...rest,
    asked,
    told,
    ...reporting ? { report: (reason: string, target: string) => { told.push([reason, target]) } } : {},
    judge (request) {
      asked.push(request)
      const verdict = typeof what === 'function' ? what(request) : what
      return later ? Promise.resolve(verdict) : verdict
    }
  }
}

/** Strategies by their names. */
export function named<S extends Strategy> (...strategies: readonly S[]): Map<string, S> {
  return new Map(strategies.map(strategy => [strategy.name, strategy]))
}

/** A permission of a strategy. */
export function grant (strategy: string, name = '', more: { scopes?: string[], target?: string, isShared?: boolean } = {}): Extract<Verdict, { kind: 'granted' }> {
  const { target, ...principal } = more
  return { kind: 'granted', principal: { strategy, name, ...principal }, ...target === undefined ? {} : { target } }
}
