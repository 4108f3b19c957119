import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import order, { type OrderOptions } from '../../plugins/order.ts'
import { ask, serve } from '../helpers/app.ts'

async function answer (): Promise<string> { return 'here' }

/** A hook by its name that does nothing. */
function hook (name: string) {
  return fp(async function hookOf (app: FastifyInstance) {
    app.addHook('onRequest', Object.defineProperty(async () => undefined, 'name', { value: name }))
  })
}

interface Mounted extends OrderOptions {
  /** Names of hooks in the order in which they are registered. */
  hooks?: string[]
  routes?: (scope: FastifyInstance) => unknown
}

function mount (app: FastifyInstance, prefix: string, { hooks = ['authenticate'], routes = ownRoutes, ...options }: Mounted = {}): void {
  app.register(async function mountScope (scope) {
    await scope.register(order, options)
    for (const name of hooks) await scope.register(hook(name))
    await routes(scope)
  }, { prefix })
}

function ownRoutes (scope: FastifyInstance): void {
  scope.route({ method: ['GET', 'HEAD'], url: '/*', handler: answer })
}

/** The lines of the refusal to listen; none where it listens. */
async function mistakesOf (build: (app: FastifyInstance) => unknown, options: FastifyServerOptions = {}): Promise<string[]> {
  const app = fastify(options) as unknown as FastifyInstance
  try {
    await build(app)
    await app.listen({ host: '127.0.0.1', port: 0 })
    return []
  } catch (error) {
    const [head = '', ...lines] = (error as Error).message.split('\n')
    t.equal(head, `${lines.length} ${lines.length === 1 ? 'mistake' : 'mistakes'} in the order of hooks:`)
    return lines.map(line => line.trim())
  } finally {
    await app.close()
  }
}

const missing = (where: string, route: string): string => `mount ${where}: ${route} has no authenticate hook: register it in the mount's scope, or list it in access.except`

t.test('a safe order listens, and answers', async t => {
  const served = await serve(t, app => {
    app.get('/health', answer)
    app.get('/privateer', answer)
    mount(app, '/private', { hooks: ['limitAddress', 'handleCors', 'authenticate', 'limitPrincipal'] })
  })
  t.equal((await ask(served, '/private/x')).text, 'here')
})

t.test('a mount without authentication does not listen, and says all that is wrong', async t => {
  t.strictSame(await mistakesOf(app => mount(app, '/private', { hooks: [], routes: scope => {
    scope.get('/a', { exposeHeadRoute: false }, answer)
    scope.post('/b', answer)
  } })), [missing('/private', 'GET /private/a'), missing('/private', 'POST /private/b')])
})

t.test('routes of a scope that was there before authentication have it too', async t => {
  t.strictSame(await mistakesOf(app => mount(app, '/private', { hooks: [], routes: async scope => {
    await scope.register(async child => { child.get('/early', answer) })
    await scope.register(hook('authenticate'))
  } })), [])
})

t.test('routes of the host below the prefix are refused unless they are listed', async t => {
  const host = (app: FastifyInstance, options: Mounted = {}): void => {
    app.get('/private/debug', { exposeHeadRoute: false }, answer)
    app.register(async scope => { scope.get('/raw/*', { exposeHeadRoute: false }, answer) }, { prefix: '/private' })
    mount(app, '/private', options)
  }
  t.strictSame(await mistakesOf(app => host(app)), [missing('/private', 'GET /private/debug'), missing('/private', 'GET /private/raw/*')])
  t.strictSame(await mistakesOf(app => host(app, { except: ['/private/debug', '/private/raw'] })), [])
  t.strictSame(await mistakesOf(app => host(app, { except: ['/private/debug'], mount: '/shown' })), [missing('/shown', 'GET /private/raw/*')])
})

t.test('routes that are registered after the mount are refused as well', async t => {
  t.strictSame(await mistakesOf(app => {
    mount(app, '/private')
    app.register(async later => { later.post('/private/late', answer) })
  }), [missing('/private', 'POST /private/late')])
})

t.test('routes of a parameter or a wildcard of the host do not get what is the mount\'s', async t => {
  const served = await serve(t, app => {
    app.get('/:any/debug', async () => 'the host')
    app.get('/priv:rest(^ate$)/debug', async () => 'the host')
    app.get('/priv*', async () => 'the host')
    mount(app, '/private')
  })
  t.equal((await ask(served, '/private/debug')).text, 'here')
  t.equal((await ask(served, '/other/debug')).text, 'the host')
})

t.test('what is below a longer prefix is the other mount\'s', async t => {
  const others = ['/private', '/private/open']
  t.strictSame(await mistakesOf(app => {
    mount(app, '/private', { others })
    app.register(async scope => ownRoutes(scope), { prefix: '/private/open' })
  }), [])
  t.strictSame(await mistakesOf(app => {
    mount(app, '/private', { others, hooks: [] })
    mount(app, '/private/open', { others })
  }), [missing('/private', 'GET, HEAD /private/*')])
})

t.test('of a mount at the root its own routes count, the host\'s do not', async t => {
  const routes = async (scope: FastifyInstance): Promise<void> => {
    ownRoutes(scope)
    await scope.register(async child => { child.get('/:id/child', { exposeHeadRoute: false }, answer) })
  }
  const host = (hooks: string[]) => (app: FastifyInstance): void => {
    app.get('/debug', answer)
    mount(app, '', { hooks, routes })
  }
  t.strictSame(await mistakesOf(host(['authenticate'])), [])
  t.strictSame(new Set(await mistakesOf(host([]))), new Set([missing('/', 'GET, HEAD /*'), missing('/', 'GET /:id/child')]))
})

t.test('letter case counts as it does for the router', async t => {
  const host = (app: FastifyInstance): void => {
    app.get('/PRIVATE/debug', { exposeHeadRoute: false }, answer)
    mount(app, '/Private')
  }
  t.strictSame(await mistakesOf(host), [])
  t.strictSame(await mistakesOf(host, { routerOptions: { caseSensitive: false } }), [missing('/Private', 'GET /private/debug')])
})

t.test('CORS behind authentication and limits in the wrong place are refused', async t => {
  const route = 'mount /private: GET, HEAD /private/*'
  t.strictSame(await mistakesOf(app => mount(app, '/private', { hooks: ['limitPrincipal', 'authenticate', 'handleCors', 'limitAddress'] })), [
    `${route} runs authenticate before handleCors: register CORS first, preflights carry no credentials`,
    `${route} runs limitPrincipal before authenticate: nobody is known there yet, register it behind`,
    `${route} runs limitAddress behind authenticate: register it first, against floods of bad credentials`
  ])
})

t.test('a method that writes is open to nobody, unless its route refuses it', async t => {
  const routes = (refused: boolean) => (scope: FastifyInstance): void => {
    ownRoutes(scope)
    scope.route({ method: ['PUT', 'DELETE'], url: '/*', handler: answer, config: { refused } })
    scope.post('/form', { config: { refused } }, answer)
  }
  const isPublic = (): boolean => true
  t.strictSame(await mistakesOf(app => mount(app, '/up', { isPublic, routes: routes(false) })), [
    'mount /up: POST /up/form is open to everybody: name in access.write who may write',
    'mount /up: PUT, DELETE /up/* is open to everybody: name in access.write who may write'
  ])
  t.strictSame(await mistakesOf(app => mount(app, '/up', { isPublic, routes: routes(true) })), [])
  t.strictSame(await mistakesOf(app => mount(app, '/up', { routes: routes(false) })), [])
})
