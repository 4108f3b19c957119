import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { purge } from '../../../lib/purge.ts'
import { MAX_VARIANTS } from '../../../lib/http-cache/resource.ts'
import { cacheOver, type Answering } from '../../helpers/http-cache.ts'
import { eventually } from '../../helpers/process.ts'

const disk = { diskBytes: 64 * 1024 * 1024 }
const counted: Answering = (_request, count) => ({ headers: { 'cache-control': 'max-age=600' }, body: `answer ${count}` })

t.test('purges by URL, with all its queries; by prefix; and of everything', async t => {
  for (const options of [{}, disk]) {
    const { cache, get } = await cacheOver(t, counted, { ...options, publicPath: path => `/cdn${path}` })
    const paths = ['/a', '/a?b=1', '/ab', '/dir/a', '/dir/deep/b?c', '/caf%C3%A9', '//odd']
    const purged = async (what: string): Promise<string[]> => {
      const before = await Promise.all(paths.map(async path => (await get(path)).text))
      t.same(await cache.purge(what), { behind: [] })
      const after = await Promise.all(paths.map(async path => (await get(path)).text))
      return paths.filter((_, n) => before[n] !== after[n])
    }
    t.same(await purged('/cdn/a'), ['/a', '/a?b=1'])
    t.same(await purged('http://media.example/cdn/a?b=1'), ['/a', '/a?b=1'])
    t.same(await purged('/cdn/dir/'), ['/dir/a', '/dir/deep/b?c'])
    t.same(await purged('/cdn/caf%C3%A9'), ['/caf%C3%A9'])
    t.same(await purged('/a'), [])
    t.same(await purged('prefix:/cdn'), paths)
    t.same(await purged('*'), paths)
    await t.rejects(cache.purge('/cdn/../etc'), { code: 'bad-path' })
  }
})

t.test('without a public path, scope and path are the name', async t => {
  const { cache, get } = await cacheOver(t, counted)
  await get('/a')
  await cache.purge('/assets/a')
  t.equal((await get('/a')).text, 'answer 1')
})

t.test('what was purged stays so after a restart, and its bytes are removed', async t => {
  const first = await cacheOver(t, counted, disk)
  for (const path of ['/a', '/b']) await first.get(path)
  const variants = (): string[] => readdirSync(join(first.directory, 'variants'), { recursive: true, encoding: 'utf8' }).filter(name => name.length > 10)
  await eventually(() => variants().length === 2)
  await first.cache.purge('/assets/a')
  t.equal(variants().length, 1)
  const { get } = await first.again()
  t.match(await get('/b'), { cache: /^hit/ })
  t.match(await get('/a'), { cache: /^fwd=uri-miss/ })
})

t.test('a purge by another process reaches what is in memory here', async t => {
  const one = await cacheOver(t, counted, disk)
  const two = await cacheOver(t, counted, { ...disk, directory: one.directory })
  await one.get('/a')
  await two.get('/a')
  t.same((await two.cache.purge('/assets/a')).behind, [])
  t.match(await one.get('/a'), { text: 'answer 1' })
  const { tag, behind } = await purge('/assets/a', { directory: one.directory })
  t.same({ tag, behind }, { tag: 'original:/assets/a', behind: [] })
  t.match(await one.get('/a'), { text: 'answer 2' })
})

t.test('what was on its way during a purge is sent to who asked before, and kept for nobody', async t => {
  let answer: () => void = () => undefined
  const { cache, get, requests } = await cacheOver(t, async (_request, count) => {
    if (count === 0) await new Promise<void>(resolve => { answer = resolve })
    return { headers: { 'cache-control': 'max-age=600' }, body: `answer ${count}` }
  }, disk)
  const early = get('/a')
  const waits = get('/a')
  await eventually(() => requests.length === 1)
  await cache.purge('/assets/a')
  answer()
  t.equal((await early).text, 'answer 0')
  t.equal((await waits).text, 'answer 1')
  t.match(await get('/a'), { text: 'answer 1', cache: /^hit/ })
})

t.test('scopes keep apart, within one scope all share', async t => {
  const { cache, sender, get, requests } = await cacheOver(t, counted)
  const policy = { heuristicSeconds: 0, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0, maxEntryBytes: 1000 }
  const other = cache.over(sender, { ...policy, scope: 'other' })
  const same = cache.over(sender, { ...policy, scope: 'assets' })
  await get('/a')
  await other.send({ method: 'GET', path: '/a', headers: {} })
  await same.send({ method: 'GET', path: '/a', headers: {} })
  t.equal(requests.length, 2)
})

