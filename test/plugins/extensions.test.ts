import fastifyEtag from '@fastify/etag'
import fastifyStatic from '@fastify/static'
import fastify, { type FastifyInstance, type FastifyPluginCallback } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import type { ForeignPlugin, MountPlugin } from '../../lib/config/load-plugins.ts'
import extensions from '../../plugins/extensions.ts'
import order from '../../plugins/order.ts'
import { ask, scratch, serve, type Served, type Test } from '../helpers/app.ts'

type At = MountPlugin['at']

async function answer (): Promise<string> { return 'here' }

/** Stands in for the server's own: it lets those in who say `yes`. */
const auth = fp(async function auth (app) {
  app.addHook('onRequest', async function authenticate (request, reply) {
    if (request.headers.authorization === 'yes') return undefined
    return await reply.code(401).send()
  })
})

function listed (plugin: ForeignPlugin, at: At, { name = 'audit', options = {} } = {}): MountPlugin {
  return { name, at, plugin, options }
}

/** A mount as the root app puts it together. */
function mountOf (plugins: readonly MountPlugin[], settled?: (app: FastifyInstance) => unknown) {
  return async function mountScope (scope: FastifyInstance): Promise<void> {
    await scope.register(order)
    await scope.register(extensions, { at: 'beforeAuth', plugins })
    await scope.register(auth)
    await scope.register(extensions, { at: 'afterAuth', plugins })
    scope.addHook('onSend', async function setSecurityHeaders () {})
    await scope.register(extensions, { at: 'onSend', plugins })
    await settled?.(scope)
    scope.get('/file', answer)
  }
}

async function served (t: Test, ...plugins: MountPlugin[]): Promise<Served> {
  return await serve(t, app => { app.register(mountOf(plugins), { prefix: '/private' }) })
}

/** Why an app with the plugin does not start. */
async function refusal (plugin: ForeignPlugin, at: At): Promise<string> {
  const app = fastify()
  app.register(mountOf([listed(plugin, at)]), { prefix: '/private' })
  return await app.ready().then(() => 'it starts', (error: Error) => error.message)
}

function hooksOf ({ app }: Served, url: string): string {
  return app.printRoutes({ includeHooks: true }).split(`${url} (GET)`)[1]?.split(`${url} (HEAD)`)[0] ?? ''
}

t.test('plugins have their turns in the order of the mount, also those that would have a scope of their own', async t => {
  async function wrapped (app: FastifyInstance, { word }: { word: string }): Promise<void> {
    app.addHook('onRequest', async function askFirst (_request, reply) { reply.header('x-first', word) })
  }
  function withCallback (app: FastifyInstance, _options: object, done: () => void): void {
    setImmediate(() => {
      app.addHook('onRequest', async function askAgain () {}).addHook('onSend', async function tell (_request, reply) { reply.header('x-end', '1') })
      done()
    })
  }
  const host = await served(t,
    listed(fp(wrapped, { name: 'wrapped', encapsulate: true }), 'beforeAuth', { options: { word: 'one' } }),
    listed(withCallback, 'afterAuth'),
    listed(async (app: FastifyInstance) => { app.addHook('onSend', async function tellMore () {}) }, 'onSend', { name: 'more' }))
  const printed = hooksOf(host, 'file')
  t.match(printed, '(onRequest) ["askFirst()","authenticate()","askAgain()"]')
  t.match(printed, '(onSend) ["tell()","setSecurityHeaders()","tellMore()"]')
  t.match(await ask(host, '/private/file'), { status: 401, headers: { 'x-first': 'one', 'x-end': '1' } })
  t.match(await ask(host, '/private/file', { headers: { authorization: 'yes' } }), { status: 200, text: 'here' })
  t.equal((await ask(host, '/other')).headers['x-first'], undefined, 'other scopes have none of it')
})

