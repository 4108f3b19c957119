import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test as Tap } from 'tap'
import { openStore as openTiers, type OpenStore, type StoreOptions } from '../../../lib/cache/open-store.ts'
import { S3Store, type S3StoreOptions } from '../../../lib/cache/s3-store.ts'
import type { MakingLease, StoredVariant, StoreFault } from '../../../lib/cache/store.ts'
import { S3Client } from '../../../lib/sources/s3/client.ts'
import { keyOf, opened, storeContract, variantOf } from '../../contracts/variant-store.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'
import { bucketConfig, noRadosgw, ownRadosgw, radosgw, type Bucket } from '../../helpers/radosgw.ts'
import { noRedis, testRedis } from '../../helpers/redis.ts'

const skip = noRadosgw || (noRedis ?? false)
const never = new AbortController().signal
const tags = ['original:/a.jpg']

interface Opened { store: S3Store, client: S3Client, faults: StoreFault[] }

async function clientOf (t: Tap, bucket: Bucket): Promise<S3Client> {
  const client = await S3Client.open(bucketConfig(bucket))
  t.teardown(async () => await client.close())
  return client
}

async function openStore (t: Tap, bucket: Bucket, options: Partial<S3StoreOptions> = {}): Promise<Opened> {
  const faults: StoreFault[] = []
  const client = await clientOf(t, bucket)
  const store = new S3Store({ client, prefix: 'cache/', days: 30, onFault: fault => faults.push(fault), ...options })
  t.teardown(async () => await store.close())
  return { store, client, faults }
}

/** An instance: memory before a bucket, with its purges. */
async function instance (t: Tap, client: S3Client, options: Partial<StoreOptions> = {}): Promise<OpenStore> {
  const tiers = await openTiers({ memoryBytes: 1e7, directory: '/nowhere', diskBytes: 0, s3: { client, prefix: 'cache/', days: 30 }, ...options }, () => undefined)
  t.teardown(async () => {
    await tiers.purges.close()
    await tiers.store.close()
  })
  return tiers
}

async function namesIn (client: S3Client): Promise<string[]> {
  return (await client.list()).objects.map(({ name }) => name)
}

const isLease = (claimed: MakingLease | StoredVariant | undefined): claimed is MakingLease => claimed !== undefined && 'release' in claimed

/** How long many calls take together, the longest of them. */
async function longest (calls: Array<() => unknown>): Promise<number> {
  return Math.max(...await Promise.all(calls.map(async call => {
    const started = performance.now()
    await call()
    return performance.now() - started
  })))
}

t.test('as every store', { skip }, async t => {
  const bucket = await radosgw(t)
  storeContract(t, async (t, onFault) => (await openStore(t, bucket, { prefix: `${randomBytes(4).toString('hex')}/`, maxVariantBytes: 20_000_000, onFault })).store)
})

t.test('what one instance keeps another has, until its time is over; then it is removed', { skip }, async t => {
  const bucket = await radosgw(t)
  const [one, another] = [await openStore(t, bucket), await openStore(t, bucket)]
  await one.store.put(keyOf('a'), variantOf('meow', { tags: [...tags, 'cats'] }))
  t.match(await another.store.get(keyOf('a')), { tier: 's3', size: 4 })
  t.equal((await namesIn(one.client)).length, 3)
  const hasty = await openStore(t, bucket, { days: -1 })
  t.equal(await hasty.store.get(keyOf('a')), undefined)
  await hasty.store.close()
  t.same(await namesIn(one.client), [], 'with what led to it')
})

