import type { ByteRange } from '../../http/range.ts'
import { RepresentationChanged } from '../../representation.ts'
import type { Fields, UpstreamResponse } from '../../upstream/message.ts'
import { bodyOf, isCoded, type OriginFacts } from './description.ts'
import { discard } from './discard.ts'
import { statusFailure, wrongContent } from './failures.ts'
import { single } from './fields.ts'
import { OriginBody } from './origin-body.ts'
import { ifSame, mayBeSame } from './validators.ts'

/** One place at an origin. */
export interface Place {
  /** The upstream's name, for messages. */
  readonly name: string
  /** Asks for what is there, and follows nothing. */
  ask (headers: Fields): Promise<UpstreamResponse>
}

/** What is to be fetched anew, and what it has to be. */
export interface Described {
  readonly place: Place
  readonly facts: OriginFacts
  readonly maxBytes: number
}

/**
 * Fetches a file that was described, or a part of it. Where the origin knows no ranges, the part
 * is taken out of the whole.
 *
 * @throws {RepresentationChanged} where it is no longer what was described
 * @throws {MediaError} `upstream-…`, `unavailable`
 */
export async function fetchPart ({ place, facts, maxBytes }: Described, range?: ByteRange): Promise<OriginBody> {
  // The bytes of a coded file are counted without its coding: its origin knows nothing of those.
  const part: Fields = range === undefined || facts.isCoded ? {} : { range: `bytes=${range.start}-${range.end}` }
  const response = await place.ask({ ...ifSame(facts.validators), ...part })
  const { status, headers, body } = response
  const { name } = place
  try {
    if (status >= 300 && status < 500 && status !== 429) throw new RepresentationChanged(`A file of the upstream ${name}`)
    if (status !== 200 && status !== 203 && status !== 206) throw statusFailure(name, response)
    if (!mayBeSame(facts.validators, headers)) throw new RepresentationChanged(`A file of the upstream ${name}`)
    if (status === 206) return partialBody(response, { name, range: part.range === undefined ? undefined : range, size: facts.size })
  } catch (error) {
    discard(body)
    throw error
  }
  const { size } = facts
  const whole = bodyOf(response, { name, maxBytes, size, window: range })
  if (isCoded(headers) === facts.isCoded && (size === undefined || whole.length === size)) return whole
  whole.destroy()
  throw new RepresentationChanged(`A file of the upstream ${name}`)
}

/** @throws {MediaError} `upstream-content` for another part than that which was asked for */
function partialBody ({ headers, body }: UpstreamResponse, { name, range, size }: { name: string, range: ByteRange | undefined, size: number | undefined }): OriginBody {
  const [, start, end, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(single(headers, 'content-range') ?? '') ?? []
  if (total !== undefined && total !== '*' && size !== undefined && Number(total) !== size) throw new RepresentationChanged(`A file of the upstream ${name}`)
  const last = range === undefined ? -1 : Math.min(range.end, total === '*' ? Infinity : Number(total) - 1)
  if (Number(start) !== range?.start || Number(end) !== last || isCoded(headers)) throw wrongContent(name, 'came in another part than was asked for')
  const length = last - range.start + 1
  return new OriginBody(body, { name, maxBytes: length, length })
}
