import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { printedRoutes } from '../../lib/access/printed-routes.ts'
import { oneMount, scratch, serveMedia } from '../helpers/app.ts'

t.test('printed routes read as the hook order', async t => {
  const root = await scratch(t)
  const served = await serveMedia(t, oneMount(root, { prefix: '/files', listing: true, cors: { origins: ['*'] } }, {}, { log: { serverTiming: true } }))
  const printed = served.app.printRoutes({ includeHooks: true, commonPrefix: false, method: 'GET' })
  const mount = printed.slice(printed.indexOf('/files'))
  t.match(mount, /\(onRequest\) \["restoreUrl\(\)","logRequest\(\)","startTimer\(\)","requireHost\(\)","handleCors\(\)"\]/, 'preflights are answered before anyone is asked who they are')
  t.match(mount, /\(onSend\) \["addServerTiming\(\)","setSecurityHeaders\(\)","setCacheControl\(\)","tagText\(\)"\]/)
  t.notMatch(printed, /anonymous/, 'every hook is named')
  const page = readFileSync('docs/life-of-a-request.md', 'utf8')
  for (const [, name] of mount.matchAll(/"(\w+)\(\)"/g)) t.match(page, `\`${name}\``, `docs/life-of-a-request.md tells of ${name}`)
})

t.test('mounts of an upstream have the same order, and hooks that are named and told of', async t => {
  const mount = { upstream: 'assets', cors: { origins: ['*'] }, cache: { default: '1h' } }
  const served = await serveMedia(t, {
    upstreams: { assets: { origins: [{ url: 'http://127.0.0.1:1' }] } },
    mounts: [{ ...mount, prefix: '/cdn', delivery: 'proxy' }, { ...mount, prefix: '/away', delivery: 'auto' }, { ...mount, prefix: '/api', delivery: 'gateway' }]
  })
  const printed = served.app.printRoutes({ includeHooks: true, commonPrefix: false, method: 'GET' })
  const page = readFileSync('docs/life-of-a-request.md', 'utf8')
  for (const prefix of ['/cdn', '/away', '/api']) {
    const routes = printed.slice(printed.indexOf(prefix))
    t.match(routes, /\(onRequest\) \["restoreUrl\(\)","logRequest\(\)","requireHost\(\)","handleCors\(\)"\]/, prefix)
    for (const [, name] of routes.matchAll(/"(\w+)\(\)"/g)) t.match(page, `\`${name}\``, `${prefix}: docs/life-of-a-request.md tells of ${name}`)
  }
  t.notMatch(printed, /anonymous/)
})

t.test('a protected mount with everything runs its hooks in this order, and no other', async t => {
  const root = await scratch(t)
  const limit = { max: 100, windowMs: 60_000 }
  const marking = (hook: 'onRequest' | 'onSend', name: string) => async (app: FastifyInstance) => { app.addHook(hook, { [name]: async () => undefined }[name] as () => Promise<void>) }
  const served = await serveMedia(t, oneMount(root, {
    prefix: '/private',
    listing: true,
    cors: { origins: ['https://app.example.com'] },
    access: { read: ['here'] },
    rateLimit: { addresses: limit, principals: limit },
    plugins: [{ use: 'answers', at: 'onSend' }, { use: 'known', at: 'afterAuth' }, { use: 'strangers', at: 'beforeAuth' }]
  }, {}, {
    log: { serverTiming: true },
    strategies: { here: { driver: 'ip', allow: ['127.0.0.1'] } },
    extensions: { strangers: marking('onRequest', 'seeStrangers'), known: marking('onRequest', 'seeKnown'), answers: marking('onSend', 'seeAnswers') }
  }))
  const routes = printedRoutes(served.app.printRoutes({ includeHooks: true })).filter(({ url }) => url.includes('private'))
  t.ok(routes.length >= 2)
  const page = readFileSync('docs/life-of-a-request.md', 'utf8')
  for (const { url, hooks } of routes) {
    t.strictSame(hooks, {
      onRequest: ['restoreUrl', 'logRequest', 'startTimer', 'requireHost', 'handleCors', 'limitAddress', 'seeStrangers', 'authenticate', 'seeKnown', 'limitPrincipal'],
      onSend: ['addServerTiming', 'setSecurityHeaders', 'setCacheControl', 'tagText', 'keepPrivate', 'seeAnswers']
    }, url)
    for (const name of Object.values(hooks).flat().filter(hook => !hook.startsWith('see'))) t.match(page, `\`${name}\``, `docs/life-of-a-request.md tells of ${name}`)
  }
})

t.test('the root app reads as a list', t => {
  t.ok(readFileSync('app.ts', 'utf8').split('\n').length <= 61)
  t.end()
})
