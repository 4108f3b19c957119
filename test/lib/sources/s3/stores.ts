import { request as httpRequest, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { buffer as whole } from 'node:stream/consumers'
import { inspect } from 'node:util'
import type { Test } from '../../../helpers/app.ts'
import { origin, type Origin, type OriginRequest } from '../../../helpers/origin.ts'
import { radosgw, type Bucket } from '../../../helpers/radosgw.ts'
import type { S3Config } from '../../../../lib/config/writing-schema.ts'
import type { Key } from '../../../../lib/paths/request-path.ts'
import { s3Source, type S3Source, type S3SourceOptions } from '../../../../lib/sources/s3.ts'

export const key = (text: string): Key => text as Key

/** The configuration of a source, but for what a test says. */
export function configOf (bucket: Pick<Bucket, 'endpoint' | 'bucket'> & Partial<Bucket>, own: Partial<S3Config> = {}): S3Config {
  return { driver: 's3', region: 'us-east-1', prefix: '', pathStyle: true, connections: 64, timeoutMs: 30_000, partBytes: 5_242_880, presignSeconds: 300, ...bucket, ...own }
}

/** A source over a bucket, closed after the test. */
export async function sourceOf (t: Test, config: S3Config, options?: S3SourceOptions): Promise<S3Source> {
  const source = await s3Source(config, options)
  t.teardown(async () => await source.close())
  return source
}

/** A source over a bucket of its own in a real store. */
export async function newSource (t: Test, own: Partial<S3Config> = {}): Promise<{ source: S3Source, config: S3Config }> {
  const config = configOf(await radosgw(t), own)
  return { source: await sourceOf(t, config), config }
}

/** One whose store has just these objects, by name. */
export async function sourceWith (t: Test, files: Record<string, string | Buffer>, own: Partial<S3Config> = {}): Promise<S3Source> {
  const { source, config } = await newSource(t, own)
  await Promise.all(Object.entries(files).map(async ([name, content]) => await source.client.put(config.prefix + name, Buffer.from(content as string))))
  return source
}

/** A source over an origin that answers as a test says. */
export async function sourceOver (t: Test, { port }: { port: number }, own: Partial<S3Config> = {}, options?: S3SourceOptions): Promise<S3Source> {
  return await sourceOf(t, configOf({ endpoint: `http://127.0.0.1:${port}`, bucket: 'bucket', accessKeyId: 'test', secretAccessKey: 'not-told-to-anybody' }, own), options)
}

/** What a store answered, on its way through a test's hands. */
export interface PassedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Passes requests on to a store, and its answers back, but where a test does otherwise. Bodies are gathered. */
export type Meddler = (request: OriginRequest, pass: (body?: Buffer) => Promise<PassedAnswer>, response: ServerResponse) => Promise<PassedAnswer | 'answered'>

/** A real store, reached through somebody who meddles. */
export async function meddledStore (t: Test, bucket: Bucket, meddle: Meddler): Promise<Origin> {
  return await origin(t, async (_request, response, record) => {
    const answer = await meddle(record, async (body = record.body) => await passed(bucket, record, body), response)
    if (answer === 'answered') return
    response.writeHead(answer.status, answer.headers)
    response.end(record.method === 'HEAD' ? undefined : answer.body)
  }, { gather: true })
}

async function passed ({ endpoint }: Bucket, { method, url, headers }: OriginRequest, body: Buffer | undefined): Promise<PassedAnswer> {
  return await new Promise((resolve, reject) => {
    // With the very fields, `Host` among them: all of that is signed.
    const request = httpRequest(endpoint + url, { method, headers, setHost: false }, response => {
      whole(response).then(bytes => {
        const { 'transfer-encoding': _, connection: __, ...fields } = response.headers
        resolve({ status: response.statusCode ?? 0, headers: method === 'HEAD' ? fields : { ...fields, 'content-length': String(bytes.length) }, body: bytes })
      }, reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** XML of an error as S3 tells it. */
export function errorXml (code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>That is so</Message></Error>`
}

/** What an error tells, causes included: what a log would have of it. */
export function told (error: unknown): string {
  return inspect(error, { depth: 10, showHidden: false })
}
