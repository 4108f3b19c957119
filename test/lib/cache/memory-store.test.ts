import { randomBytes } from 'node:crypto'
import t from 'tap'
import { MemoryStore } from '../../../lib/cache/memory-store.ts'
import { keyOf, storeContract, variantOf } from '../../contracts/variant-store.ts'

t.test('as every store', t => {
  storeContract(t, async (_t, onFault) => new MemoryStore({ maxVariantBytes: 20_000_000 }, onFault))
  t.end()
})

t.test('the bytes kept stay below their bound, overhead included, and the least lately used goes first', async t => {
  const store = new MemoryStore({ totalBytes: 100_000 })
  await store.put(keyOf('used'), variantOf(randomBytes(5000)))
  for (let n = 0; n < 500; n++) {
    await store.put(keyOf(`${n}`), variantOf(randomBytes(5000)))
    t.ok(store.get(keyOf('used')))
    if (store.bytes > 100_000) t.fail('more than the bound')
  }
  t.ok(store.size > 12)
  t.notOk(store.get(keyOf('0')))
  t.ok(store.get(keyOf('499')))
})

t.test('empty variants are bounded too, by number and by what they cost', async t => {
  const few = new MemoryStore({ maxVariants: 10 })
  const small = new MemoryStore({ totalBytes: 100_000 })
  for (let n = 0; n < 300; n++) for (const store of [few, small]) await store.put(keyOf(`${n}`), variantOf(''))
  t.equal(few.size, 10)
  t.ok(small.size < 150)
})

t.test('a variant that is too large is not kept, nor what it replaces', async t => {
  const store = new MemoryStore({ maxVariantBytes: 100 })
  await store.put(keyOf('a'), variantOf('x'))
  await store.put(keyOf('a'), variantOf(randomBytes(101)))
  t.equal(store.get(keyOf('a')), undefined)
  t.equal(store.bytes, 0)
})

t.test('a small part of a large buffer does not keep all of it', async t => {
  const store = new MemoryStore()
  await store.put(keyOf('a'), variantOf('', { bytes: Buffer.alloc(1_000_000).subarray(0, 10) }))
  t.equal(store.get(keyOf('a'))?.bytes?.buffer.byteLength, 10)
})

t.test('it tells which variants were used since it was asked last', async t => {
  const store = new MemoryStore()
  for (const name of ['a', 'b', 'c']) await store.put(keyOf(name), variantOf('x'))
  store.get(keyOf('a'))
  t.same(store.takeUsed(), [keyOf('a')])
  t.same(store.takeUsed(), [])
  store.get(keyOf('a'))
  store.get(keyOf('a'))
  t.same(store.takeUsed(), [keyOf('a')])
})