t.test('a damaged, cut, foreign or huge object is a miss, and removed', { skip }, async t => {
  const { store, client, faults } = await openStore(t, await radosgw(t), { maxVariantBytes: 1000 })
  await store.put(keyOf('a'), variantOf(randomBytes(500)))
  const place = `cache/v/${keyOf('a')}`
  const found = await client.get(place)
  const whole = Buffer.isBuffer(found?.body) ? found.body : Buffer.concat(await found?.body.toArray() as Buffer[])
  const flipped = Buffer.from(whole)
  flipped[whole.length - 1] = (flipped.at(-1) ?? 0) ^ 1
  for (const damaged of [whole.subarray(0, 300), whole.subarray(0, 30), whole.subarray(0, 10), Buffer.concat([whole, Buffer.from('x')]), flipped, Buffer.from('x'), Buffer.alloc(0), Buffer.alloc(5_000_000)]) {
    await client.put(place, damaged)
    t.equal(await store.get(keyOf('a')), undefined, `${damaged.length} bytes`)
    t.ok(await eventually(async () => await client.head(place) === undefined))
  }
  await client.put(`cache/v/${keyOf('b')}`, whole)
  t.equal(await store.get(keyOf('b')), undefined, 'nor is another variant under this name given')
  t.match(faults[0]?.message, /What was kept as a variant in the bucket is none/)
})

t.test('a variant that is too large is not kept', { skip }, async t => {
  const { store, client } = await openStore(t, await radosgw(t), { maxVariantBytes: 100 })
  await store.put(keyOf('a'), variantOf(randomBytes(101)))
  t.equal(await store.get(keyOf('a')), undefined)
  t.same(await namesIn(client), [])
})

t.test('a purge leaves nothing behind of what it covers, and touches nothing that is not of the cache', { skip }, async t => {
  const { store, client } = await openStore(t, await radosgw(t))
  const foreign = ['cache/v/readme.txt', 'cache/v/ä/b', `elsewhere/v/${keyOf('a')}`, 'cache/o/x', `v/${keyOf('a')}`]
  for (const name of foreign) await client.put(name, Buffer.from('x'))
  const put = async (): Promise<void> => {
    for (const path of ['/p/a.jpg', '/p/q/b.jpg']) await store.put(keyOf(path), variantOf(path, { tags: [`original:${path}`, 'cats'] }))
  }
  for (const [tag, count] of [['cats', 2], ['prefix:/', 2], ['*', 2], ['original:/p/a.jpg', 1], ['prefix:/p/q/', 1]] as const) {
    await put()
    t.equal(await store.purge(tag), count, tag)
    if (count === 1) t.equal(await store.purge('cats'), 1, `${tag}, then the rest`)
    t.same((await namesIn(client)).toSorted(), foreign.toSorted(), tag)
  }
})

t.test('names of objects do not tell what originals there are', { skip }, async t => {
  const { store, client } = await openStore(t, await radosgw(t))
  await store.put(keyOf('a'), variantOf('x', { tags: ['original:/secret/plans.jpg', 'shop:acme'] }))
  t.notMatch((await namesIn(client)).join('\n'), /secret|plans|acme/)
})

t.test('what lies very deep is purged as exactly as all else', { skip }, async t => {
  const { store } = await openStore(t, await radosgw(t))
  const deep = (count: number): string => `/${Array.from({ length: count }, (_, n) => `d${n}`).join('/')}`
  const paths = [`${deep(40)}/a.jpg`, `${deep(40)}/b.jpg`, `${deep(36)}/c.jpg`, `${deep(400)}/d.jpg`]
  for (const path of paths) await store.put(keyOf(path), variantOf(path, { tags: [`original:${path}`] }))
  const left = async (): Promise<number> => (await Promise.all(paths.map(async path => await store.get(keyOf(path))))).filter(one => one !== undefined).length
  t.equal(await store.purge(`original:${paths[0]}`), 1)
  t.equal(await left(), 3)
  t.equal(await store.purge(`prefix:${deep(38)}/`), 2)
  t.equal(await left(), 1)
  t.equal(await store.purge(`prefix:${deep(3)}/`), 1)
})

t.test('more than one listing tells is purged, too', { skip }, async t => {
  const { store, client } = await openStore(t, await radosgw(t))
  const names = Array.from({ length: 1100 }, (_, n) => `cache/v/${keyOf(String(n))}`)
  for (let n = 0; n < names.length; n += 50) await Promise.all(names.slice(n, n + 50).map(async name => await client.put(name, Buffer.from('x'))))
  t.equal(await store.purge('*'), 1100)
  t.same(await namesIn(client), [])
})

