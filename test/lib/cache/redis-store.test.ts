import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test as Tap } from 'tap'
import { openStore as openTiers, type OpenStore } from '../../../lib/cache/open-store.ts'
import { RedisLedger } from '../../../lib/cache/purge-redis.ts'
import { Purges } from '../../../lib/cache/purges.ts'
import { RedisLink } from '../../../lib/cache/redis-link.ts'
import { RedisStore, type RedisStoreOptions } from '../../../lib/cache/redis-store.ts'
import type { MakingLease, StoredVariant, StoreFault } from '../../../lib/cache/store.ts'
import { keyOf, opened, storeContract, variantOf } from '../../contracts/variant-store.ts'
import { childOf } from '../../helpers/child.ts'
import { eventually } from '../../helpers/process.ts'
import { noRedis, testRedis, type TestRedis } from '../../helpers/redis.ts'

const skip = noRedis ?? false
const never = new AbortController().signal
const tags = ['original:/a.jpg']

interface Opened { store: RedisStore, link: RedisLink, faults: StoreFault[] }

async function openStore (t: Tap, url: string, options: Partial<RedisStoreOptions> = {}): Promise<Opened> {
  const faults: StoreFault[] = []
  const link = await RedisLink.open({ url, onFault: fault => faults.push(fault) })
  const store = new RedisStore(link, options)
  t.teardown(async () => {
    await store.close()
    await link.close()
  })
  return { store, link, faults }
}

async function client (t: Tap, url: string): Promise<Redis> {
  const redis = new Redis(url)
  t.teardown(() => redis.disconnect())
  return redis
}

/** An instance: memory before Redis, with its purges. */
async function instance (t: Tap, url: string): Promise<OpenStore> {
  const tiers = await openTiers({ memoryBytes: 1e7, directory: '/nowhere', diskBytes: 0, redis: url }, () => undefined)
  t.teardown(async () => {
    await tiers.purges.close()
    await tiers.store.close()
  })
  return tiers
}

const isLease = (claimed: MakingLease | StoredVariant | undefined): claimed is MakingLease => claimed !== undefined && 'release' in claimed

t.test('as every store', { skip }, async t => {
  const redis = await testRedis(t)
  storeContract(t, async (t, onFault) => {
    const link = await RedisLink.open({ url: redis.url, prefix: `test [${randomBytes(4).toString('hex')}]*:`, onFault })
    t.teardown(async () => await link.close())
    return new RedisStore(link, { maxVariantBytes: 20_000_000 })
  })
})

t.test('what one instance keeps another has, until its time is over', { skip }, async t => {
  const { url } = await testRedis(t)
  const [one, another] = [await openStore(t, url, { ttlMs: 150 }), await openStore(t, url)]
  await one.store.put(keyOf('a'), variantOf('meow'))
  t.match(await another.store.get(keyOf('a')), { tier: 'redis', size: 4 })
  t.ok(await eventually(async () => await another.store.get(keyOf('a')) === undefined))
  const redis = await client(t, url)
  t.ok(await eventually(async () => await redis.dbsize() === 0), 'nothing outlives it')
})

t.test('a damaged or foreign value is a miss, and removed', { skip }, async t => {
  const { url } = await testRedis(t)
  const { store, faults } = await openStore(t, url)
  const redis = await client(t, url)
  await store.put(keyOf('a'), variantOf(randomBytes(500)))
  const place = `fastify-media:v:${keyOf('a')}`
  const whole = await redis.getBuffer(place)
  for (const damaged of [whole?.subarray(0, 300), whole?.subarray(0, 30), Buffer.concat([whole ?? Buffer.alloc(0), Buffer.from('x')]), Buffer.from('x'), Buffer.alloc(500)]) {
    await redis.set(place, damaged ?? '')
    t.equal(await store.get(keyOf('a')), undefined)
    t.equal(await redis.exists(place), 0)
  }
  await redis.set(`fastify-media:v:${keyOf('b')}`, whole ?? '')
  t.equal(await store.get(keyOf('b')), undefined, 'nor is another variant under this name given')
  await redis.lpush(place, 'a list')
  t.equal(await store.get(keyOf('a')), undefined)
  t.ok(faults.length > 0)
})

