import { isUtf8 } from 'node:buffer'
import type { ForwardConfig } from '../config/access-schema.ts'
import type { Verdict } from './access.ts'
import type { ServiceAnswer } from './service-request.ts'

/* What a policy service's answer says. It is believed where it says something, and never where it has to be guessed. */

/** What is read of an answer at most: a service that is broken, or was taken over, pushes against it. */
export const MAX_ANSWER_BYTES = 65_536

/** What was understood. A lie is anything that no policy service says; `lie` tells it to the operator. */
export type PolicyAnswer = Verdict | { readonly kind: 'lie', readonly lie: string }

/** Reads an answer for the strategy of that name. */
export type ReadAnswer = (strategy: string, answer: ServiceAnswer) => PolicyAnswer

/** By protocol. */
export const answerReaders: Record<ForwardConfig['protocol'], ReadAnswer> = { opa: readDecision, request: readStatus }

const refused: Verdict = { kind: 'forbidden', reason: 'refused by the policy' }

/** Characters of a name at most, as the log shows it and limits count by it. No control characters or halves of surrogates. */
const nameOfPrincipal = /^\P{C}{0,256}$/u
const plainName = /^[\x20-\x7e]{1,256}$/

/**
 * A decision of Open Policy Agent's data API: `{"result": …}`, a boolean or an object with
 * `allow`. What is undefined is no permission (OPA leaves out what no rule defines).
 *
 * Not covered: an answer that names `result` twice; the last counts, as everywhere.
 */
function readDecision (strategy: string, { status, body }: ServiceAnswer): PolicyAnswer {
  if (status !== 200) return lie(`status ${status}`)
  const answer = parsed(body)
  if (!isObject(answer)) return lie('no JSON object')
  const { result } = answer
  if (result === undefined || result === false) return refused
  if (result === true) return { kind: 'granted', principal: { strategy, name: '' } }
  return isObject(result) ? readResult(strategy, result) : lie('a result that is neither true nor false')
}

function readResult (strategy: string, { allow, principal = '', scopes }: Record<string, unknown>): PolicyAnswer {
  if (allow === undefined || allow === false) return refused
  if (allow !== true) return lie('allow that is neither true nor false')
  if (typeof principal !== 'string' || !nameOfPrincipal.test(principal)) return lie('a principal that is no name')
  if (scopes === undefined) return { kind: 'granted', principal: { strategy, name: principal } }
  return isTexts(scopes) ? { kind: 'granted', principal: { strategy, name: principal, scopes } } : lie('scopes that are no list of texts')
}

/** As nginx's `auth_request` reads it: the status alone, and a name where the service tells one. */
function readStatus (strategy: string, { status, headers }: ServiceAnswer): PolicyAnswer {
  if (status === 401) return { kind: 'invalid', reason: 'not known to the policy service' }
  if (status === 403) return refused
  if (status < 200 || status > 299) return lie(`status ${status}`)
  const name = headers['x-auth-user']
  return { kind: 'granted', principal: { strategy, name: typeof name === 'string' && plainName.test(name) ? name : '' } }
}

/** The error of `JSON.parse` quotes the answer, which may repeat what was asked: it stays here. */
function parsed (body: Buffer): unknown {
  try {
    return isUtf8(body) ? JSON.parse(body.toString()) : undefined // RFC 8259 §8.1
  } catch {
    return undefined
  }
}

function lie (what: string): PolicyAnswer {
  return { kind: 'lie', lie: what }
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts (value: unknown): value is string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}
