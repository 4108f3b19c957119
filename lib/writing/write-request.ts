import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { MediaError } from '../errors.ts'
import { contentDigest } from '../http/content-digest.ts'
import { hasBody } from '../http/has-body.ts'
import { evaluatePreconditions } from '../http/preconditions.ts'
import type { Condition } from '../sources/writing.ts'
import type { NewFile } from './mount-writer.ts'

/** What a request that writes says of its content. @throws {MediaError} `bad-request`, `unsupported-media-type` */
export function contentOf (request: IncomingMessage): Pick<NewFile, 'size' | 'declaredType' | 'digests'> {
  const { headers } = request
  // A part of a file would take the place of the whole (RFC 9110 §14.5).
  if (headers['content-range'] !== undefined) throw new MediaError('bad-request', { detail: 'A part of a file cannot be written: resumable uploads are for that' })
  const { 'content-encoding': coding = 'identity', 'content-length': length } = headers
  if (coding.trim().toLowerCase() !== 'identity') throw new MediaError('unsupported-media-type', { detail: 'Files are written as they are, without a content coding', headers: { 'accept-encoding': 'identity' } })
  return {
    size: length !== undefined ? Number(length) : hasBody(request) ? undefined : 0,
    declaredType: headers['content-type'],
    digests: contentDigest({ 'content-digest': headers['content-digest'], 'repr-digest': headers['repr-digest'] })
  }
}

/** On what a request writes: its preconditions (RFC 9110 §13), of which those that hold for nothing hold where nothing is. */
export function conditionOf (method: string, headers: IncomingHttpHeaders): Condition {
  return current => {
    if (current === undefined) {
      if (headers['if-match'] !== undefined) throw new MediaError('precondition-failed', { detail: 'There is no such file' })
      return
    }
    const { entityTag, lastModified } = current.representation
    if (evaluatePreconditions(method, headers, { entityTag, lastModified }) === 412) throw new MediaError('precondition-failed')
  }
}
