import { isWeak, parseEntityTags, strongEqual, weakEqual, type EntityTag } from './entity-tag.ts'
import { parseHttpDate, wholeSeconds } from './http-date.ts'

/** What a representation can be compared by. */
export interface Validators {
  readonly entityTag?: EntityTag | undefined
  /** Milliseconds since the epoch. */
  readonly lastModified?: number | undefined
}

/** The conditional fields of a request, as Node.js names them. */
export interface ConditionalFields {
  'if-match'?: string | undefined
  'if-none-match'?: string | undefined
  'if-modified-since'?: string | undefined
  'if-unmodified-since'?: string | undefined
  'if-range'?: string | string[] | undefined
}

/** Methods that neither select nor change a representation ignore preconditions (RFC 9110 §13.2.1). */
const unconditional = new Set(['CONNECT', 'OPTIONS', 'TRACE'])

/** What the preconditions decide: go on, or answer this status. */
export type PreconditionOutcome = 'proceed' | 304 | 412

/**
 * Evaluates the preconditions of a request in the order of RFC 9110 §13.2.2, for a
 * representation that exists. A malformed date is ignored; a malformed list of tags matches nothing.
 *
 * @param method the request method: a false `If-None-Match` is 304 for GET and HEAD, 412 for the rest
 */
export function evaluatePreconditions (method: string, fields: ConditionalFields, validators: Validators): PreconditionOutcome {
  const reads = method === 'GET' || method === 'HEAD'
  if (!reads && unconditional.has(method)) return 'proceed'
  const ifMatch = fields['if-match']
  const ifNoneMatch = fields['if-none-match']
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, validators.entityTag, strongEqual)) return 412
  } else if (isModifiedAfter(fields['if-unmodified-since'], validators.lastModified) === true) {
    return 412
  }
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, validators.entityTag, weakEqual)) return reads ? 304 : 412
  } else if (reads && isModifiedAfter(fields['if-modified-since'], validators.lastModified) === false) {
    return 304
  }
  return 'proceed'
}

function matches (field: string, tag: EntityTag | undefined, equal: (a: EntityTag, b: EntityTag) => boolean): boolean {
  // The common case, one tag sent back as it was given, needs no parsing.
  if (tag !== undefined && field === tag) return equal(tag, tag)
  const tags = parseEntityTags(field)
  if (tags === '*') return true
  return tags !== undefined && tag !== undefined && tags.some(candidate => equal(candidate, tag))
}

/** Undefined where the question cannot be asked: no field, no valid date, no modification date. */
function isModifiedAfter (field: string | undefined, lastModified: number | undefined): boolean | undefined {
  if (field === undefined || lastModified === undefined) return undefined
  const date = parseHttpDate(field)
  return date === undefined ? undefined : wholeSeconds(lastModified) > date
}

/** A `Last-Modified` younger than this may still name two contents (RFC 9110 §8.8.2.2). */
const STRONG_DATE_AGE = 1000

/**
 * Whether `If-Range` lets the ranges through (RFC 9110 §13.1.5): without the field always,
 * else by strong comparison of the tag, or by an exact and strong date.
 *
 * @param now milliseconds since the epoch
 */
export function rangeApplies (fields: ConditionalFields, validators: Validators, now = Date.now()): boolean {
  const field = fields['if-range']
  if (field === undefined) return true
  if (typeof field !== 'string') return false // sent twice
  const { entityTag, lastModified } = validators
  if (field.startsWith('"') || isWeak(field)) return entityTag !== undefined && strongEqual(field, entityTag)
  if (lastModified === undefined) return false
  const modified = wholeSeconds(lastModified)
  return parseHttpDate(field) === modified && now - modified >= STRONG_DATE_AGE
}
