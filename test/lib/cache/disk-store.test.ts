import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { appendFile, chmod, copyFile, link, mkdir, readdir, readFile, rename, rm, stat, symlink, truncate, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test as Tap } from 'tap'
import { DiskStore, type DiskStoreOptions } from '../../../lib/cache/disk-store.ts'
import { remove, removeOlder } from '../../../lib/cache/disk-removal.ts'
import { StoreFault, type VariantKey } from '../../../lib/cache/store.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import { keyOf, opened, storeContract, variantOf } from '../../contracts/variant-store.ts'
import { scratch } from '../../helpers/app.ts'
import { childOf } from '../../helpers/child.ts'
import { eventually, openBelow } from '../../helpers/process.ts'

interface Opened { store: DiskStore, directory: string, faults: StoreFault[] }

async function openStore (t: Tap, options: Partial<DiskStoreOptions> = {}): Promise<Opened> {
  const directory = options.directory ?? join(await scratch(t), 'cache')
  const faults: StoreFault[] = []
  const store = await DiskStore.open({ directory, onFault: fault => faults.push(fault), surveyMs: 1, ...options })
  t.teardown(async () => await store.close())
  return { store, directory, faults }
}

/** Every file below `variants`. */
function filesIn (directory: string): string[] {
  const root = join(directory, 'variants')
  return existsSync(root) ? readdirSync(root, { recursive: true, encoding: 'utf8' }).map(name => join(root, name)).filter(path => statSync(path, { throwIfNoEntry: false })?.isFile() === true) : []
}

const pathOf = (directory: string, key: VariantKey): string => filesIn(directory).find(path => path.endsWith(key)) ?? ''
const blocks = (directory: string): number => filesIn(directory).reduce((sum, path) => sum + Math.ceil((statSync(path, { throwIfNoEntry: false })?.size ?? 0) / 4096) * 4096, 0)

t.test('as every store', t => {
  storeContract(t, async (t, onFault) => await DiskStore.open({ directory: join(await scratch(t), 'cache'), onFault }))
  t.end()
})

t.test('what was kept is there after a restart, and for another process', async t => {
  const { store, directory } = await openStore(t)
  await store.put(keyOf('a'), variantOf('meow', { quality: 60 }))
  const { store: other } = await openStore(t, { directory })
  t.match(await other.get(keyOf('a')), { size: 4, quality: 60, tier: 'disk' })
  await store.close()
  const { store: later } = await openStore(t, { directory })
  t.equal(String(await opened(await later.get(keyOf('a')))), 'meow')
})

t.test('what is no variant key names no file', async t => {
  const { store, directory } = await openStore(t)
  for (const key of ['../../etc/passwd', 'x', '', `${keyOf('a')}/..`, 'é'.repeat(43)] as VariantKey[]) {
    await store.put(key, variantOf('x'))
    t.equal(await store.get(key), undefined)
    store.touch(key)
  }
  t.same(filesIn(directory), [])
})

t.test('none of 600 damaged files is given: each is a miss, and removed', async t => {
  const { store, directory, faults } = await openStore(t)
  const bytes = randomBytes(3000)
  const key = keyOf('a')
  await store.put(key, variantOf(bytes))
  const path = pathOf(directory, key)
  const whole = await readFile(path)
  let given = 0
  for (let n = 0; n < 600; n++) {
    const damaged = Buffer.from(whole)
    const place = n < 200 ? n : n * 7919 % whole.length
    damaged[place] = (damaged[place] ?? 0) ^ (1 << n % 8)
    await writeFile(path, damaged)
    if (await store.get(key) !== undefined || existsSync(path)) given++
  }
  t.equal(given, 0)
  t.ok(faults.length > 0)
  for (let length = 0; length < whole.length; length += 37) {
    await writeFile(path, whole.subarray(0, length))
    t.equal(await store.get(key), undefined, `cut to ${length} bytes`)
  }
  await writeFile(path, Buffer.alloc(whole.length))
  t.equal(await store.get(key), undefined, 'zeros, as after a power loss')
  await writeFile(path, whole)
  t.ok((await opened(await store.get(key)))?.equals(bytes))
})

t.test('a long variant of the wrong length is a miss; one that goes after it was found is a fault of its own', async t => {
  const { store, directory } = await openStore(t)
  const key = keyOf('a')
  for (const damage of [async (path: string) => await truncate(path, 1_500_000), async (path: string) => await appendFile(path, 'x')]) {
    await store.put(key, variantOf(randomBytes(2_000_000)))
    await damage(pathOf(directory, key))
    t.equal(await store.get(key), undefined)
    t.equal(pathOf(directory, key), '')
  }
  await store.put(key, variantOf(randomBytes(2_000_000)))
  const found = await store.get(key)
  await unlink(pathOf(directory, key))
  await t.rejects(async () => { await found?.open() }, StoreFault)
  await store.put(key, variantOf(randomBytes(2_000_000)))
  const replaced = await store.get(key)
  await store.put(key, variantOf(randomBytes(1_900_000)))
  await t.rejects(async () => { await replaced?.open() }, StoreFault, 'not the bytes of another')
})