t.test('a variant that is too large is not kept', { skip }, async t => {
  const { url } = await testRedis(t)
  const { store } = await openStore(t, url, { maxVariantBytes: 100 })
  await store.put(keyOf('a'), variantOf(randomBytes(101)))
  t.equal(await store.get(keyOf('a')), undefined)
})

t.test('a Redis that is full refuses to keep, and gives what it has', { skip }, async t => {
  const { url } = await testRedis(t)
  const { store, faults } = await openStore(t, url)
  await store.put(keyOf('a'), variantOf('meow'))
  await (await client(t, url)).config('SET', 'maxmemory', '1')
  await store.put(keyOf('b'), variantOf('purr'))
  t.equal(await store.get(keyOf('b')), undefined)
  t.ok(await store.get(keyOf('a')))
  t.match(faults.map(fault => String(fault.cause)), [/OOM/])
})

t.test('of many who miss at once one gets the lease, the others what it made', { skip }, async t => {
  const { url } = await testRedis(t)
  const stores = await Promise.all(Array.from({ length: 4 }, async () => (await openStore(t, url)).store))
  let made = 0
  const wants = async (store: RedisStore): Promise<string> => {
    const claimed = await store.claim(keyOf('a'), never)
    if (!isLease(claimed)) return String(await opened(claimed))
    made++
    await wait(100)
    await store.put(keyOf('a'), variantOf('made'))
    await claimed.release()
    await claimed.release()
    return 'made'
  }
  t.same(await Promise.all([...stores, ...stores].map(wants)), Array.from({ length: 8 }, () => 'made'))
  t.equal(made, 1)
})

t.test('two processes that want the same cold variant make it once', { skip }, async t => {
  const { url } = await testRedis(t)
  const children = [0, 1].map(() => childOf(t, 'cache-child', ['make', url, keyOf('cold')]))
  for (const child of children) t.ok(await eventually(() => child.lines()[0] === 'ready', 10_000), child.errors())
  for (const child of children) child.say('go\n')
  for (const child of children) t.ok(await eventually(() => child.lines().length === 2), child.errors())
  const said = children.map(child => child.lines()[1] ?? '').toSorted()
  t.match(said[0], /^got by \d+$/)
  t.match(said[1], /^made by \d+$/)
  t.equal(said[0]?.slice(4), said[1]?.slice(5))
})

t.test('who gives up its lease without a variant leaves it to the next; who dies, too, after a while', { skip }, async t => {
  const { url } = await testRedis(t)
  const [one, another] = [await openStore(t, url, { leaseMs: 200 }), await openStore(t, url, { leaseMs: 200 })]
  const first = await one.store.claim(keyOf('a'), never)
  t.ok(isLease(first))
  const second = another.store.claim(keyOf('a'), never)
  await wait(500)
  t.equal(await Promise.race([second.then(() => 'claimed'), wait(1, 'waiting')]), 'waiting', 'a lease is renewed while its holder lives')
  if (isLease(first)) await first.release()
  t.ok(isLease(await second))
  await another.link.close() // renewed no more
  const started = performance.now()
  t.ok(isLease(await one.store.claim(keyOf('a'), never)))
  t.ok(performance.now() - started < 1000)
})

t.test('waiting for another ends with the signal, and after a bounded time', { skip }, async t => {
  const { url } = await testRedis(t)
  const { store } = await openStore(t, url, { claimMs: 100 })
  t.ok(isLease(await store.claim(keyOf('a'), never)))
  t.equal(await store.claim(keyOf('a'), never), undefined)
  const patient = await openStore(t, url)
  await t.rejects(patient.store.claim(keyOf('a'), AbortSignal.timeout(50)), { name: 'TimeoutError' })
  await t.rejects(patient.store.claim(keyOf('a'), AbortSignal.abort(new Error('gone'))), { message: 'gone' })
})

