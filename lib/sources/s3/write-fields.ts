import type { Body } from '../../representation.ts'
import type { Fields } from '../../upstream/message.ts'
import { encodeName } from './address.ts'
import { readAnswer } from './answers.ts'
import { failureOf, wrongAnswer } from './failures.ts'

/** What every request may be given. */
export interface ObjectOptions {
  /** Who asked has left. */
  readonly signal?: AbortSignal | undefined
}

/** How an object is written. */
export interface WriteOptions extends ObjectOptions {
  /** `Content-Type`. */
  readonly type?: string | undefined
  /** Fields that are kept with it and sent with it, such as `cache-control`. */
  readonly fields?: Readonly<Record<string, string>> | undefined
  /** Names of lower-case letters, digits and dashes; values of visible ASCII. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** The tag that the object has to have now, as the store compares it. */
  readonly ifMatch?: string | undefined
  /** Whether there may be none yet. */
  readonly ifNoneMatch?: '*' | undefined
}

/** The fields by which an object is written. */
export function storedFields ({ type, fields, metadata = {}, ...conditions }: WriteOptions): { headers: Fields, signed: Record<string, string> } {
  return {
    headers: { ...fields, ...(type === undefined ? {} : { 'content-type': type }), ...conditionFields(conditions) },
    signed: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]))
  }
}

export function conditionFields ({ ifMatch, ifNoneMatch }: Pick<WriteOptions, 'ifMatch' | 'ifNoneMatch'>): Fields {
  return { ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }), ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }) }
}

/** The fields by which an object is copied. */
export function copySource ({ bucket }: { readonly bucket: string }, from: string, tag: string | undefined): Record<string, string> {
  return { 'x-amz-copy-source': `/${bucket}/${encodeName(from)}`, 'x-amz-metadata-directive': 'REPLACE', ...(tag === undefined ? {} : { 'x-amz-copy-source-if-match': tag }) }
}

/**
 * Reads an answer that was begun before it was known how it ends: S3 tells of errors under status 200 there.
 *
 * @returns the texts of its elements by name
 * @throws {S3Failure} what the store tells @throws {MediaError} `upstream-malformed`
 */
export async function expectRoot (name: string, body: Body, expected: string): Promise<Readonly<Record<string, string>>> {
  const texts: Record<string, string> = {}
  const root = await readAnswer(name, body, (path, text) => { texts[path] = text })
  if (root === 'Error') throw failureOf(name, { status: 500, headers: {} }, /^[A-Za-z0-9]{1,64}$/.exec(texts.Code ?? '')?.[0] ?? '')
  if (root !== expected) throw wrongAnswer(name, `no ${expected}`)
  return texts
}
