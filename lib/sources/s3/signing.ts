import { AwsV4Signer } from 'aws4fetch'
import type { S3Config } from '../../config/writing-schema.ts'
import { textOf } from '../../access/key-file.ts'
import type { Fields } from '../../upstream/message.ts'

/** Who signs, and by what. */
interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** What is signed. */
export interface Signable {
  readonly method: string
  /** As it is sent. */
  readonly url: string
  /** Fields that are part of what is signed. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Signs requests to S3 (AWS Signature Version 4). Only `Host` and fields that begin with `x-amz-` are
 * signed: the others may be changed by who fetches the rest of a download that broke off. A signature holds
 * for a quarter of an hour: what breaks off later than that after it was begun is not gone on with.
 */
export class Signer {
  readonly #region: string
  readonly #credentials: Credentials | undefined
  /** Keys of days; they are derived from the secret. */
  readonly #cache = new Map<string, ArrayBuffer>()

  constructor (region: string, credentials: Credentials | undefined) {
    this.#region = region
    this.#credentials = credentials
  }

  /** Reads the secret where it lies in a file. @throws where that cannot be read */
  static async open ({ region, accessKeyId, secretAccessKey, secretAccessKeyFile, sessionToken }: Pick<S3Config, 'region' | 'accessKeyId' | 'secretAccessKey' | 'secretAccessKeyFile' | 'sessionToken'>): Promise<Signer> {
    if (accessKeyId === undefined) return new Signer(region, undefined)
    const secret = secretAccessKeyFile === undefined ? secretAccessKey : await textOf(secretAccessKeyFile)
    if (secret === undefined || secret === '') throw new TypeError('Expected secretAccessKey or secretAccessKeyFile beside accessKeyId')
    return new Signer(region, { accessKeyId, secretAccessKey: secret, ...(sessionToken === undefined ? {} : { sessionToken }) })
  }

  /** Whether there is something to sign by. */
  get signs (): boolean {
    return this.#credentials !== undefined
  }

  /** All fields of a signed request but `Host`: those that were given, and those of the signature. */
  async fields (request: Signable): Promise<Fields> {
    if (this.#credentials === undefined) return { ...request.headers }
    const { headers } = await this.#signer(request, false).sign()
    return Object.fromEntries(headers.entries())
  }

  /** A URL that whoever has it may use for some time. @param seconds how long */
  async url (request: Signable, seconds: number): Promise<string> {
    if (this.#credentials === undefined) return request.url
    const url = new URL(request.url)
    url.searchParams.set('X-Amz-Expires', String(seconds))
    const signed = await this.#signer({ ...request, url: url.href }, true).sign()
    return signed.url.href.replaceAll('+', '%20') // a plus sign itself is `%2B`: not every store reads forms
  }

  #signer ({ method, url, headers = {} }: Signable, signQuery: boolean): AwsV4Signer {
    if (this.#cache.size > 1) this.#cache.clear() // of a day that is over
    return new AwsV4Signer({ method, url, headers, ...(this.#credentials as Credentials), service: 's3', region: this.#region, cache: this.#cache, signQuery })
  }
}
