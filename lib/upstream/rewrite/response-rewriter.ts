import type { Static } from 'typebox'
import type { Rewrite } from '../../config/upstream-schema.ts'
import type { Fields, UpstreamResponse } from '../message.ts'
import { decodableEncodings, decodersFor } from './content-coding.ts'
import { cookieAdapter, type CookiePolicy } from './cookies.ts'
import { entityTagMapping, type EntityTagMapping } from './entity-tags.ts'
import { mapFields } from './header-fields.ts'
import { referenceMapper, type Places } from './references.ts'
import { textChanges, type EncodedText, type TextChanges } from './text-changes.ts'
import { textKinds } from './text-types.ts'

/** The section `rewrite` of a mount, and what it is about. */
export interface RewriteOptions extends Readonly<Static<typeof Rewrite>>, Places {}

/** What a client asked for: its fields as they came, not yet those that the origin is sent. */
export interface Asked {
  readonly method: string
  readonly headers: Fields
}

/** Makes answers of an origin answers of the mount. */
export interface ResponseRewriter {
  /** The fields that the origin is sent: only codings that can be decoded, its own entity tags. */
  requestHeaders (asked: Asked): Fields
  /** Whether an answer is a part of what can only be changed as a whole: it is then to be asked for again without `Range` and `If-Range`. */
  isPartOfText (response: Pick<UpstreamResponse, 'status' | 'headers'>): boolean
  /** The fields of any answer, final or interim, as far as they name the origin. */
  fields (fields: Fields): Fields
  /** The whole answer. Its body is the same where it is no text that is changed. */
  rewrite (asked: Asked, response: UpstreamResponse): UpstreamResponse
}

/**
 * Resolves how the answers of an upstream are changed. Bodies that are changed go out as they are,
 * without a coding, and without fields that tell of the bytes before: length, ranges, digests.
 * Their entity tags are weak and tell of the changes too, so that other changes make other
 * tags; `Last-Modified` stays, so that a client which knows only dates may keep what the
 * changes before made of it.
 *
 * Left as it is: what is not whole (206), in an unknown coding or another charset than one that
 * holds ASCII, and what may not be transformed (`no-transform`, RFC 9111 §5.2.2.6).
 *
 * @throws {RangeError} where there is too much to look for
 */
export function responseRewriter (options: RewriteOptions): ResponseRewriter {
  const map = referenceMapper(options)
  const cookies = cookiePolicy(options)
  const fields = (before: Fields): Fields => {
    const mapped = options.locations ? mapFields(before, map) : before
    return cookies === undefined || mapped['set-cookie'] === undefined ? mapped : withCookies(mapped, cookies)
  }
  if (!options.urls && options.replace.length === 0) {
    return {
      fields,
      requestHeaders: ({ headers }) => headers,
      isPartOfText: () => false,
      rewrite: (_asked, response) => {
        const headers = fields(response.headers)
        return headers === response.headers ? response : withFields(response, headers)
      }
    }
  }
  return { fields, ...textRewriter({ fields, kindOf: textKinds(options.types), changes: textChanges(options) }) }
}

function cookiePolicy (options: RewriteOptions): CookiePolicy | undefined {
  if (options.cookies === 'keep') return undefined
  return options.cookies === 'drop' ? () => [] : cookieAdapter(options)
}

function withCookies (fields: Fields, policy: CookiePolicy): Fields {
  const { 'set-cookie': before = [], ...rest } = fields
  const cookies = policy([before].flat())
  return cookies.length === 0 ? rest : { ...rest, 'set-cookie': cookies }
}

interface TextParts {
  readonly fields: ResponseRewriter['fields']
  readonly kindOf: ReturnType<typeof textKinds>
  readonly changes: TextChanges
}

