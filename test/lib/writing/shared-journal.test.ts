import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test as Tap } from 'tap'
import { SharedJournal, type JournalReader } from '../../../lib/writing/shared-journal.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'

/** Adds up numbers by name, and remembers the order of all entries since the last snapshot. */
class Sums implements JournalReader {
  sums: Record<string, number> = {}
  order: string[] = []
  resets = 0

  reset (): void {
    this.sums = {}
    this.order = []
    this.resets++
  }

  apply ([name, once, value]: readonly unknown[]): void {
    this.sums[String(name)] = (this.sums[String(name)] ?? 0) + Number(value)
    this.order.push(String(once))
  }

  snapshot (): Iterable<readonly unknown[]> {
    return Object.entries(this.sums).map(([name, value]) => [name, 'snapshot', value])
  }
}

async function opened (t: Tap, directory: string): Promise<{ journal: SharedJournal, sums: Sums }> {
  const sums = new Sums()
  const journal = await SharedJournal.open(directory, sums)
  t.teardown(async () => await journal.close())
  return { journal, sums }
}

t.test('whoever appends has read all that came before, in the order that all see', async t => {
  const directory = `${await scratch(t)}/a/journal`
  const [one, two] = [await opened(t, directory), await opened(t, directory)]
  await Promise.all(Array.from({ length: 200 }, async (_, at) => await (at % 2 === 0 ? one : two).journal.append(['n', `${at}`, 1])))
  await one.journal.append(['n', 'last', 1])
  await two.journal.append(['n', 'very last', 1])
  t.same([one.sums.sums, two.sums.sums], [{ n: 201 }, { n: 202 }])
  t.same(two.sums.order.slice(0, -1), one.sums.order)
  const three = await opened(t, directory)
  t.same([three.sums.sums, three.sums.order], [two.sums.sums, two.sums.order])
})

t.test('one follows another, and all go on with it, losing nothing', async t => {
  const directory = await scratch(t)
  const all = [await opened(t, directory), await opened(t, directory), await opened(t, directory)]
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 30 }, async (_, at) => {
      const { journal } = all[at % 3] as { journal: SharedJournal }
      if (at % 10 === 0) await Promise.all([journal.compact(), journal.compact()])
      await journal.append([`n${at % 5}`, `${round} ${at}`, 1])
    }))
  }
  for (const { journal, sums } of all) {
    await journal.append(['end', `end ${all.findIndex(each => each.journal === journal)}`, 0])
    t.same(sums.sums, { n0: 60, n1: 60, n2: 60, n3: 60, n4: 60, end: 0 })
  }
  const generations = readdirSync(directory).map(name => Number(name.replace('journal.', '')))
  t.ok(Math.max(...generations) > 3, String(generations))
  const later = await opened(t, directory)
  t.same(later.sums.sums, { n0: 60, n1: 60, n2: 60, n3: 60, n4: 60, end: 0 })
  t.equal(readdirSync(directory).length, 1, 'older ones are gone')
})

t.test('what a process left unfinished spoils nothing else', async t => {
  const directory = await scratch(t)
  const one = await opened(t, directory)
  await one.journal.append(['n', '1', 1])
  for (const damaged of ['\n["n","2",', '\nnonsense\n', '\n{"n":1}\n', '\n\n\n', `\n["n","${'x'.repeat(600_000)}`, '\n["n","\u00e9'.slice(0, -1), '\n["seal",77]\n']) {
    appendFileSync(`${directory}/journal.1`, damaged)
    await one.journal.append(['n', damaged.slice(0, 20), 1])
  }
  t.same(one.sums.sums, { n: 8 })
  t.same((await opened(t, directory)).sums.sums, { n: 8 })
})

t.test('a journal that was sealed by a process that then ended is followed by the next', async t => {
  const directory = await scratch(t)
  const one = await opened(t, directory)
  await one.journal.append(['n', '1', 1])
  appendFileSync(`${directory}/journal.1`, '\n["seal",1]\n\n["n","lost",100]\n')
  writeFileSync(`${directory}/${'a'.repeat(32)}`, 'a piece of the next')
  utimesSync(`${directory}/${'a'.repeat(32)}`, 1, 1)
  writeFileSync(`${directory}/${'b'.repeat(32)}`, 'a piece that somebody writes')
  const two = await opened(t, directory)
  await two.journal.append(['n', '2', 1])
  await one.journal.append(['n', '3', 1])
  t.same([two.sums.sums, one.sums.sums], [{ n: 2 }, { n: 3 }])
  t.same(readdirSync(directory).toSorted(), ['b'.repeat(32), 'journal.2'])
})

