import { isHopByHop } from '../http/end-to-end-headers.ts'
import { formatHttpDate } from '../http/http-date.ts'
import type { Fields } from '../upstream/message.ts'
import { fieldsNamedBy, type Directives } from './directives.ts'
import { directivesFor, type Freshness, type ReceivedHead } from './freshness.ts'

/** Statuses whose meaning for caches is known here, for `must-understand` (RFC 9111 §5.2.2.3). */
const understood = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 421, 451, 500, 501, 502, 503, 504])

/** Statuses that say something of one request alone: a part, no news, a part that is not there. */
const ofOneRequest = new Set([206, 304, 416])

/**
 * Whether an answer to a GET without credentials may be kept for others (RFC 9111 §3), and keeping
 * it gains anything: a lifetime, a validator, or leave to be sent when it is stale.
 */
export function isStorable ({ status, fields, receivedAt }: Pick<ReceivedHead, 'status' | 'fields' | 'receivedAt'>, freshness: Freshness): boolean {
  if (status < 200 || ofOneRequest.has(status) || fields['set-cookie'] !== undefined || fields['set-cookie2'] !== undefined) return false
  const { directives } = directivesFor(fields)
  if (forbidsStoring(status, directives)) return false
  return freshness.freshUntil > receivedAt || freshness.staleWhileRevalidateUntil > receivedAt || freshness.staleIfErrorUntil > receivedAt ||
    (status === 200 && (fields.etag !== undefined || fields['last-modified'] !== undefined))
}

/** `private` with names of fields counts as `private`: nobody can know what else those fields went into. */
function forbidsStoring (status: number, directives: Directives): boolean {
  if (directives.has('private')) return true
  return directives.has('must-understand') ? !understood.has(status) : directives.has('no-store')
}

/** The fields that are kept (RFC 9111 §3.1): `Age` is reckoned anew each time, trailers are not kept. */
export function storedFields ({ fields, receivedAt }: Pick<ReceivedHead, 'fields' | 'receivedAt'>): Fields {
  const isWithheld = withholding(fields)
  const stored = fieldsWhere(fields, name => !isWithheld(name) && name !== 'age' && !isHopByHop(name))
  // Who answers from a cache must tell when the answer was made (RFC 9110 §6.6.1).
  stored.date ??= formatHttpDate(receivedAt)
  return stored
}

/** The fields that only the one who caused the request may see: those that `no-cache` names, and that of trailers. */
export function withheldFields (fields: Fields): Fields {
  return fieldsWhere(fields, withholding(fields))
}

function withholding (fields: Fields): (name: string) => boolean {
  const named = fieldsNamedBy(directivesFor(fields).directives, 'no-cache')
  return name => name === 'trailer' || named?.includes(name) === true
}

/** The fields whose names are meant. */
export function fieldsWhere (fields: Fields, isMeant: (name: string) => boolean): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => value !== undefined && isMeant(name)))
}

/** Fields of a 304 that say nothing of the stored body, or of another one (RFC 9111 §3.2). */
const notUpdated = new Set(['content-encoding', 'content-length', 'content-range', 'set-cookie', 'set-cookie2', 'transfer-encoding'])

/** Stored fields with those of a newer head in their places (RFC 9111 §3.2). */
export function updatedFields (stored: Fields, newer: Fields): Fields {
  const updated: Fields = { ...stored }
  delete updated.date
  delete updated.age
  for (const name of Object.keys(newer)) {
    const value = newer[name]
    if (value !== undefined && !notUpdated.has(name)) updated[name] = value
  }
  return updated
}
