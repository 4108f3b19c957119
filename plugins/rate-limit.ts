import type { CreateRateLimitOptions, FastifyRateLimitStore } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Principal } from '../lib/access/access.ts'
import { Recent } from '../lib/cache/recent.ts'
import { MediaError } from '../lib/errors.ts'
import { addressKey } from '../lib/rate/address-key.ts'
import type { RateCounter, Tell, Use } from '../lib/rate/counter.ts'
import { limitMember, policyMember } from '../lib/rate/fields.ts'
import { rateKey } from '../lib/rate/keys.ts'
import { UnderWay } from '../lib/rate/under-way.ts'
import { whenOver } from '../lib/rate/when-over.ts'

/** How much each client may ask for in a scope. */
export interface RateLimitOptions {
  /** `addresses`, to be registered before authentication, or `principals`, behind it. A scope may have both. */
  stage: 'addresses' | 'principals'
  limit: {
    /** What may be used within the window. */
    max: number
    /** Milliseconds. */
    windowMs: number
    /** Requests of one client that may be under way at once, to this instance. Default without bound. */
    concurrent?: number | undefined
  }
  /** What a request uses: any, one whose variant had to be made, and the same in AVIF. Default 1, 5 and 20. */
  costs?: { request: number, made: number, avif: number }
  /** Whether a request target may ask for a variant: others are not looked at again when they are answered. Default all. */
  mayCost?: ((target: string) => boolean) | undefined
  /** What is counted by itself: the prefix of a mount. */
  scopeName: string
  /** Who has requests under way, where several scopes of one name share it. Default its own. */
  underWay?: UnderWay | undefined
  /** Shared by all scopes of an app, and closed by who opened it: `openRateCounter`, or one of your own. */
  counter: RateCounter
}

/** Addresses whose key is known without reading them anew: a generation of {@link Recent}. */
const KNOWN_ADDRESSES = 4096

/** Seconds after which who had too many requests under way may try again. */
const RETRY_SECONDS = '1'

/**
 * Limits how much each client may ask for, by @fastify/rate-limit: more is answered 429 with
 * `Retry-After`. Every request that arrives is counted, also those that are refused. What is known
 * behind an answer alone, that its variant had to be made, is charged then, and so against the
 * next requests: `max` is overshot by what is under way, which `concurrent` bounds. Who leaves before
 * there is any answer is charged as for a variant: it may have been begun.
 *
 * Who has no name of their own, as the holders of one link, is told apart by address.
 *
 * Answers tell where a client stands by `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
 *
 * @throws {TypeError} where principals are limited and nothing tells `request.principal`
 *
 * @example
 * ```ts
 * const counter = await openRateCounter({ whenRedisFails: 'local', maxClients: 10_000 }, app.log)
 * app.addHook('onClose', async function closeCounter () { await counter.close() })
 * await app.register(client, { trustedProxies: ['10.0.0.0/8'] })
 * await app.register(rateLimit, { stage: 'addresses', limit: { max: 600, windowMs: 60_000, concurrent: 32 }, scopeName: 'search', counter })
 * ```
 */
export default fp(async function rateLimit (app, options: RateLimitOptions) {
  const { stage, scopeName } = options
  const limit = await limiting(options)
  if (stage === 'addresses') {
    const known = new Recent<string, string>(KNOWN_ADDRESSES)
    app.addHook('onRequest', function limitAddress (request, reply): Promise<undefined> {
      const { clientAddress } = request
      let key = known.get(clientAddress)
      if (key === undefined) {
        key = rateKey(stage, scopeName, addressKey(clientAddress))
        known.set(clientAddress, key)
      }
      return limit(reply, key)
    })
    return
  }
  if (!app.hasRequestDecorator('principal')) throw new TypeError('Expected authentication, which tells who asks, because principals are limited')
  app.addHook('onRequest', async function limitPrincipal (request, reply) {
    const { principal } = request as { principal?: Pick<Principal, 'strategy' | 'name' | 'isShared'> | null }
    if (principal === null || principal === undefined) return
    const { strategy, name, isShared = name === '' } = principal
    await limit(reply, isShared ? rateKey(stage, scopeName, strategy, name, addressKey(request.clientAddress)) : rateKey(stage, scopeName, strategy, name))
  })
}, { fastify: '5.x', name: 'fastify-media-rate-limit', dependencies: ['fastify-media-client'] })

