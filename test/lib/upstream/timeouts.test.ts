// Time: connections, first bytes and pauses have limits of their own, the whole has none.
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import type { MediaError } from '../../../lib/errors.ts'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { drop, failureOf, get, open } from './open-upstream.ts'

/** Far more than the limits here take on a slow machine, far less than the defaults. */
const SOON_MS = 15_000

/** What fails, and that it does so in time. */
async function soon (t: { ok (is: unknown, name: string): unknown }, answer: Promise<unknown>): Promise<unknown> {
  const began = performance.now()
  const outcome = await answer
  t.ok(performance.now() - began < SOON_MS, 'in time')
  return outcome
}

const file = kit.content(100_000)

t.test('a head that does not come in time is a 504, whatever comes instead', async t => {
  const cases: Array<[string, kit.Script]> = [
    ['nothing', kit.silent()],
    ['a head by bytes', kit.slowHeader({ everyMs: 20 })],
    ['a few interim answers, then nothing', kit.interim([{ status: 102 }, { status: 103, fields: { link: '</a>; rel=preload' } }], kit.silent())],
    ['interim answers now and then, for ever', kit.slowInterim()]
  ]
  for (const [name, script] of cases) {
    await t.test(name, { timeout: SOON_MS }, async t => {
      const origin = await kit.rawOrigin(t, script)
      const { upstream } = await open(t, origin.url, { firstByteTimeoutMs: 300 })
      const error = await failureOf(get(upstream))
      t.same([error.code, error.statusCode], ['upstream-timeout', 504])
      t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)), 'the connection is closed')
      t.equal(origin.requests.length, 1, 'a slow origin is not asked twice')
    })
  }
})

t.test('a connection that is not made in time is a 504: neither TCP nor TLS', async t => {
  const deaf = await kit.deafOrigin(t)
  const silent = await kit.rawOrigin(t, kit.silent())
  for (const url of [deaf.url, silent.url.replace('http:', 'https:')]) {
    const { upstream } = await open(t, url, { connectTimeoutMs: 200, retries: 0 })
    const error = await soon(t, failureOf(get(upstream))) as MediaError
    t.same([error.code, error.statusCode], ['upstream-connect-timeout', 504])
    t.notMatch(error.message, /127\.0\.0\.1/)
  }
  t.ok(await eventually(() => silent.connections === 0))
})

t.test('a body that pauses for too long fails; the bytes before it are passed on', async t => {
  const cases = (['length', 'chunked', 'close'] as const).flatMap(framing => [0, 1000, 70_000].map(after => ({ framing, after })))
  await Promise.all(cases.map(async ({ framing, after }) => {
    const origin = await kit.rawOrigin(t, kit.stall(file, after, framing))
    const { upstream } = await open(t, origin.url, { idleTimeoutMs: 200 })
    const { body } = await get(upstream)
    const { bytes, error } = await soon(t, kit.taken(body)) as kit.Taken
    t.same([bytes, error?.code], [after, 'upstream-timeout'], `${framing}, ${after}`)
    t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)))
  }))
})

t.test('a slow body that goes on has all the time it needs', async t => {
  const small = kit.content(30)
  const origin = await kit.rawOrigin(t, kit.slowBody(small, { everyMs: 100 }))
  const { upstream } = await open(t, origin.url, { idleTimeoutMs: 2000, firstByteTimeoutMs: 2000 })
  const began = performance.now()
  const { hash, error } = await kit.taken((await get(upstream)).body)
  t.ok(performance.now() - began > 2500, 'longer than each limit')
  t.same([hash, error], [small.hash, undefined])
})

t.test('live bodies may pause for as long as they like, others beside them not', async t => {
  const small = kit.content(2)
  const origin = await kit.rawOrigin(t, kit.slowBody(small, { everyMs: 3000 }))
  const { upstream } = await open(t, origin.url, { idleTimeoutMs: 200 })
  const [live, other] = await Promise.all([upstream.live, upstream].map(async sender => await kit.taken((await get(sender)).body)))
  t.same([live?.hash, live?.error], [small.hash, undefined])
  t.equal(other?.error?.code, 'upstream-timeout')
})

t.test('live bodies have an idle limit where one is asked for', async t => {
  const origin = await kit.rawOrigin(t, kit.stall(file, 10))
  const { upstream } = await open(t, origin.url, { liveIdleTimeoutMs: 200 })
  const { error } = await soon(t, kit.taken((await get(upstream.live)).body)) as kit.Taken
  t.equal(error?.code, 'upstream-timeout')
})

t.test('a reader who pauses is no idle origin', async t => {
  const large = kit.content(30_000_000)
  const origin = await kit.rawOrigin(t, kit.whole(large))
  const { upstream } = await open(t, origin.url, { idleTimeoutMs: 150 })
  const { body } = await get(upstream)
  await wait(2500) // many idle limits, also as undici rounds them: the pause itself is what is tested
  const { hash, error } = await kit.taken(body)
  t.same([hash, error], [large.hash, undefined])
})

t.test('who waits for a connection waits no longer than for a first byte, and in a line that has an end', async t => {
  const origin = await kit.rawOrigin(t, kit.endless())
  const { upstream } = await open(t, origin.url, { connections: 1, maxWaiting: 1, firstByteTimeoutMs: 400 })
  const first = await get(upstream)
  const second = failureOf(get(upstream))
  const third = await failureOf(get(upstream))
  t.same([third.code, third.statusCode, third.headers?.['retry-after']], ['upstream-busy', 503, '1'], 'the line is full')
  const waited = await soon(t, second) as MediaError
  t.equal(waited.code, 'upstream-busy')
  t.equal(origin.requests.length, 1)
  drop(first)
  const fourth = await get(upstream)
  t.equal(fourth.status, 200, 'and when the first has left there is room')
  drop(fourth)
  t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)))
})

t.test('no one waits where nobody may', async t => {
  const origin = await kit.rawOrigin(t, kit.endless())
  const { upstream } = await open(t, origin.url, { connections: 2, maxWaiting: 0 })
  const held = await Promise.all([get(upstream), get(upstream)])
  t.equal((await failureOf(get(upstream))).code, 'upstream-busy')
  held.forEach(drop)
})
