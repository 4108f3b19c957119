// Who asked has left: the origin is left at once, wherever the exchange is.
import { Readable } from 'node:stream'
import t from 'tap'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { drop, get, open } from './open-upstream.ts'

/** Meant are 100 ms; a slow machine may take its time. */
const AT_ONCE_MS = 5000

const left = new Error('left')

/** Whether each connection over which something was asked is gone; undici may have made others that nobody uses. */
function allClosed (origin: kit.RawOrigin, target?: string): boolean {
  return origin.requests.every(request => request.closed || (target !== undefined && request.target !== target))
}

t.test('before the head the connection is closed, and nothing is counted against the origin', async t => {
  for (const script of [kit.silent(), kit.slowHeader({ everyMs: 20 }), kit.slowInterim({ everyMs: 20 })]) {
    const origin = await kit.rawOrigin(t, script)
    const { upstream } = await open(t, origin.url, { ejectAfter: 1, retries: 3 })
    const gone = new AbortController()
    const answer = get(upstream, '/', { signal: gone.signal })
    await eventually(() => origin.requests.length === 1)
    gone.abort(left)
    await t.rejects(answer, left, 'the reason of the signal')
    t.ok(await eventually(() => allClosed(origin), AT_ONCE_MS))
    t.same([origin.requests.length, upstream.origins.state()], [1, [{ origin: 'assets[0]', state: 'up', pending: 0, failures: 0, weight: 1 }]])
  }
})

t.test('in the middle of the body', async t => {
  for (const script of [kit.endless(), kit.stall(kit.content(1_000_000), 70_000), kit.stall(kit.content(1_000_000), 10), kit.whole(kit.content(50_000_000))]) {
    for (const sender of ['files', 'live'] as const) {
      const origin = await kit.rawOrigin(t, script)
      const { upstream } = await open(t, origin.url, { ejectAfter: 1 })
      const answer = await get(sender === 'live' ? upstream.live : upstream)
      drop(answer)
      t.ok(await eventually(() => allClosed(origin), AT_ONCE_MS))
      t.same(upstream.origins.state().map(({ state, pending, failures }) => [state, pending, failures]), [['up', 0, 0]])
    }
  }
})

t.test('a signal that was given before is not even sent', async t => {
  const origin = await kit.rawOrigin(t, kit.answer())
  const { upstream } = await open(t, origin.url)
  await t.rejects(get(upstream, '/', { signal: AbortSignal.abort(left) }), left)
  t.equal((await get(upstream)).status, 200)
  t.equal(origin.requests.length, 1)
})

t.test('a signal that is given after the whole answer changes nothing', async t => {
  const origin = await kit.rawOrigin(t, kit.answer('done'))
  const { upstream } = await open(t, origin.url)
  const gone = new AbortController()
  const { body } = await get(upstream, '/', { signal: gone.signal })
  gone.abort(left)
  t.equal((await kit.taken(body)).bytes, 4)
  await kit.aMoment() // undici uses a connection again from the next turn on
  t.equal((await get(upstream)).status, 200)
  t.equal(origin.opened, 1, 'and the connection is kept')
})

t.test('while it waits for a connection: the line is left, the origin never hears of it', async t => {
  const origin = await kit.rawOrigin(t, kit.endless())
  const { upstream } = await open(t, origin.url, { connections: 1, maxWaiting: 200 })
  const held = await get(upstream, '/held')
  const gone = new AbortController()
  const waiting = Array.from({ length: 200 }, async () => await get(upstream, '/waits', { signal: gone.signal }))
  const last = waiting.map(async answer => await answer.then(drop, (error: Error) => error))
  gone.abort(left)
  t.ok((await Promise.all(last)).every(error => error === left))
  const next = get(upstream, '/next')
  drop(held)
  t.equal((await next).status, 200)
  drop(await next)
  t.same(origin.requests.map(({ target }) => target), ['/held', '/next'])
  t.equal(upstream.origins.state()[0]?.pending, 0)
})

t.test('while the connection is made', async t => {
  const deaf = await kit.deafOrigin(t)
  const { upstream } = await open(t, deaf.url, { ejectAfter: 1 })
  const gone = new AbortController()
  const answer = get(upstream, '/', { signal: gone.signal })
  setTimeout(() => { gone.abort(left) }, 20)
  await t.rejects(answer, left)
  t.same(upstream.origins.state().map(({ state, pending }) => [state, pending]), [['up', 0]])
})

t.test('200 requests that are given up do not starve the next', async t => {
  for (const moment of ['before the head', 'in the body'] as const) {
    const origin = await kit.rawOrigin(t, request => (request.target === '/next' ? kit.answer() : moment === 'in the body' ? kit.endless() : kit.silent())(request))
    const { upstream } = await open(t, origin.url, { connections: 8 })
    for (let round = 0; round < 25; round++) {
      const gone = new AbortController()
      const answers = Array.from({ length: 8 }, async () => await get(upstream, '/left', { signal: gone.signal }).catch(() => {}))
      if (moment === 'before the head') await eventually(() => origin.requests.length === (round + 1) * 8)
      else for (const answer of await Promise.all(answers)) if (answer !== undefined) drop(answer)
      gone.abort(left)
      await Promise.all(answers)
    }
    t.equal(origin.requests.length, 200)
    const began = performance.now()
    t.equal((await get(upstream, '/next')).status, 200)
    t.ok(performance.now() - began < AT_ONCE_MS, moment)
    t.ok(await eventually(() => allClosed(origin, '/left')), 'and hold no connection')
  }
})

t.test('200 at once, all given up at once', async t => {
  const origin = await kit.rawOrigin(t, request => (request.target === '/next' ? kit.answer() : kit.silent())(request))
  const { upstream } = await open(t, origin.url, { connections: 8 })
  const gone = new AbortController()
  const answers = Array.from({ length: 200 }, async () => await get(upstream, '/left', { signal: gone.signal }).catch((error: Error) => error))
  await eventually(() => origin.requests.length === 8)
  gone.abort(left)
  t.ok((await Promise.all(answers)).every(error => error === left))
  t.equal((await get(upstream, '/next')).status, 200)
  t.equal(upstream.origins.state()[0]?.pending, 0)
  t.equal(origin.requests.length, 9, 'who waited was not sent')
})

t.test('in the middle of an upload: the origin sees that it is cut', async t => {
  const origin = await kit.rawOrigin(t, kit.silent())
  const { upstream } = await open(t, origin.url, { ejectAfter: 1 })
  const gone = new AbortController()
  const body = new Readable({ read () { setImmediate(() => this.push(Buffer.alloc(1000))) } })
  const answer = get(upstream, '/', { method: 'POST', body, signal: gone.signal })
  await eventually(() => (origin.requests[0]?.bodyBytes ?? 0) > 10_000)
  gone.abort(left)
  await t.rejects(answer, left)
  t.ok(await eventually(() => allClosed(origin), AT_ONCE_MS))
  t.ok(await eventually(() => body.destroyed, AT_ONCE_MS), 'and the body is read no further')
  t.equal(upstream.origins.state()[0]?.state, 'up')
})

t.test('an upstream that is closed ends what is under way', async t => {
  const origin = await kit.rawOrigin(t, kit.endless())
  const { upstream } = await open(t, origin.url)
  const [one, two] = [await get(upstream), await get(upstream.live)]
  const taken = [one, two].map(async ({ body }) => await kit.taken(body))
  await upstream.close()
  for (const { error } of await Promise.all(taken)) t.match(error, { code: 'upstream-reset' })
  t.ok(await eventually(() => allClosed(origin), AT_ONCE_MS))
})
