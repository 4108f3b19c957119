import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { isWeak, type EntityTag } from '../../http/entity-tag.ts'
import type { ByteRange } from '../../http/range.ts'
import type { Fields, UpstreamResponse } from '../../upstream/message.ts'
import { CLOCK_GRAIN_MS } from '../stored-file.ts'
import { decoded, decoderOf } from './decoding.ts'
import { discard } from './discard.ts'
import { tooLarge } from './failures.ts'
import { single, wholeNumber } from './fields.ts'
import { OriginBody } from './origin-body.ts'
import { validatorsOf, type OriginValidators } from './validators.ts'

/** What is known of a file at an origin. */
export interface OriginFacts {
  readonly type: string
  /** Bytes, without a coding; undefined where nobody told. */
  readonly size: number | undefined
  /** The origin's own. */
  readonly validators: OriginValidators
  /** Whether the origin sends it in a coding, whatever is asked for: then nothing is known of its parts. */
  readonly isCoded: boolean
  /** SHA-256, where the validators do not tell and the file is small. */
  readonly hash: string | undefined
  readonly revision: string
  /** As `FoundFile.changed`. */
  readonly changed: number
}

/** How answers of one source are read. */
export interface Reading {
  /** The most bytes of a file, without its coding. */
  readonly maxBytes: number
  /** Up to this many bytes a file is read at once, and kept. */
  readonly smallBytes: number
  /** How long that may take, in milliseconds: what comes more slowly is passed on as it comes. */
  readonly wholeMs: number
  /** First bytes that {@link typeOf} has to see. */
  readonly headBytes: number
  /** The media type. @throws {MediaError} `upstream-content` where it is not one of those that are passed on */
  readonly typeOf: (answer: { headers: Fields, beginning: Buffer, key: string, name: string }) => string
}

/** How long first bytes may take that are looked at, in milliseconds: an origin that drips pushes against it. */
export const HEAD_MS = 10_000

/** What an answer brings, and the body itself: nothing of it is read but what a description needs. @throws {MediaError} `upstream-…` */
export async function describe (response: UpstreamResponse, { key, name, reading }: { key: string, name: string, reading: Reading }): Promise<{ facts: OriginFacts, body: OriginBody }> {
  const { headers } = response
  const { smallBytes, wholeMs, headBytes, typeOf } = reading
  const body = bodyOf(response, { name, maxBytes: reading.maxBytes })
  try {
    const beginning = await body.gather(headBytes, HEAD_MS)
    const type = typeOf({ headers, beginning, key, name })
    // One more than it may have: so the end is waited for.
    if ((body.length ?? 0) <= smallBytes) await body.gather(smallBytes + 1, wholeMs)
    return { facts: factsOf(headers, type, { body, smallBytes }), body }
  } catch (error) {
    body.destroy()
    throw error
  }
}

/** What is known of a body before it comes. */
export interface Expected {
  readonly name: string
  readonly maxBytes: number
  /** Its size without a coding, where it was described. */
  readonly size?: number | undefined
  readonly window?: ByteRange | undefined
}

/** The body of an answer, within its bounds, without its coding. @throws {MediaError} `upstream-too-large`, `upstream-content` */
export function bodyOf ({ headers, body }: UpstreamResponse, { name, maxBytes, size, window }: Expected): OriginBody {
  try {
    const decoder = decoderOf(headers, name)
    const length = wholeNumber(single(headers, 'content-length'))
    if ((length ?? 0) > maxBytes) throw tooLarge(name, maxBytes)
    if (decoder === undefined) return new OriginBody(body, { name, maxBytes, length: length ?? size, window })
    const coded = Buffer.isBuffer(body) ? Readable.from([body], { objectMode: false }) : body
    return new OriginBody(decoded(coded, decoder, { name, maxBytes }), { name, maxBytes, length: size, window })
  } catch (error) {
    discard(body)
    throw error
  }
}

/** Whether an answer is in a coding. */
export function isCoded (headers: Fields): boolean {
  const coding = single(headers, 'content-encoding')?.toLowerCase() ?? ''
  return headers['content-encoding'] !== undefined && coding !== 'identity'
}

function factsOf (headers: Fields, type: string, { body, smallBytes }: { body: OriginBody, smallBytes: number }): OriginFacts {
  const validators = validatorsOf(headers)
  const { whole } = body
  const size = whole?.length ?? body.length
  const isTold = validators.isSure && validators.entityTag !== undefined
  const hash = isTold || whole === undefined || whole.length > smallBytes ? undefined : hashOf(whole)
  const { lastModified = 0 } = validators
  return {
    type,
    size,
    validators,
    isCoded: isCoded(headers),
    hash,
    revision: revisionOf(validators, { hash, size }),
    // The clock's doubt is settled in the revision already: it never names two contents.
    changed: Math.min(lastModified, Date.now() - CLOCK_GRAIN_MS)
  }
}

function revisionOf ({ entityTag, lastModified, isSure }: OriginValidators, { hash, size }: { hash: string | undefined, size: number | undefined }): string {
  if (entityTag !== undefined && !isWeak(entityTag)) return entityTag
  if (hash !== undefined) return `sha256:${hash}`
  return isSure ? `${entityTag ?? ''} ${lastModified ?? ''} ${size ?? ''}` : randomUUID()
}

export function hashOf (bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url')
}

/**
 * The tag for clients. Without its coding a file is another representation, whose bytes depend on
 * nothing but those of the coded one: it has the same tag, weakly (RFC 9110 §8.8.1).
 */
export function entityTagOf ({ validators: { entityTag, lastModified }, isCoded: wasCoded, hash }: OriginFacts): EntityTag | undefined {
  if (entityTag === undefined) return hash === undefined || lastModified !== undefined ? undefined : `"${hash}"`
  return wasCoded && !isWeak(entityTag) ? `W/${entityTag}` : entityTag
}
