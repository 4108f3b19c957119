import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test as Tap } from 'tap'
import { DiskStore, type DiskStoreOptions } from '../../../lib/cache/disk-store.ts'
import type { StoreFault, VariantKey } from '../../../lib/cache/store.ts'
import { keyOf, opened, variantOf } from '../../contracts/variant-store.ts'
import { scratch } from '../../helpers/app.ts'
import { openBelow } from '../../helpers/process.ts'

const facts = { type: 'image/webp', tags: ['original:/a.jpg'] }

async function open (t: Tap, options: Partial<DiskStoreOptions> = {}): Promise<{ store: DiskStore, directory: string, faults: StoreFault[], aside: () => string[] }> {
  const directory = join(await scratch(t), 'cache')
  const faults: StoreFault[] = []
  const store = await DiskStore.open({ directory, onFault: fault => faults.push(fault), ...options })
  t.teardown(async () => await store.close())
  return { store, directory, faults, aside: () => readdirSync(join(directory, 'tmp')) }
}

t.test('what comes piece by piece is there when it is whole, and not before', async t => {
  const { store, aside } = await open(t)
  for (const size of [0, 1, 70_000, 1_048_576, 3_000_000]) {
    const bytes = randomBytes(size)
    const key = keyOf(`s${size}`)
    const writing = await store.begin(key, facts)
    for (let at = 0; at < size; at += 50_000) t.ok(await writing?.append([bytes.subarray(at, at + 20_000), bytes.subarray(at + 20_000, at + 50_000)]))
    t.equal(writing?.size, size)
    t.equal(await store.get(key), undefined)
    t.ok((await writing?.read(size >> 1, size - (size >> 1)))?.equals(bytes.subarray(size >> 1)), 'it can be read by who writes it')
    t.ok(await writing?.finish(true))
    t.notOk(await writing?.finish(true), 'once')
    const found = await store.get(key)
    t.match(found, { ...facts, size })
    t.ok((await opened(found))?.equals(bytes), `${size} bytes`)
    t.ok((await writing?.read(0, size))?.equals(bytes), 'and afterwards')
    t.notOk(await writing?.append([bytes]))
    await writing?.close()
  }
  t.same(aside(), [])
})

t.test('what is given up leaves nothing: no file, no descriptor, no space', async t => {
  const { store, directory, aside } = await open(t)
  const before = store.bytes
  for (const end of ['finish', 'close'] as const) {
    const writing = await store.begin(keyOf('a'), facts)
    await writing?.append([randomBytes(500_000)])
    t.equal(aside().length, 1)
    const reading = writing?.read(0, 500_000)
    if (end === 'finish') t.notOk(await writing?.finish(false))
    await writing?.close()
    t.equal((await reading)?.length, 500_000, 'a read that was under way ends')
    await writing?.close()
  }
  t.same(aside(), [])
  t.equal(await store.get(keyOf('a')), undefined)
  t.equal(store.bytes, before)
  await store.close()
  t.equal(openBelow(directory), 0)
})

t.test('a body takes its space while it grows, and no more than there is', async t => {
  const { store, faults } = await open(t, { totalBytes: 1_000_000 })
  await store.put(keyOf('old'), variantOf(randomBytes(600_000)))
  const writing = await store.begin(keyOf('a'), facts)
  for (let n = 0; n < 9; n++) t.ok(await writing?.append([randomBytes(100_000)]))
  t.ok(store.bytes <= 1_000_000)
  t.equal(await store.get(keyOf('old')), undefined, 'what was there makes room')
  t.notOk(await writing?.append([randomBytes(200_000)]))
  t.notOk(await writing?.finish(false))
  await writing?.close()
  t.same(faults, [])
  t.ok(store.bytes < 100_000)
})

t.test('what cannot begin is undefined: no key, no sound facts, no directory, a closed store', async t => {
  const { store, directory, faults } = await open(t)
  t.equal(await store.begin('../x' as VariantKey, facts), undefined)
  t.equal(await store.begin(keyOf('a'), { type: 'ä', tags: [] }), undefined)
  t.equal(faults.length, 0)
  await rm(join(directory, 'tmp'), { recursive: true })
  await writeFile(join(directory, 'tmp'), 'in the way')
  t.equal(await store.begin(keyOf('a'), facts), undefined)
  t.match(faults, [{ message: 'A variant cannot be kept', cause: { code: 'ENOTDIR' } }])
  t.equal(await store.begin(keyOf('a'), facts), undefined, 'nor for a second after that')
  t.equal(faults.length, 1)
  const other = await open(t)
  await other.store.close()
  t.equal(await other.store.begin(keyOf('a'), facts), undefined)
})

t.test('a directory that goes in between is a fault for what was written there, and made anew for the next', async t => {
  const { store, directory, faults } = await open(t)
  const writing = await store.begin(keyOf('a'), facts)
  await writing?.append([Buffer.from('abc')])
  await rm(directory, { recursive: true })
  t.notOk(await writing?.finish(true))
  t.match(faults, [{ cause: { code: 'ENOENT' } }])
  await writing?.close()
  const { store: later } = await open(t)
  await rm(join(directory, 'tmp'), { recursive: true, force: true })
  const again = await later.begin(keyOf('a'), facts)
  t.ok(again)
  await again?.close()
})

t.test('a full disk ends it, which is told', { skip: process.getuid?.() === 0 ? false : 'a small file system can be mounted by root only' }, async t => {
  const directory = await scratch(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'fastify-media-test', directory])
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  const faults: StoreFault[] = []
  const store = await DiskStore.open({ directory: join(directory, 'cache'), onFault: fault => faults.push(fault) })
  t.teardown(async () => await store.close())
  const writing = await store.begin(keyOf('a'), facts)
  const bytes = randomBytes(3_000_000)
  let taken = 0
  while (await writing?.append([bytes.subarray(taken, taken + 300_000)]) === true) taken += 300_000
  t.ok(taken > 1_000_000 && taken < 2_100_000, `${taken} bytes`)
  t.match(faults, [{ cause: { code: 'ENOSPC' } }])
  t.ok((await writing?.read(0, taken))?.equals(bytes.subarray(0, taken)), 'what was written can still be read')
  await t.rejects(async () => await writing?.read(0, 3_000_000), { name: 'StoreFault' })
  await writing?.close()
  t.same(readdirSync(join(directory, 'cache', 'tmp')), [])
})

t.test('one variant is removed, also one that is being put', async t => {
  const { store, faults } = await open(t)
  const put = store.put(keyOf('a'), variantOf('a'))
  await store.put(keyOf('b'), variantOf('b'))
  await store.remove(keyOf('a'))
  await put
  t.equal(await store.get(keyOf('a')), undefined)
  t.match(await store.get(keyOf('b')), { size: 1 })
  await store.remove(keyOf('a'))
  await store.remove('../x' as VariantKey)
  t.same(faults, [])
})
