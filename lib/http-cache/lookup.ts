import type { SingleFlight } from '../cache/single-flight.ts'
import { MediaError } from '../errors.ts'
import { parseRange } from '../http/range.ts'
import { lengthOf } from '../upstream/download.ts'
import type { Sender, UpstreamRequest, UpstreamResponse } from '../upstream/message.ts'
import { discard } from '../upstream/discard.ts'
import { passed, type CacheAnswer } from './answer.ts'
import { cacheStatus, type Forwarded } from './cache-status.ts'
import { joined } from './directives.ts'
import type { Spot } from './disk-tier.ts'
import type { Entry } from './entry.ts'
import { failures, Fetcher, type Fetch, type KeepingPolicy, type Landing } from './fetcher.ts'
import type { Keeper } from './keeper.ts'
import { isAbout, isConditional, isForWhole, wishesOf, type Wishes } from './request.ts'
import type { FieldOf } from './selection.ts'
import type { Shelf } from './shelf.ts'
import type { Unkept } from './unkept.ts'

/** What those have in common whose answers are kept in one place. */
export interface Scope {
  readonly shelf: Shelf
  readonly flights: SingleFlight<Landing>
  readonly lookups: SingleFlight<void>
  /** Until when a path's answers are thought not to be kept. */
  readonly unkept: Unkept
}

/** What an upstream behind the cache is made of. */
export interface CachedParts {
  readonly sender: Sender
  readonly policy: KeepingPolicy
  readonly scope: Scope
  readonly keeper: Keeper
  /** The URLs of the upstream's servers, with their base paths: for `Location` of unsafe requests. */
  readonly origins: readonly string[]
  readonly now: () => number
}

/** Milliseconds until the origin is asked again about a stale answer that was just sent in its place. */
const RETRY_MS = 1000

/** From a GET or HEAD to its answer, where that is not in memory and fresh. */
export class Lookup {
  readonly #parts: CachedParts
  readonly #fetcher: Fetcher

  constructor (parts: CachedParts) {
    this.#parts = parts
    this.#fetcher = new Fetcher(parts.sender, parts.policy, { keeper: parts.keeper, now: parts.now, unkept: parts.scope.unkept })
  }

  /**
   * @param isAlone whether it waits for nobody else's answer
   * @throws as `CachedSender.answer`
   */
  async answer (request: UpstreamRequest, isAlone = this.#parts.scope.unkept.has(request.path, this.#parts.now())): Promise<CacheAnswer> {
    const { shelf } = this.#parts.scope
    const resource = shelf.hold(request.path)
    try {
      return await this.#find(request, { shelf, resource }, isAlone)
    } finally {
      shelf.release(resource)
    }
  }

  /** Sends a request on as it is. */
  async pass (request: UpstreamRequest, reason: Forwarded['reason']): Promise<CacheAnswer> {
    return passed(await this.#parts.sender.send(request), { reason })
  }

  async #find (request: UpstreamRequest, spot: Spot, isAlone: boolean): Promise<CacheAnswer> {
    const { method, headers } = request
    const wishes = wishesOf(headers)
    const stale = await this.#kept(request, spot, isAlone)
    if (stale !== undefined && isUsable(stale, this.#parts.now(), wishes)) return await this.#use(request, stale)
    if (wishes.onlyIfCached) throw new MediaError('gateway-timeout', { detail: 'Nothing is kept that this can be answered with', headers: { 'cache-status': cacheStatus(undefined, { reason: 'uri-miss' }) } })
    const reason = stale !== undefined ? 'stale' : spot.resource.entries.size > 0 ? 'vary-miss' : 'uri-miss'
    if (method === 'HEAD') return await this.#head({ request, spot, stale, reason, isWanted: false })
    if (wishes.noStore) return await this.pass(request, 'request')
    if (stale === undefined && !isForWhole(headers.range)) return await this.pass(request, reason)
    return await this.#fetch({ request, spot, stale, reason, isWanted: false }, isAlone)
  }

  /** What is kept for a request, wherever it is. Of many who ask at once, one looks on disk. */
  async #kept ({ headers }: UpstreamRequest, spot: Spot, isAlone: boolean): Promise<Entry | undefined> {
    const { keeper, policy, scope: { lookups } } = this.#parts
    const { resource } = spot
    const field: FieldOf = name => headers[name]
    const selection = resource.selectionOf(field)
    const entry = resource.entries.get(selection)
    const { disk } = keeper
    if (entry !== undefined || disk === undefined || isAlone) return entry
    await lookups.run(`${resource.serial} ${selection}`, async () => {
      const found = await disk.find(spot, field, policy)
      if (found !== undefined && !resource.entries.has(found.selection)) keeper.raise(spot, found)
    })
    return resource.entries.get(resource.selectionOf(field)) // it may have come from the origin meanwhile
  }

  async #use (request: UpstreamRequest, entry: Entry): Promise<CacheAnswer> {
    if (!reaches(entry, request)) return await this.pass(request, 'uri-miss')
    const now = this.#parts.now()
    this.#parts.keeper.memory.touch(entry)
    const { freshUntil, staleWhileRevalidateUntil } = entry.freshness
    if (freshUntil > now) return await entry.hit(now, request.method)
    if (staleWhileRevalidateUntil > now && entry.retryAt <= now) this.#renewLater(request, entry)
    return await entry.answer(now, request.method, { outcome: 'stale' })
  }

