import { mkdirSync, readdirSync } from 'node:fs'
import { chmod, mkdir, readdir, rename, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test as Tap } from 'tap'
import { DiskStore } from '../../../lib/cache/disk-store.ts'
import { DirectoryLedger, purgeFromOutside } from '../../../lib/cache/purge-directory.ts'
import { covers, originalTag, purgeTag, tagsCovering } from '../../../lib/cache/purge-tags.ts'
import { LocalLedger, Purges, type PurgeLedger } from '../../../lib/cache/purges.ts'
import { keyOf, variantOf } from '../../contracts/variant-store.ts'
import { scratch } from '../../helpers/app.ts'
import { childOf } from '../../helpers/child.ts'
import { eventually } from '../../helpers/process.ts'

const cat = [originalTag('/photos/cat.jpg'), 'pets']
const dog = [originalTag('/photos/sub/dog.jpg')]
const other = [originalTag('/photos2/cat.jpg')]

async function openPurges (t: Tap, ledger: PurgeLedger): Promise<Purges> {
  const purges = await Purges.open(ledger)
  t.teardown(async () => await purges.close())
  return purges
}

t.test('a tag covers itself, a prefix what lies below it by whole segments, a star everything', t => {
  const cases: Array<[string, string, boolean]> = [
    ['*', 'anything', true],
    ['pets', 'pets', true],
    ['pets', 'pet', false],
    ['original:/a.jpg', 'original:/a.jpg', true],
    ['original:/a', 'original:/a.jpg', false],
    ['prefix:/a/', 'original:/a/b/c.jpg', true],
    ['prefix:/', 'original:/a.jpg', true],
    ['prefix:/a/', 'original:/ab/c.jpg', false],
    ['prefix:/a/', 'original:/a', false],
    ['prefix:/a/', '/a/b', false]
  ]
  for (const [purged, tag, isCovered] of cases) {
    t.equal(covers(purged, tag), isCovered, `${purged} and ${tag}`)
    t.equal(tagsCovering([tag]).has(purged), isCovered, `the same by listing what covers ${tag}`)
  }
  t.equal(purgeTag('prefix:/a'), 'prefix:/a/')
  t.equal(purgeTag('prefix:/a/'), 'prefix:/a/')
  for (const text of ['', 'x'.repeat(2048), 'ü'.repeat(1024)]) t.throws(() => purgeTag(text), { code: 'bad-request' })
  t.end()
})

/** What holds wherever purges are written down. */
function purgeContract (t: Tap, make: (t: Tap) => Promise<PurgeLedger>): void {
  t.test('a purge changes the generation of what it covers, and of nothing else', async t => {
    const purges = await openPurges(t, await make(t))
    const now = (): string[] => [cat, dog, other].map(tags => purges.generationOf(tags))
    const purged: Array<[string, boolean[]]> = [
      ['original:/photos/cat.jpg', [true, false, false]],
      ['prefix:/photos/sub', [false, true, false]],
      ['prefix:/photos/', [true, true, false]],
      ['pets', [true, false, false]],
      ['prefix:/', [true, true, true]],
      ['original:/none.jpg', [false, false, false]],
      ['original:/photos/cat.jpg', [true, false, false]],
      ['*', [true, true, true]]
    ]
    const seen = new Set(now())
    for (const [tag, expected] of purged) {
      const [before, version] = [now(), purges.version]
      t.same(await purges.purge(tag), { behind: [] })
      const after = now()
      t.same(after.map((generation, place) => generation !== before[place]), expected, tag)
      t.not(purges.version, version)
      for (const [place, generation] of after.entries()) {
        if (expected[place] === true) t.notOk(seen.has(generation) && !after.some((one, at) => at !== place && one === generation), 'never one that was before')
      }
      for (const generation of after) seen.add(generation)
    }
  })

  t.test('listeners are told each tag, and waited for', async t => {
    const purges = await openPurges(t, await make(t))
    const told: string[] = []
    let done = 0
    purges.onPurge(async (tag, isOwn) => {
      told.push(`${tag} ${isOwn}`)
      await wait(30)
      done++
    })
    await purges.purge('pets')
    t.same(told, ['pets true'])
    t.equal(done, 1)
    await purges.purge('pets')
    t.equal(told.length, 2, 'the same again is another purge')
  })

  t.test('many purges at once are each known when they settle', async t => {
    const purges = await openPurges(t, await make(t))
    await Promise.all(Array.from({ length: 40 }, async (_, n) => {
      const tags = [`tag ${n % 8}`]
      const before = purges.generationOf(tags)
      await purges.purge(`tag ${n % 8}`)
      t.not(purges.generationOf(tags), before)
    }))
  })
}

