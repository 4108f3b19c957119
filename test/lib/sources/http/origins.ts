import type { ServerResponse } from 'node:http'
import { buildConnector } from 'undici'
import type { UpstreamConfig } from '../../../../lib/config/schema.ts'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../../../../lib/upstream/message.ts'
import { Upstream } from '../../../../lib/upstream/upstream.ts'
import { formatHttpDate, wholeSeconds } from '../../../../lib/http/http-date.ts'
import type { Test } from '../../../helpers/app.ts'
import { origin, type Handler, type Origin } from '../../../helpers/origin.ts'

/* Origins that hold files, and who asks them. */

const config: Omit<UpstreamConfig, 'origins'> = {
  balance: 'round-robin', addresses: 'any', host: 'origin', connections: 64, liveConnections: 64, maxWaiting: 1024,
  connectTimeoutMs: 5000, firstByteTimeoutMs: 30_000, idleTimeoutMs: 30_000, liveIdleTimeoutMs: 0, keepAliveMs: 10_000,
  maxHeaderBytes: 65_536, retries: 0, retryBudget: 0.2, resumes: 0, ejectAfter: 10_000, ejectMs: 10_000, http2: false
}

/** An upstream of one origin, as it runs in the server, without what it mends by itself. */
export function upstreamTo (t: Test, url: string, name = 'assets'): Sender {
  const upstream = new Upstream(name, { ...config, origins: [{ url, weight: 1, drain: false }] }, { connect: buildConnector({}) })
  t.teardown(async () => await upstream.close())
  return upstream
}

export interface Answer { status?: number, headers?: Fields, body?: UpstreamResponse['body'] }

/** A sender whose answers are the test's own. */
export function answering (answer: (request: UpstreamRequest) => Answer): Sender & { readonly requests: UpstreamRequest[] } {
  const requests: UpstreamRequest[] = []
  return {
    name: 'assets',
    requests,
    async send (request) {
      requests.push(request)
      const { status = 200, headers = {}, body = Buffer.alloc(0) } = answer(request)
      return { status, headers, body, trailers: () => undefined }
    }
  }
}

/** One file at an origin. */
export interface Stored {
  body: Buffer
  etag?: string | undefined
  /** Milliseconds since the epoch. */
  modified?: number | undefined
  fields?: Record<string, string> | undefined
}

/** An origin of files, by their path as it stands on the wire; they may be changed as one likes. */
export async function originOf (t: Test, files: Record<string, Stored | Handler>): Promise<Origin & { files: Map<string, Stored | Handler> }> {
  const stored = new Map(Object.entries(files))
  const server = await origin(t, async (request, response, record) => {
    const file = stored.get(request.url ?? '')
    if (typeof file === 'function') await file(request, response, record)
    else if (file === undefined) response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not here</h1>')
    else answerFile(request.headers, response, file)
  })
  return Object.defineProperty(server, 'files', { value: stored }) as Origin & { files: Map<string, Stored | Handler> }
}

/** Answers as a good server does: conditions (RFC 9110 §13), one range. */
export function answerFile (asked: Record<string, string | string[] | undefined>, response: ServerResponse, { body, etag, modified, fields = {} }: Stored): void {
  const validators = { ...(etag === undefined ? {} : { etag }), ...(modified === undefined ? {} : { 'last-modified': formatHttpDate(modified) }) }
  const dateOf = (name: string): number => Date.parse(String(asked[name] ?? ''))
  const modifiedAt = modified === undefined ? Number.NaN : wholeSeconds(modified)
  const isRefused = asked['if-match'] === undefined ? modifiedAt > dateOf('if-unmodified-since') : asked['if-match'] !== etag
  const isKnown = asked['if-none-match'] === undefined ? modifiedAt <= dateOf('if-modified-since') : asked['if-none-match'] === etag
  const range = /^bytes=(\d+)-(\d*)$/.exec(String(asked.range ?? ''))
  if (isRefused) response.writeHead(412, { 'content-length': 0 }).end()
  else if (isKnown) response.writeHead(304, { ...validators, ...fields }).end()
  else if (range === null) response.writeHead(200, { ...validators, ...fields, 'content-length': body.length }).end(body)
  else {
    const end = Math.min(range[2] === '' ? Infinity : Number(range[2]), body.length - 1)
    const part = body.subarray(Number(range[1]), end + 1)
    response.writeHead(206, { ...validators, ...fields, 'content-range': `bytes ${range[1]}-${end}/${body.length}`, 'content-length': part.length }).end(part)
  }
}