/** How long many calls take together, the longest of them. */
async function longest (calls: Array<() => unknown>): Promise<number> {
  return Math.max(...await Promise.all(calls.map(async call => {
    const started = performance.now()
    await call()
    return performance.now() - started
  })))
}

t.test('a Redis that is gone is misses at once, and nothing of it is thrown; it is used again when it is back', { skip }, async t => {
  const redis = await testRedis(t)
  const { store, faults } = await openStore(t, redis.url)
  await store.put(keyOf('a'), variantOf('meow'))
  const load: Array<Promise<unknown>> = []
  const timer = setInterval(() => load.push(store.get(keyOf('a')), store.put(keyOf('b'), variantOf(randomBytes(10_000)))), 2)
  await wait(50)
  await redis.kill()
  await wait(50)
  const calls = [async () => await store.get(keyOf('a')), async () => await store.put(keyOf('c'), variantOf('x')), async () => await store.claim(keyOf('a'), never), async () => await store.purge('*'), async () => await store.purge('prefix:/')]
  t.ok(await longest(calls) < 400)
  t.equal(await store.claim(keyOf('a'), never), undefined, 'then it is made without a lease')
  await redis.restart()
  t.ok(await eventually(async () => {
    await store.put(keyOf('d'), variantOf('purr'))
    return await store.get(keyOf('d')) !== undefined
  }))
  clearInterval(timer)
  await Promise.all(load)
  t.ok(faults.length > 0 && faults.length < 10, `${faults.length} faults told`)
})

t.test('a Redis that hangs costs a bounded time, once a second for one', { skip }, async t => {
  const redis = await testRedis(t)
  const { store } = await openStore(t, redis.url)
  await store.put(keyOf('a'), variantOf('meow'))
  redis.process.kill('SIGSTOP')
  t.teardown(() => redis.process.kill('SIGCONT'))
  const get = async (): Promise<unknown> => await store.get(keyOf('a'))
  t.ok(await longest(Array.from({ length: 50 }, () => get)) < 500)
  t.ok(await longest(Array.from({ length: 50 }, () => get)) < 50, 'nobody waits again')
  await wait(1100)
  t.ok(await longest(Array.from({ length: 50 }, () => get)) < 500)
  redis.process.kill('SIGCONT')
  t.ok(await eventually(async () => await store.get(keyOf('a')) !== undefined))
})

t.test('a Redis that is not there at the start is used once it is', { skip }, async t => {
  const redis = await testRedis(t)
  await redis.kill()
  const cache = await instance(t, redis.url)
  const before = cache.purges.generationOf(tags)
  t.not(before, '', 'names are made all the same')
  await cache.store.put(keyOf('a'), variantOf('x'))
  t.equal((await cache.store.get(keyOf('a')))?.tier, 'memory')
  await t.rejects(cache.purges.purge('x'), { code: 'unavailable' })
  await redis.restart()
  t.ok(await eventually(() => cache.purges.generationOf(tags) !== before))
  await cache.store.put(keyOf('b'), variantOf('x'))
  const other = await instance(t, redis.url)
  t.equal((await other.store.get(keyOf('b')))?.tier, 'redis')
})

