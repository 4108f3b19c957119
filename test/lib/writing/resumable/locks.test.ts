import { ERRORS } from '@tus/server'
import { Redis } from 'ioredis'
import t, { type Test as Tap } from 'tap'
import { RedisLink } from '../../../../lib/cache/redis-link.ts'
import { LocalLocks } from '../../../../lib/writing/resumable/local-locks.ts'
import { UploadLocks } from '../../../../lib/writing/resumable/locks.ts'
import { RedisLocks } from '../../../../lib/writing/resumable/redis-locks.ts'
import { eventually } from '../../../helpers/process.ts'
import { noRedis, testRedis } from '../../../helpers/redis.ts'

const skip = noRedis ?? false
const never = new AbortController().signal
const id = 'a'.repeat(96)

async function linked (t: Tap, url: string): Promise<RedisLink> {
  const link = await RedisLink.open({ url })
  t.teardown(async () => await link.close())
  return link
}

async function instance (t: Tap, url: string, { leaseMs, waitMs }: { leaseMs?: number, waitMs?: number } = {}): Promise<UploadLocks> {
  return new UploadLocks(new RedisLocks(await linked(t, url), leaseMs), waitMs)
}

t.test('who waits asks the holder to let go, and gets the lock in turn', async t => {
  const locks = new LocalLocks()
  const seen: string[] = []
  const take = async (name: string): Promise<void> => {
    await locks.take('x', () => { seen.push(`ask ${name}`) }, never)
    seen.push(name)
  }
  await take('a')
  const [b, c] = [take('b'), take('c')]
  await locks.take('y', () => undefined, never)
  t.same(seen, ['a', 'ask a', 'ask a'], 'another name is another lock')
  locks.give('x')
  await b
  t.same(seen.slice(3), ['ask b', 'b'], 'the next is asked too, since another one waits')
  locks.give('x')
  await c
  locks.give('x')
  await take('d')
  t.same(seen.slice(5), ['c', 'd'])
})

t.test('who does not want to wait any more is forgotten', async t => {
  const locks = new LocalLocks()
  const left = new AbortController()
  await locks.take('x', () => undefined, never)
  const waiting = locks.take('x', () => undefined, left.signal)
  const next = locks.take('x', () => undefined, never)
  left.abort(new Error('left'))
  await t.rejects(waiting, { message: 'left' })
  await t.rejects(locks.take('z', () => undefined, left.signal), { message: 'left' })
  locks.give('x')
  await t.resolves(next)
})

t.test('a wait that is too long ends, and the lock is free for the next', async t => {
  const awake = setInterval(() => undefined, 1000) // a server has its sockets for that
  t.teardown(() => clearInterval(awake))
  const locks = new UploadLocks(undefined, 50)
  await locks.take('x', () => undefined)
  await t.rejects(locks.take('x', () => undefined), { code: 'locked', statusCode: 423 })
  await locks.give('x')
  await t.resolves(locks.take('x', () => undefined))
})

t.test('another instance gets a lock once its holder, asked, lets go', { skip }, async t => {
  const { url } = await testRedis(t)
  const [one, another] = [await instance(t, url), await instance(t, url)]
  const seen: string[] = []
  await one.take(id, () => {
    if (seen.includes('asked')) return
    seen.push('asked')
    setImmediate(() => { seen.push('given'); void one.give(id) })
  })
  await another.take(id, () => undefined)
  t.same(seen, ['asked', 'given'])
  await another.give(id)
})

t.test('a holder that does not let go keeps its lock, however long, and who waits gives up', { skip }, async t => {
  const { url } = await testRedis(t)
  const redis = new Redis(url)
  t.teardown(() => redis.disconnect())
  const [one, another] = [await instance(t, url, { leaseMs: 2000 }), await instance(t, url, { waitMs: 300 })]
  await one.take(id, () => undefined)
  const left = async (): Promise<number> => await redis.pttl(`fastify-media:resumable:${id}`)
  let least = await left()
  t.ok(await eventually(async () => {
    const now = await left()
    const isRenewed = now > least
    least = Math.min(least, now)
    return isRenewed
  }), 'it is renewed')
  await t.rejects(another.take(id, () => undefined), { code: 'locked' })
  await one.give(id)
  t.equal(await redis.dbsize(), 0)
  await t.resolves(another.take(id, () => undefined), 'the wait before left nothing locked')
  await another.give(id)
})

t.test('the lock of an instance that died ends', { skip }, async t => {
  const { url } = await testRedis(t)
  const link = await linked(t, url)
  const dead = new UploadLocks(new RedisLocks(link, 500))
  const alive = await instance(t, url)
  await dead.take(id, () => undefined)
  await link.close() // it says nothing any more
  await t.resolves(alive.take(id, () => undefined))
  await alive.give(id)
})

t.test('without Redis nothing is locked; with it again, everything goes on', { skip }, async t => {
  const redis = await testRedis(t)
  const [one, another] = [await instance(t, redis.url, { leaseMs: 1000 }), await instance(t, redis.url, { leaseMs: 1000 })]
  let asked = 0
  await one.take(id, () => { asked++ })
  await redis.kill()
  await t.rejects(another.take(id, () => undefined), { code: 'unavailable', headers: { 'retry-after': '1' } })
  t.ok(await eventually(() => asked > 0), 'the holder lets go before its lease is over')
  await one.give(id)
  await redis.restart()
  t.ok(await eventually(async () => await another.take(id, () => undefined).then(() => true, () => false)), 'what waited before is not in the way')
  await another.give(id)
})

t.test('a holder whose lock Redis has lost lets go', { skip }, async t => {
  const redis = await testRedis(t)
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const locks = await instance(t, redis.url, { leaseMs: 400 })
  let asked = 0
  await locks.take(id, () => { asked++ })
  await client.flushall()
  t.ok(await eventually(() => asked > 0))
  await locks.give(id)
  await t.resolves(locks.give(id), 'a second time does nothing')
})

t.test('a request that is itself asked to let go while it waits gives up as one that was taken over', async t => {
  const locks = new UploadLocks()
  const stop = new AbortController()
  await locks.take(id, () => undefined)
  const lock = locks.locker(never).newLock(id)
  const waiting = lock.lock(stop.signal, () => undefined)
  stop.abort(new Event('abort')) // as the library does
  t.equal(await waiting.catch((error: unknown) => error), ERRORS.ABORTED)
  const left = new AbortController()
  const leaving = locks.locker(left.signal).newLock(id).lock(never, () => undefined)
  left.abort(new Error('left'))
  await t.rejects(leaving, { message: 'left' })
})
