import { buffer as whole } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { codingOf, typeOf } from '../../http/media-type.ts'
import type { ByteRange } from '../../http/range.ts'
import type { Key } from '../../paths/request-path.ts'
import { RepresentationChanged, type Body } from '../../representation.ts'
import type { FoundFile } from '../source.ts'
import { CLOCK_GRAIN_MS } from '../stored-file.ts'
import { S3Failure, type OpenObject, type S3Client, type S3Object } from './client.ts'

/** Up to so many bytes come whole, in bytes. */
const SMALL_BYTES = 64 * 1024

/** What is known of an object; its tag may not be, where it was written a moment ago and is another's already. */
export type KnownObject = Pick<S3Object, 'size' | 'lastModified'> & Partial<Pick<S3Object, 'entityTag' | 'encoding' | 'version'>>

/** Where an object is. */
export interface ObjectPlace {
  readonly client: S3Client
  readonly key: Key
  /** Its name in the bucket. */
  readonly name: string
}

/** A file as a store tells of it. What its type is, its name tells: whoever stored it may have said anything. */
export function fileOf (place: ObjectPlace, object: KnownObject): FoundFile {
  const { size, entityTag, lastModified, version = '' } = object
  const coding = codingOf(place.key) ?? object.encoding
  return {
    kind: 'file',
    representation: {
      type: typeOf(place.key),
      size,
      ...(entityTag === undefined ? {} : { entityTag }),
      lastModified,
      ...(coding === undefined ? {} : { encoding: coding }),
      cacheOutcome: 's3',
      open: async range => await opened(place, object, range)
    },
    revision: `${entityTag ?? ''} ${lastModified} ${size} ${version}`,
    // The tag is of the bytes: no grain of a clock lets two contents have one revision.
    changed: Math.min(lastModified, Date.now() - CLOCK_GRAIN_MS)
  }
}

/** @throws {RepresentationChanged} where it is no longer what was described, or gone */
async function opened ({ client, name, key }: ObjectPlace, { size, entityTag }: KnownObject, range: ByteRange | undefined): Promise<Body> {
  const found = await asDescribed(client.get(name, { range, ifMatch: entityTag }))
  if (found === undefined) throw new RepresentationChanged(key)
  const { object, body } = found
  if (object.size !== size || (entityTag !== undefined && object.entityTag !== entityTag)) {
    if (body instanceof Readable) body.destroy()
    throw new RepresentationChanged(key)
  }
  const length = range === undefined ? size : Math.min(range.end, size - 1) - range.start + 1
  // That it has this length was made sure of by its connection, or it fails.
  return body instanceof Readable && length <= SMALL_BYTES ? await whole(body) : body
}

async function asDescribed (opening: Promise<OpenObject | undefined>): Promise<OpenObject | undefined> {
  try {
    return await opening
  } catch (error) {
    if (error instanceof S3Failure && (error.status === 412 || error.status === 416)) return undefined
    throw error
  }
}