function textRewriter ({ fields, kindOf, changes }: TextParts): Omit<ResponseRewriter, 'fields'> {
  const tags = entityTagMapping(changes.hash)
  return {
    requestHeaders: asked => requestFields(asked, tags),
    isPartOfText: ({ status, headers }) => {
      const type = one(headers['content-type'])
      // The type of several parts is within them, so they are taken for parts of a text.
      return status === 206 && (/^multipart\/byteranges\b/i.test(type) || kindOf(type) !== undefined)
    },
    rewrite: (asked, response) => {
      const { status } = response
      const mapped = fields(response.headers)
      if (status === 304) return withFields(response, notModifiedFields(asked, mapped, tags))
      const text = textOf(response, kindOf)
      if (text === undefined) return withFields(response, mapped)
      const described = textFields(mapped, tags)
      if (asked.method === 'HEAD') return withFields(response, described)
      const changed = changes.apply(text)
      if (Buffer.isBuffer(changed)) described['content-length'] = String(changed.length)
      return { status, headers: described, body: changed, trailers: () => withoutDigests(response.trailers()) }
    }
  }
}

function requestFields ({ method, headers }: Asked, tags: EntityTagMapping): Fields {
  const sent = { ...headers }
  const reads = method === 'GET' || method === 'HEAD'
  if (sent['accept-encoding'] !== undefined) sent['accept-encoding'] = decodableEncodings(one(sent['accept-encoding']))
  if (sent['if-none-match'] !== undefined) sent['if-none-match'] = tags.unmapField(one(sent['if-none-match']))
  // A weak tag never matches here (RFC 9110 §13.1.1), but who writes back what was read means the origin's.
  if (sent['if-match'] !== undefined && !reads) sent['if-match'] = tags.unmapField(one(sent['if-match']))
  if (tags.unmap(one(sent['if-range'])) !== undefined) { // a part of what was changed
    delete sent.range
    delete sent['if-range']
  }
  return sent
}

/**
 * The client has what was changed where it asked by a tag of that. Where it asked by a date, what
 * it has is not known, and a tag of the other form would take the place of the one it has.
 */
function notModifiedFields ({ headers }: Asked, fields: Fields, tags: EntityTagMapping): Fields {
  const { etag, ...others } = fields
  if (headers['if-none-match'] === undefined) return others
  return tags.isKnownAs(one(headers['if-none-match']), one(etag)) ? textFields(fields, tags) : fields
}

/** `trailers` is asked of the answer itself: it may be more than a record. */
function withFields (response: UpstreamResponse, headers: Fields): UpstreamResponse {
  return { status: response.status, headers, body: response.body, trailers: () => response.trailers() }
}

const empty: ReadonlySet<number> = new Set([204, 205, 206])

function textOf ({ status, headers, body }: UpstreamResponse, kindOf: TextParts['kindOf']): EncodedText | undefined {
  if (status < 200 || empty.has(status) || /(?:^|[,\s])no-transform(?:$|[,\s])/i.test(one(headers['cache-control']))) return undefined
  const kind = kindOf(one(headers['content-type']))
  const decoders = kind === undefined ? undefined : decodersFor(one(headers['content-encoding']))
  return kind === undefined || decoders === undefined ? undefined : { kind, body, decoders }
}

/** Fields that tell of the bytes as the origin sent them. */
const ofBytes = ['accept-ranges', 'content-encoding', 'content-length', 'content-range'] as const
const digests = ['content-digest', 'content-md5', 'digest', 'repr-digest'] as const

function textFields (fields: Fields, tags: EntityTagMapping): Fields {
  const changed = withoutDigests(fields) as Fields
  for (const name of ofBytes) delete changed[name]
  if (typeof changed.etag === 'string' && /^(?:W\/)?".*"$/.test(changed.etag)) changed.etag = tags.map(changed.etag)
  else delete changed.etag
  return changed
}

function withoutDigests (fields: Fields | undefined): Fields | undefined {
  if (fields === undefined) return undefined
  const rest = { ...fields }
  for (const name of digests) delete rest[name]
  return rest
}

/** A field that came several times is a list (RFC 9110 §5.3). */
function one (value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(', ') : value ?? ''
}
