import t from 'tap'
import { RetryBudget } from '../../../lib/upstream/retry-budget.ts'

function budget (share: number): { retries: RetryBudget, clock: { now: number }, ask: (times: number) => void, taken: () => number } {
  const clock = { now: 123_456 }
  const retries = new RetryBudget(share, () => clock.now)
  return {
    retries,
    clock,
    ask: times => { for (let time = 0; time < times; time++) retries.request() },
    taken: () => {
      let count = 0
      while (count < 10_000 && retries.take()) count++
      return count
    }
  }
}

t.test('a share of the requests may be sent again', async t => {
  for (const [share, expected] of [[0.2, 200], [0.5, 500], [1, 1000]] as const) {
    const { ask, taken } = budget(share)
    ask(1000)
    t.equal(taken(), expected, String(share))
    t.equal(taken(), 0, 'they are spent')
    ask(10)
    t.equal(taken(), Math.floor(share * 10), 'new requests bring new ones')
  }
})

t.test('a quiet server has one retry for each second, ten at once', async t => {
  const { ask, taken, clock } = budget(0.2)
  t.equal(taken(), 10)
  ask(40)
  t.equal(taken(), 0, 'a fifth of forty is less than what was had')
  clock.now += 10_000
  t.equal(taken(), 10)
})

t.test('a share of nothing is nothing', async t => {
  const { ask, taken } = budget(0)
  ask(1000)
  t.equal(taken(), 0)
})

t.test('only the last ten seconds count', async t => {
  const { ask, taken, clock } = budget(0.5)
  clock.now = 200_000
  ask(1000)
  clock.now += 9999
  t.equal(taken(), 500, 'still in the window')
  clock.now += 1
  t.equal(taken(), 0, 'the requests are gone, the retries not')
  clock.now += 9999
  t.equal(taken(), 10)
})

t.test('requests and retries leave the window second by second', async t => {
  const { ask, taken, clock } = budget(1)
  for (let second = 0; second < 10; second++) {
    ask(100)
    clock.now += 1000
  }
  t.equal(taken(), 900, 'the first hundred are gone')
  clock.now += 4000
  ask(1000)
  t.equal(taken(), 600, 'of the old requests five hundred are left, of the retries all')
})

t.test('a long pause empties everything, a clock that stands still nothing', async t => {
  const { ask, taken, clock } = budget(1)
  ask(1000)
  clock.now += 1e13 // an hour's work, second by second
  t.equal(taken(), 10)
  ask(100)
  clock.now -= 5000
  t.equal(taken(), 90, 'nor one that goes back')
  clock.now += 5000
  ask(100)
  t.equal(taken(), 100)
})

t.test('a call costs the same however much was counted', async t => {
  const { retries, ask } = budget(1)
  ask(1_000_000)
  for (let time = 0; time < 1_000_000; time++) retries.take()
  t.notOk(retries.take())
})

t.test('the clock is real where none is given', async t => {
  t.ok(new RetryBudget(0.1).take())
})