t.test('memory stays within its bound; what is used stays, what is not goes', async t => {
  const { get, cache, requests } = await cacheOver(t, ({ path }) => ({ headers: { 'cache-control': 'max-age=600' }, body: path.padEnd(10_000) }), { memoryBytes: 400_000 })
  for (let n = 0; n < 200; n++) {
    await get(`/${n}`)
    await get('/popular')
    t.ok(cache.memoryBytes <= 400_000)
  }
  t.equal(requests.filter(({ path }) => path === '/popular').length, 1)
  t.ok(cache.memoryBytes > 200_000)
  const before = requests.length
  await get('/0')
  t.equal(requests.length, before + 1)
  await cache.purge('*')
  t.equal(cache.memoryBytes, 0)
})

t.test('bodies that are larger than their part of the memory, or than the mount allows, are not kept', async t => {
  for (const [options, size] of [[{ memoryBytes: 800_000 }, 100_001], [{ maxEntryBytes: 1000 }, 1001], [{ ...disk, maxEntryBytes: 1000 }, 1001]] as const) {
    const { get, cache } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=600' }, body: 'x'.repeat(size) }), options)
    for (let n = 0; n < 2; n++) t.match({ ...await get('/a'), text: '' }, { cache: 'fwd=uri-miss; fwd-status=200' })
    t.equal(cache.memoryBytes, 0)
  }
})

t.test('an answer that comes as one large buffer goes to disk like any other', async t => {
  const { get, requests } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=600' }, body: Buffer.alloc(2_000_000, 'ab') }), disk)
  t.equal((await get('/a')).text.length, 2_000_000)
  await eventually(async () => (await get('/a', { range: 'bytes=1999999-' })).text === 'b')
  t.equal(requests.length, 1)
})

t.test('variants of one URL are bounded: the one that is used stays', async t => {
  const { get, cache, requests } = await cacheOver(t, ({ headers }) => ({ headers: { 'cache-control': 'max-age=600', 'vary': 'user-agent' }, body: String(headers['user-agent']) }))
  await get('/a', { 'user-agent': 'popular' })
  await get('/a', { 'user-agent': 'other' })
  for (let n = 0; n < 3 * MAX_VARIANTS; n++) {
    await get('/a', { 'user-agent': `unique ${n}` })
    t.equal((await get('/a', { 'user-agent': 'popular' })).text, 'popular')
  }
  t.equal(requests.filter(({ headers }) => headers['user-agent'] === 'popular').length, 1)
  t.ok(cache.memoryBytes < MAX_VARIANTS * 8000)
  await get('/a', { 'user-agent': 'other' })
  t.equal(requests.filter(({ headers }) => headers['user-agent'] === 'other').length, 2)
})

t.test('nothing is left of URLs that are not kept', async t => {
  const { get, cache } = await cacheOver(t, () => ({ headers: { 'cache-control': 'no-store' } }))
  for (let n = 0; n < 100; n++) await get(`/${n}`)
  t.equal(cache.memoryBytes, 0)
})

t.test('a cache without a disk writes nothing', async t => {
  const { get, directory } = await cacheOver(t, counted)
  await get('/a')
  await wait(20)
  t.notOk(existsSync(directory))
})

t.test('uses are told to the disk, so that what is asked for most does not go first', async t => {
  const { get, cache, again } = await cacheOver(t, ({ path }) => ({ headers: { 'cache-control': 'max-age=600' }, body: path }), disk)
  await get('/a')
  await get('/b')
  await get('/a')
  await cache.close()
  t.match(await (await again()).get('/a'), { text: '/a', cache: /^hit/ })
})

t.test('without memory everything is on disk', async t => {
  const { get, cache, requests } = await cacheOver(t, ({ path }) => ({ headers: { 'cache-control': 'max-age=600' }, body: path.padEnd(50_000) }), { ...disk, memoryBytes: 0 })
  for (let n = 0; n < 3; n++) {
    for (const path of ['/a', '/b']) t.equal((await get(path)).text.trim(), path)
    await eventually(() => cache.memoryBytes === 0)
  }
  t.equal(requests.length, 2)
})
