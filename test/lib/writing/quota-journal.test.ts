import { execFileSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import t, { type Test as Tap } from 'tap'
import { JournalCounter } from '../../../lib/writing/quota-journal.ts'
import type { Hold } from '../../../lib/writing/quota-ledger.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'

const hold = (id: string, bytes: number, key: string | undefined = id): Hold => ({ id, mount: '/m', key, bytes, principal: 'p:ada' })
const limits = { mount: { bytes: 100 } }

async function opened (t: Tap, directory: string): Promise<{ counter: JournalCounter, warnings: string[] }> {
  const warnings: string[] = []
  const counter = await JournalCounter.open({ directory, log: { info: () => undefined, warn: (_facts, message) => { warnings.push(message) } } })
  t.teardown(async () => await counter.close())
  return { counter, warnings }
}

t.test('what is kept is known to the next process; what one that died set aside is free after a while', async t => {
  const directory = await scratch(t)
  const first = await opened(t, directory)
  await first.counter.counted('/m')
  await first.counter.settle(hold('a', 40), 'a', 40)
  const held = (by: string, at: number): string => `\n${JSON.stringify(['take', `${by}-1`, { by, at, hold: { ...hold(by, 30) }, limits }])}\n`
  appendFileSync(`${directory}/journal.1`, held('dead', Date.now() - 130_000) + held('alive', Date.now() - 100_000))
  const { counter } = await opened(t, directory)
  t.same(await counter.take(hold('b', 31), limits), { of: 'mount', what: 'bytes' })
  t.equal(await counter.take(hold('b', 30), limits), undefined)
  t.same(await counter.usage('/m'), { bytes: 40, files: 1 })
  appendFileSync(`${directory}/journal.1`, `\n${JSON.stringify(['alive', 'alive-2', { by: 'alive', at: Date.now() }])}\n`)
  t.same(await first.counter.take(hold('c', 1), limits), { of: 'mount', what: 'bytes' })
})

t.test('a journal that is long is followed by a short one, in which everything stands', async t => {
  const directory = await scratch(t)
  const { counter } = await opened(t, directory)
  const other = await opened(t, directory)
  await counter.counted('/m')
  t.equal(await counter.take(hold('held', 50), limits), undefined)
  await counter.settle(hold('a', 10), 'a', 10)
  await counter.found('/m', [['late', 5]])
  for (let round = 0; round < 110; round++) await Promise.all(Array.from({ length: 100 }, async (_, at) => {
    const each = hold(`h${at}`, 0)
    await counter.take(each, limits)
    await counter.release(each)
  }))
  t.ok(!readdirSync(directory).includes('journal.1'), String(readdirSync(directory)))
  t.ok(readFileSync(`${directory}/${readdirSync(directory)[0] as string}`).length < 1e6)
  for (const each of [counter, other.counter, (await opened(t, directory)).counter]) {
    t.same([await each.usage('/m'), await each.usage('/m', 'p:ada'), await each.isCounted('/m')], [{ bytes: 10, files: 1 }, { bytes: 10, files: 1 }, true])
    t.same(await each.take(hold('more', 41), limits), { of: 'mount', what: 'bytes' }, 'what is held stands there too')
  }
  await counter.settle(hold('held', 50), 'held', 50)
  t.same(await other.counter.usage('/m'), { bytes: 60, files: 2 })
})

t.test('on a full disk nobody gets room, and what happened is written down later', { skip: process.getuid?.() === 0 ? false : 'a small file system can only be mounted by root' }, async t => {
  const directory = await scratch(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'fastify-media-test', directory])
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  const { counter, warnings } = await opened(t, directory)
  await counter.counted('/m')
  await counter.take(hold('a', 10), limits)
  await counter.take(hold('b', 10), limits)
  await t.rejects(async () => { for (;;) await counter.take(hold(`x${'x'.repeat(3000)}`, 0), limits) }, { code: 'insufficient-storage' })
  await t.resolves(counter.settle(hold('a', 10), 'a', 10))
  await t.resolves(counter.settle(hold('b', 10), `b${'b'.repeat(2000)}`, 10))
  await t.resolves(counter.removed('/m', 'a'))
  t.match(warnings[0], /cannot be written down/)
  execFileSync('mount', ['-o', 'remount,size=1m', directory])
  t.same(await counter.usage('/m'), { bytes: 10, files: 1 }, 'in order')
})

t.test('who has room set aside says that it is there', async t => {
  const directory = await scratch(t)
  const clock = t.capture(globalThis, 'setInterval', (action: () => void) => setTimeout(action, 50))
  const { counter } = await opened(t, directory)
  clock.restore()
  await counter.counted('/m')
  await counter.take(hold('a', 10), limits)
  t.ok(await eventually(() => readFileSync(`${directory}/journal.1`, 'utf8').includes('"alive"')))
})
