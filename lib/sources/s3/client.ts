import type { S3Config } from '../../config/writing-schema.ts'
import type { ByteRange } from '../../http/range.ts'
import type { Body } from '../../representation.ts'
import type { UpstreamResponse } from '../../upstream/message.ts'
import type { UpstreamLog } from '../../upstream/registry.ts'
import { discard } from '../http/discard.ts'
import { single } from '../http/fields.ts'
import { entityTagOf, listingOf, objectOf, type ListedPage, type S3Object } from './answers.ts'
import { S3Failure, wrongAnswer } from './failures.ts'
import { nothing, payloadOf, type Payload } from './payload.ts'
import { S3Transport } from './transport.ts'
import { Uploads } from './uploads.ts'
import { conditionFields, copySource, expectRoot, storedFields, type ObjectOptions, type WriteOptions } from './write-fields.ts'

export type { ListedObject, ListedPage, S3Object } from './answers.ts'
export { S3Failure } from './failures.ts'
export type { ObjectOptions, WriteOptions } from './write-fields.ts'

/** An object and its bytes, or those of a part of it. */
export interface OpenObject {
  readonly object: S3Object
  /** As they come: whoever reads it has to count them, and to end it. */
  readonly body: Body
}

/** What is listed. */
export interface ListOptions extends ObjectOptions {
  /** What names begin with. */
  readonly prefix?: string
  /** Names that go on with it after the prefix are told once for all. */
  readonly delimiter?: string
  /** The most that one page tells; stores tell no more than 1000. Default 1000. */
  readonly limit?: number
  /** Where to begin: `next` of the page before. */
  readonly from?: string | undefined
}

/** Who a presigned URL is for. */
export interface PresignOptions {
  /** Default `GET`. */
  readonly method?: 'GET' | 'HEAD' | undefined
  /** How long it may be used, in seconds: up to a week. */
  readonly expiresSeconds: number
  /** What the answer says of itself: `Content-Type`. */
  readonly type?: string | undefined
  /** `Content-Disposition` of the answer. */
  readonly disposition?: string | undefined
}

/**
 * The objects of one bucket, by their names. Every method throws {@link S3Failure} where the store refuses or is
 * away: a {@link MediaError} of code `unavailable` (503) for a store that is away, overloaded or silent, `forbidden`,
 * `precondition-failed`, `conflict`, `insufficient-storage`, `upstream-redirects`, `upstream-status`; then `MediaError`
 * `upstream-malformed` for answers that are none, `bad-path` for what no object can be named, and the signal's reason.
 *
 * Requests that fail in passing are sent again, up to three times in all. So of a write on condition nobody knows
 * which attempt it was that the store refused.
 */
export class S3Client {
  readonly #transport: S3Transport
  /** Files that are sent in parts. */
  readonly uploads: Uploads

  private constructor (transport: S3Transport) {
    this.#transport = transport
    this.uploads = new Uploads(transport)
  }

  /**
   * Connects to nothing yet.
   *
   * @param options `name`: what clients and the log know the store by
   * @throws where a file with a secret or an authority cannot be read
   */
  static async open (config: S3Config, { name = 's3', log }: { readonly name?: string | undefined, readonly log?: UpstreamLog | undefined } = {}): Promise<S3Client> {
    return new S3Client(await S3Transport.open(config, { name, log }))
  }

  get name (): string {
    return this.#transport.name
  }

