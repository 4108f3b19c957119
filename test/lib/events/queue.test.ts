import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readWaitingName, waitingName } from '../../../lib/events/message-file.ts'
import { Queue } from '../../../lib/events/queue.ts'
import { scratch } from '../../helpers/app.ts'

const name = (dueMs: number, subject = dueMs): string => waitingName({ dueMs, attempts: 0, subject: subject.toString(16).padStart(8, '0'), id: `id-${dueMs}` })

async function queueOf (t: Test, dues: readonly number[], maxKnown = 3): Promise<Queue> {
  const queue = new Queue(join(await scratch(t), 'queue'), maxKnown)
  await queue.make()
  for (const due of dues) put(queue, name(due))
  return queue
}

function put (queue: Queue, file: string): void {
  writeFileSync(queue.pathOf(file), '')
  queue.offer(file)
}

/** Takes and removes all that is due, as it comes. */
async function drained (queue: Queue, nowMs: number): Promise<number[]> {
  const dues: number[] = []
  for (;;) {
    await queue.load()
    const taken = queue.take(nowMs)
    if (taken === undefined) return dues
    dues.push(taken.dueMs)
    unlinkSync(queue.pathOf(taken.name))
    queue.done(taken)
  }
}

t.test('however few names are known at once, everything comes, in order', async t => {
  const dues = [7, 3, 9, 1, 8, 2, 6, 4, 5, 10]
  for (const maxKnown of [1, 2, 3, 100]) {
    const queue = await queueOf(t, dues, maxKnown)
    t.equal(queue.count, 10)
    t.same(await drained(queue, 100), dues.toSorted((a, b) => a - b), String(maxKnown))
    t.equal(queue.count, 0)
  }
})

t.test('what is not due waits, and it is known until when', async t => {
  const queue = await queueOf(t, [1, 5, 9])
  t.same(await drained(queue, 4), [1])
  t.equal(queue.dueAfter(4), 5)
  t.equal(queue.dueAfter(5), 9)
  t.equal(queue.dueAfter(9), undefined)
})

t.test('what comes while others are on their way is in its place', async t => {
  const queue = await queueOf(t, [5, 6, 7, 8], 2)
  const first = queue.take(100)
  const second = queue.take(100)
  put(queue, name(1))
  put(queue, name(50))
  await queue.load()
  t.same([first?.dueMs, second?.dueMs], [5, 6])
  t.equal(queue.take(100)?.dueMs, 1, 'though it is not among those that are on their way')
  t.equal(queue.count, 6)
})

t.test('what is done while the directory is read does not come again, and is counted once', async t => {
  const queue = await queueOf(t, [1, 2, 3], 1)
  const first = queue.take(100)
  const reading = queue.load()
  unlinkSync(queue.pathOf(first!.name))
  queue.done(first!)
  await reading
  t.equal(queue.count, 2)
  t.same(await drained(queue, 100), [2, 3])
  t.equal(queue.count, 0)

  const other = await queueOf(t, [1, 2, 3], 1)
  const again = other.take(100)
  const listing = other.load()
  renameSync(other.pathOf(again!.name), other.pathOf(name(9)))
  other.again(again!, name(9))
  await listing
  t.same(await drained(other, 100), [2, 3, 9])
  t.equal(other.count, 0)
})

t.test('two about one subject are not on their way at once; a message that has to come again has another name', async t => {
  const queue = await queueOf(t, [])
  put(queue, name(1, 1))
  put(queue, name(2, 1))
  put(queue, name(3, 2))
  const first = queue.take(100)
  t.equal(queue.take(100)?.dueMs, 3)
  t.equal(queue.take(100), undefined)
  queue.again(first!, name(9, 1))
  t.same([queue.take(100)?.dueMs, queue.take(100)?.dueMs], [2, undefined])
  t.equal(queue.count, 3)
})

t.test('a directory that is gone is an empty one; one that cannot be read is tried again', async t => {
  const queue = await queueOf(t, [1, 2], 1)
  queue.done(queue.take(100)!)
  rmSync(queue.directory, { recursive: true })
  await queue.load()
  t.equal(queue.take(100), undefined)
  t.equal(queue.count, 0)

  const broken = await queueOf(t, [1, 2], 1)
  unlinkSync(broken.pathOf(name(1)))
  broken.done(broken.take(100)!)
  const elsewhere = `${broken.directory}-2`
  symlinkSync(broken.directory, elsewhere)
  rmSync(broken.directory, { recursive: true })
  writeFileSync(broken.directory, 'a file')
  await t.rejects(broken.load(), { code: 'ENOTDIR' })
  rmSync(broken.directory)
  mkdirSync(broken.directory)
  writeFileSync(broken.pathOf(name(2)), '')
  t.same(await drained(broken, 100), [2])
  t.notOk(existsSync(broken.pathOf(name(2))))
})

t.test('names say when, how often and what, and sort as they are due', t => {
  const waiting = { dueMs: 1_762_344_000_000.123, attempts: 7, subject: '0badcafe', id: 'a-1_B' }
  t.same(readWaitingName(waitingName(waiting)), waiting)
  t.ok(waitingName(waiting) < waitingName({ ...waiting, dueMs: waiting.dueMs + 0.001 }))
  t.ok(waitingName({ ...waiting, dueMs: 0 }) < waitingName({ ...waiting, dueMs: 1 }))
  for (const wrong of ['', '1', waitingName(waiting).slice(1), `${waitingName(waiting)}/x`, `${waitingName(waiting)}.tmp`, waitingName({ ...waiting, attempts: 1000 })]) t.equal(readWaitingName(wrong), undefined, wrong)
  t.end()
})
