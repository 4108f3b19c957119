import { isWeak, parseEntityTags, strongEqual, weakEqual, type EntityTag } from '../../http/entity-tag.ts'
import { formatHttpDate, parseHttpDate } from '../../http/http-date.ts'
import type { Fields } from '../../upstream/message.ts'
import { single } from './fields.ts'

/** What an origin gives to tell one content from another. */
export interface OriginValidators {
  readonly entityTag: EntityTag | undefined
  /** Milliseconds since the epoch. */
  readonly lastModified: number | undefined
  /** Whether they tell: a date that was too young when it was told, and a weak tag beside it, may still name two contents. */
  readonly isSure: boolean
}

/** A `Last-Modified` younger than this, by the origin's own clock, may still name two contents (RFC 9110 §8.8.2.2). */
const STRONG_DATE_AGE_MS = 1000

/** The validators of an answer. What is malformed is none. */
export function validatorsOf (headers: Fields, now = Date.now()): OriginValidators {
  const entityTag = tagOf(headers)
  const lastModified = parseHttpDate(single(headers, 'last-modified') ?? '')
  const told = parseHttpDate(single(headers, 'date') ?? '') ?? now
  const isYoung = lastModified !== undefined && told - lastModified < STRONG_DATE_AGE_MS
  const isStrong = entityTag !== undefined && !isWeak(entityTag)
  return { entityTag, lastModified, isSure: isStrong || (!isYoung && (entityTag ?? lastModified) !== undefined) }
}

function tagOf (headers: Fields): EntityTag | undefined {
  const field = single(headers, 'etag')
  const tags = field === undefined ? undefined : parseEntityTags(field)
  return Array.isArray(tags) && tags.length === 1 && tags[0] === field ? field : undefined
}

/** Fields that ask for an answer only if it is another; undefined where no validator could tell. */
export function ifChanged ({ entityTag, lastModified, isSure }: OriginValidators): Fields | undefined {
  if (!isSure) return undefined
  return {
    ...(entityTag === undefined ? {} : { 'if-none-match': entityTag }),
    ...(lastModified === undefined ? {} : { 'if-modified-since': formatHttpDate(lastModified) })
  }
}

/** Fields that ask for an answer only if it is the same. A weak tag never matches (RFC 9110 §13.1.1): then a date has to do. */
export function ifSame ({ entityTag, lastModified, isSure }: OriginValidators): Fields {
  if (!isSure) return {}
  if (entityTag !== undefined && !isWeak(entityTag)) return { 'if-match': entityTag }
  return lastModified === undefined ? {} : { 'if-unmodified-since': formatHttpDate(lastModified) }
}

/**
 * Whether an answer may be of the content that was described. One without validators may: some
 * servers leave them out of parts and of 304, and its condition was told with the request.
 */
export function mayBeSame (described: OriginValidators, headers: Fields): boolean {
  const { entityTag, lastModified } = validatorsOf(headers)
  if (described.entityTag !== undefined && entityTag !== undefined) {
    return isWeak(described.entityTag) ? weakEqual(described.entityTag, entityTag) : strongEqual(described.entityTag, entityTag)
  }
  return lastModified === undefined || described.lastModified === undefined || lastModified === described.lastModified
}