t.test('purges in one process', t => {
  purgeContract(t, async () => new LocalLedger())
  t.test('are bounded: too many purge everything', async t => {
    const purges = await openPurges(t, new LocalLedger(100))
    await purges.purge('tag')
    const [first, before] = [purges.generationOf(['tag']), purges.generationOf(other)]
    for (let n = 0; n <= 100; n++) await purges.purge(`t${n}`)
    t.not(purges.generationOf(other), before)
    t.not(purges.generationOf(['tag']), first)
  })
  t.end()
})

t.test('purges in a directory', t => {
  purgeContract(t, async t => new DirectoryLedger({ directory: join(await scratch(t), 'cache') }))

  const two = async (t: Tap): Promise<{ directory: string, one: Purges, another: Purges }> => {
    const directory = join(await scratch(t), 'cache')
    const one = await openPurges(t, new DirectoryLedger({ directory }))
    return { directory, one, another: await openPurges(t, new DirectoryLedger({ directory })) }
  }

  t.test('survive a restart', async t => {
    const { directory, one } = await two(t)
    await one.purge('original:/photos/cat.jpg')
    await one.close()
    const later = await openPurges(t, new DirectoryLedger({ directory }))
    for (const tags of [cat, dog]) t.equal(later.generationOf(tags), one.generationOf(tags))
    t.not(later.generationOf(cat), later.generationOf(dog))
  })

  t.test('are known to all who share it when they settle', async t => {
    const { one, another } = await two(t)
    t.equal(one.generationOf(cat), another.generationOf(cat))
    const told: string[] = []
    another.onPurge((tag, isOwn) => told.push(`${tag} ${isOwn}`))
    for (let n = 0; n < 20; n++) {
      t.same(await one.purge('prefix:/photos/'), { behind: [] })
      t.equal(one.generationOf(cat), another.generationOf(cat))
    }
    t.equal(told.length, 20)
    t.equal(told[0], 'prefix:/photos/ false', 'bytes that are shared are removed by who purges')
  })

  t.test('reach another process, and are seen by it before they settle', async t => {
    const { directory, one } = await two(t)
    const child = childOf(t, 'cache-child', ['purges', directory])
    t.ok(await eventually(() => child.lines().length === 1, 10_000), child.errors())
    const outcome = await one.purge('original:/photos/a.jpg')
    t.same(outcome.behind, [])
    t.ok(await eventually(() => child.lines().at(-1) === one.generationOf(['original:/photos/a.jpg'])))
    await child.kill()
    t.same(await one.purge('*'), { behind: [] }, 'nobody waits for the dead')
    t.equal(readdirSync(join(directory, 'instances')).length, 2, 'whose file is removed')
  })

  t.test('can be ordered by a process that serves nothing', async t => {
    const { directory, one } = await two(t)
    const store = await DiskStore.open({ directory })
    t.teardown(async () => await store.close())
    await store.put(keyOf('a'), variantOf('x', { tags: cat }))
    await store.put(keyOf('b'), variantOf('x', { tags: other }))
    const before = one.generationOf(cat)
    t.same(await purgeFromOutside(directory, 'prefix:/photos'), { behind: [], found: 1 })
    t.not(one.generationOf(cat), before)
    t.equal(await store.get(keyOf('a')), undefined)
    t.ok(await store.get(keyOf('b')))
    await t.rejects(purgeFromOutside(directory, ''), { code: 'bad-request' })
  })

  t.test('wait for an instance again whose file was removed', async t => {
    const { directory } = await two(t)
    const instances = join(directory, 'instances')
    for (const name of await readdir(instances)) await unlink(join(instances, name))
    t.ok(await eventually(async () => (await readdir(instances)).length === 2))
  })

  t.test('fail where it cannot be known who has taken note', async t => {
    const directory = await scratch(t, { instances: 'no directory' })
    await t.rejects(purgeFromOutside(directory, 'pets'), { code: 'unavailable' })
  })

  t.test('name who has not taken note in time', async t => {
    const { directory, one } = await two(t)
    await writeFile(join(directory, 'instances', '1-stuck'), JSON.stringify({ host: 'elsewhere', pid: 1, marks: [] }))
    await writeFile(join(directory, 'instances', 'junk'), 'no JSON')
    await writeFile(join(directory, 'instances', '1-dead'), JSON.stringify({ host: 'elsewhere', pid: 1, marks: [] }))
    await utimes(join(directory, 'instances', '1-dead'), 1000, 1000)
    t.same(await purgeFromOutside(directory, 'pets', 100), { behind: ['1-stuck'], found: 0 })
    await unlink(join(directory, 'instances', '1-stuck'))
    t.same(await one.purge('pets'), { behind: [] })
  })

  t.test('hold although the clock was set back, or another is ahead', async t => {
    const { directory, one, another } = await two(t)
    await one.purge('pets')
    const [name] = (await readdir(join(directory, 'purges'))).filter(entry => !entry.includes('undefined')).toSorted()
    const [tag] = (name ?? '').split('.')
    const ahead = `${(Date.now() + 1e9).toString(36).padStart(9, '0')}${'0'.repeat(16)}`
    await writeFile(join(directory, 'purges', `${tag}.${ahead}`), 'pets')
    await wait(100)
    for (const tags of ['pets', 'original:/photos/cat.jpg', '*']) {
      const before = another.generationOf(cat)
      await one.purge(tags)
      t.not(another.generationOf(cat), before, tags)
      t.equal(one.generationOf(cat), another.generationOf(cat))
    }
  })

  t.test('that are lost with their directory purge everything', async t => {
    const { directory, one, another } = await two(t)
    await one.purge('pets')
    const before = one.generationOf(cat)
    await rename(directory, `${directory}-gone`)
    t.ok(await eventually(() => one.generationOf(cat) !== before && one.generationOf(cat) === another.generationOf(cat)))
    t.same(await one.purge('pets'), { behind: [] })
  })

  t.test('ignore what is no mark, and take a mark that cannot be read for all', async t => {
    const { directory, one } = await two(t)
    const told: string[] = []
    one.onPurge(tag => told.push(tag))
    await writeFile(join(directory, 'purges', 'junk'), 'x')
    mkdirSync(join(directory, 'purges', `${'a'.repeat(22)}.${'z'.repeat(25)}`))
    t.ok(await eventually(() => told.includes('*')))
    await writeFile(join(directory, 'purges', `${'b'.repeat(22)}.${'y'.repeat(25)}`), 'not its tag')
    t.ok(await eventually(() => told.length === 2))
    t.same(told, ['*', '*'])
  })

  t.test('that have been overtaken are removed, but not at once', async t => {
    const { directory, one } = await two(t)
    const marks = async (): Promise<string[]> => await readdir(join(directory, 'purges'))
    for (let n = 0; n < 5; n++) await one.purge('pets')
    t.equal((await marks()).length, 6)
    for (const name of await marks()) await utimes(join(directory, 'purges', name), 1000, 1000)
    await one.purge('dogs')
    t.equal((await marks()).length, 3)
    await one.purge('*')
    for (const name of await marks()) await utimes(join(directory, 'purges', name), 1000, 1000)
    await one.purge('*')
    t.equal((await marks()).length, 1, 'a purge of everything is all that has to be known')
  })

  t.test('are bounded: too many purge everything', async t => {
    const one = await openPurges(t, new DirectoryLedger({ directory: await scratch(t), maxMarks: 20 }))
    const before = one.generationOf(other)
    for (let n = 0; n < 20; n++) await one.purge(`t${n}`)
    t.equal(one.generationOf(other), before)
    const told: string[] = []
    one.onPurge(tag => told.push(tag))
    await one.purge('pets')
    t.not(one.generationOf(other), before)
    t.same(told, ['*', 'pets'])
  })

  t.test('that come by the hundred are not looked up one by one', async t => {
    const { directory, one } = await two(t)
    const aside = join(directory, 'many')
    await mkdir(aside)
    for (let n = 0; n < 300; n++) await writeFile(join(aside, `${`${n}`.padStart(22, 'x')}.${'z'.repeat(25)}`), '')
    const told: string[] = []
    one.onPurge(tag => told.push(tag))
    const before = one.generationOf(other)
    await rename(join(directory, 'purges'), join(directory, 'old'))
    for (const name of await readdir(join(directory, 'old'))) await rename(join(directory, 'old', name), join(aside, name))
    await rename(aside, join(directory, 'purges'))
    t.ok(await eventually(() => told.length > 0))
    t.ok(told.every(tag => tag === '*'))
    t.ok(told.length < 10)
    t.equal(typeof before, 'string')
  })

  t.test('that cannot be written down fail, hold here, and are written down later', { skip: process.getuid?.() === 0 ? false : 'only root becomes another user' }, async t => {
    const root = await scratch(t)
    const directory = join(root, 'cache')
    await mkdir(directory)
    await chmod(root, 0o755)
    await chmod(directory, 0o755)
    process.seteuid?.(65_534)
    t.teardown(() => process.seteuid?.(0))
    const faults: string[] = []
    const purges = await openPurges(t, new DirectoryLedger({ directory, onFault: fault => faults.push(fault.message) }))
    const before = purges.generationOf(cat)
    t.not(before, '')
    await t.rejects(purges.purge('pets'), { code: 'unavailable' })
    t.not(purges.generationOf(cat), before)
    t.ok(faults.length > 0)
    process.seteuid?.(0)
    await chmod(directory, 0o777)
    t.ok(await eventually(async () => (await readdir(join(directory, 'purges')).catch(() => [])).length === 2, 8000))
  })
  t.end()
})
