import { Readable } from 'node:stream'
import type { Fields, UpstreamResponse } from './message.ts'

/** The request that an answer is for, as far as its body depends on it. */
export interface AnsweredRequest {
  readonly method?: string | undefined
  readonly httpVersion: string
}

/** Whether an answer has no body, whatever its fields say (RFC 9110 §6.4.1). */
export function isBare (status: number, { method }: AnsweredRequest): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** Whether trailer fields can follow an answer: behind a stream without a length, to who knows chunks. */
export function mayTrail ({ status, headers, body }: Pick<UpstreamResponse, 'status' | 'headers'> & { readonly body?: UpstreamResponse['body'] | undefined }, request: AnsweredRequest): boolean {
  return body instanceof Readable && headers['content-length'] === undefined && !isBare(status, request) && request.httpVersion !== '1.0'
}

/** A body for Fastify, which would say of bytes without a type that they have one. Their length has to be told beside it. */
export function sendable (body: Buffer | Readable, headers: Fields): Buffer | Readable {
  return Buffer.isBuffer(body) && headers['content-type'] === undefined && body.length > 0 ? Readable.from([body], { objectMode: false }) : body
}
