import t from 'tap'
import { Redis } from 'ioredis'
import type { Count, RateCounter } from '../../../lib/rate/counter.ts'
import { openRateCounter, type RateLimitsConfig } from '../../../lib/rate/open-counter.ts'
import type { Test } from '../../helpers/app.ts'
import { eventually, freePort } from '../../helpers/process.ts'
import { noRedis, testRedis } from '../../helpers/redis.ts'

interface Opened { counter: RateCounter, lines: Array<{ level: string, facts: object, message: string }> }

async function opened (t: Test, config: Partial<RateLimitsConfig>): Promise<Opened> {
  const lines: Opened['lines'] = []
  const log = (level: string) => (facts: object, message: string) => { lines.push({ level, facts, message }) }
  const counter = await openRateCounter({ whenRedisFails: 'closed', maxClients: 100, ...config }, { warn: log('warn'), info: log('info') })
  t.teardown(async () => await counter.close())
  return { counter, lines }
}

async function used (counter: RateCounter, key: string, { cost = 1, windowMs = 600_000 } = {}): Promise<Count> {
  return await new Promise((resolve, reject) => {
    counter.add(key, { cost, windowMs }, (error, count) => count === undefined ? reject(error ?? new Error('Nothing was told')) : resolve(count))
  })
}

const needsRedis = { skip: noRedis ?? false }

t.test('without Redis it is counted in memory', async t => {
  const { counter, lines } = await opened(t, {})
  t.same([(await used(counter, 'a')).current, (await used(counter, 'a', { cost: 4 })).current], [1, 5])
  t.same(lines, [])
})

t.test('costs add up in Redis under a key that can be read, until the window ends', needsRedis, async t => {
  const redis = await testRedis(t)
  const { counter, lines } = await opened(t, { redis: redis.url })
  const first = await used(counter, 'addresses:/:203.0.113.7', { cost: 3 })
  const second = await used(counter, 'addresses:/:203.0.113.7')
  t.same([first.current, second.current], [3, 4])
  t.ok(first.ttl === 600_000 && second.ttl > 0 && second.ttl <= first.ttl)
  const other = new Redis(redis.url)
  t.teardown(() => other.disconnect())
  t.same(await other.keys('*'), ['fastify-media:rate:addresses:/:203.0.113.7'])
  await used(counter, 'short', { windowMs: 100 })
  t.ok(await eventually(async () => (await used(counter, 'short', { windowMs: 100 })).current === 1))
  t.same(lines, [])
})

t.test('a window without an end, or with one that is too far, ends in time', needsRedis, async t => {
  const redis = await testRedis(t)
  const { counter } = await opened(t, { redis: redis.url })
  const other = new Redis(redis.url)
  t.teardown(() => other.disconnect())
  await other.set('fastify-media:rate:endless', 5)
  await other.set('fastify-media:rate:far', 5, 'PX', 600_000)
  for (const key of ['endless', 'far']) {
    t.same(await used(counter, key, { windowMs: 1000 }), { current: 6, ttl: 1000 }, key)
    t.ok(await other.pttl(`fastify-media:rate:${key}`) <= 1000, key)
  }
})

t.test('a Redis that is not there is told before the first client, once, and no password with it', async t => {
  const { counter, lines } = await opened(t, { redis: `redis://user:secret@127.0.0.1:${await freePort()}`, whenRedisFails: 'closed' })
  t.match(lines, [{ level: 'warn', message: 'Redis does not count for limits: what is limited is answered 503 until it is back' }])
  t.match(lines[0]?.facts, { err: { message: /Redis cannot be reached/ } })
  for (let n = 0; n < 3; n++) await t.rejects(used(counter, 'a'), { code: 'unavailable', statusCode: 503, headers: { 'retry-after': '1' } })
  t.equal(lines.length, 1)
  t.notMatch(JSON.stringify(lines.map(({ facts }) => String((facts as { err: Error }).err.stack))), 'secret')
})

t.test('a Redis that refuses is as good as none', needsRedis, async t => {
  const redis = await testRedis(t)
  const { counter, lines } = await opened(t, { redis: redis.url, whenRedisFails: 'open' })
  const other = new Redis(redis.url)
  t.teardown(() => other.disconnect())
  await other.lpush('fastify-media:rate:list', 'x')
  t.same(await used(counter, 'list'), { current: 0, ttl: -1 })
  t.match(lines, [{ level: 'warn', message: /^Redis does not count for limits: nothing is limited/, facts: { err: { cause: { message: /WRONGTYPE/ } } } }])
  t.equal((await used(counter, 'other')).current, 1)
  t.match(lines.slice(1), [{ level: 'info', message: 'Redis counts for limits again' }])
})
