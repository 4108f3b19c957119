import t from 'tap'
import { openRateCounter } from '../../../lib/rate/open-counter.ts'
import type { Count } from '../../../lib/rate/counter.ts'
import { freePort } from '../../helpers/process.ts'

const log = { warn: () => undefined, info: () => undefined }

async function added (whenRedisFails: 'open' | 'closed' | 'local'): Promise<{ error: Error | null, count: Count | undefined }> {
  const counter = await openRateCounter({ redis: `redis://127.0.0.1:${await freePort()}`, whenRedisFails, maxClients: 10 }, log)
  try {
    return await new Promise(resolve => counter.add('a', { cost: 2, windowMs: 60_000 }, (error, count) => resolve({ error, count })))
  } finally {
    await counter.close()
  }
}

t.test('without Redis, each way says what comes of it', async t => {
  t.match(await added('open'), { error: null, count: { current: 0, ttl: -1 } })
  t.match(await added('local'), { error: null, count: { current: 2 } })
  t.match(await added('closed'), { error: { code: 'unavailable', context: { reason: 'Redis does not answer' }, headers: { 'retry-after': '1' } }, count: undefined }, 'and closed tells the log why')
})
