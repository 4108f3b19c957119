import { single } from '../http/fields.ts'
import { discard } from '../http/discard.ts'
import { entityTagOf, uploadsOf, type PendingUpload } from './answers.ts'
import { wrongAnswer, S3Failure } from './failures.ts'
import { nothing, payloadOf, type Payload } from './payload.ts'
import type { S3Transport } from './transport.ts'
import { conditionFields, expectRoot, storedFields, type ObjectOptions, type WriteOptions } from './write-fields.ts'

export type { PendingUpload } from './answers.ts'

/** An upload that was begun. */
export interface Upload {
  readonly object: string
  readonly id: string
}

/** Objects that are sent in parts. They are there once the last step is done, and not before. Failures as of `S3Client`. */
export class Uploads {
  readonly #transport: S3Transport

  constructor (transport: S3Transport) {
    this.#transport = transport
  }

  /** Begins one. If the answer is lost another is begun: what is not ended has to be swept. */
  async begin (object: string, options: WriteOptions = {}): Promise<Upload> {
    const { body } = await this.#transport.send({ method: 'POST', object, query: { uploads: '' }, payload: nothing, ...storedFields(options), signal: options.signal })
    const { UploadId: id = '' } = await expectRoot(this.#transport.name, body, 'InitiateMultipartUploadResult')
    if (id === '') throw wrongAnswer(this.#transport.name, 'an upload without an id')
    return { object, id }
  }

  /** Sends a part. @param number from 1; all but the last have at least 5 MiB @returns its tag */
  async send ({ object, id }: Upload, { number, payload, signal }: ObjectOptions & { readonly number: number, readonly payload: Payload }): Promise<string> {
    const { headers, body } = await this.#transport.send({ method: 'PUT', object, query: { partNumber: String(number), uploadId: id }, payload, signal })
    discard(body)
    const tag = entityTagOf(single(headers, 'etag'))
    if (tag === undefined) throw wrongAnswer(this.#transport.name, 'a part without a tag was written')
    return tag
  }

  /** Makes its parts an object. Not every store looks at conditions. @param tags of the parts, in order */
  async complete ({ object, id }: Upload, tags: readonly string[], { signal, ...conditions }: WriteOptions = {}): Promise<void> {
    const parts = tags.map((tag, place) => `<Part><PartNumber>${place + 1}</PartNumber><ETag>${tag.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</ETag></Part>`)
    const payload = payloadOf(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`)
    const { body } = await this.#transport.send({ method: 'POST', object, query: { uploadId: id }, payload, headers: { 'content-type': 'application/xml', ...conditionFields(conditions) }, signal })
    await expectRoot(this.#transport.name, body, 'CompleteMultipartUploadResult')
  }

  /** Forgets one and its parts. One that is over is forgotten already. */
  async abort ({ object, id }: Upload, { signal }: ObjectOptions = {}): Promise<void> {
    try {
      discard((await this.#transport.send({ method: 'DELETE', object, query: { uploadId: id }, signal })).body)
    } catch (error) {
      if (!(error instanceof S3Failure && error.reason === 'NoSuchUpload')) throw error
    }
  }

  /** Those that are not over, of objects whose names begin so. */
  async * pending (prefix: string): AsyncGenerator<PendingUpload> {
    let marker: { readonly object: string, readonly id: string } | undefined
    do {
      const query = { uploads: '', 'encoding-type': 'url', prefix, ...(marker === undefined ? {} : { 'key-marker': marker.object, 'upload-id-marker': marker.id }) }
      const { body } = await this.#transport.send({ method: 'GET', query })
      const { uploads, next } = await uploadsOf(this.#transport.name, body)
      yield * uploads
      if (next !== undefined && next.object === marker?.object && next.id === marker.id) throw wrongAnswer(this.#transport.name, 'a list of uploads that does not go on')
      marker = next
    } while (marker !== undefined)
  }
}
