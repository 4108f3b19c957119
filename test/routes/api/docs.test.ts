import { existsSync, readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { chromium } from 'playwright-core'
import t from 'tap'
import media from '../../../app.ts'
import { printedRoutes } from '../../../lib/access/printed-routes.ts'
import { apiFiles, apiOptions, as, json, serveApi } from '../../helpers/api.ts'
import { ask, serve, serveMedia } from '../../helpers/app.ts'

const CHROMIUM = '/usr/bin/chromium'
const here = { driver: 'ip', allow: ['127.0.0.0/8'] }

t.test('every URL of the API runs the same hooks in the same order, named and told of', async t => {
  const limit = { max: 1000, windowMs: 60_000 }
  const served = await serveApi(t, { api: { access: { read: ['machines'], write: ['machines'] }, rateLimit: { addresses: limit, principals: limit } } })
  const printed = served.app.printRoutes({ includeHooks: true })
  const routes = printedRoutes(printed).filter(({ url }) => url.startsWith('/api/v1'))
  const urls = new Set(routes.map(({ url }) => url))
  for (const url of ['', '/*', '/mounts', '/list', '/stat', '/info', '/file', '/move', '/purge', '/sign', '/openapi.json', '/docs', '/docs/', '/docs/*', '/docs/json', '/docs/yaml', '/docs/static/*']) t.ok(urls.has(`/api/v1${url}`), url)
  const page = readFileSync('docs/life-of-a-request.md', 'utf8')
  for (const { url, methods, hooks: { onSend = [], ...hooks } } of routes) {
    // Fastify makes HEAD of GET, with a hook of the route for the length.
    t.strictSame({ ...hooks, onSend: methods.includes('GET') || methods.length > 1 ? onSend : onSend.filter(name => name !== 'headOfDelivered') }, {
      onRequest: ['restoreUrl', 'logRequest', 'requireHost', 'limitAddress', 'authenticate', 'limitPrincipal'],
      onSend: ['setSecurityHeaders', 'setCacheControl', 'tagText', 'keepPrivate']
    }, url)
    for (const name of Object.values(hooks).flat()) t.match(page, `\`${name}\``, `docs/life-of-a-request.md tells of ${name}`)
  }
})

t.test('a route of the host below the prefix that asks nobody who they are keeps the server from listening', async t => {
  const options = apiOptions(await apiFiles(t))
  const host = (rest: object = {}) => async (app: FastifyInstance): Promise<void> => {
    app.get('/api/v1/debug', async () => 'secrets')
    await app.register(media, { ...options, ...rest })
  }
  await t.rejects(serve(t, host()), { message: /mount \/api\/v1: GET, HEAD \/api\/v1\/debug has no authenticate hook|mount \/api\/v1: GET \/api\/v1\/debug has no authenticate hook/ })
  const served = await serve(t, host({ api: { access: { read: ['machines'], write: ['machines'], except: ['/api/v1/debug'] } } }))
  t.equal((await ask(served, '/api/v1/debug')).text, 'secrets')
})

t.test('a key limits what it may ask of the API, and what had to be made counts for more', async t => {
  const served = await serveApi(t, { api: { access: { read: ['machines'], write: ['machines'] }, rateLimit: { principals: { max: 8, windowMs: 600_000 } } } })
  t.match(await ask(served, '/api/v1/info?path=/photos/cat.png', as('editor')), { status: 200, headers: { ratelimit: /r=7/ } })
  t.match(await ask(served, '/api/v1/mounts', as('editor')), { status: 200, headers: { ratelimit: /r=2/ } })
  t.match(await ask(served, '/api/v1/mounts', as('keeper')), { status: 200, headers: { ratelimit: /r=7/ } }, 'others have their own')
})

t.test('without the page there is the document alone, and what nobody may do is not in it', async t => {
  const served = await serveApi(t, { api: { docs: false, access: { read: ['machines'] } } })
  t.equal((await ask(served, '/api/v1/docs', as('editor'))).status, 404)
  const { paths } = json(await ask(served, '/api/v1/openapi.json', as('editor'))) as { paths: object }
  t.strictSame(Object.keys(paths).toSorted(), ['/info', '/list', '/mounts', '/stat'])
  t.equal((await ask(served, '/api/v1/purge', { method: 'POST', ...as('editor') })).status, 403)
})

t.test('a host keeps its own document, and its own schemas are in no other', async t => {
  const options = apiOptions(await apiFiles(t))
  const served = await serve(t, async app => {
    await app.register(swagger as unknown as FastifyPluginAsync<object>, { openapi: { openapi: '3.1.0', info: { title: 'the host', version: '1' } } } as object)
    await app.register(swaggerUi as unknown as FastifyPluginAsync<object>, {})
    app.addSchema({ $id: 'Secret', type: 'object', properties: { secret: { type: 'string' } } })
    app.get('/own', { schema: { operationId: 'own' } }, async () => 'own')
    await app.register(media, options)
  })
  const document = json(await ask(served, '/api/v1/openapi.json', as('editor'))) as { info: { title: string }, paths: object, components: { schemas: object } }
  t.equal(document.info.title, 'fastify-media')
  t.notMatch(JSON.stringify(document), /[sS]ecret|\/own/)
  t.strictSame(json(await ask(served, '/api/v1/docs/json', as('editor'))), document as never)
  t.match(json(await ask(served, '/documentation/json')), { info: { title: 'the host' }, paths: { '/own': {}, '/api/v1/mounts': undefined } })
})

t.test('the page loads its own style and script, and nothing from elsewhere', { skip: existsSync(CHROMIUM) ? false : `${CHROMIUM} is not here` }, async t => {
  const files = await apiFiles(t)
  const served = await serveMedia(t, { ...apiOptions(files), strategies: { here }, api: { access: { read: ['here'], write: ['here'] } }, mounts: [{ prefix: '/photos', source: 'photos' }] } as never)
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
  t.teardown(async () => await browser.close())
  const page = await browser.newPage()
  const [complaints, hosts]: [string[], Set<string>] = [[], new Set()]
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('request', request => { if (!request.url().startsWith('data:')) hosts.add(new URL(request.url()).host) })
  page.on('response', response => { if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`) })
  for (const path of ['/api/v1/docs', '/api/v1/docs/']) {
    await page.goto(served.url + path)
    await page.getByText('Members of a directory').waitFor()
    t.equal(await page.locator('.opblock').count(), 9, path)
  }
  await page.getByText('A file or a directory').first().click()
  await page.getByRole('button', { name: 'Try it out' }).click()
  await page.getByPlaceholder('path').fill('/photos/note.txt')
  await page.getByRole('button', { name: 'Execute' }).click()
  await page.getByText('"kind"').first().waitFor()
  t.strictSame([...hosts], [`127.0.0.1:${served.port}`])
  t.strictSame(complaints, [])
})
