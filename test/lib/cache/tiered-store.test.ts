import { randomBytes } from 'node:crypto'
import { stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test as Tap } from 'tap'
import { DiskStore } from '../../../lib/cache/disk-store.ts'
import { MemoryStore } from '../../../lib/cache/memory-store.ts'
import { openStore, type OpenStore } from '../../../lib/cache/open-store.ts'
import { RedisLink } from '../../../lib/cache/redis-link.ts'
import { RedisStore } from '../../../lib/cache/redis-store.ts'
import type { StoredVariant, VariantKey, VariantStore } from '../../../lib/cache/store.ts'
import { TieredStore } from '../../../lib/cache/tiered-store.ts'
import { keyOf, opened, storeContract, variantOf } from '../../contracts/variant-store.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'
import { noRedis, testRedis } from '../../helpers/redis.ts'

async function overDisk (t: Tap, memory = new MemoryStore()): Promise<{ store: TieredStore, disk: DiskStore, directory: string }> {
  const directory = join(await scratch(t), 'cache')
  const disk = await DiskStore.open({ directory })
  const store = new TieredStore(memory, disk)
  t.teardown(async () => await store.close())
  return { store, disk, directory }
}

async function openTiers (t: Tap, directory: string, diskBytes = 1e9): Promise<OpenStore> {
  const tiers = await openStore({ memoryBytes: 1e7, directory, diskBytes }, fault => t.fail(fault.message))
  t.teardown(async () => {
    await tiers.purges.close()
    await tiers.store.close()
  })
  return tiers
}

t.test('memory over disk, as every store', t => {
  storeContract(t, async (t, onFault) => new TieredStore(new MemoryStore({}, onFault), await DiskStore.open({ directory: join(await scratch(t), 'cache'), onFault })))
  t.end()
})

t.test('memory over Redis, as every store', { skip: noRedis ?? false }, async t => {
  const { url } = await testRedis(t)
  storeContract(t, async (t, onFault) => {
    const link = await RedisLink.open({ url, prefix: randomBytes(4).toString('hex'), onFault })
    t.teardown(async () => await link.close())
    return new TieredStore(new MemoryStore({}, onFault), new RedisStore(link, { maxVariantBytes: 20_000_000 }))
  })
})

t.test('memory first; what the lower tier gave is in memory then, if it is small', async t => {
  const { store, disk } = await overDisk(t)
  await disk.put(keyOf('small'), variantOf('meow', { quality: 3 }))
  await disk.put(keyOf('large'), variantOf(randomBytes(2_000_000)))
  t.equal((await store.get(keyOf('small')))?.tier, 'disk')
  t.match(store.get(keyOf('small')), { tier: 'memory', quality: 3, size: 4, tags: ['original:/a.jpg'] }, 'without waiting')
  t.equal((await store.get(keyOf('large')))?.tier, 'disk')
  t.equal((await store.get(keyOf('large')))?.tier, 'disk')
  await store.put(keyOf('new'), variantOf('x'))
  t.match(store.get(keyOf('new')), { tier: 'memory' })
  t.equal((await disk.get(keyOf('new')))?.tier, 'disk')
})

t.test('a look at memory opens nothing below', async t => {
  const lower = new MemoryStore()
  const store = new TieredStore(new MemoryStore(), lower)
  t.teardown(async () => await store.close())
  await lower.put(keyOf('a'), variantOf('x'))
  t.equal(store.peek(keyOf('a')), undefined)
  await store.get(keyOf('a'))
  t.match(store.peek(keyOf('a')), { size: 1 })
  t.match(lower.peek(keyOf('a')), { size: 1 })
})

t.test('what memory gives up the lower tier still has', async t => {
  const { store } = await overDisk(t, new MemoryStore({ maxVariants: 1 }))
  for (const name of ['a', 'b']) await store.put(keyOf(name), variantOf(name))
  t.equal((await store.get(keyOf('a')))?.tier, 'disk')
})

t.test('what was on its way up while a purge came is not given, nor kept', async t => {
  let give: (variant: StoredVariant) => void = () => undefined
  const slow: VariantStore = {
    get: async () => await new Promise(resolve => { give = resolve }),
    claim: async () => await new Promise(resolve => { give = resolve }),
    put: async () => undefined,
    purge: async () => 0,
    close: async () => undefined
  }
  const bytes = Buffer.from('old')
  const old: StoredVariant = { ...variantOf('old'), size: 3, bytes, tier: 'disk', open: async () => bytes }
  const store = new TieredStore(new MemoryStore(), slow)
  t.teardown(async () => await store.close())
  for (const purge of [async () => await store.purge('original:/a.jpg'), async () => store.forget('original:/a.jpg')]) {
    for (const ask of [() => store.get(keyOf('a')), async () => await store.claim(keyOf('a'), new AbortController().signal)]) {
      const asked = ask()
      await purge()
      give(old)
      t.equal(await asked, undefined)
      const again = ask()
      give(old)
      t.ok(await again, 'who asks later gets what is there')
      store.forget('*')
    }
  }
})

t.test('a lower tier that nobody shares gives no lease', async t => {
  const { store } = await overDisk(t)
  t.equal(await store.claim(keyOf('a'), new AbortController().signal), undefined)
})

t.test('what is asked for in memory does not grow old below', async t => {
  const directory = join(await scratch(t), 'cache')
  const pathOf = (key: VariantKey): string => join(directory, 'variants', Buffer.from(key, 'base64url').toString('hex', 0, 1), key)
  const first = await DiskStore.open({ directory })
  for (const name of ['used', 'unused']) {
    await first.put(keyOf(name), variantOf(name))
    await utimes(pathOf(keyOf(name)), 1000, 1000)
  }
  await first.close()
  const memory = new MemoryStore()
  const store = new TieredStore(memory, await DiskStore.open({ directory }), 20)
  t.teardown(async () => await store.close())
  for (const name of ['used', 'unused', 'other']) await memory.put(keyOf(name), variantOf(name))
  store.get(keyOf('used'))
  t.ok(await eventually(async () => (await stat(pathOf(keyOf('used')))).mtimeMs > 1e9))
  t.equal((await stat(pathOf(keyOf('unused')))).mtimeMs, 1_000_000)
})

t.test('a cache of memory alone, and one with a disk, forget what is purged', async t => {
  const directory = join(await scratch(t), 'cache')
  for (const diskBytes of [0, 1e9]) {
    const cache = await openTiers(t, directory, diskBytes)
    await cache.store.put(keyOf('a'), variantOf('meow'))
    const before = cache.purges.generationOf(['original:/a.jpg'])
    await cache.purges.purge('prefix:/')
    t.equal(await cache.store.get(keyOf('a')), undefined)
    t.not(cache.purges.generationOf(['original:/a.jpg']), before)
  }
})

t.test('a purge by another process is forgotten in memory; the bytes on disk are removed by who purges', async t => {
  const directory = join(await scratch(t), 'cache')
  const [one, another] = [await openTiers(t, directory), await openTiers(t, directory)]
  await one.store.put(keyOf('a'), variantOf('meow'))
  t.equal(String(await opened(await another.store.get(keyOf('a')))), 'meow')
  t.same(await one.purges.purge('original:/a.jpg'), { behind: [] })
  t.equal(await another.store.get(keyOf('a')), undefined)
})