t.test('a purge reaches every instance before it settles, its memory too', { skip }, async t => {
  const { url } = await testRedis(t)
  const [one, another] = [await instance(t, url), await instance(t, url)]
  t.equal(one.purges.generationOf(tags), another.purges.generationOf(tags))
  for (let n = 0; n < 20; n++) {
    await one.store.put(keyOf('a'), variantOf('old', { tags }))
    t.ok(await another.store.get(keyOf('a')))
    t.equal(another.store.get(keyOf('a')) instanceof Promise, false, 'in memory')
    const before = another.purges.generationOf(tags)
    t.same(await one.purges.purge(['original:/a.jpg', 'prefix:/', '*'][n % 3] ?? ''), { behind: [] })
    t.not(another.purges.generationOf(tags), before)
    t.equal(one.purges.generationOf(tags), another.purges.generationOf(tags))
    t.equal(await another.store.get(keyOf('a')), undefined)
    t.equal(await one.store.get(keyOf('a')), undefined)
  }
})

t.test('an instance that missed the news is given nothing from Redis until it has caught up', { skip }, async t => {
  const { url } = await testRedis(t)
  const link = await RedisLink.open({ url })
  t.teardown(async () => await link.close())
  let caughtUp = 0
  const store = new RedisStore(link, {}, { redisKey: 'fastify-media:purges:at', get known () { return known }, catchUp: () => { caughtUp++ } })
  const one = await instance(t, url)
  const redis = await client(t, url)
  let known = await redis.get('fastify-media:purges:at') ?? ''
  await one.store.put(keyOf('a'), variantOf('old', { tags: ['other'] }))
  t.ok(await store.get(keyOf('a')))
  await one.purges.purge('original:/a.jpg')
  t.equal(await store.get(keyOf('a')), undefined)
  t.equal(caughtUp, 1)
  known = await redis.get('fastify-media:purges:at') ?? ''
  t.ok(await store.get(keyOf('a')))
})

t.test('news that got lost are noticed within a second or two', { skip }, async t => {
  const { url } = await testRedis(t)
  const [one, another] = [await instance(t, url), await instance(t, url)]
  const redis = await client(t, url)
  const before = another.purges.generationOf(tags)
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  t.same(await one.purges.purge('original:/a.jpg'), { behind: [] })
  t.not(another.purges.generationOf(tags), before)
})

t.test('who is behind is named, the dead are not', { skip }, async t => {
  const { url } = await testRedis(t)
  const one = await instance(t, url)
  const redis = await client(t, url)
  const [now] = await redis.time()
  await redis.hset('fastify-media:instances', { stuck: `${now} x:0`, dead: `${Number(now) - 60} x:0`, junk: '?' })
  const link = await RedisLink.open({ url })
  t.teardown(async () => await link.close())
  const outside = await Purges.open(new RedisLedger(link, 100))
  t.same(await outside.purge('original:/a.jpg'), { behind: ['stuck'] })
  await outside.close()
  t.notOk(await redis.hexists('fastify-media:instances', 'dead'))
  await redis.hdel('fastify-media:instances', 'stuck')
  t.same(await one.purges.purge('x'), { behind: [] })
})

t.test('a Redis that lost its purges begins an epoch in which everything is purged', { skip }, async t => {
  const redis: TestRedis = await testRedis(t)
  const [one, another] = [await instance(t, redis.url), await instance(t, redis.url)]
  await one.purges.purge('original:/a.jpg')
  const seen = new Set([one.purges.generationOf(tags)])
  await one.store.put(keyOf('a'), variantOf('x', { tags }))
  await redis.kill()
  t.ok(one.store.get(keyOf('a')), 'while Redis is gone memory goes on')
  await redis.restart()
  const agreed = (): boolean => one.purges.generationOf(tags) === another.purges.generationOf(tags) && !seen.has(one.purges.generationOf(tags))
  t.ok(await eventually(agreed))
  t.equal(await one.store.get(keyOf('a')), undefined, 'and is forgotten with it')
  const direct = await client(t, redis.url)
  for (const lost of ['fastify-media:purges', 'fastify-media:purges:at']) {
    seen.add(one.purges.generationOf(tags))
    await direct.del(lost)
    t.ok(await eventually(agreed), lost)
  }
  t.same(await one.purges.purge('original:/a.jpg'), { behind: [] })
})
