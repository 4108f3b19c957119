import t from 'tap'
import type { Count, RateCounter } from '../../../lib/rate/counter.ts'
import { MemoryCounter } from '../../../lib/rate/memory-counter.ts'
import { eventually } from '../../helpers/process.ts'

/** What a counter tells at once. */
function used (counter: RateCounter, key: string, cost = 1, windowMs = 600_000): number {
  let told: Count | undefined
  counter.add(key, { cost, windowMs }, (_error, count) => { told = count })
  if (told === undefined) throw new Error('Expected memory to tell at once')
  return told.current
}

t.test('costs add up for each key, within a window that ends whatever comes', async t => {
  const counter = new MemoryCounter(10)
  t.same([used(counter, 'a'), used(counter, 'a', 4), used(counter, 'b'), used(counter, 'a')], [1, 5, 1, 6])
  used(counter, 'short', 1, 100)
  let most = 1
  t.ok(await eventually(() => {
    const current = used(counter, 'short', 1, 100)
    const isNew = current === 1
    most = Math.max(most, current)
    return isNew
  }), 'asking again and again does not make it longer')
  t.ok(most > 1)
})

t.test('what is left of the window is told, and no more than the window', async t => {
  const counter = new MemoryCounter(10)
  const left: number[] = []
  for (let n = 0; n < 2; n++) counter.add('a', { cost: 1, windowMs: 600_000 }, (_error, count) => left.push(count?.ttl ?? -1))
  t.ok((left[0] as number) <= 600_000 && (left[1] as number) <= (left[0] as number) && (left[1] as number) > 0)
})

t.test('ten times as many clients as are kept: memory is bounded', async t => {
  const counter = new MemoryCounter(100)
  for (let n = 0; n < 1000; n++) {
    used(counter, `client ${n}`)
    if (counter.size > 100) t.fail(`${counter.size} are kept`)
  }
  t.equal(counter.size, 100)
  await counter.close()
  t.equal(counter.size, 0)
})

t.test('who keeps coming stays counted through a flood of new clients', async t => {
  const counter = new MemoryCounter(100)
  let heavy = 0
  for (let n = 0; n < 10_000; n++) {
    if (n % 50 === 0) heavy = used(counter, 'heavy')
    used(counter, `flood ${n}`)
  }
  t.equal(heavy, 200)
})

t.test('a window that ended goes before those that have not', async t => {
  const counter = new MemoryCounter(3)
  for (const key of ['a', 'b', 'ended']) for (let n = 0; n < 2; n++) used(counter, key, 1, key === 'ended' ? 1 : 600_000)
  const began = performance.now()
  await eventually(() => performance.now() - began > 2)
  used(counter, 'new')
  t.same([used(counter, 'a'), used(counter, 'b')], [3, 3])
})

t.test('where all keep coming one is forgotten nevertheless, and one place is enough to count', async t => {
  const counter = new MemoryCounter(50)
  for (let round = 0; round < 2; round++) for (let n = 0; n < 50; n++) used(counter, `client ${n}`)
  for (let n = 0; n < 60; n++) used(counter, `new ${n}`)
  t.equal(counter.size, 50)
  const one = new MemoryCounter(1)
  t.same([used(one, 'a'), used(one, 'a'), used(one, 'b'), used(one, 'b'), used(one, 'a')], [1, 2, 1, 2, 1])
})