t.test('what leads to no variant is removed by the purge that meets it', { skip }, async t => {
  const { store, client } = await openStore(t, await radosgw(t))
  await store.put(keyOf('a'), variantOf('x', { tags: ['cats'] }))
  await client.delete(`cache/v/${keyOf('a')}`)
  t.equal(await store.purge('cats'), 0)
  t.same(await namesIn(client), [])
})

t.test('a store that refuses us is misses, and its faults tell no secret', { skip }, async t => {
  const bucket = await radosgw(t)
  const { store } = await openStore(t, bucket)
  await store.put(keyOf('a'), variantOf('meow'))
  const stranger = await openStore(t, { ...bucket, secretAccessKey: 'not-the-secret' })
  t.equal(await stranger.store.get(keyOf('a')), undefined)
  await stranger.store.put(keyOf('b'), variantOf('x'))
  t.equal(await stranger.store.purge('*'), undefined)
  t.equal(stranger.faults.length, 1)
  t.match((stranger.faults[0]?.cause as Error | undefined)?.message, /refuses this/)
  t.notMatch(JSON.stringify(stranger.faults.map(({ message, cause }) => [message, String(cause), cause])), /not-the-secret|[Ss]ignature=/)
  t.ok(await store.get(keyOf('a')))
})

t.test('a bucket that is gone is misses at once, and nothing of it is thrown; it is used again when it is back', { skip }, async t => {
  const own = await ownRadosgw(t)
  const { store, faults } = await openStore(t, own)
  await store.put(keyOf('a'), variantOf('meow'))
  const load: Array<Promise<unknown>> = []
  const timer = setInterval(() => load.push(store.get(keyOf('a')), store.put(keyOf('b'), variantOf(randomBytes(10_000)))), 5)
  await wait(50)
  await own.kill()
  const isMissed = async (): Promise<boolean> => await store.get(keyOf('a')) === undefined
  t.ok(await eventually(isMissed))
  for (let n = 0; n < 50; n++) t.ok(await isMissed())
  t.equal(await store.claim(keyOf('a'), never), undefined)
  await own.restart()
  t.ok(await eventually(async () => await store.get(keyOf('a')) !== undefined), 'what was kept before')
  t.ok(await eventually(async () => {
    await store.put(keyOf('d'), variantOf('purr'))
    return await store.get(keyOf('d')) !== undefined
  }))
  clearInterval(timer)
  await Promise.all(load)
  t.ok(faults.length > 0 && faults.length < 20, `${faults.length} faults told`)
})

t.test('a bucket that hangs costs a bounded time, once a second for one', { skip }, async t => {
  const own = await ownRadosgw(t)
  const { store } = await openStore(t, own)
  await store.put(keyOf('a'), variantOf('meow'))
  own.pause()
  t.teardown(() => own.resume())
  const get = async (): Promise<unknown> => await store.get(keyOf('a'))
  t.ok(await longest(Array.from({ length: 50 }, () => get)) < 10_000, 'long before the client gives up by itself')
  t.equal(await Promise.race([Promise.all(Array.from({ length: 50 }, get)).then(() => 'missed'), wait(500, 'waiting')]), 'missed', 'nobody waits again')
  own.resume()
  t.ok(await eventually(async () => await store.get(keyOf('a')) !== undefined))
})

t.test('while a bucket is slow only so much waits to be kept', { skip }, async t => {
  const own = await ownRadosgw(t)
  const { store, faults } = await openStore(t, own)
  own.pause()
  const puts = Array.from({ length: 70 }, async (_, n) => await store.put(keyOf(String(n)), variantOf('x')))
  t.match(faults[0]?.message, /too slow/)
  own.resume()
  await Promise.all(puts)
  const found = await Promise.all(puts.map(async (_, n) => await store.get(keyOf(String(n)))))
  t.equal(found.filter(one => one !== undefined).length, 64)
})

