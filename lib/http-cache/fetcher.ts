import type { Fields, Sender, UpstreamRequest, UpstreamResponse } from '../upstream/message.ts'
import { discard } from '../upstream/discard.ts'
import { passed, type CacheAnswer, type CacheOutcome } from './answer.ts'
import { ownAsAsked } from './as-asked.ts'
import type { ForwardReason } from './cache-status.ts'
import type { Spot } from './disk-tier.ts'
import { Entry } from './entry.ts'
import { freshnessOf, type FreshnessPolicy, type ReceivedHead } from './freshness.ts'
import type { Keeper } from './keeper.ts'
import { fieldsForKeeping, hasValidator, isAbout } from './request.ts'
import { varyingBy } from './selection.ts'
import { isStorable, updatedFields, withheldFields } from './storing.ts'
import type { Unkept } from './unkept.ts'

/** How one mount or source uses the cache. */
export interface KeepingPolicy extends FreshnessPolicy {
  /** Bytes of the largest body that is kept. */
  readonly maxEntryBytes: number
}

/** One question to the origin. */
export interface Fetch {
  readonly spot: Spot
  readonly request: UpstreamRequest
  readonly reason: ForwardReason
  /** What is kept, and no longer fresh. */
  readonly stale: Entry | undefined
  /** Whether it is asked for keeping alone: nobody waits for it. */
  readonly isWanted: boolean
}

/** What came of it: an answer for all who wait, a failure that a stale answer makes up for, or an answer for who asked alone. */
export type Landing =
  | { readonly kind: 'kept', readonly entry: Entry, readonly status: number, readonly outcome: CacheOutcome, readonly own: Fields }
  | { readonly kind: 'failed', readonly status: number | undefined }
  | { readonly kind: 'own', readonly answer: CacheAnswer }

/** Answers that count as failures of the origin (RFC 5861 §4). */
export const failures = new Set([500, 502, 503, 504])

/** Answers that say nothing of what is kept: they fail, or come too early, too late, too often. */
const isPassing = (status: number): boolean => status >= 500 || status === 408 || status === 425 || status === 429

/** Milliseconds for which it is remembered that the answers for a URL are not kept: nobody waits for another's meanwhile. */
const UNKEPT_MS = 10_000
/** The same, after an answer that passes. */
const PASSING_MS = 1000

/** Asks the origin for what is to be kept. */
export class Fetcher {
  readonly #sender: Sender
  readonly #policy: KeepingPolicy
  readonly #keeper: Keeper
  readonly #now: () => number
  /** Until when a path's answers are thought not to be kept. */
  readonly #unkept: Unkept

  constructor (sender: Sender, policy: KeepingPolicy, { keeper, now, unkept }: { keeper: Keeper, now: () => number, unkept: Unkept }) {
    this.#sender = sender
    this.#policy = policy
    this.#keeper = keeper
    this.#now = now
    this.#unkept = unkept
  }

  /** @throws as the sender does */
  async fetch (fetch: Fetch, signal?: AbortSignal): Promise<Landing> {
    const { request, stale, spot } = fetch
    const askedAt = this.#now()
    const known = stale !== undefined && hasValidator(stale) ? stale : undefined
    const response = await this.#sender.send({ ...request, method: 'GET', headers: fieldsForKeeping(request.headers, known), signal })
    const { status, headers } = response
    const receivedAt = this.#now()
    if (stale !== undefined && failures.has(status) && stale.freshness.staleIfErrorUntil > receivedAt) {
      discard(response.body)
      return { kind: 'failed', status }
    }
    const head: ReceivedHead = { status, fields: headers, askedAt, receivedAt, hadCookies: request.headers.cookie !== undefined }
    if (status === 304 && known !== undefined) {
      discard(response.body)
      // It is about something else (RFC 9111 §4.3.4): the whole is asked for.
      return isAbout(known, headers) ? await this.#renewed(fetch, known, head) : await this.fetch({ ...fetch, stale: undefined }, signal)
    }
    const freshness = freshnessOf(head, this.#policy)
    const varying = varyingBy(headers)
    if (varying === undefined || !spot.resource.mayKeep(varying) || !isStorable(head, freshness) || !this.#keeper.hasRoom(response, this.#policy.maxEntryBytes)) return this.#own(fetch, response)
    this.#unkept.delete(spot.resource.path)
    const selection = this.#select(spot, request, varying)
    const entry = this.#keeper.keep(spot, { head, freshness, selection, response, maxBytes: this.#policy.maxEntryBytes, isWanted: fetch.isWanted, before: spot.resource.entries.get(selection) ?? stale })
    return { kind: 'kept', entry, status, outcome: 'miss', own: withheldFields(headers) }
  }

  /** A kept answer with the fields of a newer head, in its place where it may still be kept. */
  renew ({ spot, request }: Pick<Fetch, 'spot' | 'request'>, known: Entry, head: ReceivedHead): { entry: Entry, isStored: boolean } {
    const merged: ReceivedHead = { ...head, status: known.head.status, fields: updatedFields(known.head.fields, head.fields) }
    const freshness = freshnessOf(merged, this.#policy)
    const varying = varyingBy(merged.fields)
    const hasCookie = head.fields['set-cookie'] !== undefined
    const isStored = varying !== undefined && !hasCookie && spot.resource.mayKeep(varying) && isStorable(merged, freshness)
    const selection = isStored ? this.#select(spot, request, varying) : known.selection
    const entry = new Entry({ head: merged, freshness, selection, body: known.body })
    if (isStored) this.#keeper.put(spot, entry, known)
    else this.#keeper.drop(spot, known)
    return { entry, isStored }
  }

  async #renewed (fetch: Fetch, known: Entry, head: ReceivedHead): Promise<Landing> {
    const { entry, isStored } = this.renew(fetch, known, head)
    if (isStored) return { kind: 'kept', entry, status: 304, outcome: 'revalidated', own: withheldFields(head.fields) }
    return { kind: 'own', answer: await entry.answer(head.receivedAt, fetch.request.method, { outcome: 'revalidated', forwarded: { reason: fetch.reason, status: 304 } }) }
  }

  #own ({ request, spot, stale, reason }: Fetch, response: UpstreamResponse): Landing {
    const { isGone, path } = spot.resource
    if (!isGone) this.#unkept.note(path, this.#now() + (isPassing(response.status) ? PASSING_MS : UNKEPT_MS))
    if (stale !== undefined && !isPassing(response.status)) this.#keeper.drop(spot, stale)
    return { kind: 'own', answer: passed(ownAsAsked(request, response), { reason, status: response.status }) }
  }

  /** What selects an answer, by all that answers for its URL vary by. */
  #select (spot: Spot, request: UpstreamRequest, varying: readonly string[]): string {
    if (spot.resource.widen(varying)) this.#keeper.memory.clear(spot.resource)
    return spot.resource.selectionOf(name => request.headers[name])
  }
}
