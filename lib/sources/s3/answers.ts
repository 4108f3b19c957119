import { isWeak, type EntityTag } from '../../http/entity-tag.ts'
import { parseHttpDate } from '../../http/http-date.ts'
import type { Body, ContentCoding } from '../../representation.ts'
import type { Fields } from '../../upstream/message.ts'
import { single, wholeNumber } from '../http/fields.ts'
import { wrongAnswer } from './failures.ts'
import { readXml, XmlError, type XmlVisitor } from './xml.ts'

/** What a store tells of an object. */
export interface S3Object {
  /** Bytes. */
  readonly size: number
  /** Strong and quoted. */
  readonly entityTag: EntityTag
  /** Milliseconds since the epoch, in whole seconds. */
  readonly lastModified: number
  /** Media type as it was stored. */
  readonly type: string | undefined
  /** The coding that it was stored in. */
  readonly encoding: ContentCoding | undefined
  /** In buckets that keep versions. */
  readonly version: string | undefined
  /** Metadata by name, without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>
  /** Further fields that are stored with it: {@link storedFieldNames}. */
  readonly fields: Readonly<Record<string, string>>
}

/** Fields of HTTP that a store keeps with an object, and sends with it. */
const storedFieldNames = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'] as const

/** One object of a listing. */
export interface ListedObject {
  readonly name: string
  readonly size: number
  readonly lastModified: number
  readonly entityTag: string
}

/** A part of a listing, each list in order of name. */
export interface ListedPage {
  readonly objects: readonly ListedObject[]
  /** Beginnings of names up to the delimiter, which they end with. */
  readonly prefixes: readonly string[]
  /** Where the next page begins; undefined after the last. */
  readonly next: string | undefined
}

/** A multipart upload that was begun and not ended. */
export interface PendingUpload {
  readonly object: string
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly begun: number
}

/** The most of a listing's XML, in bytes: a thousand of the longest names, percent-encoded, take half of it. */
const MAX_XML_BYTES = 8 * 1024 * 1024

const quoted = /^"[\x21\x23-\x7e\x80-\xff]*"$/

/** A tag as stores tell it: in XML often without its quotes. Undefined for one that is no strong tag. */
export function entityTagOf (text: string | undefined): EntityTag | undefined {
  if (text === undefined || text === '') return undefined
  const tag = text.startsWith('"') || isWeak(text) ? text : `"${text}"`
  return quoted.test(tag) ? tag : undefined
}

/** @param size where it is known otherwise: an answer that brings a part tells the part's @throws {MediaError} `upstream-malformed` */
export function objectOf (name: string, headers: Fields, size = wholeNumber(single(headers, 'content-length'))): S3Object {
  const entityTag = entityTagOf(single(headers, 'etag'))
  const lastModified = parseHttpDate(single(headers, 'last-modified') ?? '')
  if (entityTag === undefined || lastModified === undefined || size === undefined) throw wrongAnswer(name, 'an object without size, tag or date')
  const metadata = Object.entries(headers).filter(([field]) => field.startsWith('x-amz-meta-')).map(([field, value]) => [field.slice('x-amz-meta-'.length), String(value)])
  const fields = storedFieldNames.map(field => [field, single(headers, field)]).filter(([, value]) => value !== undefined)
  return {
    size,
    entityTag,
    lastModified,
    type: single(headers, 'content-type'),
    encoding: codingIn(headers),
    version: single(headers, 'x-amz-version-id'),
    metadata: Object.fromEntries(metadata),
    fields: Object.fromEntries(fields)
  }
}

const codings: readonly string[] = ['br', 'zstd', 'gzip'] satisfies ContentCoding[]

/** Some stores keep how a body came (`aws-chunked`) as if it were part of it. */
function codingIn (headers: Fields): ContentCoding | undefined {
  return single(headers, 'content-encoding')?.toLowerCase().split(',').map(coding => coding.trim()).find((coding): coding is ContentCoding => codings.includes(coding))
}

/** Reads an answer of XML whose root has to be this. @throws {MediaError} `upstream-malformed` @returns the name of the root */
export async function readAnswer (name: string, body: Body, visit: XmlVisitor): Promise<string> {
  try {
    return await readXml(body, MAX_XML_BYTES, visit)
  } catch (error) {
    throw error instanceof XmlError ? wrongAnswer(name, error.message, error) : error
  }
}

/** @throws {MediaError} `upstream-malformed` */
export async function listingOf (name: string, body: Body): Promise<ListedPage> {
  const rows: Array<Record<string, string>> = []
  const prefixes: string[] = []
  const told: Record<string, string> = {}
  let row: Record<string, string> = {}
  const root = await readAnswer(name, body, (path, text) => {
    if (path === 'Contents') row = (rows.push(row), {})
    else if (path.startsWith('Contents/')) row[path.slice('Contents/'.length)] = text
    else if (path === 'CommonPrefixes/Prefix') prefixes.push(text)
    else if (!path.includes('/')) told[path] = text
  })
  if (root !== 'ListBucketResult') throw wrongAnswer(name, 'no listing')
  const plain = decoder(told.EncodingType)
  const next = told.IsTruncated === 'true' ? told.NextContinuationToken : undefined
  if (told.IsTruncated === 'true' && (next === undefined || next === '')) throw wrongAnswer(name, 'a listing that does not tell where it goes on')
  const objects = rows.map(({ Key = '', Size = '', LastModified = '', ETag = '' }) => ({ name: plain(Key), size: wholeNumber(Size) ?? 0, lastModified: Date.parse(LastModified), entityTag: entityTagOf(ETag) ?? '' }))
  return { objects, prefixes: prefixes.map(plain), next }
}

/** Names can hold what XML cannot: then they come as in a form's query. What cannot be decoded is no name that was asked for. */
function decoder (encoding: string | undefined): (text: string) => string {
  if (encoding?.toLowerCase() !== 'url') return text => text
  return text => {
    try {
      return decodeURIComponent(text.replaceAll('+', ' '))
    } catch {
      return '\uFFFD'
    }
  }
}

/** @throws {MediaError} `upstream-malformed` */
export async function uploadsOf (name: string, body: Body): Promise<{ uploads: readonly PendingUpload[], next: { readonly object: string, readonly id: string } | undefined }> {
  const rows: Array<Record<string, string>> = []
  const told: Record<string, string> = {}
  let row: Record<string, string> = {}
  const root = await readAnswer(name, body, (path, text) => {
    if (path === 'Upload') row = (rows.push(row), {})
    else if (path.startsWith('Upload/')) row[path.slice('Upload/'.length)] = text
    else if (!path.includes('/')) told[path] = text
  })
  if (root !== 'ListMultipartUploadsResult') throw wrongAnswer(name, 'no list of uploads')
  const plain = decoder(told.EncodingType)
  const uploads = rows.map(({ Key = '', UploadId = '', Initiated = '' }) => ({ object: plain(Key), id: UploadId, begun: Date.parse(Initiated) }))
  const next = told.IsTruncated === 'true' ? { object: plain(told.NextKeyMarker ?? ''), id: told.NextUploadIdMarker ?? '' } : undefined
  return { uploads, next }
}
