import fp from 'fastify-plugin'
import { orderMistakes, routeKey } from '../lib/access/order-mistakes.ts'
import { printedRoutes } from '../lib/access/printed-routes.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route only says that there is no such method. */
    refused?: boolean
  }
}

/** What is known of a scope that asks who is there. */
export interface OrderOptions {
  /** As mistakes name it. Default the scope's prefix. */
  mount?: string
  /** Whole prefixes of other scopes that answer for themselves: what is below those longer than this one is theirs. */
  others?: readonly string[]
  /** Whole URLs of routes outside the scope, below its prefix, that need no authentication, with all below them. */
  except?: readonly string[]
  /** Whether everybody may use a method. Default: nobody may. */
  isPublic?: (method: string) => boolean
}

/**
 * Lets the app listen only if every route of the scope, and every other route below its prefix, asks who is there
 * (the hook `authenticate`) in a safe place of its order, and none with a method that writes is open to everybody.
 * Register it first in the scope: it knows the routes of the scope that come after it. Those with `refused` in their
 * `config` are taken for what they say.
 *
 * @throws {Error} when the app gets ready, with every mistake by mount, route and hook
 */
export default fp(async function order (app, options: OrderOptions) {
  const { mount = app.prefix === '' ? '/' : app.prefix, others = [], except = [], isPublic = () => false } = options
  const [own, refused] = [new Set<string>(), new Set<string>()]

  app.addHook('onRoute', function recordRoute ({ method, url, config }) {
    for (const name of Array.isArray(method) ? method : [method]) {
      own.add(routeKey(name, url))
      if (config?.refused === true) refused.add(routeKey(name, url))
    }
  })

  app.addHook('onReady', async function checkOrder () {
    const { routerOptions, caseSensitive } = app.initialConfig as typeof app.initialConfig & { routerOptions?: { caseSensitive?: boolean } }
    const foldsCase = (routerOptions?.caseSensitive ?? caseSensitive) === false
    const routes = printedRoutes(app.printRoutes({ includeHooks: true }))
    const mistakes = orderMistakes(routes, { name: mount, prefix: app.prefix, others, except, own, refused, foldsCase, isPublic })
    if (mistakes.length > 0) throw new Error(`${mistakes.length} ${mistakes.length === 1 ? 'mistake' : 'mistakes'} in the order of hooks:\n${mistakes.map(mistake => `  ${mistake}`).join('\n')}`)
  })
}, { fastify: '5.x', name: 'fastify-media-order' })