  /** One request to the origin for all who ask for the same, unless the answer turns out to be for one alone. */
  async #fetch (fetch: Fetch, isAlone: boolean): Promise<CacheAnswer> {
    const { scope: { flights }, now } = this.#parts
    const { request, stale } = fetch
    let isLeader = false
    const work = async (signal?: AbortSignal): Promise<Landing> => {
      isLeader = true
      const landing = await this.#fetcher.fetch(fetch, signal)
      if (request.signal?.aborted === true) discardOwn(landing)
      return landing
    }
    let landing: Landing
    try {
      landing = isAlone ? await work(request.signal) : await flights.run(flightOf(fetch), work, request.signal)
    } catch (error) {
      if (!mayMakeUpFor(error, stale, now())) throw error
      landing = { kind: 'failed', status: undefined }
    }
    return await this.#landed(fetch, landing, isLeader)
  }

  async #landed (fetch: Fetch, landing: Landing, isLeader: boolean): Promise<CacheAnswer> {
    const { request, spot: { resource }, stale, reason } = fetch
    if (landing.kind === 'own' && isLeader) return landing.answer
    if (landing.kind === 'failed' && stale !== undefined) return await this.#makeUp(request, stale, { reason, isCollapsed: !isLeader, status: landing.status })
    // Those who waited for what is not for them ask for themselves, all at once.
    if (landing.kind !== 'kept') return await this.answer(request, !resource.isGone)
    const { entry, status, outcome, own } = landing
    const isMeant = !resource.isGone && resource.selectionOf(name => request.headers[name]) === entry.selection
    if (!isLeader && !isMeant) return await this.answer(request)
    if (!isLeader && !reaches(entry, request)) return await this.pass(request, reason)
    const forwarded = { reason, status, isStored: true, isCollapsed: !isLeader }
    return await entry.answer(this.#parts.now(), request.method, isLeader ? { outcome, forwarded, own } : { outcome: 'collapsed', forwarded })
  }

  /** What is stale instead of what failed (RFC 5861 §4). */
  async #makeUp (request: UpstreamRequest, stale: Entry, forwarded: Forwarded): Promise<CacheAnswer> {
    const now = this.#parts.now()
    stale.retryAt = now + RETRY_MS
    return await stale.answer(now, request.method, { outcome: 'stale', forwarded })
  }

  /** A HEAD goes to the origin as it is; what it tells of a kept answer holds for that (RFC 9111 §4.3.5). */
  async #head (fetch: Fetch): Promise<CacheAnswer> {
    const { request, spot, stale, reason } = fetch
    const { sender, keeper, now } = this.#parts
    const askedAt = now()
    let response: UpstreamResponse
    try {
      response = await sender.send(request)
    } catch (error) {
      if (stale === undefined || !mayMakeUpFor(error, stale, now())) throw error
      return await this.#makeUp(request, stale, { reason })
    }
    const { status, headers } = response
    if (stale !== undefined && failures.has(status) && stale.freshness.staleIfErrorUntil > now()) return await this.#makeUp(request, stale, { reason, status })
    if (stale?.head.status === 200 && status === 200 && !isConditional(request.headers)) {
      const length = lengthOf(headers)
      if (!isAbout(stale, headers) || (length !== undefined && length !== stale.body.size)) keeper.drop(spot, stale)
      else {
        const { entry, isStored } = this.#fetcher.renew(fetch, stale, { status, fields: headers, askedAt, receivedAt: now(), hadCookies: request.headers.cookie !== undefined })
        if (isStored) return await entry.answer(now(), 'HEAD', { outcome: 'revalidated', forwarded: { reason, status, isStored } })
      }
    }
    return passed(response, { reason })
  }

  /** Fetches anew what was just sent although it is stale. */
  #renewLater (request: UpstreamRequest, stale: Entry): void {
    const { now, scope: { shelf, flights } } = this.#parts
    const { method: _method, signal: _signal, onInformation: _tell, ...asked } = request
    const fetch: Fetch = { request: { ...asked, method: 'GET' }, spot: { shelf, resource: shelf.hold(request.path) }, stale, reason: 'stale', isWanted: true }
    stale.retryAt = now() + RETRY_MS
    flights.run(flightOf(fetch), async signal => await this.#fetcher.fetch(fetch, signal)).then(discardOwn, () => undefined).finally(() => shelf.release(fetch.spot.resource))
  }
}

/** Lets go of an answer that is for nobody else, where the one it is for is not there. */
function discardOwn (landing: Landing): void {
  if (landing.kind === 'own') discard(landing.answer.body)
}

function flightOf ({ request: { headers }, spot: { resource } }: Fetch): string {
  return `${resource.serial} ${resource.selectionOf(name => headers[name])}`
}

/** Whether an answer can be sent without asking the origin. */
function isUsable ({ freshness, retryAt }: Entry, now: number, { maxStale }: Wishes): boolean {
  const { freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil, mayBeStale } = freshness
  return freshUntil > now || staleWhileRevalidateUntil > now || (staleIfErrorUntil > now && retryAt > now) || (mayBeStale && maxStale > 0 && freshUntil + maxStale > now)
}

/** Whether what is asked for is there, or soon will be. */
function reaches ({ body }: Entry, { headers }: UpstreamRequest): boolean {
  const range = joined(headers.range)
  if (body.reaches === undefined || body.size === undefined || range === undefined) return true
  const ranges = parseRange(range, body.size)
  return typeof ranges === 'string' || ranges.every(({ start }) => body.reaches?.(start) === true)
}

function mayMakeUpFor (error: unknown, stale: Entry | undefined, now: number): boolean {
  return error instanceof MediaError && error.code.startsWith('upstream-') && stale !== undefined && stale.freshness.staleIfErrorUntil > now
}
