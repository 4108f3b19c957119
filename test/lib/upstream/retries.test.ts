// Requests that are sent again: only those that may be, before the first byte, elsewhere if possible, and not too many.
import { Readable } from 'node:stream'
import t from 'tap'
import * as kit from '../../helpers/origin.ts'
import { eventually, freePort } from '../../helpers/process.ts'
import { drop, failureOf, get, open } from './open-upstream.ts'

const failures: Array<[string, kit.Script]> = [
  ['RST', kit.resetBeforeHead()],
  ['FIN', kit.finBeforeHead()],
  ['a cut head', kit.resetMidHead()],
  ['nonsense', kit.bytes('nonsense\r\n\r\n', 'end')]
]

t.test('what fails before its head is sent once more', async t => {
  for (const [name, script] of failures) {
    const origin = await kit.rawOrigin(t, kit.inTurn(script, kit.answer()))
    const { upstream, told } = await open(t, origin.url)
    const { status } = await get(upstream, '/a?b', { headers: { 'x-a': '1' } })
    t.equal(status, 200, name)
    t.same(origin.requests.map(({ target, headers }) => [target, headers['x-a']]), [['/a?b', '1'], ['/a?b', '1']])
    t.match(told, [{ upstream: 'assets', origin: 'assets[0]', message: 'A request is sent again' }])
  }
})

t.test('idempotent methods alone are sent again, and only without a body', async t => {
  const cases: Array<[string, Buffer | Readable | undefined, number]> = [
    ['GET', undefined, 2], ['HEAD', undefined, 2], ['OPTIONS', undefined, 2], ['PUT', undefined, 2], ['DELETE', undefined, 2],
    ['POST', undefined, 1], ['PATCH', undefined, 1],
    ['GET', Buffer.from('x'), 1], ['PUT', Buffer.from('x'), 1], ['PUT', Readable.from([Buffer.from('x')]), 1]
  ]
  for (const [method, body, expected] of cases) {
    const origin = await kit.rawOrigin(t, kit.resetBeforeHead())
    const { upstream } = await open(t, origin.url)
    t.equal((await failureOf(get(upstream, '/', { method, body }))).code, 'upstream-reset')
    t.equal(origin.requests.length, expected, `${method} ${body === undefined ? 'without' : 'with'} a body`)
  }
})

t.test('as often as is configured, and not after the head', async t => {
  for (const [retries, expected] of [[0, 1], [1, 2], [3, 4]] as const) {
    const origin = await kit.rawOrigin(t, kit.resetBeforeHead())
    const { upstream } = await open(t, origin.url, { retries, ejectAfter: 100 })
    await failureOf(get(upstream))
    t.equal(origin.requests.length, expected)
  }
  for (const framing of ['length', 'chunked'] as const) {
    const origin = await kit.rawOrigin(t, kit.resetMidBody(kit.content(100_000), 70_000, framing))
    const { upstream } = await open(t, origin.url)
    t.ok((await kit.taken((await get(upstream)).body)).error)
    t.equal(origin.requests.length, 1)
  }
})

t.test('another origin is asked, where there is one', async t => {
  for (const script of [kit.resetBeforeHead(), undefined]) {
    const badOne = async (): Promise<string> => script === undefined ? `http://127.0.0.1:${await freePort()}` : (await kit.rawOrigin(t, script)).url
    const good = await kit.rawOrigin(t, kit.answer())
    const { upstream } = await open(t, [await badOne(), good.url, await badOne()], { ejectAfter: 1000, retries: 2, retryBudget: 1 })
    for (let time = 0; time < 20; time++) t.equal((await get(upstream)).status, 200)
    t.equal(good.requests.length, 20)
  }
})

t.test('a connection that its origin closes as the next request comes costs nothing', async t => {
  for (const end of ['fin', 'reset'] as const) {
    const origin = await kit.rawOrigin(t, kit.keepAliveRace(1, end))
    const { upstream } = await open(t, origin.url, { connections: 1, ejectAfter: 2 })
    for (let time = 0; time < 10; time++) t.equal((await get(upstream)).status, 200)
    t.ok(origin.opened >= 5)
  }
})

