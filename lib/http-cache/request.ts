import { weakEqual } from '../http/entity-tag.ts'
import type { Fields, UpstreamRequest } from '../upstream/message.ts'
import { MAX_SECONDS, parseDirectives, secondsOf } from './directives.ts'
import type { Entry } from './entry.ts'

/** What a client may decide about the answer (RFC 9111 §5.2.1). What would only make the origin work is not heard. */
export interface Wishes {
  /** Nothing of this exchange is to be kept. */
  readonly noStore: boolean
  /** 504 rather than asking the origin. */
  readonly onlyIfCached: boolean
  /** Milliseconds by which an answer may be stale. */
  readonly maxStale: number
}

const none: Wishes = { noStore: false, onlyIfCached: false, maxStale: 0 }

/** `no-cache`, `max-age`, `min-fresh` and `Pragma` are left out: by them, any visitor could have the origin asked each time. */
export function wishesOf (headers: Fields): Wishes {
  const field = headers['cache-control']
  if (field === undefined) return none
  const directives = parseDirectives(field)
  const maxStale = directives.get('max-stale')?.some(value => value === '') === true ? MAX_SECONDS : secondsOf(directives, 'max-stale') ?? 0
  return { noStore: directives.has('no-store'), onlyIfCached: directives.has('only-if-cached'), maxStale: maxStale * 1000 }
}

/** Whether a request is none of the cache's business: what it is answered with may be its sender's alone. */
export function bypasses ({ headers, body }: UpstreamRequest): boolean {
  return headers.authorization !== undefined || body !== undefined
}

/** Whether a `Range` asks for everything, as media players do first: then the whole may be kept. */
export function isForWhole (range: Fields[string] | undefined): boolean {
  return range === undefined || (typeof range === 'string' && /^bytes=0-$/i.test(range))
}

/** Whether any field makes the answer depend on what its client has already. */
export function isConditional (headers: Fields): boolean {
  return conditions.some(name => headers[name] !== undefined)
}

const conditions = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'] as const

/** The fields with which the origin is asked for what is kept: whole and unconditional, or by the validators of what is kept already. */
export function fieldsForKeeping (headers: Fields, stale: Entry | undefined): Fields {
  const fields: Fields = { ...headers }
  for (const name of conditions) delete fields[name]
  const validators = validatorsOf(stale?.head.fields ?? {})
  if (validators.etag !== undefined) fields['if-none-match'] = validators.etag
  if (validators.modified !== undefined) fields['if-modified-since'] = validators.modified
  return fields
}

function validatorsOf (fields: Fields): { etag: string | undefined, modified: string | undefined } {
  const { etag, 'last-modified': modified } = fields
  return { etag: typeof etag === 'string' ? etag : undefined, modified: typeof modified === 'string' ? modified : undefined }
}

/** Whether an answer can be asked for by what it is known by. */
export function hasValidator ({ head: { status, fields } }: Entry): boolean {
  const { etag, modified } = validatorsOf(fields)
  return status === 200 && (etag !== undefined || modified !== undefined)
}

/** Whether a newer head is about the body that is stored (RFC 9111 §4.3.4, §4.3.5). */
export function isAbout (stored: Entry, newer: Fields): boolean {
  const own = validatorsOf(stored.head.fields)
  const { etag, modified } = validatorsOf(newer)
  if (etag !== undefined && own.etag !== undefined) return etag.startsWith('W/') ? weakEqual(etag, own.etag) : etag === own.etag
  return modified === undefined || own.modified === undefined || modified === own.modified
}
