import { Redis } from 'ioredis'
import t from 'tap'
import { eventually } from '../../helpers/process.ts'
import { noRedis, testRedis, type TestRedis } from '../../helpers/redis.ts'
import { event, filesBelow, tell, telling } from './telling.ts'

interface Entry {
  readonly id: string
  readonly type: string
  readonly event: string
}

/** What is in the stream. */
async function entries (redis: TestRedis): Promise<Entry[]> {
  const client = new Redis(redis.url)
  const found = await client.xrange('events', '-', '+')
  client.disconnect()
  return found.map(([, fields]) => Object.fromEntries(fields.flatMap((name, place) => place % 2 === 0 ? [[name, fields[place + 1]]] : [])) as unknown as Entry)
}

const skip = noRedis ?? false

t.test('each event is an entry, in the order in which they happened', { skip }, async t => {
  const redis = await testRedis(t)
  const { events, directory } = await telling(t, { stream: { redis: redis.url, key: 'events', maxLength: 1000 } })
  const told = []
  for (let n = 0; n < 50; n++) told.push(await tell(events, event({ path: `/photos/${n}` }), { size: n }))
  await eventually(() => filesBelow(directory).length === 0)
  const found = await entries(redis)
  t.same(found.map(({ id, type }) => ({ id, type })), told.map(({ id, type }) => ({ id, type })))
  t.same(JSON.parse(found[3]?.event ?? ''), { id: told[3]?.id, type: 'file.created', timestamp: '2026-11-05T12:00:00.000Z', data: { mount: '/photos', path: '/photos/3', principal: 'staff:ann', size: 3 } })
  t.same(events.state(), { stream: [{ waiting: 0, dead: 0, failure: undefined }] })
})

t.test('a stream keeps about as much as it may', { skip }, async t => {
  const redis = await testRedis(t)
  const { events, directory } = await telling(t, { stream: { redis: redis.url, key: 'events', maxLength: 10 } })
  await Promise.all(Array.from({ length: 400 }, async () => await tell(events)))
  await eventually(() => filesBelow(directory).length === 0)
  t.ok((await entries(redis)).length < 250, 'Redis cuts off whole nodes of a hundred')
})

t.test('while Redis is away events wait, in order, and come when it is back', { skip }, async t => {
  const redis = await testRedis(t)
  const { events, directory } = await telling(t, { stream: { redis: redis.url, key: 'events', maxLength: 1000 } })
  await tell(events)
  await eventually(() => filesBelow(directory).length === 0)
  await redis.kill()
  const told = [await tell(events, event({ path: '/photos/1' })), await tell(events, event({ path: '/photos/2' }))]
  await eventually(() => events.state().stream?.[0]?.failure !== undefined)
  t.match(events.state(), { stream: [{ waiting: 2, dead: 0 }] })
  await redis.restart()
  await eventually(() => filesBelow(directory).length === 0)
  t.same((await entries(redis)).map(({ id }) => id), told.map(({ id }) => id), 'each once: that Redis lost what it had is its own')
  t.match(events.state(), { stream: [{ waiting: 0, failure: undefined }] })
})

t.test('a Redis that is not there at the start does not keep the server from starting', { skip }, async t => {
  const redis = await testRedis(t)
  await redis.kill()
  const first = await telling(t, { stream: { redis: redis.url, key: 'events', maxLength: 1000 } })
  const { id } = await tell(first.events)
  await first.events.close()
  t.equal(filesBelow(first.directory).length, 1)
  await telling(t, { directory: first.directory, stream: { redis: redis.url, key: 'events', maxLength: 1000 } })
  await redis.restart()
  await eventually(() => filesBelow(first.directory).length === 0)
  t.same((await entries(redis)).map(each => each.id), [id])
})

t.test('a Redis that refuses, because the key is something else, has it kept', { skip }, async t => {
  const redis = await testRedis(t)
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  await client.set('events', 'a string')
  const { events, directory, lines } = await telling(t, { stream: { redis: redis.url, key: 'events', maxLength: 1000 } })
  await tell(events)
  await eventually(() => lines.some(({ err }) => /WRONGTYPE/.test(String((err as Error | undefined)?.cause))))
  t.equal(filesBelow(directory).length, 1)
  await client.del('events')
  await eventually(() => filesBelow(directory).length === 0)
  t.equal((await entries(redis)).length, 1)
})
