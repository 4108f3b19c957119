import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import { decodingBudget, inTurn } from '../../../lib/image/in-turn.ts'
import { WorkQueue } from '../../../lib/image/work-queue.ts'

const turn = { lane: 'a', pixels: 10, priority: 'request', signal: new AbortController().signal } as const

t.test('what had to give way is done once more, alone', async t => {
  const queue = new WorkQueue({ concurrency: 2, pixels: 100 })
  const seen: number[] = []
  const result = await inTurn(queue, async () => {
    seen.push(queue.pixels)
    if (seen.length === 1) throw new MediaError('busy')
    return 'made'
  }, turn)
  t.equal(result, 'made')
  t.same(seen, [10, 101], 'with more than all the room there is')
})

t.test('what has to give way again comes back as busy, and any other failure at once', async t => {
  const queue = new WorkQueue({ concurrency: 2 })
  let tries = 0
  await t.rejects(inTurn(queue, async () => {
    tries++
    throw new MediaError('busy', { detail: `try ${tries}` })
  }, turn), { code: 'busy', detail: 'try 2' })
  await t.rejects(inTurn(queue, async () => { throw new MediaError('broken-image') }, turn), { code: 'broken-image' })
  await t.rejects(inTurn(queue, async () => {
    tries++
    throw tries === 3 ? new MediaError('busy') : new TypeError('once more')
  }, turn), { message: 'once more' })
  await queue.idle()
})

t.test('the budget follows the memory that decoding takes', t => {
  t.ok(decodingBudget({ format: 'jpeg', width: 1000, height: 1000, alpha: false }) < decodingBudget({ format: 'avif', width: 1000, height: 1000, alpha: false }))
  t.ok(decodingBudget({ format: 'jpeg', alpha: false }) > 10_000_000, 'what is not known may be large')
  t.end()
})