t.test('a long variant whose use another process notes meanwhile is given', async t => {
  const { store, directory } = await openStore(t, { files: new LargeFiles() })
  const bytes = randomBytes(2_000_000)
  await store.put(keyOf('a'), variantOf(bytes))
  const found = await store.get(keyOf('a'))
  await utimes(pathOf(directory, keyOf('a')), 1, 1)
  t.ok((await opened(found))?.equals(bytes))
})

t.test('nothing that lies in a variant\'s place is followed, waited for or given', async t => {
  const { store, directory } = await openStore(t)
  const [good, key] = [keyOf('good'), keyOf('victim')]
  await store.put(good, variantOf('meow'))
  await store.put(key, variantOf('x'))
  const path = pathOf(directory, key)
  const place: Record<string, () => Promise<unknown>> = {
    'a link to a variant': async () => await symlink(pathOf(directory, good), path),
    'a dangling link': async () => await symlink('/nowhere/at/all', path),
    'a link to itself': async () => await symlink(path, path),
    'a FIFO': async () => execFileSync('mkfifo', [path]),
    'a directory': async () => await mkdir(path),
    'another variant under this name': async () => await link(pathOf(directory, good), path),
    'an empty file': async () => await writeFile(path, ''),
    'a large foreign file': async () => await writeFile(path, randomBytes(200_000)),
    'a header that promises gigabytes': async () => await writeFile(path, Buffer.from('464d5601fffffffffffffffffffffffffffffffff', 'hex'))
  }
  for (const [what, make] of Object.entries(place)) {
    await rm(path, { force: true, recursive: true })
    await make()
    t.equal(await store.get(key), undefined, what)
    t.notOk(existsSync(path), `${what} is removed`)
    await store.put(key, variantOf('new'))
    t.equal(String(await opened(await store.get(key))), 'new', `${what} gives way`)
  }
  t.equal(String(await opened(await store.get(good))), 'meow')
  t.ok(await eventually(() => openBelow(directory) === 0), 'no descriptor is left open')
})

t.test('variants are not written through a link in the place of one of its directories', async t => {
  const { directory } = await openStore(t)
  const elsewhere = await scratch(t)
  for (let shard = 0; shard < 256; shard++) await symlink(elsewhere, join(directory, 'variants', shard.toString(16).padStart(2, '0')))
  const { store } = await openStore(t, { directory })
  for (let n = 0; n < 20; n++) await store.put(keyOf(`${n}`), variantOf('x'))
  t.same(await readdir(elsewhere), [])
  t.ok(await store.get(keyOf('3')))
})

t.test('the bytes on disk stay below their bound under a flood, and what is used stays', async t => {
  const { store, directory } = await openStore(t, { totalBytes: 4_000_000 })
  const used = keyOf('used')
  await store.put(used, variantOf(randomBytes(20_000)))
  let most = 0
  for (let round = 0; round < 15; round++) {
    await Promise.all(Array.from({ length: 32 }, async (_, n) => await store.put(keyOf(`${round} ${n}`), variantOf(randomBytes(20_000)))))
    const now = new Date(Date.now() + 60_000)
    await utimes(pathOf(directory, used), now, now)
    most = Math.max(most, blocks(directory))
  }
  t.ok(most <= 4_000_000, `${most} bytes at most`)
  t.ok(most > 3_000_000, 'and the room is used')
  t.ok(await store.get(used))
  t.ok(Math.abs(store.bytes - blocks(directory)) < 400_000, 'what it believes is about so')
})

t.test('the oldest go first', async t => {
  const { store, directory } = await openStore(t, { totalBytes: 410_000 })
  for (let n = 0; n < 100; n++) {
    await store.put(keyOf(`${n}`), variantOf('x'))
    await utimes(pathOf(directory, keyOf(`${n}`)), 1000 + n, 1000 + n)
  }
  await store.put(keyOf('more'), variantOf('x'))
  const left = await Promise.all(Array.from({ length: 100 }, async (_, n) => await store.get(keyOf(`${n}`)) !== undefined))
  const first = left.indexOf(true)
  t.ok(first > 0)
  t.same(left, left.map((_, n) => n >= first), `all up to number ${first} went, none after`)
})

t.test('what cannot fit is not kept, and takes nobody\'s place', async t => {
  const { store } = await openStore(t, { totalBytes: 100_000 })
  await store.put(keyOf('small'), variantOf('x'))
  await store.put(keyOf('large'), variantOf(randomBytes(200_000)))
  t.equal(await store.get(keyOf('large')), undefined)
  t.ok(await store.get(keyOf('small')))
})

