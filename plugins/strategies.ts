import fp from 'fastify-plugin'
import type { Principal, Strategy } from '../lib/access/access.ts'
import { verifierOf, type JwtPlugin } from '../lib/access/token-verifier.ts'
import type { StrategyConfig } from '../lib/config/access-schema.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Ways to prove who one is, by name. */
    strategies: ReadonlyMap<string, Strategy>
  }
  interface FastifyRequest {
    /** Who asks; null where nobody had to prove it. */
    principal: Principal | null
    /** Whether the URL was signed. What it was signed with is no longer part of it. */
    isSigned: boolean
    /** Whether the answer is for its client alone. */
    isPrivate: boolean
  }
}

/** What mounts may name in their rules. */
export interface StrategiesOptions {
  /** As in the configuration, with every default. */
  strategies?: Readonly<Record<string, StrategyConfig>>
  /** Of the app's own making, by name. */
  own?: Readonly<Record<string, Strategy>>
}

/**
 * Ways to prove who one is, by name, for the plugin `auth`: tokens by @fastify/jwt, API keys, signed URLs,
 * another service's word, client certificates, addresses.
 *
 * @throws {TypeError} where a key cannot be used, or its file not be read
 */
export default fp(async function strategies (app, options: StrategiesOptions) {
  const configured = options.strategies ?? {}
  const opened: ReadonlyMap<string, Strategy> = Object.keys(configured).length === 0 ? new Map() : await (await import('../lib/access/open.ts')).openStrategies(configured, {
    log: app.log,
    verifierOf: async () => verifierOf((await import('@fastify/jwt')).default as unknown as JwtPlugin) // who has no tokens needs none of it
  })
  const all = new Map([...opened, ...Object.entries(options.own ?? {})])
  app.decorate('strategies', all)
  if (!app.hasRequestDecorator('principal')) app.decorateRequest('principal', null)
  if (!app.hasRequestDecorator('isSigned')) app.decorateRequest('isSigned', false)
  if (!app.hasRequestDecorator('isPrivate')) app.decorateRequest('isPrivate', false)
  app.addHook('onClose', async function closeStrategies () {
    for (const strategy of opened.values()) await strategy.close?.()
  })
}, { fastify: '5.x', name: 'fastify-media-strategies' })
