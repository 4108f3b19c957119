import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import { WorkQueue, type Placement } from '../../../lib/image/work-queue.ts'

/** A task that ends when it is told to. */
function held (): { task: () => Promise<void>, end: () => void, fail: (error: Error) => void } {
  let end = (): void => {}
  let fail = (_error: Error): void => {}
  const settled = new Promise<void>((resolve, reject) => {
    end = resolve
    fail = reject
  })
  return { task: async () => await settled, end, fail }
}

const small = (lane = 'photos', more: Partial<Placement> = {}): Placement => ({ lane, pixels: 1, ...more })

/** Fills a queue of one place, lets `arrivals` wait, and tells in which order they ran. */
async function order (arrivals: ReadonlyArray<readonly [name: string, placement: Placement]>, options = {}): Promise<string[]> {
  const queue = new WorkQueue({ concurrency: 1, ...options })
  const first = held()
  const names: string[] = []
  const all = [queue.run(first.task, small())]
  for (const [name, placement] of arrivals) all.push(queue.run(async () => { names.push(name) }, placement))
  first.end()
  await Promise.all(all)
  return names
}

t.test('a task runs at once where there is room, and its result or failure is handed on', async t => {
  const queue = new WorkQueue({ concurrency: 2 })
  t.equal(await queue.run(async () => 7, small()), 7)
  await t.rejects(queue.run(async () => { throw new Error('no') }, small()), { message: 'no' })
  await t.rejects(queue.run(() => { throw new Error('at once') }, small()), { message: 'at once' })
  t.same([queue.size, queue.running, queue.pixels], [0, 0, 0])
})

t.test('no more than `concurrency` tasks run at once', async t => {
  const queue = new WorkQueue({ concurrency: 3 })
  let running = 0
  let most = 0
  await Promise.all(Array.from({ length: 20 }, async () => await queue.run(async () => {
    most = Math.max(most, ++running)
    await wait(2)
    running--
  }, small())))
  t.equal(most, 3)
  t.equal(queue.running, 0)
})