t.test('a lower bound at the next start is kept without anyone asking', async t => {
  const { store, directory } = await openStore(t)
  for (let n = 0; n < 100; n++) await store.put(keyOf(`${n}`), variantOf(randomBytes(5000)))
  await store.close()
  const { store: later } = await openStore(t, { directory, totalBytes: 200_000, surveyMs: 0 })
  t.notOk(later.isLearned)
  t.ok(await eventually(() => later.isLearned && blocks(directory) <= 200_000))
})

t.test('several writers keep to one bound, each learning of what the others wrote', async t => {
  const { store, directory } = await openStore(t, { totalBytes: 8_000_000 })
  const { store: other } = await openStore(t, { directory, totalBytes: 8_000_000 })
  for (let round = 0; round < 25; round++) {
    await Promise.all([store, other].flatMap((one, place) => Array.from({ length: 16 }, async (_, n) => await one.put(keyOf(`${place} ${round} ${n}`), variantOf(randomBytes(20_000))))))
  }
  t.ok(blocks(directory) < 8_000_000 * 1.5, `${blocks(directory)} bytes`)
})

t.test('a use is written down, but not with every hit', async t => {
  const { store, directory } = await openStore(t)
  for (const name of ['a', 'b']) await store.put(keyOf(name), variantOf('x'))
  const age = async (name: string): Promise<number> => Date.now() - (await stat(pathOf(directory, keyOf(name)))).mtimeMs
  for (const name of ['a', 'b']) await utimes(pathOf(directory, keyOf(name)), 1, 1)
  await store.get(keyOf('a'))
  t.ok(await age('a') > 1e9, 'it was noted when it was put')
  const { store: later } = await openStore(t, { directory })
  await later.get(keyOf('a'))
  later.touch(keyOf('b'))
  t.ok(await age('a') < 10_000)
  t.ok(await eventually(async () => await age('b') < 10_000))
  await utimes(pathOf(directory, keyOf('a')), 1, 1)
  await later.get(keyOf('a'))
  t.ok(await age('a') > 1e9)
  later.touch(keyOf('none'))
})

t.test('what a killed writer left unfinished is removed, once it is old', async t => {
  const { store, directory } = await openStore(t)
  await store.put(keyOf('a'), variantOf('x'))
  await store.close()
  for (const name of ['old', 'new']) await writeFile(join(directory, 'tmp', name), 'half')
  await utimes(join(directory, 'tmp', 'old'), 1000, 1000)
  const { store: later } = await openStore(t, { directory })
  t.ok(await eventually(() => !existsSync(join(directory, 'tmp', 'old'))))
  t.ok(existsSync(join(directory, 'tmp', 'new')))
  t.ok(await later.get(keyOf('a')))
})

t.test('kill -9 in the midst of 1,000 writes leaves whole variants only', { timeout: 40_000 }, async t => {
  const directory = join(await scratch(t), 'cache')
  let written = 0
  for (let round = 0; written < 1000; round++) {
    const child = childOf(t, 'cache-child', ['write', directory])
    t.ok(await eventually(() => child.lines().length > 10 + round, 15_000), child.errors())
    await wait(round * 7 % 23)
    await child.kill()
    written += Number(child.lines().at(-1))
  }
  const store = await DiskStore.open({ directory })
  const paths = filesIn(directory)
  t.ok(paths.length > 500, `${paths.length} variants of at least ${written} writes`)
  let wrong = 0
  for (const path of paths) {
    const key = path.slice(-43) as VariantKey
    const body = await opened(await store.get(key))
    if (body === undefined || !body.equals(Buffer.alloc(body.length, key))) wrong++
  }
  t.equal(wrong, 0)
  await store.close()
})

t.test('a full disk is a miss that is told; what is there is given; it goes on once there is room', { skip: process.getuid?.() === 0 ? false : 'a small file system can be mounted by root only' }, async t => {
  const directory = await scratch(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'fastify-media-test', directory])
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  const { store, faults } = await openStore(t, { directory: join(directory, 'cache') })
  const put: Array<[VariantKey, Buffer]> = []
  for (let n = 0; n < 40; n++) {
    const bytes = randomBytes(100_000)
    put.push([keyOf(`${n}`), bytes])
    await store.put(keyOf(`${n}`), variantOf(bytes))
  }
  t.match(faults[0]?.cause, { code: 'ENOSPC' })
  let kept = 0
  for (const [key, bytes] of put) {
    const body = await opened(await store.get(key))
    if (body === undefined) continue
    t.ok(body.equals(bytes))
    kept++
  }
  t.ok(kept > 10 && kept < 21, `${kept} kept`)
  t.same(await readdir(join(directory, 'cache', 'tmp')), [], 'nothing half-written takes the room')
  await wait(1100)
  await store.put(keyOf('later'), variantOf(randomBytes(50_000)))
  t.ok(await store.get(keyOf('later')), 'the oldest made room')
  await writeFile(join(directory, 'other'), randomBytes(1_900_000)).catch(() => undefined)
  await wait(1100)
  await store.put(keyOf('no room'), variantOf(randomBytes(1_500_000)))
  t.equal(await store.get(keyOf('no room')), undefined)
  await unlink(join(directory, 'other'))
  await wait(1100)
  await store.put(keyOf('room'), variantOf(randomBytes(1_500_000)))
  t.ok(await store.get(keyOf('room')))
})

