import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { StoreFault } from '../../lib/cache/store.ts'
import type { CachedSender } from '../../lib/http-cache/cached-sender.ts'
import { HttpCache, type CachePolicy, type HttpCacheOptions } from '../../lib/http-cache/http-cache.ts'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../../lib/upstream/message.ts'
import { scratch, type Test } from './app.ts'

/** What a hand-made origin answers: a text or bytes as the body, or a stream. */
export interface Given {
  status?: number
  headers?: Fields
  body?: string | Buffer | Readable
  trailers?: Fields
}

/** Answers one request; `count` is how many came before it. */
export type Answering = (request: UpstreamRequest, count: number) => Given | Promise<Given>

/** An answer, whole. */
export interface Whole {
  status: number
  headers: Fields
  text: string
  /** The last member of `Cache-Status`, behind the name. */
  cache: string
  trailers: Fields | undefined
}

/** A cache in front of a hand-made origin, with a clock that is set by hand. */
export interface Cached {
  cache: HttpCache
  cached: CachedSender
  sender: Sender
  /** What came to the origin. */
  requests: UpstreamRequest[]
  faults: StoreFault[]
  directory: string
  clock: { now: number, pass (seconds: number): void }
  readonly get: (path: string, headers?: Fields, more?: Partial<UpstreamRequest>) => Promise<Whole>
  /** The same cache as after a restart. */
  readonly again: (options?: Partial<HttpCacheOptions>) => Promise<Cached>
}

const policy: CachePolicy = { scope: 'assets', heuristicSeconds: 86_400, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0, maxEntryBytes: 64 * 1024 * 1024 }

/** Monday 1 June 2026, noon: the clock of the tests. */
export const NOON = Date.UTC(2026, 5, 1, 12)

/** Opens a cache over a hand-made origin. Without `diskBytes` it is in memory alone. */
export async function cacheOver (t: Test, answering: Answering, options: Partial<HttpCacheOptions & CachePolicy & { clock: Cached['clock'], sender: Sender }> = {}): Promise<Cached> {
  const requests: UpstreamRequest[] = []
  const faults: StoreFault[] = []
  const clock = options.clock ?? { now: NOON, pass (seconds) { this.now += seconds * 1000 } }
  const sender: Sender = options.sender ?? {
    name: 'assets',
    async send (request) {
      const count = requests.push(request) - 1
      request.signal?.throwIfAborted()
      return responseOf(await answering(request, count))
    }
  }
  const directory = options.directory ?? join(await scratch(t), 'cache')
  const cache = await HttpCache.open({ memoryBytes: 16 * 1024 * 1024, diskBytes: 0, onFault: fault => faults.push(fault), now: () => clock.now, ...options, directory })
  t.teardown(async () => await cache.close())
  const cached = cache.over(sender, { ...policy, ...options })
  return {
    cache, cached, sender, requests, faults, directory, clock,
    get: async (path, headers = {}, more = {}) => await whole(await cached.send({ method: 'GET', path, headers, ...more })),
    again: async more => {
      await cache.close()
      return await cacheOver(t, answering, { ...options, ...more, directory, clock })
    }
  }
}

function responseOf ({ status = 200, headers = {}, body = '', trailers }: Given): UpstreamResponse {
  return { status, headers, body: body instanceof Readable ? body : Buffer.from(body), trailers: () => trailers }
}

/** Reads an answer to its end. */
export async function whole ({ status, headers, body, trailers }: UpstreamResponse): Promise<Whole> {
  const text = (await bytesOf(body)).toString('latin1')
  const cache = String(headers['cache-status']).split(', ').at(-1)?.replace('fastify-media; ', '') ?? ''
  return { status, headers, text, cache, trailers: trailers() }
}

export async function bytesOf (body: Buffer | Readable): Promise<Buffer> {
  if (Buffer.isBuffer(body)) return body
  const chunks: Buffer[] = []
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** An HTTP date so many seconds from {@link NOON}. */
export function date (seconds: number): string {
  return new Date(NOON + seconds * 1000).toUTCString()
}

/** The body that belongs to a path, of a size that the path decides: two in ten are large. */
export function pieceOf (path: string): { readonly size: number, readonly chunks: () => Generator<Buffer, void> } {
  const hash = createHash('sha256').update(path).digest()
  const size = hash.readUInt8(0) % 5 === 0 ? 600_000 + hash.readUInt32BE(1) % 2_000_000 : hash.readUInt32BE(1) % 60_000
  return {
    size,
    chunks: function * () {
      for (let at = 0; at < size; at += 40_000) yield Buffer.alloc(Math.min(40_000, size - at), hash.toString('hex') + String(at))
    }
  }
}
