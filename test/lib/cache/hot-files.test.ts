import { rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { HotFiles, type HotFileOptions } from '../../../lib/cache/hot-files.ts'
import { RepresentationChanged } from '../../../lib/representation.ts'
import { fileSource } from '../../../lib/sources/file.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import { precompressed } from '../../../lib/sources/precompressed.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import type { Found, Source } from '../../../lib/sources/source.ts'
import { bytesOf, fileAt, sourceContract } from '../../contracts/source.ts'
import { scratch, type Test } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'

const key = (text: string): Key => text as Key
const old = new Date('2020-01-01T00:00:00Z')

async function directory (t: Test, root: string): Promise<{ source: Source, looks: () => number, opens: () => number }> {
  const largeFiles = new LargeFiles({ poolBytes: 4 * 1024 * 1024, maxDescriptors: 4, descriptorIdleMs: 50 })
  t.teardown(async () => await largeFiles.close())
  const inner = await fileSource({ root, symlinks: 'inside', visibleDotNames: [], caseInsensitive: false }, largeFiles)
  let looks = 0
  let opens = 0
  const stat = async (key: Key): Promise<Found | undefined> => {
    looks++
    const found = await inner.stat(key)
    if (found?.kind !== 'file') return found
    const { representation } = found
    // Long settled, so that the grain of the clock does not matter to these tests.
    return { ...found, changed: 0, representation: { ...representation, open: async range => { opens++; return await representation.open(range) } } }
  }
  return { source: { ...inner, stat }, looks: () => looks, opens: () => opens }
}

function hotFiles (options: Partial<HotFileOptions> = {}): HotFiles {
  return new HotFiles({ maxFileBytes: 1000, totalBytes: 100_000, maxFiles: 100, revalidateMs: 60_000, ...options })
}

t.test('a source behind hot files keeps the source contract', t => {
  sourceContract(t, async (t, files) => hotFiles({ maxFileBytes: 1_000_000, totalBytes: 10_000_000 }).over((await directory(t, await scratch(t, files))).source))
  t.end()
})

t.test('a file is looked at and read once, and then described without waiting', async t => {
  const { source, looks, opens } = await directory(t, await scratch(t, { 'a.txt': 'abcdef' }))
  const hot = hotFiles().over(source)
  const { representation } = await fileAt(t, hot, 'a.txt')
  t.equal(representation.cacheOutcome, 'load')
  await Promise.all([representation.open(), representation.open(), representation.open({ start: 1, end: 2 })])
  const again = hot.stat(key('a.txt'))
  t.notOk(again instanceof Promise)
  t.equal((again as { representation: unknown }).representation, representation)
  t.equal(representation.bytes?.toString(), 'abcdef')
  t.equal(representation.cacheOutcome, 'hot')
  t.equal((await bytesOf(await representation.open({ start: 2, end: 3 }))).toString(), 'cd')
  t.same([looks(), opens()], [1, 1])
})

t.test('many who ask at once cause one look', async t => {
  const { source, looks } = await directory(t, await scratch(t, { 'a.txt': 'a' }))
  const hot = hotFiles().over(source)
  await Promise.all(Array.from({ length: 20 }, async () => await hot.stat(key('a.txt'))))
  t.equal(looks(), 1)
})

t.test('a file is believed for its time, then looked at again', async t => {
  const root = await scratch(t, { 'a.txt': 'one' })
  const { source, looks, opens } = await directory(t, root)
  const hot = hotFiles({ revalidateMs: 30 }).over(source)
  const first = await fileAt(t, hot, 'a.txt')
  await first.representation.open()
  await wait(40)
  t.equal((await fileAt(t, hot, 'a.txt')).representation, first.representation, 'unchanged: the bytes stay')
  t.same([looks(), opens()], [2, 1])
  await writeFile(join(root, 'a.txt'), 'other')
  await wait(40)
  const changed = await fileAt(t, hot, 'a.txt')
  t.equal((await bytesOf(await changed.representation.open())).toString(), 'other')
  await rm(join(root, 'a.txt'))
  await wait(40)
  t.equal(await hot.stat(key('a.txt')), undefined)
})

t.test('a source that answers slowly is asked behind the answer, for as long as that is allowed', async t => {
  const root = await scratch(t, { 'a.txt': 'one' })
  const { source, looks } = await directory(t, root)
  const hot = hotFiles({ revalidateMs: 20, staleMs: 60_000 }).over(source)
  const first = await fileAt(t, hot, 'a.txt')
  await writeFile(join(root, 'a.txt'), 'other')
  await wait(30)
  const stale = hot.stat(key('a.txt'))
  t.notOk(stale instanceof Promise, 'without waiting')
  t.equal((stale as { representation: unknown }).representation, first.representation)
  await eventually(() => looks() === 2)
  await eventually(() => (hot.stat(key('a.txt')) as { representation?: unknown }).representation !== first.representation)
  await rm(join(root, 'a.txt'))
  await wait(30)
  hot.stat(key('a.txt')) // asks behind the answer
  await eventually(() => hot.stat(key('a.txt')) instanceof Promise)
  t.equal(await hot.stat(key('a.txt')), undefined, 'what is gone is gone once that is known')
})

t.test('within the grain of the clock an equal revision is not believed', async t => {
  let content = 'one'
  const source: Source = {
    stat: async () => ({ kind: 'file', revision: 'same', changed: Date.now(), representation: { type: 'text/plain', size: 3, open: () => Buffer.from(content) } }),
    list: async () => undefined,
    close: async () => {}
  }
  const hot = hotFiles({ revalidateMs: 0 }).over(source)
  await (await fileAt(t, hot, 'a.txt')).representation.open()
  content = 'two'
  t.equal((await bytesOf(await (await fileAt(t, hot, 'a.txt')).representation.open())).toString(), 'two')
})

t.test('the largest files are described but not kept, whatever is left', async t => {
  const { source } = await directory(t, await scratch(t, { 'big.txt': 'x'.repeat(1001), 'fits.txt': 'x'.repeat(1000) }))
  const files = hotFiles()
  const hot = files.over(source)
  const big = (await fileAt(t, hot, 'big.txt')).representation
  t.equal((await bytesOf(await big.open())).length, 1001)
  t.equal((await bytesOf(await big.open({ start: 0, end: 1 }))).length, 2)
  t.equal(big.bytes, undefined)
  t.equal(big.cacheOutcome, 'disk')
  const fits = (await fileAt(t, hot, 'fits.txt')).representation
  await fits.open()
  t.equal(fits.bytes?.length, 1000)
})

t.test('the file unused for the longest goes first, by bytes and by number', async t => {
  const names = ['a', 'b', 'c', 'd']
  const { source, looks } = await directory(t, await scratch(t, Object.fromEntries(names.map(name => [name, 'x'.repeat(900)]))))
  const load = async (hot: Source, name: string): Promise<void> => { await (await fileAt(t, hot, name)).representation.open() }
  const files = hotFiles({ totalBytes: 3 * 2600 })
  const hot = files.over(source)
  for (const name of ['a', 'b', 'c']) await load(hot, name)
  await load(hot, 'a')
  await load(hot, 'd')
  t.equal(files.files, 3)
  t.ok(files.bytes <= 7800)
  const before = looks()
  for (const name of ['a', 'c', 'd']) await load(hot, name)
  t.equal(looks(), before, 'b went: it was unused for the longest')

  const few = hotFiles({ maxFiles: 2 })
  const counted = few.over(source)
  for (const name of names) await load(counted, name)
  t.equal(few.files, 2)
})

t.test('a file too large for what is kept altogether is sent all the same', async t => {
  const { source } = await directory(t, await scratch(t, { 'a.txt': 'x'.repeat(900) }))
  const files = hotFiles({ totalBytes: 500 })
  t.equal((await bytesOf(await (await fileAt(t, files.over(source), 'a.txt')).representation.open())).length, 900)
  t.same([files.files, files.bytes], [0, 0])
})

t.test('a file that changed since it was described is described anew', async t => {
  const root = await scratch(t, { 'a.txt': 'one' })
  const hot = hotFiles().over((await directory(t, root)).source)
  const { representation } = await fileAt(t, hot, 'a.txt')
  await writeFile(join(root, 'a.txt'), 'longer')
  await t.rejects(async () => await representation.open(), RepresentationChanged)
  t.equal((await bytesOf(await (await fileAt(t, hot, 'a.txt')).representation.open())).toString(), 'longer')
})

t.test('compressed siblings are kept beside their file and change with it', async t => {
  const root = await scratch(t, { 'a.css': 'x'.repeat(200), 'a.css.gz': 'zip' })
  const hot = hotFiles({ revalidateMs: 10 }).over(precompressed((await directory(t, root)).source))
  const found = await fileAt(t, hot, 'a.css')
  await found.encoded?.gzip?.open()
  t.equal(found.encoded?.gzip?.bytes?.toString(), 'zip')
  await writeFile(join(root, 'a.css.gz'), 'other')
  await utimes(join(root, 'a.css.gz'), old, old)
  await wait(20)
  t.equal((await bytesOf(await ((await fileAt(t, hot, 'a.css')).encoded?.gzip?.open() ?? Buffer.alloc(0)))).toString(), 'other')
})

t.test('a source that gives streams is read into memory, and one that fails is not kept', async t => {
  let fails = true
  const source: Source = {
    stat: async () => ({ kind: 'file', revision: 'r', changed: 0, representation: { type: 'text/plain', size: 3, open: () => { if (fails) throw new Error('broken'); return Readable.from([Buffer.from('ab'), Buffer.from('c')]) } } }),
    list: async () => undefined,
    close: async () => {}
  }
  const hot = hotFiles().over(source)
  const { representation } = await fileAt(t, hot, 'a')
  await t.rejects(async () => await representation.open(), /broken/)
  fails = false
  t.equal((await bytesOf(await representation.open())).toString(), 'abc')
})

t.test('a file dropped while it was read is not counted', async t => {
  let release = (): void => {}
  const source: Source = {
    stat: async key => ({ kind: 'file', revision: key, changed: 0, representation: { type: 'text/plain', size: 3, open: async () => { await new Promise<void>(resolve => { release = resolve }); return Buffer.from('abc') } } }),
    list: async () => undefined,
    close: async () => {}
  }
  const files = hotFiles({ maxFiles: 1 })
  const hot = files.over(source)
  const reading = (await fileAt(t, hot, 'a')).representation.open()
  await wait(1)
  await fileAt(t, hot, 'b')
  release()
  t.equal((await bytesOf(await reading)).toString(), 'abc')
  t.equal(files.files, 1)
  t.ok(files.bytes < 1700)
})
