import t, { type Test } from 'tap'
import type { Strategy, Verdict } from '../../../lib/access/access.ts'
import { both, namesIn, policyOf, refusalOf, type Policy } from '../../../lib/access/policy.ts'
import type { Requirement } from '../../../lib/config/access-schema.ts'
import { asked } from './judging.ts'
import { grant, named, saying, type Saying } from './saying.ts'

/** In the order in which they are told: who is known but may not, what cannot be told, what does not hold, what is not there, what nothing helps against. */
const refusals: ReadonlyArray<Exclude<Verdict, { kind: 'granted' }>> = [
  { kind: 'forbidden', reason: 'not for this' },
  { kind: 'unavailable', reason: 'gone' },
  { kind: 'invalid', reason: 'expired' },
  { kind: 'absent' },
  { kind: 'denied', reason: 'from elsewhere' }
]

function compiled (requirement: Requirement, strategies: readonly Strategy[], scopes?: readonly string[]): Policy {
  const policy = policyOf(requirement, named(...strategies), scopes)
  if (policy === undefined) throw new Error('Expected a policy')
  return policy
}

/** What several say together, and who was asked. */
async function together (requirement: Requirement, strategies: readonly Saying[], scopes?: readonly string[]): Promise<{ verdict: Verdict, names: string[] }> {
  const verdict = await compiled(requirement, strategies, scopes).judge(asked())
  return { verdict, names: strategies.filter(strategy => strategy.asked.length > 0).map(({ name }) => name) }
}

const told = (name: string, verdict: Verdict): Verdict => 'reason' in verdict ? { ...verdict, reason: `${name}: ${verdict.reason}` } : verdict

t.test('the names in a requirement, in their order', t => {
  const shapes: Array<[Requirement, string[]]> = [
    ['public', []], ['nobody', []], ['a', ['a']], [['a', 'b', 'a'], ['a', 'b', 'a']], [{ any: ['a', { all: ['b', 'c'] }] }, ['a', 'b', 'c']], [{ all: ['a', { any: ['b', 'c'] }] }, ['a', 'b', 'c']], [['a', { all: ['b', 'c'] }], ['a', 'b', 'c']]
  ]
  for (const [shape, names] of shapes) t.same(namesIn(shape), names, JSON.stringify(shape))
  t.end()
})

t.test('a shape that is none is told, wherever it stands', t => {
  const strategies = named(saying('a', { kind: 'absent' }), saying('b', { kind: 'absent' }))
  const none: unknown[] = [undefined, null, 5, true, [], {}, { any: [] }, { all: [] }, { any: 'a' }, { all: { 0: 'a' } }, { any: ['a'], all: ['b'] }, { any: ['a'], not: ['b'] }, { some: ['a'] }, [5], [null], [{}], [[]], { all: ['a', { any: [] }] }, { all: [{ any: [{ all: ['a'] }] }] }, [[['a']]]]
  for (const shape of none) {
    t.throws(() => namesIn(shape), { name: 'TypeError', message: /^Expected public, nobody, a list of names/ }, JSON.stringify(shape))
    t.throws(() => policyOf(shape as Requirement, strategies), TypeError)
  }
  for (const word of ['public', 'nobody']) {
    for (const shape of [[word], ['a', word], { any: [word] }, { all: ['a', { any: ['b', word] }] }]) t.throws(() => policyOf(shape, strategies), { name: 'TypeError', message: new RegExp(`received ${word}, which stands alone`) }, JSON.stringify(shape))
  }
  for (const name of ['c', '', 'constructor', 'Public']) t.throws(() => policyOf(['a', { all: ['b', name] }], strategies), { message: `Expected the name of a strategy but received ${name}` })
  t.end()
})

t.test('public is no policy, and nobody may do what is for nobody', t => {
  t.equal(policyOf('public', new Map()), undefined)
  const { judge, leniently, strategies, reporting } = compiled('nobody', [])
  for (const verdict of [judge(asked()), leniently(asked())]) t.same(verdict, { kind: 'denied', reason: 'nobody may do this' })
  t.same([strategies, reporting], [[], []])
  t.end()
})

