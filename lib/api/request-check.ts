import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Mistake } from '../config/mistakes.ts'
import { mistakesOf } from '../config/violations.ts'
import { MediaError } from '../errors.ts'

/** Compiles what a part of a request is checked by. */
export type Compile = (schema: object, part: string | undefined) => ValidateFunction

/**
 * Checks of requests: what is not known is refused, never taken out, and of a query texts count as the numbers that
 * they spell.
 */
export function requestChecks (): Compile {
  const options = { useDefaults: true, strict: false, verbose: true, validateFormats: false }
  const [texts, values] = [new Ajv2020({ ...options, coerceTypes: true }), new Ajv2020(options)]
  return (schema, part) => (part === 'body' ? values : texts).compile(schema)
}

/** What is wrong with a request, by the name of the field. */
export function checkFailure (errors: NonNullable<ValidateFunction['errors']>): MediaError {
  const [{ path, message }] = mistakesOf(errors) as [Mistake]
  return new MediaError('bad-request', { detail: `${path === '' ? 'The request body' : path}: ${message}` })
}
