import fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { printedRoutes, type PrintedRoute } from '../../../lib/access/printed-routes.ts'

async function answer (): Promise<string> { return '' }

/** The hooks of one method of one URL. */
function hooksOf (routes: readonly PrintedRoute[], method: string, url: string): Readonly<Record<string, readonly string[]>> | undefined {
  return routes.find(route => route.url === url && route.methods.includes(method))?.hooks
}

async function printed (build: (app: FastifyInstance) => void, options: object = {}): Promise<PrintedRoute[]> {
  const app = fastify(options)
  build(app)
  await app.ready()
  return printedRoutes(app.printRoutes({ includeHooks: true }))
}

t.test('an app without routes has none', async t => {
  t.strictSame(await printed(() => undefined), [])
})

t.test('URLs of every shape are read with their methods', async t => {
  const urls = ['/', '/*', '/both', '/both/*', '/private', '/private/*', '/private/raw/*', '/privateer', '/users/:id', '/users/:id/pictures/*', '/x/:a-:b', '/n/:file(^\\d+$).png', '/a b (c)', '/deep/er/and/deeper']
  const routes = await printed(app => {
    for (const url of urls) app.route({ method: ['GET', 'POST'], url, handler: answer })
    app.options('*', answer)
  })
  for (const url of urls) {
    for (const method of ['GET', 'POST', 'HEAD']) t.ok(hooksOf(routes, method, url), `${method} ${url}`)
  }
  t.ok(hooksOf(routes, 'OPTIONS', '*'))
  t.equal(new Set(routes.map(({ url }) => url)).size, urls.length + 1, 'and none that is not there')
})

t.test('a lone wildcard keeps what stands before it', async t => {
  const routes = await printed(app => {
    app.get('/files/raw/*', answer)
    app.get('/*', answer)
  })
  t.ok(hooksOf(routes, 'GET', '/files/raw/*'))
  t.ok(hooksOf(routes, 'GET', '/*'))
})

t.test('hooks are read in their order, of each method its own', async t => {
  const routes = await printed(app => {
    app.addHook('onRequest', async function first () {})
    app.addHook('onRequest', async function second () {})
    app.get('/a/b', answer)
    app.post('/a/b', { preHandler: [async function own () {}, async () => undefined] }, answer)
    app.get('/a/b/c', answer)
  })
  t.strictSame(hooksOf(routes, 'GET', '/a/b'), { onRequest: ['first', 'second'] })
  t.strictSame(hooksOf(routes, 'HEAD', '/a/b')?.onRequest, ['first', 'second'])
  t.strictSame(hooksOf(routes, 'POST', '/a/b'), { onRequest: ['first', 'second'], preHandler: ['own', 'anonymous'] })
  t.strictSame(hooksOf(routes, 'GET', '/a/b/c'), { onRequest: ['first', 'second'] })
})

t.test('routes that differ in their constraints are all there, and parameters of two names stand together', async t => {
  const routes = await printed(app => {
    app.get('/v', { constraints: { version: '1.0.0' } }, answer)
    app.get('/v', { constraints: { host: 'a.example' }, onRequest: async function onlyHere () {} }, answer)
    app.get('/:a', answer)
    app.post('/:b', answer)
  }, { exposeHeadRoutes: false })
  t.equal(routes.filter(({ url }) => url === '/v').length, 2)
  t.strictSame(routes.filter(({ url }) => url === '/:a|:b').flatMap(({ methods }) => methods), ['GET', 'POST'])
})

t.test('whatever routes there are, each is read with its own hooks', async t => {
  const words = ['a', 'ab', 'abc', 'b', ':p', 'a-:p', '*']
  let seed = 7
  const random = (below: number): number => {
    seed = (seed * 16807) % 2147483647
    return seed % below
  }
  for (let round = 0; round < 40; round++) {
    const expected = new Map<string, string>()
    const routes = await printed(app => {
      for (let count = 0; count < 15; count++) {
        const segments = Array.from({ length: 1 + random(3) }, () => words[random(words.length)] as string)
        const end = segments.findIndex(word => word === '*')
        const url = `/${segments.slice(0, end < 0 ? undefined : end + 1).join('/')}`
        const unlike = url.split('/').map((word, level) => word.replace(':p', `:p${level}`)).join('/')
        const method = ['GET', 'POST', 'PUT'][random(3)] as string
        const name = `hook${random(3)}`
        if (expected.has(`${method} ${unlike}`)) continue
        expected.set(`${method} ${unlike}`, name)
        app.route({ method, url: unlike, handler: answer, onRequest: Object.defineProperty(async () => undefined, 'name', { value: name }) })
      }
    }, { exposeHeadRoutes: false })
    for (const [route, name] of expected) {
      const [method = '', url = ''] = route.split(' ')
      t.strictSame(hooksOf(routes, method, url)?.onRequest, [name], route)
    }
    t.equal(routes.flatMap(({ methods }) => methods).length, expected.size)
  }
})
