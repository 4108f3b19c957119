import t from 'tap'
import type { Config } from '../../../lib/config/schema.ts'
import { HttpCache } from '../../../lib/http-cache/http-cache.ts'
import { sendersOf } from '../../../lib/sources/senders.ts'
import type { Sender } from '../../../lib/upstream/message.ts'
import type { Upstreams } from '../../../lib/upstream/registry.ts'
import type { Test } from '../../helpers/app.ts'
import { origin } from '../../helpers/origin.ts'

const policy = { heuristicSeconds: 0, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0, maxEntryBytes: 1_000_000 }

async function remoteSenders (t: Test, sharedCache: object | undefined): Promise<{ cache: HttpCache, senderOf: (url: URL) => Sender, get: (url: string) => Promise<string> }> {
  const cache = await HttpCache.open({ memoryBytes: 1_000_000, diskBytes: 0, directory: '' })
  const source = { driver: 'remote', allow: ['http://*.example'], addresses: 'any', connections: 4, connectTimeoutMs: 20_000, firstByteTimeoutMs: 20_000, idleTimeoutMs: 20_000, ...(sharedCache === undefined ? {} : { sharedCache }) }
  const config = { sources: { far: source }, mounts: [{ prefix: '/far', source: 'far' }] } as unknown as Config
  const { senderOf, close } = sendersOf(config, { httpCache: cache, upstreams: {} as Upstreams }).remote('far', source as never)
  t.teardown(async () => {
    await close()
    await cache.close()
  })
  const get = async (url: string): Promise<string> => {
    const at = new URL(url)
    const { body } = await senderOf(at).send({ method: 'GET', path: at.pathname + at.search, headers: {} })
    return Buffer.isBuffer(body) ? body.toString() : Buffer.concat(await body.toArray() as Buffer[]).toString()
  }
  return { cache, senderOf, get }
}

t.test('answers of all hosts are kept apart, each by its own path, and purged by the URL of the mount', async t => {
  const counting = (name: string) => async (): Promise<{ url: string, count: () => number }> => {
    let count = 0
    const server = await origin(t, (request, response) => { response.writeHead(200, { 'cache-control': 'max-age=600' }).end(`${name} ${++count} ${request.url}`) })
    return { url: server.url, count: () => count }
  }
  const [one, two] = [await counting('one')(), await counting('two')()]
  const { get, cache, senderOf } = await remoteSenders(t, policy)
  t.equal(senderOf(new URL(one.url)).name, 'far')
  for (let n = 0; n < 2; n++) {
    t.equal(await get(`${one.url}/a?b=1`), 'one 1 /a?b=1')
    t.equal(await get(`${two.url}/a?b=1`), 'two 1 /a?b=1')
  }
  await cache.purge(`prefix:/far/${one.url}/`)
  t.equal(await get(`${one.url}/a?b=1`), 'one 2 /a?b=1')
  t.equal(await get(`${two.url}/a?b=1`), 'two 1 /a?b=1')
  await cache.purge('prefix:/far')
  t.equal(await get(`${two.url}/a?b=1`), 'two 2 /a?b=1')
})

t.test('hosts that clients name leave nothing behind in the cache', async t => {
  const { cache, senderOf } = await remoteSenders(t, policy)
  const scopes: string[] = []
  const over = cache.over.bind(cache)
  cache.over = (sender, options) => {
    scopes.push(options.scope)
    return over(sender, options)
  }
  for (let n = 0; n < 1000; n++) senderOf(new URL(`http://host${n}.example/`))
  t.same(scopes, [])
  t.equal(cache.memoryBytes, 0)
})

t.test('without a shared cache, hosts are asked each time', async t => {
  let count = 0
  const server = await origin(t, (_request, response) => { response.writeHead(200, { 'cache-control': 'max-age=600' }).end(`answer ${++count}`) })
  const { get } = await remoteSenders(t, undefined)
  for (let n = 1; n <= 2; n++) t.equal(await get(`${server.url}/a`), `answer ${n}`)
})