t.test('a directory that cannot be used is misses, told; it works once it can', async t => {
  const root = await scratch(t, { file: 'in the way' })
  const { store, faults } = await openStore(t, { directory: join(root, 'file', 'cache') })
  t.match(faults[0]?.message, /cannot be used/)
  await store.put(keyOf('a'), variantOf('x'))
  t.equal(await store.get(keyOf('a')), undefined)
  t.equal(await store.purge('*'), 0)
  await unlink(join(root, 'file'))
  await wait(1100)
  await store.put(keyOf('a'), variantOf('x'))
  t.ok(await store.get(keyOf('a')))
})

t.test('a cache that is removed beneath a running server begins anew', async t => {
  const { store, directory } = await openStore(t)
  await store.put(keyOf('a'), variantOf('x'))
  await rename(directory, `${directory}-gone`)
  t.equal(await store.get(keyOf('a')), undefined)
  await store.put(keyOf('a'), variantOf('y'))
  t.equal(String(await opened(await store.get(keyOf('a')))), 'y')
})

t.test('purging removes damaged and foreign files it meets, and leaves directories alone', async t => {
  const { store, directory } = await openStore(t)
  await store.put(keyOf('a'), variantOf('x', { tags: ['keep'] }))
  const shard = join(pathOf(directory, keyOf('a')), '..')
  await writeFile(join(shard, 'foreign'), 'x')
  await copyFile(pathOf(directory, keyOf('a')), join(shard, keyOf('copy')))
  await mkdir(join(shard, 'directory', 'below'), { recursive: true })
  t.equal(await store.purge('keep'), 2)
  t.same(await readdir(shard), ['directory'])
})

t.test('where what is old cannot be removed nothing new is kept', { skip: process.getuid?.() === 0 ? false : 'only root becomes another user' }, async t => {
  const { store, directory, faults } = await openStore(t, { totalBytes: 40_000 })
  for (let n = 0; n < 5; n++) await store.put(keyOf(`${n}`), variantOf('x'))
  await chmod(join(directory, '..'), 0o755)
  await chmod(directory, 0o755)
  for (const name of ['variants', 'tmp']) await chmod(join(directory, name), 0o777)
  for (const name of await readdir(join(directory, 'variants'))) await chmod(join(directory, 'variants', name), 0o755)
  process.seteuid?.(65_534)
  t.teardown(() => process.seteuid?.(0))
  await store.put(keyOf('large'), variantOf(randomBytes(30_000)))
  process.seteuid?.(0)
  t.match(faults, [{ cause: { code: 'EACCES' } }])
  t.equal(await store.get(keyOf('large')), undefined)
  t.equal(filesIn(directory).length, 5)
  for (const name of await readdir(join(directory, 'variants'))) await chmod(join(directory, 'variants', name), 0o744)
  const { store: later, faults: laterFaults } = await openStore(t, { directory, surveyMs: 60_000 })
  process.seteuid?.(65_534)
  await later.put(keyOf('new'), variantOf('x'))
  process.seteuid?.(0)
  t.match(laterFaults, [{ cause: { code: 'EACCES' } }], 'nor where what is there cannot be looked at')
})

t.test('what went before it could be removed is as good as removed', async t => {
  const gone = join(await scratch(t), 'gone')
  await remove(gone)
  await removeOlder(gone, 0)
  const directory = await scratch(t, { 'd/x': '' })
  await t.rejects(remove(join(directory, 'd')))
  await t.rejects(removeOlder(join(directory, 'd'), -1))
})

t.test('a variant whose file may not be read is a miss that is told', { skip: process.getuid?.() === 0 ? false : 'only root becomes another user' }, async t => {
  const { store, directory, faults } = await openStore(t)
  await store.put(keyOf('a'), variantOf('x'))
  await chmod(pathOf(directory, keyOf('a')), 0)
  process.seteuid?.(65_534)
  t.teardown(() => process.seteuid?.(0))
  t.equal(await store.get(keyOf('a')), undefined)
  process.seteuid?.(0)
  t.match(faults, [{ cause: { code: 'EACCES' } }])
  t.equal(existsSync(pathOf(directory, keyOf('a'))), true)
})
