import type { S3Config } from '../config/writing-schema.ts'
import { MediaError } from '../errors.ts'
import { typeOf } from '../http/media-type.ts'
import type { Key } from '../paths/request-path.ts'
import type { UpstreamLog } from '../upstream/registry.ts'
import { encodeText } from './s3/address.ts'
import { S3Client } from './s3/client.ts'
import { fileOf } from './s3/description.ts'
import { membersOf } from './s3/listing.ts'
import { ObjectNames } from './s3/names.ts'
import { S3Writing } from './s3/writing.ts'
import type { Found, Source } from './source.ts'
import type { Writable } from './writing.ts'

/** What a source is known by, and who hears of its store's connections. */
export interface S3SourceOptions {
  /** Its name in the configuration: clients may read it. Default `s3`. */
  readonly name?: string | undefined
  readonly log?: UpstreamLog | undefined
}

/** Who a presigned URL is for. */
export interface PresignedOptions {
  /** Default `GET`. */
  readonly method?: 'GET' | 'HEAD' | undefined
  /** How long it may be used, in seconds. Default as configured. */
  readonly expiresSeconds?: number | undefined
  /** Makes it a download of this name. */
  readonly downloadName?: string | undefined
}

/** A bucket as a source. */
export interface S3Source extends Source {
  readonly writing: Writable
  /** The objects of the bucket, past the source's prefix: for what else is kept there. Closed with the source. */
  readonly client: S3Client
  /**
   * A URL by which whoever has it may fetch a file from the store itself, whether or not it is there. The
   * store answers with the type that the file has here. Without credentials it is the plain URL.
   *
   * @throws {MediaError} `not-found` for a key that names nothing
   */
  presigned (key: Key, options?: PresignedOptions): Promise<string>
}

const directory: Found = Object.freeze({ kind: 'directory' })

/**
 * The objects of a bucket below a prefix as a source. A key is the name of an object; what names go on from
 * with a slash is a directory. Nothing is remembered, and each look is a request of its own: what another
 * process wrote before it began is seen.
 *
 * @throws where a file with the secret or an authority cannot be read
 * @example
 * const photos = await s3Source({ ...config, bucket: 'photos' }, { name: 'photos' })
 * const found = await photos.stat(key)
 */
export async function s3Source (config: S3Config, options: S3SourceOptions = {}): Promise<S3Source> {
  const client = await S3Client.open(config, options)
  const names = new ObjectNames(config.prefix)
  const writing = new S3Writing({ client, names, partBytes: config.partBytes })

  async function look (key: Key): Promise<Found | undefined> {
    const name = names.object(key)
    if (name === undefined) return undefined
    const object = await client.head(name)
    if (object !== undefined) return fileOf({ client, key, name }, object)
    const prefix = names.below(key)
    if (prefix === undefined) return undefined
    const { objects } = await client.list({ prefix, limit: 1 })
    return objects.length === 0 ? undefined : directory
  }

  return {
    client,
    writing,
    stat: key => key === '' ? directory : look(key),
    list: async (key, limit) => await membersOf({ client, names }, key, limit),

    async presigned (key, { method, expiresSeconds = config.presignSeconds, downloadName } = {}) {
      const name = names.object(key)
      if (name === undefined) throw new MediaError('not-found')
      return await client.presign(name, { method, expiresSeconds, type: typeOf(key), disposition: downloadName === undefined ? undefined : attachment(downloadName) })
    },

    close: async () => await client.close()
  }
}

/** RFC 6266 §4.3: with the form of the name that every browser of today reads. */
function attachment (name: string): string {
  return `attachment; filename*=UTF-8''${encodeText(name.replace(/\p{Surrogate}/gu, '\uFFFD'))}`
}
