import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openStore, type StoreOptions } from '../../lib/cache/open-store.ts'
import { originalTag } from '../../lib/cache/purge-tags.ts'
import type { StoreFault } from '../../lib/cache/store.ts'
import { purge, tagToPurge } from '../../lib/purge.ts'
import { keyOf } from '../contracts/variant-store.ts'
import { scratch, type Test } from '../helpers/app.ts'
import { noRedis, testRedis } from '../helpers/redis.ts'

t.test('a URL stands for its original, one that ends in a slash for all below, and anything else for itself', t => {
  for (const [what, tag] of [
    ['/photos/cat.jpg', 'original:/photos/cat.jpg'],
    ['/photos/my%20cat.jpg', 'original:/photos/my cat.jpg'],
    ['/photos/my cat.jpg', 'original:/photos/my cat.jpg'],
    ['/photos/cat.jpg?w=320&f=auto', 'original:/photos/cat.jpg'],
    ['https://media.example.com/photos/cat.jpg?w=320', 'original:/photos/cat.jpg'],
    ['/photos/', 'prefix:/photos/'],
    ['/K%C3%BCche/', 'prefix:/Küche/'],
    ['/', 'prefix:/'],
    ['*', '*'],
    ['prefix:/photos', 'prefix:/photos/'],
    ['original:/photos/cat.jpg', 'original:/photos/cat.jpg'],
    ['pets', 'pets']
  ] as const) t.equal(tagToPurge(what), tag, what)
  t.end()
})

t.test('what names nothing is refused', t => {
  for (const [what, code] of [
    ['', 'bad-request'],
    ['x'.repeat(5000), 'bad-request'],
    [`/${'x'.repeat(3000)}`, 'bad-request'],
    ['/photos/../cat.jpg', 'bad-path'],
    ['/photos/%2e%2e/cat.jpg', 'bad-path'],
    ['/photos//cat.jpg', 'bad-path'],
    ['/100%.jpg', 'bad-path'],
    ['/a%00.jpg', 'bad-path']
  ] as const) t.throws(() => tagToPurge(what), { code }, what.slice(0, 40))
  t.end()
})

/** A server's cache with one variant of /photos/cat.jpg. */
async function holder (t: Test, options: Partial<StoreOptions>): Promise<{ generation: () => string, has: () => Promise<boolean> }> {
  const { store, purges } = await openStore({ memoryBytes: 1e6, directory: '', diskBytes: 1e6, ...options }, () => {})
  t.teardown(async () => {
    await purges.close()
    await store.close()
  })
  await store.put(keyOf('cat'), { type: 'image/png', tags: [originalTag('/photos/cat.jpg')], bytes: Buffer.from('cat') })
  return {
    generation: () => purges.generationOf([originalTag('/photos/cat.jpg')]),
    has: async () => await store.get(keyOf('cat')) !== undefined
  }
}

t.test('a purge reaches all who share a directory, in memory too, and tells what was removed', async t => {
  const directory = await scratch(t)
  const one = await holder(t, { directory })
  const two = await holder(t, { directory })
  const before = [one.generation(), two.generation()]
  t.same(await purge('/dogs/', { directory }), { tag: 'prefix:/dogs/', found: 0, behind: [] })
  t.same([one.generation(), two.generation()], before)
  t.same([await one.has(), await two.has()], [true, true])
  t.same(await purge('/photos/cat.jpg', { directory }), { tag: 'original:/photos/cat.jpg', found: 1, behind: [] })
  t.same([await one.has(), await two.has()], [false, false])
  t.ok(one.generation() !== before[0] && two.generation() !== before[1])
})

t.test('a directory that is no variant cache stays as it is', async t => {
  const directory = await scratch(t, { 'a.txt': '' })
  for (const path of [directory, join(directory, 'gone'), join(directory, 'a.txt')]) {
    await t.rejects(purge('*', { directory: path }), { code: 'not-found', message: /nothing was purged/ })
  }
  t.same(await readdir(directory), ['a.txt'])
})

t.test('a purge that cannot be written down fails', async t => {
  const directory = await scratch(t)
  await mkdir(join(directory, 'purges'))
  await writeFile(join(directory, 'tmp'), 'no directory')
  await t.rejects(purge('*', { directory }), { code: 'unavailable', cause: { code: /EEXIST|ENOTDIR/ } })
})

t.test('a purge reaches all who share a Redis, in memory too', { skip: noRedis ?? false }, async t => {
  const redis = await testRedis(t)
  const one = await holder(t, { redis: redis.url })
  const two = await holder(t, { redis: redis.url })
  const before = [one.generation(), two.generation()]
  t.same(await purge('/photos/cat.jpg', { directory: 'unused', redis: redis.url }), { tag: 'original:/photos/cat.jpg', found: 1, behind: [] })
  t.same([await one.has(), await two.has()], [false, false])
  t.ok(one.generation() !== before[0] && two.generation() !== before[1])
})

t.test('a Redis that is not there is told', async t => {
  const faults: StoreFault[] = []
  await t.rejects(purge('*', { directory: 'unused', redis: 'redis://127.0.0.1:1' }, { onFault: fault => faults.push(fault) }), { code: 'unavailable' })
  t.match(faults[0], { message: /Redis cannot be reached/ })
})