t.test('what a plugin decorates and sets is the mount\'s', async t => {
  const host = await serve(t, app => {
    app.register(mountOf([listed(async (plugin: FastifyInstance) => {
      plugin.decorate('word', 'decorated').setErrorHandler((_error, _request, reply) => reply.code(418).send('own'))
      await plugin.register(async child => { t.ok(child.hasDecorator('word')) })
      t.equal(plugin.prefix, '/private')
    }, 'afterAuth')], scope => {
      scope.get('/word', async () => (scope as unknown as { word: string }).word)
      scope.get('/fail', async () => { throw new Error('no') })
    }), { prefix: '/private' })
  })
  const headers = { authorization: 'yes' }
  t.equal((await ask(host, '/private/word', { headers })).text, 'decorated')
  t.equal((await ask(host, '/private/fail', { headers })).text, 'own')
})

/** Bound, it has no name for printed routes. */
const nameless = Object.defineProperty(async function nameless (this: unknown) { t.equal(this, null) }, 'name', { value: '' })

t.test('a nameless hook is printed with the name of its plugin', async t => {
  const host = await served(t, listed(async (app: FastifyInstance) => {
    app.addHook('onRequest', async () => undefined)
    app.addHook('preHandler', nameless.bind(null))
  }, 'afterAuth'))
  t.match(hooksOf(host, 'file'), '"authenticate()","audit:onRequest()"')
  t.match(hooksOf(host, 'file'), '(preHandler) ["audit:preHandler()"]')
})

t.test('plugins as they are published work as they are', async t => {
  const root = await scratch(t, { 'a.txt': 'a file' })
  const host = await served(t,
    listed(fastifyStatic, 'beforeAuth', { name: 'static', options: { root, prefix: '/own/' } }),
    listed(fastifyEtag, 'onSend', { name: 'etag' }))
  t.equal((await ask(host, '/private/own/a.txt')).status, 401)
  t.equal((await ask(host, '/private/own/a.txt', { headers: { authorization: 'yes' } })).text, 'a file')
  const { headers: { etag } } = await ask(host, '/private/file', { headers: { authorization: 'yes' } })
  t.equal((await ask(host, '/private/file', { headers: { authorization: 'yes', 'if-none-match': String(etag) } })).status, 304)
})

t.test('routes of a plugin ask who is there, wherever it has its turn and however deep they are', async t => {
  const routes = (name: string): MountPlugin['plugin'] => async (app: FastifyInstance) => {
    app.get(`/${name}`, answer)
    app.register(async child => {
      child.addHook('onRequest', async function ofChild () {})
      child.get('/child', answer)
    }, { prefix: `/${name}` })
  }
  const host = await served(t, listed(routes('before'), 'beforeAuth'), listed(routes('after'), 'afterAuth', { name: 'second' }))
  for (const path of ['/before', '/before/child', '/after', '/after/child']) {
    t.equal((await ask(host, `/private${path}`)).status, 401, path)
    t.equal((await ask(host, `/private${path}`, { headers: { authorization: 'yes' } })).text, 'here', path)
  }
})

t.test('at onSend a plugin may add only what runs on the way out', async t => {
  const told = (hook: string): string => `plugin audit of mount /private adds the hook ${hook}, but its place is onSend: there it may add only onSend, onResponse, onTimeout, onRequestAbort, onError`
  for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onRoute', 'onRegister']) {
    t.equal(await refusal(async (app: FastifyInstance) => { app.addHook(hook as 'onRequest', async function own () {}) }, 'onSend'), told(hook))
  }
  const child: FastifyPluginCallback = (app, _options, done) => { app.addHook('onRequest', async function own () {}); done() }
  for (const within of [child, fp(child), Promise.resolve(child), Promise.resolve({ default: fp(child) }), { default: fp(child) }]) {
    t.equal(await refusal(async (app: FastifyInstance) => { await app.register(within as FastifyPluginCallback) }, 'onSend'), told('onRequest'), 'nor may plugins of it')
  }
  for (const hook of ['onSend', 'onResponse', 'onTimeout', 'onRequestAbort', 'onError', 'onReady', 'onListen', 'preClose', 'onClose']) {
    t.equal(await refusal(async (app: FastifyInstance) => { app.addHook(hook as 'onListen', function own () {}) }, 'onSend'), 'it starts', hook)
  }
})