t.test('a snapshot of many entries is whole', async t => {
  const directory = await scratch(t)
  const { journal, sums } = await opened(t, directory)
  for (let at = 0; at < 20; at++) await Promise.all(Array.from({ length: 1000 }, async (_, number) => await journal.append([`a name that is long enough ${'x'.repeat(400)} ${number}`, `${at}-${number}`, 1])))
  await journal.compact()
  t.equal(Object.keys(sums.sums).length, 1000)
  t.ok(Object.values(sums.sums).every(value => value === 20))
  t.equal(journal.entries, 1000)
})

t.test('a full disk is told; what was written of it counts, the rest does not', { skip: process.getuid?.() === 0 ? false : 'a small file system can only be mounted by root' }, async t => {
  const directory = await scratch(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'fastify-media-test', directory])
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  const { journal, sums } = await opened(t, directory)
  let kept = 0
  let refused = 0
  for (let at = 0; at < 100; at++) {
    await journal.append(['n', `${at}${'x'.repeat(1500)}`, 1]).then(() => { kept++ }, (error: unknown) => {
      t.match(error, { code: 'insufficient-storage' })
      refused++
    })
  }
  t.ok(kept > 10 && refused > 10, `${kept} kept, ${refused} refused`)
  t.same(sums.sums, { n: kept })
  await t.rejects(journal.compact(), { code: 'insufficient-storage' })
  execFileSync('mount', ['-o', 'remount,size=1m', directory])
  await journal.append(['n', 'again', 1])
  await journal.compact()
  t.same([sums.sums, (await opened(t, directory)).sums.sums], [{ n: kept + 1 }, { n: kept + 1 }])
})

t.test('a journal whose directory cannot be read says so, and one that is closed takes nothing', async t => {
  const parent = await scratch(t, { file: '' })
  await t.rejects(SharedJournal.open(`${parent}/file/below`, new Sums()), { code: 'ENOTDIR' })
  const { journal } = await opened(t, `${parent}/journal`)
  await journal.close()
  await t.rejects(journal.append(['n', '1', 1]), { code: 'internal' })
  mkdirSync(`${parent}/foreign/journal.7`, { recursive: true })
  await t.rejects(SharedJournal.open(`${parent}/foreign`, new Sums()), { code: 'EISDIR' })
  symlinkSync('nowhere', `${parent}/foreign/journal.8`)
  await t.rejects(SharedJournal.open(`${parent}/foreign`, new Sums()), /cannot be opened/)
  const lost = await opened(t, `${parent}/lost`)
  appendFileSync(`${parent}/lost/journal.1`, '\n["seal",1]\n')
  rmSync(`${parent}/lost`, { recursive: true })
  await t.rejects(lost.journal.append(['n', '1', 1]), { name: 'MediaError' })
})

const program = fileURLToPath(new URL('../../helpers/journal-child.ts', import.meta.url))

/** Processes that append until they are killed without a word, and say what they know to be written. */
t.test('what processes wrote before they were killed is there, once, and in one order', async t => {
  const directory = await scratch(t)
  const started = (name: string): { process: ChildProcess, told: string[] } => {
    const told: string[] = []
    const child = fork(program, [directory, name], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: ['--import=./test/loader/ts.mjs'], env: { ...process.env, NODE_OPTIONS: '' } })
    child.on('message', (once: string) => told.push(once))
    t.teardown(() => child.kill('SIGKILL'))
    return { process: child, told }
  }
  const all = ['a', 'b', 'c'].map(started)
  for (const each of all) {
    await eventually(() => each.told.length > 200)
    const exited = new Promise(resolve => each.process.once('exit', resolve))
    each.process.kill('SIGKILL')
    await exited
  }
  const { sums } = await opened(t, directory)
  for (const [at, { told }] of all.entries()) {
    const known = sums.sums[['a', 'b', 'c'][at] as string] as number
    t.ok(known >= told.length && known <= told.length + 100, `${known} of ${told.length}`)
  }
  t.match(readFileSync(`${directory}/${readdirSync(directory).find(name => name.startsWith('journal')) as string}`, 'utf8'), /\["a"/)
})