t.test('of any, the first that lets in is taken, and nobody is asked behind it', async t => {
  t.same(await together(['a', 'b', 'c'], [saying('a', { kind: 'absent' }), saying('b', grant('b', 'ann')), saying('c', grant('c'))]), { verdict: grant('b', 'ann'), names: ['a', 'b'] })
  t.same(await together({ any: ['a'] }, [saying('a', grant('a', 'ann'))]), { verdict: grant('a', 'ann'), names: ['a'] })
  const target = '/without'
  t.same((await together(['a', 'b'], [saying('a', { kind: 'absent' }), saying('b', grant('b', '', { target }))])).verdict, grant('b', '', { target }), 'what it stood in is told with it')
})

t.test('of any that all refuse, the weightiest refusal is told, in whatever order they come', async t => {
  for (const [place, heavy] of refusals.entries()) {
    for (const light of refusals.slice(place + 1)) {
      t.same((await together(['a', 'b'], [saying('a', heavy), saying('b', light)])).verdict, told('a', heavy), `${heavy.kind} before ${light.kind}`)
      t.same((await together(['a', 'b'], [saying('a', light), saying('b', heavy)])).verdict, told('b', heavy), `${heavy.kind} behind ${light.kind}`)
    }
    t.same((await together(['a', 'b'], [saying('a', heavy), saying('b', heavy)])).verdict, told('a', heavy), 'of equals the first')
  }
  t.same((await together({ any: ['a', { all: ['b', 'c'] }] }, [saying('a', { kind: 'absent' }), saying('b', grant('b')), saying('c', { kind: 'forbidden', reason: 'no' })])).verdict, { kind: 'forbidden', reason: 'c: no' }, 'also of those that are several')
})

t.test('of all, the first that refuses is told, and nobody is asked behind it', async t => {
  for (const refusal of refusals) t.same(await together({ all: ['a', 'b', 'c'] }, [saying('a', grant('a')), saying('b', refusal), saying('c', grant('c'))]), { verdict: told('b', refusal), names: ['a', 'b'] }, refusal.kind)
  t.same(await together({ all: ['a', { any: ['b', 'c'] }] }, [saying('a', grant('a')), saying('b', { kind: 'absent' }), saying('c', { kind: 'denied', reason: 'no' })]), { verdict: { kind: 'absent' }, names: ['a', 'b', 'c'] })
})

t.test('who several know is whom the first of them names, with the scopes that all of them give', async t => {
  const cases: Array<[Verdict[], Verdict]> = [
    [[grant('a'), grant('b', 'ann')], grant('b', 'ann', { scopes: undefined as never })],
    [[grant('a', 'ann'), grant('b', 'bob')], grant('a', 'ann', { scopes: undefined as never })],
    [[grant('a'), grant('b'), grant('c', 'ann')], grant('c', 'ann', { scopes: undefined as never })],
    [[grant('a'), grant('b')], grant('b', '', { scopes: undefined as never })],
    [[grant('a', '', { scopes: ['r', 'w'] }), grant('b', 'ann')], grant('b', 'ann', { scopes: ['r', 'w'] })],
    [[grant('a', 'ann', { scopes: ['r', 'w'] }), grant('b', 'bob', { scopes: ['w', 'x'] })], grant('a', 'ann', { scopes: ['w'] })],
    [[grant('a', 'ann', { scopes: ['r'] }), grant('b', 'bob'), grant('c', 'cid', { scopes: [] })], grant('a', 'ann', { scopes: [] })],
    [[grant('a', 'k', { isShared: true, target: '/one' }), grant('b')], { kind: 'granted', principal: { strategy: 'a', name: 'k', isShared: true, scopes: undefined }, target: '/one' }],
    [[grant('a', 'ann', { target: '/one' }), grant('b', 'k', { isShared: true, target: '/two' })], grant('a', 'ann', { scopes: undefined as never, target: '/two' })]
  ]
  for (const [verdicts, expected] of cases) {
    const strategies = verdicts.map((verdict, place) => saying('abc'.charAt(place), verdict))
    t.strictSame((await together({ all: strategies.map(({ name }) => name) }, strategies)).verdict, expected, JSON.stringify(verdicts))
  }
  const lone = grant('a', 'ann', { scopes: ['r'] })
  t.equal((await together({ all: ['a'] }, [saying('a', lone)])).verdict, lone, 'of one, nothing is made anew')
})

