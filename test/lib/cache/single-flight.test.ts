import t from 'tap'
import { SingleFlight } from '../../../lib/cache/single-flight.ts'

/** Work that ends when it is told to, and notes its signal. */
function work (): { run: (signal: AbortSignal) => Promise<string>, end: (text: string) => void, fail: (error: Error) => void, calls: number, signal?: AbortSignal } {
  const state: ReturnType<typeof work> = {
    calls: 0,
    end: () => undefined,
    fail: () => undefined,
    run: async signal => {
      state.calls++
      state.signal = signal
      return await new Promise((resolve, reject) => {
        state.end = resolve
        state.fail = reject
      })
    }
  }
  return state
}
const turn = async (): Promise<void> => await new Promise(resolve => setImmediate(resolve))

t.test('many who ask at once share one flight; who comes after starts another', async t => {
  const flights = new SingleFlight<string>()
  const making = work()
  const all = Array.from({ length: 100 }, async () => await flights.run('a', making.run))
  await turn()
  t.equal(flights.size, 1)
  making.end('made')
  t.same(new Set(await Promise.all(all)), new Set(['made']))
  t.equal(making.calls, 1)
  t.equal(flights.size, 0)
  t.equal(await flights.run('a', async () => 'again'), 'again')
})

t.test('different keys fly apart', async t => {
  const flights = new SingleFlight<string>()
  t.same(await Promise.all([flights.run('a', async () => '1'), flights.run('b', async () => '2')]), ['1', '2'])
})

t.test('a failure is everyone\'s, and forgotten', async t => {
  const flights = new SingleFlight<string>()
  const making = work()
  const all = [flights.run('a', making.run), flights.run('a', making.run, new AbortController().signal)]
  await turn()
  making.fail(new Error('broken'))
  for (const one of all) await t.rejects(one, { message: 'broken' })
  t.equal(await flights.run('a', async () => 'later'), 'later')
  await t.rejects(flights.run('a', () => { throw new Error('at once') }), { message: 'at once' })
  t.equal(flights.size, 0)
})

t.test('who leaves is let go at once with its reason; the work goes on for the others', async t => {
  const flights = new SingleFlight<string>()
  const making = work()
  const leaver = new AbortController()
  const stays = flights.run('a', making.run, new AbortController().signal)
  const leaves = flights.run('a', making.run, leaver.signal)
  await turn()
  leaver.abort(new Error('gone'))
  await t.rejects(leaves, { message: 'gone' })
  t.equal(making.signal?.aborted, false)
  making.end('made')
  t.equal(await stays, 'made')
})

t.test('when all have left the work is told to stop, and who comes then starts anew', async t => {
  const flights = new SingleFlight<string>()
  const [first, second] = [work(), work()]
  const leavers = [new AbortController(), new AbortController()]
  const left = leavers.map(async ({ signal }) => await flights.run('a', first.run, signal))
  await turn()
  for (const leaver of leavers) leaver.abort(new Error('gone'))
  const late = flights.run('a', second.run)
  for (const one of left) await t.rejects(one, { message: 'gone' })
  t.equal(first.signal?.aborted, true)
  first.fail(new Error('stopped')) // nobody is there to hear it: no unhandled rejection
  await turn()
  t.equal(flights.size, 1, 'the end of the first flight does not take the second off the list')
  second.end('made')
  t.equal(await late, 'made')
})

t.test('who has left before it asked starts nothing', async t => {
  const flights = new SingleFlight<string>()
  const making = work()
  await t.rejects(flights.run('a', making.run, AbortSignal.abort(new Error('gone'))), { message: 'gone' })
  t.equal(making.calls, 0)
})

t.test('a caller without a signal keeps the work going', async t => {
  const flights = new SingleFlight<string>()
  const making = work()
  const leaver = new AbortController()
  const [stays, leaves] = [flights.run('a', making.run), flights.run('a', making.run, leaver.signal)]
  leaver.abort(new Error('gone'))
  await t.rejects(leaves)
  await turn()
  making.end('made')
  t.equal(await stays, 'made')
})
