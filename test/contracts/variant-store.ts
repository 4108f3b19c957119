import { createHash, randomBytes } from 'node:crypto'
import type { Test as Tap } from 'tap'
import type { NewVariant, StoreFault, StoredVariant, VariantKey, VariantStore } from '../../lib/cache/store.ts'
import { bytesOf } from './source.ts'

/** Makes an empty store that takes variants of up to 20 MB, and tells its faults. */
export type MakeStore = (t: Tap, onFault: (fault: StoreFault) => void) => Promise<VariantStore>

/** A variant key out of any text. */
export function keyOf (text: string): VariantKey {
  return createHash('sha256').update(text).digest('base64url') as VariantKey
}

/** A variant with facts that do not matter. */
export function variantOf (bytes: Buffer | string, facts: Partial<NewVariant> = {}): NewVariant {
  return { type: 'image/webp', tags: ['original:/a.jpg'], bytes: Buffer.from(bytes), ...facts }
}

/** Every byte of what a store gave, by way of `open`. */
export async function opened (variant: StoredVariant | undefined, range?: { start: number, end: number }): Promise<Buffer | undefined> {
  return variant === undefined ? undefined : await bytesOf(await variant.open(range))
}

/** What every store must do, wherever it keeps variants. */
export function storeContract (t: Tap, make: MakeStore): void {
  const open = async (t: Tap, onFault: (fault: StoreFault) => void = fault => t.fail(fault.message, { fault })): Promise<VariantStore> => {
    const store = await make(t, onFault)
    t.teardown(async () => await store.close())
    return store
  }

  t.test('what was put is there whole, with its facts', async t => {
    const store = await open(t)
    const bytes = randomBytes(20_000)
    await store.put(keyOf('a'), variantOf(bytes, { type: 'image/avif', tags: ['original:/ä/猫 "1".jpg', 'shop'], quality: 61.5 }))
    const found = await store.get(keyOf('a'))
    t.match(found, { type: 'image/avif', size: 20_000, quality: 61.5, tags: ['original:/ä/猫 "1".jpg', 'shop'] })
    t.ok((await opened(found))?.equals(bytes))
    if (found?.bytes !== undefined) t.ok(found.bytes.equals(bytes))
  })

  t.test('an unknown key is undefined', async t => {
    const store = await open(t)
    await store.put(keyOf('a'), variantOf('x'))
    t.equal(await store.get(keyOf('b')), undefined)
  })

  t.test('any range of any size is given, both ends included', async t => {
    const store = await open(t)
    for (const size of [1, 10, 65_500, 65_536, 300_000, 1_048_577, 3_000_000]) {
      const bytes = randomBytes(size)
      await store.put(keyOf(`r${size}`), variantOf(bytes))
      const found = await store.get(keyOf(`r${size}`))
      t.ok((await opened(found))?.equals(bytes), `${size} bytes`)
      for (const [start, end] of [[0, 0], [0, size - 1], [size - 1, size - 1], [Math.floor(size / 3), Math.floor(size / 2)]] as const) {
        t.ok((await opened(found, { start, end }))?.equals(bytes.subarray(start, end + 1)), `${start} to ${end} of ${size}`)
      }
    }
  })

  t.test('an empty body and one of 20 MB are kept', async t => {
    const store = await open(t)
    const bytes = Buffer.alloc(20_000_000, randomBytes(4096))
    await store.put(keyOf('empty'), variantOf(''))
    await store.put(keyOf('large'), variantOf(bytes))
    const empty = await store.get(keyOf('empty'))
    t.equal(empty?.size, 0)
    t.equal((await opened(empty))?.length, 0)
    t.ok((await opened(await store.get(keyOf('large'))))?.equals(bytes))
  })

  t.test('what is put again takes the place of what was there', async t => {
    const store = await open(t)
    await store.put(keyOf('a'), variantOf('one', { quality: 1 }))
    await store.put(keyOf('a'), variantOf('another', { type: 'image/png' }))
    const found = await store.get(keyOf('a'))
    t.match(found, { type: 'image/png', size: 7, quality: undefined })
    t.equal(String(await opened(found)), 'another')
  })

  t.test('one key put many times at once is one of them, whole', async t => {
    const store = await open(t)
    const bodies = Array.from({ length: 20 }, (_, n) => Buffer.alloc(30_000 + n, n))
    await Promise.all(bodies.map(async body => await store.put(keyOf('a'), variantOf(body))))
    const body = await opened(await store.get(keyOf('a')))
    t.ok(bodies.some(one => body !== undefined && one.equals(body)))
  })

  t.test('what a caller does to its buffer or its facts afterwards changes nothing', async t => {
    const store = await open(t)
    const tags = ['original:/a.jpg']
    await store.put(keyOf('a'), variantOf(Buffer.from('xxmeowxx').subarray(2, 6), { tags }))
    tags[0] = 'other'
    t.match(await store.get(keyOf('a')), { size: 4, tags: ['original:/a.jpg'] })
  })

  t.test('a purge forgets what has the tag, in any spelling of names, and nothing else', async t => {
    const store = await open(t)
    const paths = ['/photos/a.jpg', '/photos/b[1]*?.jpg', '/photos2/a.jpg', '/photos/sub/ü\\^.jpg']
    for (const path of paths) await store.put(keyOf(path), variantOf(path, { tags: [`original:${path}`, 'all cats'] }))
    const left = async (): Promise<string[]> => {
      const found = await Promise.all(paths.map(async path => await store.get(keyOf(path))))
      return paths.filter((_, place) => found[place] !== undefined)
    }
    t.equal(await store.purge('original:/photos/none.jpg'), 0)
    t.equal((await left()).length, 4)
    t.equal(await store.purge('original:/photos/b[1]*?.jpg'), 1)
    t.same(await left(), ['/photos/a.jpg', '/photos2/a.jpg', '/photos/sub/ü\\^.jpg'])
    t.equal(await store.purge('prefix:/photos/'), 2)
    t.same(await left(), ['/photos2/a.jpg'])
    t.equal(await store.purge('all cats'), 1)
    t.same(await left(), [])
  })

  t.test('nothing is given once a purge has settled, also of what was being put when it began', async t => {
    const store = await open(t)
    const keys = Array.from({ length: 30 }, (_, n) => keyOf(`p${n}`))
    const puts = keys.map(async key => await store.put(key, variantOf(Buffer.alloc(50_000))))
    await store.purge('original:/a.jpg')
    const found = await Promise.all(keys.map(async key => await store.get(key)))
    t.same(found.filter(one => one !== undefined), [])
    await Promise.all(puts)
    await store.put(keyOf('new'), variantOf('new'))
    t.ok(await store.get(keyOf('new')), 'what comes later stays')
    await store.purge('*')
    t.equal(await store.get(keyOf('new')), undefined)
  })

  t.test('facts beyond their bounds are refused and told, never thrown', async t => {
    const faults: StoreFault[] = []
    const store = await open(t, fault => faults.push(fault))
    const hostile: Array<Partial<NewVariant>> = [
      { tags: ['x'.repeat(2049)] },
      { tags: ['ü'.repeat(1025)] },
      { tags: Array.from({ length: 17 }, String) },
      { tags: [''] },
      { tags: [7 as unknown as string] },
      { type: 'image/png\r\nset-cookie: a=b' },
      { type: '' },
      { type: 'x'.repeat(257) },
      { quality: Number.NaN }
    ]
    for (const facts of hostile) {
      await store.put(keyOf('a'), variantOf('x', facts))
      t.equal(await store.get(keyOf('a')), undefined, JSON.stringify(facts).slice(0, 60))
    }
    t.ok(faults.length > 0)
    const utmost = { tags: Array.from({ length: 16 }, (_, n) => `${n}`.padEnd(2048, '"')), type: 'x'.repeat(256) }
    await store.put(keyOf('utmost'), variantOf('body', utmost))
    const found = await store.get(keyOf('utmost'))
    t.match(found, utmost, 'up to their bounds they are kept')
    t.equal(String(await opened(found)), 'body')
  })

  t.test('closing twice is closing', async t => {
    const store = await open(t)
    await store.put(keyOf('a'), variantOf('x'))
    await store.close()
    await store.close()
  })
}