t.test('whoever has scopes needs those that are asked for', async t => {
  const all = ['files', 'read']
  for (const scopes of [['read', 'files'], ['a', 'files', 'read'], undefined]) t.match((await together('a', [saying('a', grant('a', 'ann', scopes === undefined ? {} : { scopes }))], all)).verdict, { kind: 'granted' }, String(scopes))
  for (const [scopes, missing] of [[[], 'files'], [['files'], 'read'], [['read'], 'files'], [['filesread', 'FILES'], 'files']] as const) {
    for (const later of [false, true]) t.same((await together('a', [saying('a', grant('a', 'ann', { scopes: [...scopes] }), { later })], all)).verdict, { kind: 'forbidden', reason: `a: without the scope ${missing}` }, String(scopes))
  }
  t.same((await together(['a', 'b'], [saying('a', grant('a', 'ann', { scopes: [] })), saying('b', grant('b', 'bob'))], all)).verdict, grant('b', 'bob'), 'another way may do without')
  t.same((await together({ all: ['a', 'b'] }, [saying('a', grant('a', 'ann', { scopes: ['files'] })), saying('b', grant('b', 'bob', { scopes: ['read'] }))], all)).verdict, { kind: 'forbidden', reason: 'a: without the scope read' }, 'two do not put them together')
  t.match((await together('a', [saying('a', grant('a', 'ann', { scopes: [] }))])).verdict, { kind: 'granted' })
})

/** All ways in which three strategies may have to wait. */
const waits = Array.from({ length: 8 }, (_, bits) => [0, 1, 2].map(place => (bits & (1 << place)) !== 0))
const verdicts: readonly Verdict[] = [...refusals, grant('x', 'ann', { scopes: ['r'] })]

async function sameHoweverLate (t: Test, requirement: Requirement): Promise<void> {
  for (const first of verdicts) for (const second of verdicts) for (const third of verdicts) {
    const three = [first, second, third]
    const withWaits = (late: readonly boolean[]): Saying[] => three.map((verdict, place) => saying('abc'.charAt(place), verdict, { later: late[place] ?? false }))
    const atOnce = withWaits([])
    const expected = compiled(requirement, atOnce).judge(asked())
    t.notOk(expected instanceof Promise)
    for (const late of waits) {
      const strategies = withWaits(late)
      const verdict = compiled(requirement, strategies).judge(asked())
      const waited = strategies.some((strategy, place) => late[place] === true && strategy.asked.length > 0)
      const story = `${JSON.stringify(three)}, late: ${late.join()}`
      if (waited !== (verdict instanceof Promise)) t.fail(`it waits ${waited ? 'not' : 'for nobody'}: ${story}`)
      const settled = await verdict
      if (JSON.stringify(settled) !== JSON.stringify(await expected)) t.same(settled, await expected, story)
      const counts = strategies.map(strategy => strategy.asked.length)
      if (counts.join() !== atOnce.map(strategy => strategy.asked.length).join()) t.fail(`others are asked: ${counts.join()}: ${story}`)
    }
  }
}

t.test('a strategy that has to wait says the same wherever it stands, and nobody waits where none does', async t => {
  for (const requirement of [['a', 'b', 'c'], { all: ['a', 'b', 'c'] }, { any: ['a', { all: ['b', 'c'] }] }, { all: ['a', { any: ['b', 'c'] }] }, { all: [{ any: ['a', 'b'] }, 'c'] }]) {
    await t.test(JSON.stringify(requirement), async t => { await sameHoweverLate(t, requirement) })
  }
})

