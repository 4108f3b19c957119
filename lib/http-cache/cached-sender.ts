import { MediaError } from '../errors.ts'
import { RepresentationChanged } from '../representation.ts'
import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../upstream/message.ts'
import { passed, type CacheAnswer } from './answer.ts'
import { responseOf } from './as-asked.ts'
import { changes, doubtfulPaths } from './invalidation.ts'
import { Lookup, type CachedParts } from './lookup.ts'
import { bypasses } from './request.ts'
import type { FieldOf } from './selection.ts'

/** A request as far as an answer in memory depends on it. */
export interface Asked {
  readonly method: string
  /** As in the request that would be sent: path and query, below the base path of the origin. */
  readonly path: string
  /** The field that would be sent, by its lower-case name. */
  readonly field: FieldOf
}

/** How often it is answered anew where a body turned out to be gone. */
const MAX_LOOKS = 3

/** An upstream behind the cache. */
export class CachedSender implements Sender {
  readonly name: string
  readonly #parts: CachedParts
  readonly #lookup: Lookup

  constructor (parts: CachedParts) {
    this.name = parts.sender.name
    this.#parts = parts
    this.#lookup = new Lookup(parts)
  }

  /** The answer, where it is fresh and in memory: for who wants to build a request only where one is sent. */
  peek ({ method, path, field }: Asked): CacheAnswer | undefined {
    if ((method !== 'GET' && method !== 'HEAD') || field('authorization') !== undefined) return undefined
    const { scope: { shelf }, keeper, now: clock } = this.#parts
    const resource = shelf.get(path)
    const entry = resource?.entries.get(resource.selectionOf(field))
    if (entry === undefined || !entry.isReady) return undefined
    const now = clock()
    if (entry.freshness.freshUntil <= now) return undefined
    keeper.memory.touch(entry)
    return entry.hit(now, method) as CacheAnswer // of a ready one in the same turn
  }

  /**
   * Answers from what is kept, or sends on: synchronously what is fresh and in memory. Where the
   * answer has a representation, preconditions and `Range` are for who sends it; where it has none,
   * it is as it was asked for.
   *
   * @throws {MediaError} as the sender does; `gateway-timeout` where the client wanted what is kept or nothing
   * @throws {RepresentationChanged} where a kept body turned out to be gone: ask again
   * @throws the signal's reason
   */
  answer (request: UpstreamRequest): CacheAnswer | Promise<CacheAnswer> {
    const { method, path, headers, body } = request
    const hit = body === undefined ? this.peek({ method, path, field: name => headers[name] }) : undefined
    return hit ?? this.#answer(request)
  }

  /** As a {@link Sender}: preconditions, HEAD and one range of what is kept are decided here. */
  async send (request: UpstreamRequest): Promise<UpstreamResponse> {
    for (let looks = 1; ; looks++) {
      try {
        return await responseOf(request, await this.answer(request))
      } catch (error) {
        if (!(error instanceof RepresentationChanged)) throw error
        if (looks === MAX_LOOKS) throw new MediaError('unavailable', { cause: error, headers: { 'retry-after': '1' } })
      }
    }
  }

  /** Forgets what is kept of a path, and of what the answer to an unsafe request names (RFC 9111 §4.4). */
  async invalidate ({ path, headers }: Pick<UpstreamRequest, 'path' | 'headers'>, answered: Fields = {}): Promise<void> {
    const { scope: { shelf, unkept }, keeper, origins } = this.#parts
    for (const doubtful of doubtfulPaths(path, answered, origins)) {
      const resource = shelf.hold(doubtful)
      shelf.takePath(doubtful)
      unkept.delete(doubtful)
      await keeper.disk?.invalidate({ shelf, resource }, name => headers[name])
      keeper.memory.clear(resource)
    }
  }

  async #answer (request: UpstreamRequest): Promise<CacheAnswer> {
    request.signal?.throwIfAborted()
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') return await this.#relay(request)
    return bypasses(request) ? await this.#lookup.pass(request, 'bypass') : await this.#lookup.answer(request)
  }

  async #relay (request: UpstreamRequest): Promise<CacheAnswer> {
    const response = await this.#parts.sender.send(request)
    if (changes(request.method, response.status)) await this.invalidate(request, response.headers)
    return passed(response, { reason: 'method' })
  }
}