t.test('what could not be purged is not given when the bucket is back, and is removed then', { skip }, async t => {
  const own = await ownRadosgw(t)
  const { store, client } = await openStore(t, own)
  const keys = Array.from({ length: 150 }, (_, n) => keyOf(String(n))).toSorted()
  for (let n = 0; n < keys.length; n += 30) await Promise.all(keys.slice(n, n + 30).map(async key => await store.put(key, variantOf('x', { tags: ['cats'] }))))
  await store.put(keyOf('dog'), variantOf('x', { tags: ['dogs'] }))
  await own.kill()
  t.equal(await store.purge('cats'), undefined)
  await own.restart()
  const last = keys.at(-1) ?? keyOf('0') // it is removed after the others
  let given = 0
  t.ok(await eventually(async () => {
    if (await store.get(last) !== undefined) given++
    return (await namesIn(client)).length === 2
  }))
  t.equal(given, 0)
  t.ok(await eventually(async () => await store.get(keyOf('dog')) !== undefined), 'nothing else')
  await store.put(last, variantOf('x', { tags: ['cats'] }))
  t.ok(await store.get(last), 'what comes later stays')
})

t.test('what waits to be purged is bounded: past that everything is', { skip }, async t => {
  const own = await ownRadosgw(t)
  const { store } = await openStore(t, own)
  await store.put(keyOf('a'), variantOf('x', { tags: ['cats'] }))
  await own.kill()
  for (let n = 0; n <= 1001; n++) t.equal(await store.purge(`tag ${n}`), undefined)
  await own.restart()
  const other = await openStore(t, own)
  t.ok(await eventually(async () => await other.store.get(keyOf('a')) === undefined))
})

t.test('instances that share Redis make a variant once, keep its bytes in the bucket, and purge it for all', { skip }, async t => {
  const { url } = await testRedis(t)
  const client = await clientOf(t, await radosgw(t))
  const [one, another] = [await instance(t, client, { redis: url }), await instance(t, client, { redis: url })]
  let made = 0
  const wants = async ({ store }: OpenStore): Promise<string> => {
    const claimed = await store.claim?.(keyOf('a'), never)
    if (!isLease(claimed)) return String(await opened(claimed))
    made++
    await wait(100)
    await store.put(keyOf('a'), variantOf('made', { tags }))
    await claimed.release()
    return 'made'
  }
  t.same(await Promise.all([one, another, one, another].map(wants)), Array.from({ length: 4 }, () => 'made'))
  t.equal(made, 1)
  const redis = new Redis(url)
  t.teardown(() => redis.disconnect())
  t.same((await redis.keys('*')).filter(key => !key.includes('purges') && !key.includes('instances')), [], 'Redis holds none')
  t.ok(await another.store.get(keyOf('a')))
  const before = another.purges.generationOf(tags)
  t.same(await one.purges.purge('original:/a.jpg'), { behind: [] })
  t.not(another.purges.generationOf(tags), before)
  t.equal(one.purges.generationOf(tags), another.purges.generationOf(tags))
  t.equal(await another.store.get(keyOf('a')), undefined)
  t.same(await namesIn(client), [])
})

t.test('who waits for another in vain makes it, and waits a bounded time', { skip }, async t => {
  const { url } = await testRedis(t)
  const client = await clientOf(t, await radosgw(t))
  const [one, another] = [await instance(t, client, { redis: url }), await instance(t, client, { redis: url })]
  const first = await one.store.claim?.(keyOf('a'), never)
  const second = another.store.claim?.(keyOf('a'), never)
  t.equal(await Promise.race([second?.then(() => 'claimed'), wait(50, 'waiting')]), 'waiting')
  if (isLease(first)) await first.release()
  t.ok(isLease(await second))
  await t.rejects(async () => await one.store.claim?.(keyOf('a'), AbortSignal.timeout(50)), { name: 'TimeoutError' })
})

t.test('without Redis what was purged stays so when the process starts anew', { skip }, async t => {
  const client = await clientOf(t, await radosgw(t))
  for (const options of [{}, { directory: await scratch(t), diskBytes: 1e6 }]) {
    const one = await instance(t, client, options)
    await one.store.put(keyOf('a'), variantOf('old', { tags }))
    t.equal(await one.store.claim?.(keyOf('b'), never), undefined, 'nobody can tell who makes one')
    await one.purges.purge('original:/a.jpg')
    const again = await instance(t, client, options)
    t.equal(await again.store.get(keyOf('a')), undefined)
    await again.store.put(keyOf('a'), variantOf('new', { tags }))
    t.equal((await (await instance(t, client, options)).store.get(keyOf('a')))?.tier, 's3')
  }
})