t.test('a hook that comes when the turn is over is refused by the names of plugin, mount and hook', async t => {
  const kept: FastifyInstance[] = []
  const plugin = fp(async (app: FastifyInstance) => {
    kept.push(app)
    app.after(((_error: unknown, same: FastifyInstance, done: () => void) => { kept.push(same); done() }) as unknown as () => void)
    await app.register(async child => { kept.push(child) })
    await app.register(fp(async same => { kept.push(same) }))
  })
  const late: Array<[string, string]> = []
  const app = fastify()
  app.register(mountOf([listed(plugin, 'beforeAuth')], scope => {
    for (const instance of kept) {
      for (const hook of ['onRequest', 'onSend', 'onRoute']) {
        try {
          instance.addHook(hook as 'onRequest', async function own () {})
        } catch (error) {
          late.push([hook, (error as Error).message])
        }
      }
    }
    kept[0]?.addHook('onClose', async function own () {})
    scope.addHook('preHandler', async function ofTheMount () {})
  }), { prefix: '/private' })
  await app.ready()
  t.equal(late.length, kept.length * 3)
  t.equal(kept.length, 4)
  for (const [hook, message] of late) t.equal(message, `plugin audit of mount /private adds the hook ${hook} too late: its turn (beforeAuth) is over once it is registered`)
  t.notMatch(app.printRoutes({ includeHooks: true }), 'own()')
  t.match(app.printRoutes({ includeHooks: true }), 'ofTheMount()', 'the mount itself may')
})

t.test('a late hook in a plugin\'s own turn to come stops the start', async t => {
  let first: FastifyInstance | undefined
  const app = fastify()
  app.register(mountOf([
    listed(async instance => { first = instance }, 'beforeAuth'),
    listed(async () => { first?.addHook('onRequest', async function own () {}) }, 'afterAuth', { name: 'second' })
  ]))
  await t.rejects(async () => await app.ready(), { message: 'plugin audit of mount / adds the hook onRequest too late: its turn (beforeAuth) is over once it is registered' })
})

t.test('the names that the order is read by are the server\'s own', async t => {
  const own = { authenticate () {}, limitAddress () {}, limitPrincipal () {} }
  for (const [name, hook] of Object.entries(own)) {
    const told = `plugin audit of mount /private adds the hook onRequest by the name ${name}, which is the server's own: name it otherwise`
    t.equal(await refusal(async (app: FastifyInstance) => { app.addHook('onRequest', hook) }, 'beforeAuth'), told)
    t.equal(await refusal(async (app: FastifyInstance) => { app.addHook('onRequest', hook.bind(null)) }, 'beforeAuth'), told)
  }
})

t.test('a plugin that brings CORS behind the question who is there does not start', async t => {
  const cors = async (app: FastifyInstance): Promise<void> => { app.addHook('onRequest', async function handleCors () {}) }
  t.equal(await refusal(cors, 'beforeAuth'), 'it starts')
  t.match(await refusal(cors, 'afterAuth'), 'mount /private: GET /private/file runs authenticate before handleCors: register CORS first')
})

t.test('what Fastify refuses, it refuses here too', async t => {
  t.match(await refusal(async (app: FastifyInstance) => { app.addHook('onRequest', 5 as never) }, 'afterAuth'), /onRequest hook should be a function/)
  t.match(await refusal(async (app: FastifyInstance) => { app.addHook('onNothing' as 'onRequest', () => {}) }, 'afterAuth'), /onNothing hook not supported/)
  t.match(await refusal(async (app: FastifyInstance) => { app.register(5 as never) }, 'afterAuth'), /Plugin must be a function/)
  t.match(await refusal(async (app: FastifyInstance) => { app.register(null as never) }, 'afterAuth'), /Plugin must be a function/)
  t.match(await refusal(fp(async () => {}, { dependencies: ['who-knows'], name: 'needy' }), 'afterAuth'), /The dependency 'who-knows' of plugin 'needy' is not registered/)
  t.match(await refusal(async (_app: FastifyInstance, _options: object, _done: () => void) => {}, 'afterAuth'), /mixes async and callback styles/)
  t.match(await refusal(async () => { throw new Error('its own') }, 'afterAuth'), 'its own')
})