t.test('a strategy that does not count yet is judged strictly, and leniently lets everybody in', async t => {
  for (const later of [false, true]) {
    for (const refusal of refusals) {
      const trial = (): Saying => saying('trial', refusal, { reporting: true, later })
      const staff = (verdict: Verdict): Saying => saying('staff', verdict, { later })
      const nobody = grant('trial')
      for (const [requirement, verdict, expected] of [
        ['trial', grant('staff', 'ann'), nobody],
        [['staff', 'trial'], { kind: 'absent' }, nobody],
        [['staff', 'trial'], grant('staff', 'ann'), grant('staff', 'ann')],
        [{ all: ['staff', 'trial'] }, grant('staff', 'ann'), { kind: 'granted', principal: { strategy: 'staff', name: 'ann', scopes: undefined } }],
        [{ all: ['trial', 'staff'] }, grant('staff', 'ann'), { kind: 'granted', principal: { strategy: 'staff', name: 'ann', scopes: undefined } }],
        [{ all: ['staff', 'trial'] }, { kind: 'absent' }, { kind: 'absent' }],
        [{ all: ['trial', 'staff'] }, { kind: 'invalid', reason: 'expired' }, { kind: 'invalid', reason: 'staff: expired' }],
        [{ all: ['staff', { any: ['trial'] }] }, { kind: 'forbidden', reason: 'no' }, { kind: 'forbidden', reason: 'staff: no' }]
      ] as Array<[Requirement, Verdict, Verdict]>) {
        const strategies = [staff(verdict), trial()]
        const policy = compiled(requirement, strategies)
        t.same(policy.reporting.map(({ name }) => name), ['trial'])
        t.same(await policy.leniently(asked()), expected, JSON.stringify([requirement, verdict]))
        const strictly = await policy.judge(asked())
        if (expected.kind !== 'granted' || verdict.kind !== 'granted') t.not(strictly.kind, 'granted')
        t.same(strategies.flatMap(strategy => strategy.told), [], 'judging tells nobody')
      }
    }
  }
  const { judge, leniently, reporting } = compiled(['a', 'b'], [saying('a', { kind: 'absent' }), saying('b', { kind: 'absent' })])
  t.same([leniently, reporting], [judge, []], 'where all count, there is but one way')
})

t.test('a strategy that is named twice is one, and asked wherever it stands', async t => {
  const a = saying('a', { kind: 'absent' }, { reporting: true })
  const policy = compiled(['a', { all: ['a', 'a'] }], [a])
  t.same([policy.strategies, policy.reporting], [[a], [a]])
  await policy.judge(asked())
  t.equal(a.asked.length, 2)
})

t.test('who may be taken for another has to be allowed both, each as what it is', async t => {
  const first = saying('first', ({ method }) => method === 'GET' ? grant('first', 'ann', { scopes: ['r'] }) : { kind: 'forbidden', reason: method })
  const second = saying('second', ({ method }) => method === 'DELETE' ? grant('second', 'bob', { scopes: ['r', 'w'] }) : { kind: 'forbidden', reason: method })
  const as = (method: string) => (request: ReturnType<typeof asked>) => ({ ...request, method })
  const [one, other] = [compiled('first', [first, second]), compiled({ all: ['second'] }, [first, second])]
  t.equal(both(undefined, undefined, as('DELETE')), undefined)
  t.equal(both(one, undefined, as('DELETE')), one)
  const alone = both(undefined, other, as('DELETE'))
  t.match(await alone?.judge(asked()), { kind: 'granted', principal: { name: 'bob' } })
  t.same(alone?.strategies, [second])
  const two = both(one, other, as('DELETE'))
  for (const way of ['judge', 'leniently'] as const) {
    t.same(await two?.[way](asked()), grant('first', 'ann', { scopes: ['r'] }))
    t.same(await both(one, other, as('PUT'))?.[way](asked()), { kind: 'forbidden', reason: 'second: PUT' })
    t.same(await two?.[way](asked([], { method: 'POST' })), { kind: 'forbidden', reason: 'first: POST' })
  }
  t.same(two?.strategies, [first, second])
  t.same(both(one, one, as('DELETE'))?.strategies, [first], 'each once')
})