t.test('lanes take turns; within a lane the first comes first', async t => {
  const arrivals = [['a1', small('a')], ['a2', small('a')], ['a3', small('a')], ['b1', small('b')], ['b2', small('b')], ['c1', small('c')]] as const
  t.same(await order(arrivals), ['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
})

t.test('background tasks run when no request waits', async t => {
  const later = { priority: 'background' } as const
  t.same(await order([['warm', small('a', later)], ['warm too', small('b', later)], ['asked', small('a')], ['asked too', small('a')]]), ['asked', 'asked too', 'warm', 'warm too'])
})

t.test('pixels in flight keep to their budget, and no small task overtakes a large one whose turn it is', async t => {
  const queue = new WorkQueue({ concurrency: 4, pixels: 100 })
  const tasks = [60, 50, 10].map(pixels => ({ pixels, held: held() }))
  const runs = tasks.map(async ({ held, pixels }) => await queue.run(held.task, { lane: 'a', pixels }))
  t.same([queue.running, queue.size, queue.pixels], [1, 2, 60], 'the small one would fit, but waits')
  tasks[0]?.held.end()
  await runs[0]
  t.same([queue.running, queue.size, queue.pixels], [2, 0, 60])
  for (const { held } of tasks) held.end()
  await Promise.all(runs)
  t.equal(queue.pixels, 0)
})

t.test('a task of endless or senseless size runs alone, and leaves the queue as it was', async t => {
  const queue = new WorkQueue({ concurrency: 2, pixels: 100 })
  for (const pixels of [Number.POSITIVE_INFINITY, Number.NaN, -1, Number.MAX_SAFE_INTEGER]) {
    await queue.run(async () => {}, { lane: 'a', pixels })
    t.equal(queue.pixels, 0)
  }
  let most = 0
  await Promise.all([1, 2].map(async () => await queue.run(async () => {
    most = Math.max(most, queue.running)
    await new Promise(resolve => setImmediate(resolve))
    most = Math.max(most, queue.running)
  }, { lane: 'a', pixels: 10 })))
  t.equal(most, 2, 'two at once, as before')
})

t.test('a task larger than the budget runs alone', async t => {
  const queue = new WorkQueue({ concurrency: 4, pixels: 100 })
  const [one, large, two] = [held(), held(), held()]
  const runs = [queue.run(one.task, small()), queue.run(large.task, small('a', { pixels: 1000 })), queue.run(two.task, small('b'))]
  t.equal(queue.running, 1)
  one.end()
  await runs[0]
  t.same([queue.running, queue.size, queue.pixels], [1, 1, 101])
  large.end()
  await runs[1]
  t.same([queue.running, queue.size, queue.pixels], [1, 0, 1])
  two.end()
  await queue.idle()
})

t.test('a full queue answers busy, with a Retry-After that grows with what waits', async t => {
  const after: number[] = []
  for (const maxWaiting of [1, 100]) {
    const queue = new WorkQueue({ concurrency: 1, maxWaiting })
    const task = held()
    const runs = Array.from({ length: maxWaiting + 1 }, async () => await queue.run(task.task, small()))
    const error = await queue.run(async () => {}, small()).catch((error: unknown) => error)
    t.ok(error instanceof MediaError && error.code === 'busy')
    after.push(Number(error instanceof MediaError ? error.headers?.['retry-after'] : NaN))
    task.end()
    await Promise.all(runs)
  }
  t.same(after, [1, 21], '200 ms are expected before anything was measured')
})

t.test('Retry-After is estimated from recent durations, and stays within 30 seconds', async t => {
  const queue = new WorkQueue({ concurrency: 1, maxWaiting: 400 })
  for (let count = 0; count < 40; count++) await queue.run(async () => { await wait(1) }, small())
  const task = held()
  const runs = Array.from({ length: 401 }, async () => await queue.run(task.task, small()))
  const error = await queue.run(async () => {}, small()).catch((error: unknown) => error)
  const seconds = Number(error instanceof MediaError ? error.headers?.['retry-after'] : NaN)
  t.ok(seconds >= 1 && seconds <= 10, `${seconds} s: far from the first guess`)
  task.end()
  await Promise.all(runs)
  t.match(await new WorkQueue({ concurrency: 1, maxWaiting: 0 }).run(async () => 1, small()), 1, 'no place to wait, but one to run')
})

t.test('background tasks fill at most half of the places', async t => {
  const queue = new WorkQueue({ concurrency: 1, maxWaiting: 4 })
  const task = held()
  const later = small('a', { priority: 'background' })
  const runs = [queue.run(task.task, small()), queue.run(task.task, later), queue.run(task.task, later)]
  await t.rejects(queue.run(task.task, later), { code: 'busy' })
  runs.push(queue.run(task.task, small()), queue.run(task.task, small()))
  await t.rejects(queue.run(task.task, small()), { code: 'busy' })
  task.end()
  await Promise.all(runs)
})

t.test('who waited too long is answered busy', async t => {
  const queue = new WorkQueue({ concurrency: 1, maxWaitMs: 20 })
  const task = held()
  const first = queue.run(task.task, small())
  await t.rejects(queue.run(async () => {}, small()), { code: 'busy', statusCode: 503, headers: { 'retry-after': '1' } })
  t.equal(queue.size, 0)
  task.end()
  await first
})

t.test('a task that is aborted while it waits leaves at once and never runs', async t => {
  const queue = new WorkQueue({ concurrency: 1 })
  const task = held()
  const first = queue.run(task.task, small())
  const gone = new AbortController()
  let ran = false
  const second = queue.run(async () => { ran = true }, small('b', { signal: gone.signal }))
  t.equal(queue.size, 1)
  gone.abort(new Error('the client left'))
  t.equal(queue.size, 0)
  await t.rejects(second, { message: 'the client left' })
  await t.rejects(queue.run(async () => { ran = true }, small('b', { signal: gone.signal })), { message: 'the client left' }, 'aborted before')
  task.end()
  await first
  await queue.idle()
  t.notOk(ran)
})

t.test('a large task that leaves lets those behind it go on', async t => {
  const queue = new WorkQueue({ concurrency: 4, pixels: 10 })
  const task = held()
  const gone = new AbortController()
  const runs = [queue.run(task.task, small()), queue.run(task.task, small('a', { pixels: 100, signal: gone.signal })), queue.run(task.task, small())]
  t.equal(queue.running, 1)
  gone.abort(new Error('left'))
  t.equal(queue.running, 2)
  task.end()
  t.same((await Promise.allSettled(runs)).map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled'])
})

t.test('a running task is told of its abort, and holds its place until it has settled', async t => {
  const queue = new WorkQueue({ concurrency: 1 })
  const gone = new AbortController()
  const task = held()
  let told = false
  const first = queue.run(async signal => {
    signal.addEventListener('abort', () => { told = true })
    await task.task()
  }, small('a', { signal: gone.signal }))
  const second = queue.run(async () => 2, small())
  gone.abort(new Error('left'))
  t.ok(told)
  t.same([queue.running, queue.size], [1, 1])
  task.fail(new Error('stopped'))
  await t.rejects(first, { message: 'stopped' })
  t.equal(await second, 2)
})

t.test('100 tasks that are cancelled while they wait leave an empty queue and flat memory', async t => {
  const queue = new WorkQueue({ concurrency: 1 })
  const task = held()
  const first = queue.run(task.task, small())
  const left = new Error('left')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const round = async (): Promise<void> => {
    const clients = Array.from({ length: 100 }, () => new AbortController())
    const runs = clients.map(async ({ signal }, index) => await queue.run(async () => {}, small(`lane ${index % 7}`, { signal })))
    if (queue.size !== 100) t.fail(`${queue.size} wait`)
    for (const client of clients) client.abort(left)
    if (queue.size !== 0) t.fail(`${queue.size} are left`)
    for (const { status } of await Promise.allSettled(runs)) if (status === 'fulfilled') t.fail('it ran')
  }
  for (let count = 0; count < 50; count++) await round()
  collect()
  const before = process.memoryUsage().heapUsed
  for (let count = 0; count < 200; count++) await round()
  collect()
  const grown = process.memoryUsage().heapUsed - before
  // 20,000 entries of a few hundred bytes would be more than 6 MB.
  t.ok(grown < 3e6, `${grown} bytes`)
  task.end()
  await first
  await queue.idle()
})

t.test('idle settles when nothing runs nor waits', async t => {
  const queue = new WorkQueue({ concurrency: 1 })
  await queue.idle()
  const task = held()
  const runs = [queue.run(task.task, small()), queue.run(async () => {}, small())]
  let isIdle = false
  const both = Promise.all([queue.idle(), queue.idle()])
  const told = both.then(() => { isIdle = true })
  await wait(5)
  t.notOk(isIdle)
  task.end()
  await Promise.all(runs)
  await told
  t.ok(isIdle)
})
