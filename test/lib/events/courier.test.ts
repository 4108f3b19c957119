import { mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Courier } from '../../../lib/events/courier.ts'
import { DeadLetters } from '../../../lib/events/dead-letters.ts'
import { EventsLayout } from '../../../lib/events/layout.ts'
import { lineOf, waitingName } from '../../../lib/events/message-file.ts'
import { Queue } from '../../../lib/events/queue.ts'
import type { Outcome } from '../../../lib/events/receiver.ts'
import type { FileEvent } from '../../../lib/writing/parts.ts'
import { scratch } from '../../helpers/app.ts'
import { eventually } from '../../helpers/process.ts'
import { event, keptLog, type Told } from './telling.ts'

interface Round {
  readonly courier: Courier
  readonly queue: Queue
  readonly lines: Told[]
  /** What was delivered, in order. */
  readonly told: FileEvent[]
  readonly put: (name: string) => void
}

/** A courier to a receiver that is this test. */
async function round (t: Test, { deliver = async () => ({ kind: 'delivered' }), maxKnown }: { deliver?: (event: FileEvent) => Promise<Outcome>, maxKnown?: number } = {}): Promise<Round> {
  const directory = await scratch(t)
  const { log, lines } = keptLog()
  const queue = new Queue(join(directory, 'queue'), maxKnown)
  await queue.make()
  const told: FileEvent[] = []
  const receiver = {
    name: 'test',
    concurrency: 1,
    attempts: 3,
    firstRetryMs: 1,
    wants: () => true,
    deliver: async (each: FileEvent) => {
      told.push(each)
      return await deliver(each)
    },
    async close () { /* nothing is held */ }
  }
  const courier = new Courier({ receiver, queue, deadLetters: new DeadLetters(new EventsLayout(directory)), log, putAside: async path => { unlinkSync(path) }, resolve: async () => undefined })
  t.teardown(async () => await courier.close())
  const put = (name: string): void => {
    writeFileSync(queue.pathOf(name), lineOf({ event: event() }) + lineOf({ happened: {} }))
    queue.offer(name)
  }
  return { courier, queue, lines, told, put }
}

const name = (dueMs: number): string => waitingName({ dueMs, attempts: 0, subject: String(dueMs).padStart(8, '0'), id: `id-${dueMs}` })

t.test('a queue that cannot be read is told of, and read later', async t => {
  const { courier, queue, lines, told, put } = await round(t, { maxKnown: 1 })
  put(name(1))
  put(name(2))
  rmSync(queue.directory, { recursive: true })
  writeFileSync(queue.directory, 'a file')
  courier.wake()
  await eventually(() => lines.length > 0)
  t.match(lines[0], { receiver: 'test', message: 'Events that wait cannot be read', err: { code: 'ENOTDIR' } })
  rmSync(queue.directory)
  mkdirSync(queue.directory)
  writeFileSync(queue.pathOf(name(2)), lineOf({ event: event() }))
  await eventually(() => told.length === 1)
})

t.test('a message that cannot be read now is read later, and one that another process took is its', async t => {
  const { courier, queue, told } = await round(t)
  symlinkSync(name(1), queue.pathOf(name(1))) // to itself
  queue.offer(name(1))
  queue.offer(name(2))
  courier.wake()
  await eventually(() => courier.failure === 'its message cannot be read')
  t.equal(queue.count, 2)
  unlinkSync(queue.pathOf(name(1)))
  writeFileSync(queue.pathOf(name(1)), lineOf({ event: event() }))
  await eventually(() => told.length === 1 && queue.count === 0)
  t.equal(courier.failure, undefined)
})

t.test('where it cannot be written down what became of a message, that is said, and the others go on', async t => {
  const { courier, queue, lines, told, put } = await round(t, {
    deliver: async () => {
      if (told.length === 1) {
        unlinkSync(queue.pathOf(name(1)))
        mkdirSync(queue.pathOf(name(1)))
      }
      return { kind: 'delivered' }
    }
  })
  put(name(1))
  put(name(2))
  courier.wake()
  await eventually(() => told.length === 2 && queue.count === 0)
  t.match(lines, [{ level: 'warn', receiver: 'test', message: 'What became of an event cannot be written down' }])
})

t.test('a receiver that is away is tried again, which counts as no attempt', async t => {
  let tries = 0
  const { courier, queue, told, put } = await round(t, { deliver: async () => ++tries < 3 ? { kind: 'away', reason: 'out' } : { kind: 'delivered' } })
  put(name(1))
  courier.wake()
  await eventually(() => tries === 3 && queue.count === 0)
  t.equal(new Set(told.map(({ id }) => id)).size, 1)
})

t.test('after the end nothing is begun', async t => {
  const { courier, queue, told, put } = await round(t)
  await courier.close()
  put(name(1))
  courier.wake()
  t.same([told.length, queue.count], [0, 1])
})
