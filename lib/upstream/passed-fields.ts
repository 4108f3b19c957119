import type { IncomingHttpHeaders } from 'node:http'
import { endToEnd } from '../http/end-to-end-headers.ts'
import { addVia } from '../http/forwarding.ts'
import { addVary } from '../http/vary.ts'
import type { Fields } from './message.ts'

/** Fields that a trailer section may not hold (RFC 9110 §6.5.1): framing, routing, who one is, and how a body is read. */
const untrailed = /^(?:content-(?:length|encoding|type|range)|transfer-encoding|connection|keep-alive|upgrade|te|trailer|host|authorization|cookie|set-cookie|www-authenticate|proxy-.*|cache-control|expires|vary|age|location|range|if-.*|expect|max-forwards|pragma|x-forwarded-.*|forwarded|via|__proto__)$/

/** Trailer fields that may be passed on; undefined where there are none. */
export function passableTrailers (trailers: Readonly<Record<string, string | string[] | undefined>> | undefined): Fields | undefined {
  const kept = Object.entries(trailers ?? {}).filter(([name, value]) => value !== undefined && !untrailed.test(name))
  return kept.length === 0 ? undefined : Object.fromEntries(kept) as Fields
}

/** Whether a request announces trailer fields: those that come unannounced are dropped (RFC 9110 §6.5.1 allows it). */
export function announcesTrailers (headers: IncomingHttpHeaders): boolean {
  return headers.trailer !== undefined && headers['transfer-encoding'] !== undefined
}

/**
 * The fields of a request that an upstream gets: without those of the connection, of HTTP/2's
 * request line, and `Expect`, which is met here: Node.js has said 100 already.
 */
export function requestFields (headers: IncomingHttpHeaders, isBodied: boolean): Fields {
  const fields = endToEnd(headers)
  for (const name in fields) if (name.startsWith(':')) delete fields[name]
  for (const name of ['host', 'expect', 'trailer']) delete fields[name]
  if (!isBodied && fields['content-length'] !== '0') delete fields['content-length']
  return fields
}

/** What the client wrote as the host: of a target in absolute form that one counts (RFC 9112 §3.2.2). */
export function askedHost (target: string, headers: IncomingHttpHeaders): string | undefined {
  return /^https?:\/\/([^/?#]+)/i.exec(target)?.[1] ?? headers[':authority']?.toString() ?? headers.host
}

/** How an answer is to be seen by its client. */
export interface AnswerView {
  /** What hooks of this server have put on the answer already. */
  readonly present: Readonly<Record<string, number | string | string[] | undefined>>
  /** Whether this server decides who may read: then what the origin says of it is dropped. */
  readonly ownsCors: boolean
  /** Whether trailer fields can follow. */
  readonly mayTrail: boolean
}

/** The fields of an origin's answer as the client gets them. */
export function answerFields (fields: Fields, { present, ownsCors, mayTrail }: AnswerView): Fields {
  const answer: Fields = { ...fields }
  if (ownsCors) for (const name in answer) if (name.startsWith('access-control-') || name === 'timing-allow-origin') delete answer[name]
  const { vary } = present
  if (typeof vary === 'string' && answer.vary !== undefined) {
    answer.vary = String(answer.vary).split(',').reduce((all, name) => addVary(all, name.trim()), vary)
  }
  if (present.ratelimit !== undefined) for (const name in answer) if (name.startsWith('ratelimit')) delete answer[name] // ours: its client knows one server
  if (!mayTrail) delete answer.trailer
  addVia(answer)
  return answer
}