t.test('connections that are closed while nobody uses them are not used', async t => {
  const origin = await kit.rawOrigin(t, kit.closesIdle(0))
  const { upstream, told } = await open(t, origin.url)
  for (let time = 0; time < 10; time++) {
    t.equal((await get(upstream, '/', { method: 'POST' })).status, 200)
    await eventually(() => origin.connections === 0)
    await kit.aMoment() // the upstream, too, has to hear of it
  }
  t.same(told, [])
})

t.test('retries are a share of the requests: an upstream that fails as a whole is not asked twice as often', async t => {
  const origin = await kit.rawOrigin(t, kit.resetBeforeHead())
  const { upstream } = await open(t, origin.url, { ejectAfter: 10_000, retryBudget: 0.1 })
  for (let time = 0; time < 200; time++) await failureOf(get(upstream))
  t.ok(origin.requests.length > 200, 'some are sent again')
  t.ok(origin.requests.length <= 200 + 60, `${origin.requests.length} requests for 200`)

  const never = await kit.rawOrigin(t, kit.resetBeforeHead())
  const strict = await open(t, never.url, { retryBudget: 0, ejectAfter: 10_000 })
  for (let time = 0; time < 10; time++) await failureOf(get(strict.upstream))
  t.equal(never.requests.length, 10)
})

t.test('an answer of the origin is an answer: 503 is passed on, not asked for again', async t => {
  for (const status of [500, 502, 503, 504, 429]) {
    const origin = await kit.rawOrigin(t, kit.answer('busy', { 'Retry-After': '120' }, status))
    const { upstream } = await open(t, origin.url, { retries: 5 })
    const answer = await get(upstream)
    t.same([answer.status, answer.headers['retry-after'], origin.requests.length], [status, '120', 1])
  }
})

t.test('an origin that fails again and again is left alone for a while, then tried by one request', async t => {
  const origin = await kit.rawOrigin(t, request => kit.inTurn(...Array.from({ length: 3 }, () => kit.resetBeforeHead()), kit.answer())(request))
  const { upstream, told } = await open(t, origin.url, { ejectAfter: 3, ejectMs: 2000, retries: 0 })
  for (let time = 0; time < 3; time++) t.equal((await failureOf(get(upstream))).code, 'upstream-reset')
  const refused = await failureOf(get(upstream))
  t.same([refused.code, refused.statusCode, refused.headers?.['retry-after'], origin.requests.length], ['upstream-unavailable', 503, '2', 3])
  t.notMatch(JSON.stringify([refused.message, refused.context]), /127\.0\.0\.1/)
  t.ok(await eventually(async () => await get(upstream).then(({ status }) => status === 200, () => false)))
  t.equal(origin.requests.length, 4)
  t.same(upstream.origins.state().map(({ state, failures }) => [state, failures]), [['up', 0]])
  t.same(told.map(({ state }) => state), ['ejected', 'probing', 'up'])
})

t.test('several origins share the requests by weight, and a draining one gets none', async t => {
  const [one, two, three] = [await kit.rawOrigin(t, kit.answer()), await kit.rawOrigin(t, kit.answer()), await kit.rawOrigin(t, kit.answer())]
  for (const balance of ['round-robin', 'least-pending'] as const) {
    const before = [one, two, three].map(({ requests }) => requests.length)
    const { upstream } = await open(t, [], { balance, origins: [{ url: one.url, weight: 3 }, { url: two.url }, { url: three.url, drain: true }] })
    for (let time = 0; time < 40; time++) await get(upstream)
    t.same([one, two, three].map(({ requests }, place) => requests.length - (before[place] ?? 0)), [30, 10, 0], balance)
  }
})

t.test('a retry waits for a connection as any other, and is not sent when who asked has left', async t => {
  const busy = await kit.rawOrigin(t, kit.endless())
  const { upstream } = await open(t, [busy.url, `http://127.0.0.1:${await freePort()}`], { connections: 1 })
  const held = await get(upstream)
  const gone = new AbortController()
  const second = get(upstream, '/second', { signal: gone.signal })
  await eventually(() => upstream.origins.state()[1]?.failures === 1)
  gone.abort(new Error('left'))
  await t.rejects(second, { message: 'left' })
  drop(held)
  const third = await get(upstream, '/third')
  drop(third)
  t.same(busy.requests.map(({ target }) => target), ['/', '/third'])
})
