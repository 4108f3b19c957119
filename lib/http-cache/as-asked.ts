import { evaluatePreconditions, rangeApplies, type ConditionalFields, type Validators } from '../http/preconditions.ts'
import { parseHttpDate } from '../http/http-date.ts'
import { contentRange, parseRange, type ByteRange } from '../http/range.ts'
import { headersOf } from '../http/representation-headers.ts'
import { representationHeaders, type Body, type Representation } from '../representation.ts'
import { lengthOf } from '../upstream/download.ts'
import type { Fields, UpstreamRequest, UpstreamResponse } from '../upstream/message.ts'
import { discard } from '../upstream/discard.ts'
import type { CacheAnswer } from './answer.ts'
import { joined } from './directives.ts'
import { isConditional, isForWhole } from './request.ts'

const nothing = Buffer.alloc(0)

/** A 200 of which only a part may be wanted, or nothing. */
interface Whole {
  readonly headers: Fields
  readonly validators: Validators
  /** Bytes, where their number is known: else ranges are not served. */
  readonly size: number | undefined
  open (range?: ByteRange): Body | Promise<Body>
}

/**
 * The answer to a request as its client made it, out of what was fetched for keeping and cannot be
 * kept: its preconditions were not sent on, nor was a `Range` that asks for everything.
 */
export function ownAsAsked (request: UpstreamRequest, response: UpstreamResponse): UpstreamResponse {
  const { status, headers, body } = response
  if (status !== 200 || !isConditional(request.headers)) return response
  const modified = typeof headers['last-modified'] === 'string' ? parseHttpDate(headers['last-modified']) : undefined
  const length = Buffer.isBuffer(body) ? body.length : lengthOf(headers)
  const decision = decide(request, { headers, validators: { entityTag: joined(headers.etag), lastModified: modified }, size: isForWhole(request.headers.range) ? length : undefined })
  if (decision.status === 200) return response
  if (decision.status !== 206) discard(body)
  return { ...response, status: decision.status, headers: decision.headers, body: decision.status === 206 ? body : nothing }
}

/**
 * What a client that knows of no representations gets for a request: its preconditions decided,
 * one range cut out (of several the whole is sent, which RFC 9110 §14.2 allows).
 *
 * @throws {RepresentationChanged} where the bytes are gone: answer anew
 */
export async function responseOf (request: UpstreamRequest, answer: CacheAnswer): Promise<UpstreamResponse> {
  if (answer.representation === undefined) return { ...answer, headers: { ...answer.headers } }
  const { representation, trailers } = answer
  const whole = wholeOf(answer.headers, representation)
  const { status, headers, range } = decide(request, whole)
  if (request.method === 'HEAD' || status >= 300) return { status, headers, body: nothing, trailers }
  return { status, headers, body: await whole.open(range), trailers }
}

function wholeOf (headers: Readonly<Fields>, representation: Representation): Whole {
  return { headers: { ...headers, ...headersOf(representation) }, validators: representation, size: representation.size, open: range => representation.open(range) }
}

function decide ({ method, headers: asked }: UpstreamRequest, { headers, validators, size }: Omit<Whole, 'open'>): { status: number, headers: Fields, range?: ByteRange } {
  const fields = conditionsOf(asked)
  const outcome = evaluatePreconditions(method, fields, validators)
  if (outcome !== 'proceed') return { status: outcome, headers: withoutBody(headers) }
  const field = joined(asked.range)
  if (method !== 'GET' || field === undefined || size === undefined || !rangeApplies(fields, validators)) return { status: 200, headers }
  const ranges = parseRange(field, size)
  if (ranges === 'unsatisfiable') return { status: 416, headers: { ...withoutBody(headers), 'content-range': contentRange(size) } }
  const [range] = ranges
  if (ranges === 'whole' || ranges.length > 1 || typeof range !== 'object') return { status: 200, headers }
  return { status: 206, headers: { ...headers, 'content-range': contentRange(size, range), 'content-length': String(range.end - range.start + 1) }, range }
}

function conditionsOf (asked: Fields): ConditionalFields {
  return { 'if-match': joined(asked['if-match']), 'if-none-match': joined(asked['if-none-match']), 'if-modified-since': joined(asked['if-modified-since']), 'if-unmodified-since': joined(asked['if-unmodified-since']), 'if-range': asked['if-range'] }
}

/** Without the fields that describe a body, but for the validators. */
function withoutBody (headers: Fields): Fields {
  const left: Fields = { ...headers }
  for (const name of representationHeaders) if (name !== 'etag' && name !== 'last-modified') delete left[name]
  return left
}
