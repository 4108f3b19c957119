import { MediaError } from '../errors.ts'
import { downloadName } from '../paths/download-name.ts'
import { decodePath, pathBelow } from '../paths/request-path.ts'
import type { S3Source } from './s3.ts'

/** What is read of a request that is sent to a bucket. */
export interface PresignedRequest {
  readonly raw: { readonly url?: string | undefined, readonly method?: string | undefined }
  /** Its query, parsed. */
  readonly query: unknown
}

/**
 * Compiles how a request becomes a URL of the bucket itself: a function that gives it. The URL
 * is for one file and one method, and whoever has it may use it until it is over; nothing of the
 * request's query goes along but `download`.
 *
 * The function throws what the source does, `bad-path`, and `not-found` for what is no file.
 *
 * @param prefix the mount's, without a trailing slash; `''` at the root
 */
export function presignedTarget (prefix: string, source: Pick<S3Source, 'stat' | 'presigned'>): (request: PresignedRequest) => Promise<string> {
  return async function locationOf ({ raw: { url = '/', method }, query }) {
    const path = pathBelow(decodePath(url), prefix)
    const found = path === undefined || path.directory ? undefined : await source.stat(path.key)
    if (path === undefined || found?.kind !== 'file') throw new MediaError('not-found')
    return await source.presigned(path.key, { method: method === 'HEAD' ? 'HEAD' : 'GET', downloadName: downloadName(query, path.key) })
  }
}