  /** What is told of an object; undefined where there is none, or no bucket: an answer without a body does not tell which. */
  async head (object: string, { signal }: ObjectOptions = {}): Promise<S3Object | undefined> {
    const response = await missing(this.#transport.send({ method: 'HEAD', object, signal }), ['', 'NoSuchKey'])
    if (response === undefined) return undefined
    discard(response.body)
    return objectOf(this.name, response.headers)
  }

  /**
   * Opens an object; undefined where there is none.
   *
   * @param options `range`: both ends included; `ifMatch`: refused as `precondition-failed` where it has another tag
   */
  async get (object: string, { range, ifMatch, signal }: ObjectOptions & { readonly range?: ByteRange | undefined, readonly ifMatch?: string | undefined } = {}): Promise<OpenObject | undefined> {
    const headers = { ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end}` }), ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) }
    const response = await missing(this.#transport.send({ method: 'GET', object, headers, signal }), ['NoSuchKey'])
    if (response === undefined) return undefined
    try {
      return { object: objectOf(this.name, response.headers, sizeOf(this.name, response, range)), body: response.body }
    } catch (error) {
      discard(response.body)
      throw error
    }
  }

  /** Writes an object whole: it is there when this settles, and never in part. @returns its tag */
  async put (object: string, content: Buffer | Payload, options: WriteOptions = {}): Promise<string> {
    const payload = Buffer.isBuffer(content) ? payloadOf(content) : content
    const { headers, body } = await this.#transport.send({ method: 'PUT', object, payload, ...storedFields(options), signal: options.signal })
    discard(body)
    const entityTag = entityTagOf(single(headers, 'etag'))
    if (entityTag === undefined) throw wrongAnswer(this.name, 'an object without a tag was written')
    return entityTag
  }

  /** Removes an object, if it is there. Not every store looks at `ifMatch`. */
  async delete (object: string, { signal, ...conditions }: WriteOptions = {}): Promise<void> {
    const response = await missing(this.#transport.send({ method: 'DELETE', object, headers: conditionFields(conditions), signal }), ['NoSuchKey'])
    if (response !== undefined) discard(response.body)
  }

  /**
   * Copies an object within the store: its bytes, and nothing that is stored with them but what `options` says.
   * Not every store looks at conditions. Up to 5 GiB.
   *
   * @param options `fromTag`: the tag that the original has to have
   */
  async copy (from: string, to: string, { fromTag, ...options }: WriteOptions & { readonly fromTag?: string | undefined } = {}): Promise<void> {
    const { headers, signed } = storedFields(options)
    const { body } = await this.#transport.send({ method: 'PUT', object: to, payload: nothing, headers, signed: { ...signed, ...copySource(this.#transport, from, fromTag) }, signal: options.signal })
    await expectRoot(this.name, body, 'CopyObjectResult')
  }

  /** One page of names in order, and where the next begins. */
  async list ({ prefix = '', delimiter, limit = 1000, from, signal }: ListOptions = {}): Promise<ListedPage> {
    const { body } = await this.#transport.send({
      method: 'GET',
      query: { 'list-type': '2', 'encoding-type': 'url', 'max-keys': String(limit), prefix, ...(delimiter === undefined ? {} : { delimiter }), ...(from === undefined ? {} : { 'continuation-token': from }) },
      signal
    })
    return await listingOf(this.name, body)
  }

  /** A URL by which whoever has it may ask for an object, for some time. Without credentials it is its plain URL. */
  async presign (object: string, { method = 'GET', expiresSeconds, type, disposition }: PresignOptions): Promise<string> {
    const query = { ...(type === undefined ? {} : { 'response-content-type': type }), ...(disposition === undefined ? {} : { 'response-content-disposition': disposition }) }
    return await this.#transport.presign({ method, object, query }, expiresSeconds)
  }

  /** Ends every connection. */
  async close (): Promise<void> {
    await this.#transport.close()
  }
}

/** What was sent, or undefined where the store has no such object. */
async function missing (answer: Promise<UpstreamResponse>, reasons: readonly string[]): Promise<UpstreamResponse | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof S3Failure && error.status === 404 && reasons.includes(error.reason)) return undefined
    throw error
  }
}

/** The size of the object, out of the part of it that was asked for. @throws {MediaError} `upstream-malformed` for another part */
function sizeOf (name: string, { status, headers }: UpstreamResponse, range: ByteRange | undefined): number | undefined {
  if (range === undefined && status === 200) return undefined
  const [, start, end, size] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(single(headers, 'content-range') ?? '') ?? []
  const last = Math.min(range?.end ?? -1, Number(size) - 1)
  const isWhole = Number(single(headers, 'content-length')) === last - Number(start) + 1
  if (status !== 206 || Number(start) !== range?.start || Number(end) !== last || !isWhole) throw wrongAnswer(name, 'another part than was asked for')
  return Number(size)
}