t.test('who may be taken for another is let through by what does not count yet in both', async t => {
  const trial = saying('trial', { kind: 'absent' }, { reporting: true })
  const late = saying('late', { kind: 'denied', reason: 'no' }, { reporting: true, later: true })
  const key = saying('key', ({ method }) => method === 'GET' ? grant('key', 'ann') : { kind: 'absent' })
  const policy = (requirement: Requirement): Policy => compiled(requirement, [trial, late, key])
  const as = (method: string) => (request: ReturnType<typeof asked>) => ({ ...request, method })
  const mixed = both(policy('trial'), policy({ all: ['late', 'key'] }), as('GET'))
  t.same(mixed?.reporting, [trial, late])
  t.same(await mixed?.judge(asked()), { kind: 'absent' })
  t.match(await mixed?.leniently(asked()), { kind: 'granted', principal: { strategy: 'key', name: 'ann' } })
  t.same(await both(policy('trial'), policy('key'), as('PUT'))?.leniently(asked()), { kind: 'absent' }, 'what counts still has to hold')
  t.same(await both(undefined, policy(['late']), as('PUT'))?.leniently(asked()), grant('late'))
  t.same(await both(policy('trial'), policy('nobody'), as('PUT'))?.leniently(asked()), { kind: 'denied', reason: 'nobody may do this' })
})

t.test('a refusal says what would help, and why only to the log', t => {
  const bearer = saying('staff', { kind: 'absent' }, { challenge: 'Bearer realm="fastify-media"' })
  const strategies = [bearer, saying('machines', { kind: 'absent' }, { challenge: 'Bearer realm="fastify-media"' }), saying('links', { kind: 'absent' }, { challenge: 'SignedURL realm="fastify-media"' }), saying('here', { kind: 'absent' })]
  const told = (verdict: Exclude<Verdict, { kind: 'granted' }>, of: readonly Strategy[] = strategies): object => {
    const { code, statusCode, detail, message, headers, context, cause } = refusalOf(verdict, { strategies: of }, '/private')
    t.notMatch(`${detail} ${message} ${JSON.stringify(headers)}`, /hush/, 'the reason is not public')
    return { code, statusCode, headers, context, cause }
  }
  const plain = { code: 'unauthorized', statusCode: 401, cause: undefined }
  const none = { code: 'forbidden', statusCode: 403, headers: undefined, cause: undefined }
  const context = { mount: '/private', reason: 'staff: hush' }
  const reason = context.reason
  t.same(told({ kind: 'absent' }), { ...plain, headers: { 'www-authenticate': 'Bearer realm="fastify-media", SignedURL realm="fastify-media"' }, context: undefined }, 'each challenge once')
  t.same(told({ kind: 'invalid', reason }), { ...plain, headers: { 'www-authenticate': 'Bearer realm="fastify-media", error="invalid_token", SignedURL realm="fastify-media"' }, context })
  for (const kind of ['denied', 'forbidden'] as const) t.same(told({ kind, reason }), { ...none, context }, kind)
  for (const asking of [[], [strategies[3] as Strategy]]) {
    t.same(told({ kind: 'absent' }, asking), { ...none, context: undefined }, 'where no credentials could be sent nothing would help')
    t.same(told({ kind: 'invalid', reason }, asking), { ...none, context })
  }
  t.same(told({ kind: 'unavailable', reason }), { code: 'unavailable', statusCode: 503, headers: { 'retry-after': '1' }, context, cause: undefined })
  t.match(told({ kind: 'unavailable', reason, retryAfterSeconds: 30 }), { headers: { 'retry-after': '30' } })
  t.end()
})