/** @returns what counts a request of a client and lets it go on, or not */
async function limiting ({ stage, limit, costs = { request: 1, made: 5, avif: 20 }, mayCost = () => true, underWay: shared, counter }: RateLimitOptions): Promise<(reply: FastifyReply, key: string) => Promise<undefined>> {
  const { max, windowMs, concurrent } = limit
  const create = await limiters(counter)
  const limiterOf = (cost: number): Limiter => create({ max, timeWindow: windowMs, keyGenerator: keyOf, cost })
  const charge = limiterOf(costs.request)
  const surcharges = { made: surcharge(costs.made - costs.request, limiterOf), avif: surcharge(costs.avif - costs.request, limiterOf) }
  const hasSurcharges = surcharges.made !== undefined || surcharges.avif !== undefined
  const underWay = concurrent === undefined ? undefined : shared ?? new UnderWay(concurrent)
  const policy = policyMember(stage, limit)

  return function limitRequest (reply, key) {
    const subject = subjectOf(key)
    const hasPlace = underWay?.begin(key)
    const mayGrow = hasSurcharges && mayCost(reply.request.raw.url ?? '')
    if (mayGrow || hasPlace === true) {
      whenOver(reply.request.raw, reply.raw, function settle () {
        if (hasPlace === true) underWay?.end(key)
        if (mayGrow) surchargeOf(reply, surcharges)?.(subject)
      })
    }
    return charge(subject).then(function tellCount (count) {
      if (!count.isAllowed && count.ttl >= 0) {
        addMember(reply, 'ratelimit-policy', policy)
        addMember(reply, 'ratelimit', limitMember(stage, count.remaining, count.ttlInSeconds))
        if (count.isExceeded) throw refusal(String(Math.max(1, count.ttlInSeconds)))
      }
      if (hasPlace === false) throw refusal(RETRY_SECONDS)
      return undefined
    })
  }
}

/** Without context: a flood writes no line for each request that is refused but that of telemetry. */
function refusal (retryAfter: string): MediaError {
  return new MediaError('too-many-requests', { headers: { 'retry-after': retryAfter } })
}

/** Where both stages count, the fields are lists of both. */
function addMember (reply: FastifyReply, name: string, member: string): void {
  const earlier = reply.getHeader(name)
  reply.header(name, earlier === undefined ? member : `${String(earlier)}, ${member}`)
}

type Surcharge = (subject: FastifyRequest) => void

/** @returns what adds to the count of a request that was answered; undefined where there is nothing to add */
function surcharge (cost: number, limiterOf: (cost: number) => Limiter): Surcharge | undefined {
  if (cost <= 0) return undefined
  const limiter = limiterOf(cost)
  return subject => { limiter(subject).catch(() => undefined) } // it was answered; that nothing counts is told already
}

/** Tells more where the plugins are there that make variants, and works without. */
function surchargeOf (reply: FastifyReply, { made, avif }: { readonly made: Surcharge | undefined, readonly avif: Surcharge | undefined }): Surcharge | undefined {
  const { cacheOutcome } = reply as { cacheOutcome?: string }
  if (cacheOutcome === '' && !reply.raw.headersSent) return made
  if (cacheOutcome !== 'made') return undefined
  return reply.getHeader('content-type') === 'image/avif' ? avif : made
}

type Limiter = ReturnType<FastifyInstance['createRateLimit']>

/** What a limiter is called with: of a request it reads no more. To ask a real one for its route builds that anew each time. */
function subjectOf (key: string): FastifyRequest {
  return { key, routeOptions: NO_ROUTE } as unknown as FastifyRequest
}

const NO_ROUTE = Object.freeze({ config: {} })

function keyOf (subject: FastifyRequest): string {
  return (subject as unknown as { readonly key: string }).key
}

/**
 * `createRateLimit` of @fastify/rate-limit over a counter of ours: a limiter of it adds `cost`. The plugin is
 * called rather than registered, because the host may use it for itself, and each scope has limits of its own.
 * It counts by promises: 0.45 µs for each request above the counter alone, measured, of 20 that it takes.
 */
async function limiters (counter: RateCounter): Promise<(options: CreateRateLimitOptions & { cost: number }) => Limiter> {
  class CountingStore implements FastifyRateLimitStore {
    readonly #use: Use

    constructor ({ cost = 0, timeWindow: windowMs = 0 }: { cost?: number, timeWindow?: number }) {
      this.#use = { cost, windowMs }
    }

    incr (key: string, tell: Tell): void {
      counter.add(key, this.#use, tell)
    }

    child (options: object): CountingStore {
      return new CountingStore(options)
    }
  }
  const { fastifyRateLimit } = await import('@fastify/rate-limit') // who has no limits needs none of it
  let create: FastifyInstance['createRateLimit'] | undefined
  const scope = {
    decorateRequest: () => undefined,
    hasDecorator: () => false,
    decorate (name: string, value: FastifyInstance['createRateLimit']) { if (name === 'createRateLimit') create = value },
    addHook: () => undefined
  }
  await (fastifyRateLimit as unknown as (app: typeof scope, options: object) => Promise<void>)(scope, { global: false, store: CountingStore })
  if (create === undefined) throw new TypeError('Expected @fastify/rate-limit to create limits')
  return create
}
