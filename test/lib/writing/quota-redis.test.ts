import { Redis } from 'ioredis'
import t, { type Test as Tap } from 'tap'
import { RedisLink } from '../../../lib/cache/redis-link.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import type { Hold } from '../../../lib/writing/quota-ledger.ts'
import { RedisCounter } from '../../../lib/writing/quota-redis.ts'
import { openQuotas } from '../../../lib/writing/quotas.ts'
import { eventually } from '../../helpers/process.ts'
import { noRedis, testRedis } from '../../helpers/redis.ts'

const skip = noRedis ?? false
const hold = (id: string, bytes: number): Hold => ({ id, mount: '/m', key: id, bytes, principal: 'p:ada' })
const limits = { mount: { bytes: 100 } }

async function opened (t: Tap, url: string, leaseMs?: number): Promise<{ counter: RedisCounter, link: RedisLink, lines: string[] }> {
  const lines: string[] = []
  const tell = (_facts: object, message: string): void => { lines.push(message) }
  const link = await RedisLink.open({ url })
  const counter = new RedisCounter(link, { info: tell, warn: tell }, leaseMs)
  t.teardown(async () => {
    await counter.close()
    await link.close()
  })
  return { counter, link, lines }
}

t.test('what is set aside stays so while its instance lives, and is free once it died', { skip }, async t => {
  const { url } = await testRedis(t)
  const [one, another] = [await opened(t, url, 2000), await opened(t, url, 2000)]
  await one.counter.counted('/m')
  await one.counter.take(hold('a', 100), limits)
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  const until = async (): Promise<number> => Number((await client.hget('fastify-media:quota:holds:/m', 'a'))?.split(' ')[0])
  const first = await until()
  t.ok(await eventually(async () => await until() > first), 'it is renewed')
  t.same(await another.counter.take(hold('b', 1), limits), { of: 'mount', what: 'bytes' })
  await one.link.close() // it says nothing any more
  t.ok(await eventually(async () => await another.counter.take(hold('b', 1), limits) === undefined))
})

t.test('while Redis is away nobody writes; what happened meanwhile is told when it is back, and all is counted anew where it forgot', { skip }, async t => {
  const redis = await testRedis(t)
  const lines: string[] = []
  const tell = (_facts: object, message: string): void => { lines.push(message) }
  const link = await RedisLink.open({ url: redis.url })
  const store = new Map<string, number>([['old', 5]])
  const walk = async function * (): AsyncGenerator<{ key: Key, bytes: number }> {
    for (const [key, bytes] of store) yield { key: key as Key, bytes }
  }
  const quotas = await openQuotas({ directory: '/nowhere', redis: link, mounts: [{ prefix: '/m', quotas: limits }], walk, log: { info: tell, warn: tell } })
  t.teardown(async () => {
    await quotas.close()
    await link.close()
  })
  const reserve = async (key: string, bytes: number): ReturnType<typeof quotas.reserve> => await quotas.reserve({ mount: '/m', key: key as Key, bytes, principal: 'p:ada' })
  await (await reserve('a', 10)).settle(10)
  const [open, dropped] = [await reserve('b', 20), await reserve('c', 20)]
  store.set('a', 10)
  await redis.kill()
  await t.rejects(reserve('d', 1), { code: 'unavailable', statusCode: 503, headers: { 'retry-after': '1' } })
  await t.rejects(open.grow(30), { code: 'unavailable' })
  await t.rejects(quotas.usage('/m'), { code: 'unavailable' })
  store.set('b', 20)
  await t.resolves(open.settle(20))
  await t.resolves(dropped.release())
  await t.resolves(quotas.removed('/m', 'old' as Key))
  store.delete('old')
  await redis.restart()
  t.ok(await eventually(async () => await reserve('d', 70).then(async each => { await each.release(); return true }, () => false)), '30 bytes are there')
  t.same(await quotas.usage('/m'), { bytes: 30, files: 2 })
  t.same(await quotas.usage('/m', 'p:ada'), { bytes: 20, files: 1 }, 'whose the others were is not known any more')
  await t.rejects(reserve('d', 71), { code: 'quota-exceeded' })
  t.match(lines.filter(line => line.startsWith('Redis')), [/does not count what is kept/, /counts what is kept again/])
})

t.test('what could not be told until the end is told to the log', { skip }, async t => {
  const redis = await testRedis(t)
  const { counter, lines } = await opened(t, redis.url)
  await counter.counted('/m')
  await redis.kill()
  await counter.settle(hold('a', 1), 'a', 1)
  await t.rejects(counter.counted('/m'), { code: 'unavailable' })
  await t.rejects(counter.isCounted('/m'), { code: 'unavailable' })
  await counter.close()
  t.match(lines.at(-1), /Redis was not told what changed/)
})

t.test('what is owed is told without anybody asking', { skip }, async t => {
  const redis = await testRedis(t)
  const { counter } = await opened(t, redis.url)
  await redis.kill()
  await counter.settle(hold('a', 7), 'a', 7)
  await redis.restart()
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  t.ok(await eventually(async () => await client.hget('fastify-media:quota:sums:/m', 'bytes') === '7'))
})

t.test('sizes beyond what a script counts by itself are exact, and names may hold anything', { skip }, async t => {
  const { url } = await testRedis(t)
  const { counter } = await opened(t, url)
  await counter.counted('/m')
  const huge = 2 ** 53 - 1001
  const names = ['=a b', '- x', '\u{1f600} \n\0', '', '{"a":1}', '%d%s']
  for (const [at, principal] of names.entries()) {
    const each = { id: `i${at}`, mount: '/m', key: `${principal} ${at}`, bytes: at === 0 ? huge : at, principal }
    t.equal(await counter.take(each, { mount: { bytes: huge + 15 }, principal: { files: 1 } }), undefined)
    await counter.settle(each, each.key, each.bytes)
    t.same(await counter.usage('/m', principal), { bytes: each.bytes, files: 1 })
    t.same(await counter.take({ ...each, id: 'next', key: 'next', bytes: 0 }, { principal: { files: 1 } }), { of: 'principal', what: 'files' })
  }
  t.same(await counter.usage('/m'), { bytes: huge + 15, files: 6 })
  t.same(await counter.take({ ...hold('x', 1), principal: 'new' }, { mount: { bytes: huge + 15 } }), { of: 'mount', what: 'bytes' })
})
