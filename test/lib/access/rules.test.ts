import t from 'tap'
import type { AccessRequest, Strategy, Verdict } from '../../../lib/access/access.ts'
import { Rules, type Admission, type RulesOptions } from '../../../lib/access/rules.ts'
import { MediaError } from '../../../lib/errors.ts'
import { asked } from './judging.ts'
import { grant, named, saying, type Saying, type SayingOptions } from './saying.ts'

/** A strategy that knows whoever names it in the field `x-as`, for methods behind a colon, or for all. */
function knows (name: string, options: SayingOptions & { scopes?: string[] } = {}): Saying {
  const { scopes, ...rest } = options
  return saying(name, ({ headers, method }) => {
    const [who, ...methods] = String(headers['x-as'] ?? '').split(':')
    if (who !== name) return { kind: 'absent' }
    return methods.length === 0 || methods.includes(method) ? grant(name, 'ann', scopes === undefined ? {} : { scopes }) : { kind: 'forbidden', reason: `not for ${method}` }
  }, { challenge: 'Bearer', ...rest })
}

/** A signature is `sig=good`, `sig=passing` or what does not hold. */
function signs (name: string, options: SayingOptions = {}): Saying {
  return saying(name, ({ target }): Verdict => {
    const sent = /[?&]sig=(\w*)$/.exec(target)?.[1]
    if (sent === undefined) return { kind: 'absent' }
    if (!['good', 'passing'].includes(sent)) return { kind: 'denied', reason: 'expired' }
    return { ...grant(name, '2026-11', { isShared: true, target: target.slice(0, -5 - sent.length) }), isPassing: sent === 'passing' }
  }, { challenge: 'SignedURL', ...options })
}

function rules (access: RulesOptions['access'], strategies: readonly Strategy[], more: Partial<RulesOptions> = {}): Rules {
  return new Rules({ access, strategies: named(...strategies), isReadOnly: false, isGateway: false, ...more })
}

const as = (who: string, facts: Partial<AccessRequest> = {}, ...more: Array<readonly [string, string]>): AccessRequest => asked([['X-As', who], ...more], facts)

/** The principal's strategy, or the status. */
async function outcome (told: ReturnType<Rules['admit']>): Promise<string | number | null> {
  const decided = await told
  return decided instanceof MediaError ? decided.statusCode : decided.principal?.strategy ?? null
}

async function admitted (told: ReturnType<Rules['admit']>): Promise<Admission> {
  const decided = await told
  if (decided instanceof MediaError) throw decided
  return decided
}

t.test('each method has the rule of its own, or that of reading or of the rest', async t => {
  const strategies = ['reads', 'writes', 'deletes', 'heads'].map(name => knows(name))
  const access = { read: 'reads', write: 'writes', methods: { DELETE: 'deletes', HEAD: 'heads', OPTIONS: 'public', TRACE: 'nobody' } }
  const expected = { GET: 'reads', HEAD: 'heads', OPTIONS: null, POST: 'writes', PATCH: 'writes', constructor: 'writes', DELETE: 'deletes', TRACE: 403 }
  for (const [method, right] of Object.entries(expected)) {
    for (const who of ['reads', 'writes', 'deletes', 'heads']) t.equal(await outcome(rules(access, strategies).admit(as(who, { method }))), typeof right === 'string' && who !== right ? 401 : right, `${method} as ${who}`)
  }
  const some = rules(access, strategies)
  t.same(Object.keys(expected).map(method => some.isPublic(method)), [false, false, true, false, false, false, false, false])
})

t.test('without rules everybody may do everything, and with any whatever is not named is for nobody', async t => {
  for (const method of ['GET', 'POST', 'WEBSOCKET']) t.equal(await outcome(rules(undefined, []).admit(asked([], { method }))), null, method)
  t.same([await outcome(rules({}, []).admit(asked())), await outcome(rules({}, []).admit(asked([], { method: 'POST' })))], [null, 403])
})

t.test('where only reading does anything, the rest needs what reading needs, and its scopes', async t => {
  const strategies = [knows('reads', { scopes: ['r'] }), knows('other', { scopes: ['r', 'w'] })]
  const some = rules({ read: 'reads', write: 'nobody', methods: { GET: 'other', POST: 'other' }, readScopes: ['r'], writeScopes: ['w'] }, strategies, { isReadOnly: true })
  for (const [method, who, told] of [['GET', 'reads', 401], ['GET', 'other', 'other'], ['HEAD', 'reads', 'reads'], ['POST', 'reads', 'reads'], ['POST', 'other', 401], ['DELETE', 'reads', 'reads'], ['DELETE', 'nobody', 401]] as const) t.equal(await outcome(some.admit(as(who, { method }))), told, `${method} as ${who}`)
  const all = rules({ read: 'reads', write: 'reads', methods: { PUT: 'reads', GET: 'reads' }, readScopes: ['r'], writeScopes: ['w'] }, strategies)
  for (const [method, told] of [['GET', 'reads'], ['HEAD', 'reads'], ['PUT', 403], ['POST', 403]] as const) t.equal(await outcome(all.admit(as('reads', { method }))), told, method)
})

t.test('fields by which answers differ, and those with credentials, are those of all rules, each once', t => {
  const strategies = [saying('a', { kind: 'absent' }, { fields: ['Authorization', 'X-Api-Key'], credentials: ['authorization', 'x-api-key'] }), saying('b', { kind: 'absent' }, { fields: ['Cookie', 'Authorization'], credentials: ['authorization'] }), saying('unused', { kind: 'absent' }, { fields: ['X-Other'], credentials: ['x-other'] })]
  for (const access of [{ read: 'a', write: 'b' }, { write: ['a', 'b'] }, { read: { all: ['a'] }, methods: { WEBSOCKET: 'b' } }]) {
    const { vary, credentials } = rules(access, strategies)
    t.same({ vary, credentials }, { vary: ['Authorization', 'X-Api-Key', 'Cookie'], credentials: ['authorization', 'x-api-key'] }, JSON.stringify(access))
  }
  const { vary, credentials } = rules({}, strategies)
  t.same({ vary, credentials }, { vary: [], credentials: [] })
  t.end()
})

t.test('a name that is none is a mistake, in every rule', t => {
  for (const access of [{ read: 'a' }, { write: ['b', 'a'] }, { methods: { GET: { all: ['b', { any: ['a'] }] } } }]) t.throws(() => rules(access, [knows('b')]), { name: 'TypeError', message: /received a$/ }, JSON.stringify(access))
  t.throws(() => rules({}, [], { signedBy: 'links' }), { name: 'TypeError', message: 'Expected the name of a strategy but received links' })
  t.end()
})

t.test('behind a gateway a request is allowed as whatever its origin may take it for', async t => {
  const strategies = [knows('keys')]
  const some = rules({ read: 'keys', write: 'keys', methods: { PATCH: 'nobody' } }, strategies, { isGateway: true })
  for (const field of ['X-Http-Method-Override', 'X-Http-Method', 'X-Method-Override']) {
    for (const [who, other, told] of [['keys:GET', 'delete', 403], ['keys:GET:DELETE', ' DELETE', 'keys'], ['keys:DELETE', 'DELETE', 403], ['keys', 'PATCH', 403], ['keys:GET', 'get', 'keys'], ['keys:GET', '', 403], ['keys:GET', 'HEAD', 403]] as const) t.equal(await outcome(some.admit(as(who, {}, [field, other]))), told, `${who} as ${other} by ${field}`)
    t.throws(() => some.admit(as('keys', {}, [field, 'GET, DELETE'])), { code: 'bad-request' })
  }
  const open = rules({ write: 'keys' }, strategies, { isGateway: true })
  t.same([await outcome(open.admit(asked([['X-Http-Method', 'PUT']]))), await outcome(open.admit(as('keys:PUT', {}, ['X-Http-Method', 'PUT']))), await outcome(open.admit(asked([['X-Http-Method', 'HEAD']])))], [401, 'keys', null])
  const own = rules({ read: 'keys' }, strategies)
  for (const other of ['DELETE', 'GET, DELETE']) t.equal(await outcome(own.admit(as('keys:GET', {}, ['X-Http-Method', other]))), 'keys', 'whoever answers here knows but the method')
})

t.test('behind a gateway a wish for a WebSocket is judged beside the method', async t => {
  const strategies = [knows('keys')]
  const some = rules({ read: 'keys', write: 'nobody', methods: { WEBSOCKET: 'keys', DELETE: 'keys' } }, strategies, { isGateway: true })
  for (const wish of ['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13', ' websocket ']) {
    for (const [who, method, told] of [['keys:GET', 'GET', 403], ['keys:WEBSOCKET', 'GET', 403], ['keys:GET:WEBSOCKET', 'GET', 'keys'], ['keys', 'POST', 403], ['nobody', 'GET', 401]] as const) t.equal(await outcome(some.admit(as(who, { method }, ['Upgrade', wish]))), told, `${who} ${method} ${wish}`)
    t.equal(await outcome(some.admit(as('keys:GET:WEBSOCKET', {}, ['Upgrade', wish], ['X-Http-Method', 'DELETE']))), 403, 'and beside what a field says')
    t.equal(await outcome(some.admit(as('keys:GET:WEBSOCKET:DELETE', {}, ['Upgrade', wish], ['X-Http-Method', 'DELETE']))), 'keys')
    t.equal(await outcome(rules({ read: 'keys' }, strategies).admit(as('keys:GET', {}, ['Upgrade', wish]))), 'keys', 'where no other server makes one of it, it is nothing')
  }
  t.equal(await outcome(some.admit(as('keys:GET', {}, ['Upgrade', 'h2c']))), 'keys')
  const unnamed = rules({ read: 'public' }, strategies, { isGateway: true })
  t.equal(await outcome(unnamed.admit(asked([['Upgrade', 'websocket']]))), 403, 'without a rule of its own it is for whom the rest is')
  t.equal(await outcome(rules(undefined, [], { isGateway: true }).admit(asked([['Upgrade', 'websocket']]))), null)
})

t.test('what does not count yet refuses nobody, and is told of whom it would have', async t => {
  for (const later of [false, true]) {
    const trial = signs('trial', { reporting: true, later })
    const staff = knows('staff', { later })
    const requests: Array<[AccessRequest, string | number | null, string | undefined]> = [
      [as('staff', { target: '/a' }), 'staff', undefined],
      [as('staff', { target: '/a?sig=bad' }), 'staff', undefined],
      [asked([], { target: '/a?sig=good' }), 'trial', undefined],
      [asked([], { target: '/a' }), 'trial', 'no signature'],
      [asked([], { target: '/a?sig=bad' }), 'trial', 'expired'],
      [as('staff:PUT', { target: '/a?sig=bad' }), 'trial', 'expired'],
      [as('staff:PUT', { target: '/a' }), 'trial', 'no signature']
    ]
    for (const [request, who, reason] of requests) {
      trial.told.length = 0
      t.equal(await outcome(rules({ read: ['staff', 'trial'] }, [staff, trial]).admit(request)), who, `${request.target} ${JSON.stringify(request.headers)}`)
      t.same(trial.told, reason === undefined ? [] : [[reason, request.target]])
    }
    trial.told.length = 0
    const alone = rules({ read: 'trial' }, [trial])
    t.equal(await outcome(alone.admit(asked([], { target: '/a?w=1&sig=bad' }))), 'trial')
    t.same(trial.told, [['expired', '/a?w=1&sig=bad']])
    t.match(await admitted(alone.admit(asked([], { target: '/a?w=1&sig=bad' }))), { target: '/a?w=1', isSigned: false, isPrivate: true, principal: { strategy: 'trial', name: '' } }, 'what did not hold is taken out')
  }
})

t.test('of several that do not count yet, those are told that would have refused', async t => {
  const [trial, other] = [signs('trial', { reporting: true }), knows('other', { reporting: true })]
  const some = rules({ read: { all: ['trial', 'other'] } }, [trial, other])
  for (const request of [as('other', { target: '/a' }), asked([], { target: '/a?sig=good' }), asked([], { target: '/a?sig=bad' }), as('other', { target: '/a?sig=good' })]) t.type(await outcome(some.admit(request)), 'string')
  t.same([trial.told, other.told], [[['no signature', '/a'], ['expired', '/a?sig=bad']], [['no signature', '/a?sig=good'], ['no signature', '/a?sig=bad']]])
})

t.test('what counts refuses beside it, and of that it is not told', async t => {
  for (const later of [false, true]) {
    for (const all of [['staff', 'trial'], ['trial', 'staff']]) {
      const trial = signs('trial', { reporting: true, later })
      const some = rules({ read: { all } }, [knows('staff', { later }), trial])
      for (const target of ['/a', '/a?sig=bad', '/a?sig=good']) t.not(await outcome(some.admit(asked([], { target }))), 'staff')
      for (const target of ['/a', '/a?sig=bad', '/a?sig=good']) t.equal(typeof await outcome(some.admit(as('nobody', { target }))), 'number', `${all.join()} ${target}`)
      t.same(trial.told, [], 'it would not have been the one')
      t.equal(await outcome(some.admit(as('staff', { target: '/a' }))), 'staff')
      t.same(trial.told, [['no signature', '/a']])
    }
  }
})

t.test('behind a gateway, too, what does not count yet refuses nobody', async t => {
  const trial = signs('trial', { reporting: true })
  const some = rules({ read: 'trial', write: 'keys', methods: { HEAD: ['keys', 'trial'] } }, [trial, knows('keys')], { isGateway: true })
  t.equal(await outcome(some.admit(as('keys', { target: '/a' }, ['Upgrade', 'websocket']))), 'keys')
  t.equal(await outcome(some.admit(asked([['X-Http-Method', 'HEAD']], { target: '/a' }))), 'trial')
  t.same(trial.told, [['no signature', '/a'], ['no signature', '/a']], 'once for each request')
  t.equal(await outcome(some.admit(asked([['Upgrade', 'websocket']], { target: '/a' }))), 401)
  t.equal(await outcome(some.admit(asked([['X-Http-Method', 'PUT']], { target: '/a' }))), 401)
  t.equal(trial.told.length, 2)
})

const needs = (target: string): boolean => target.includes('w=')
const plain: Partial<Admission> = { principal: null, target: undefined, isSigned: false, isPrivate: false }

t.test('on a public mount a signature lets ask for variants, and one that does not hold is refused', async t => {
  const links = signs('links')
  for (const access of [undefined, {}, { read: 'public' }]) {
    const some = rules(access, [links], { signedBy: 'links', isReadOnly: true, mayNeedSignature: needs })
    for (const target of ['/a', '/a?w=1']) t.same(await admitted(some.admit(asked([], { target }))), plain, target)
    t.same(await admitted(some.admit(asked([], { target: '/a?w=1&sig=good' }))), { ...plain, target: '/a?w=1', isSigned: true }, 'anybody may have it by the same URL')
    t.same(await admitted(some.admit(asked([], { target: '/a?w=1&sig=passing' }))), { ...plain, target: '/a?w=1', isSigned: true, isPrivate: true }, 'not for everybody, or not for ever')
    t.match(some.admit(asked([], { target: '/a?sig=bad' })), { code: 'forbidden', context: { mount: '/photos', reason: 'links: expired' }, headers: undefined })
  }
})

t.test('on a public mount a signature that does not count yet is missed where one is needed alone', async t => {
  const trial = signs('trial', { reporting: true })
  const some = rules(undefined, [trial], { signedBy: 'trial', isReadOnly: true, mayNeedSignature: needs })
  const requests: Array<[string, Partial<Admission>, string | undefined]> = [
    ['/a', plain, undefined],
    ['/a?x=1', plain, undefined],
    ['/a?w=1', { ...plain, isSigned: true }, 'no signature'],
    ['/a?w=1&sig=bad', { ...plain, target: '/a?w=1', isSigned: true }, 'expired'],
    ['/a?sig=bad', { ...plain, target: '/a', isSigned: true }, 'expired'],
    ['/a?w=1&sig=good', { ...plain, target: '/a?w=1', isSigned: true }, undefined],
    ['/a?w=1&sig=passing', { ...plain, target: '/a?w=1', isSigned: true, isPrivate: true }, undefined]
  ]
  for (const [target, admission, reason] of requests) {
    trial.told.length = 0
    t.same(await admitted(some.admit(asked([], { target }))), admission, target)
    t.same(trial.told, reason === undefined ? [] : [[reason, target]], target)
  }
  trial.told.length = 0
  await admitted(rules(undefined, [trial], { signedBy: 'trial' }).admit(asked([], { target: '/a' })))
  t.same(trial.told, [['no signature', '/a']], 'every target may need one where nobody says which')
})

t.test('whoever is let in by something else is not refused for a signature, and has variants by one that holds', async t => {
  const [staff, links] = [knows('staff'), signs('links')]
  for (const [access, strategies] of [[{ read: 'staff' }, [staff, links]], [{ read: ['staff', 'links'] }, [staff, links]], [{ read: ['links', 'staff'] }, [staff, links]]] as const) {
    const some = rules(access, strategies, { signedBy: 'links', isReadOnly: true })
    const principal = { strategy: 'staff', name: 'ann' }
    t.same(await admitted(some.admit(as('staff', { target: '/a?w=1' }))), { principal, target: undefined, isSigned: false, isPrivate: true })
    t.same(await admitted(some.admit(as('staff', { target: '/a?w=1&sig=bad' }))), { principal, target: '/a?w=1', isSigned: false, isPrivate: true }, 'which means nothing to whoever comes next')
    t.match(await admitted(some.admit(as('staff', { target: '/a?w=1&sig=good' }))), { target: '/a?w=1', isSigned: true, isPrivate: true })
  }
  const without = rules({ read: 'staff' }, [staff])
  t.match(await admitted(without.admit(as('staff', { target: '/a?w=1&sig=bad' }))), { target: '/a?w=1', isSigned: false }, 'also where nothing is signed')
})

t.test('a signature that lets in lets ask for variants too, and is worked out once', async t => {
  const links = signs('links')
  const some = rules({ read: 'links' }, [links], { signedBy: 'links', isReadOnly: true })
  for (const sig of ['good', 'passing']) {
    links.asked.length = 0
    t.same(await admitted(some.admit(asked([], { target: `/a?w=1&sig=${sig}` }))), { principal: { strategy: 'links', name: '2026-11', isShared: true }, target: '/a?w=1', isSigned: true, isPrivate: true })
    t.equal(links.asked.length, 1)
  }
  const others = rules({ read: 'others' }, [links, signs('others')], { signedBy: 'links', isReadOnly: true })
  links.asked.length = 0
  t.match(await admitted(others.admit(asked([], { target: '/a?w=1&sig=good' }))), { principal: { strategy: 'others' }, target: '/a?w=1', isSigned: true })
  t.equal(links.asked.length, 1, 'that of another strategy says nothing of it')
})

t.test('one that does not count yet, and lets in and signs, is told once of a request', async t => {
  const trial = signs('trial', { reporting: true })
  const some = rules({ read: 'trial' }, [trial], { signedBy: 'trial', isReadOnly: true, mayNeedSignature: needs })
  for (const [target, reason, admission] of [['/a?w=1', 'no signature', { target: undefined, isSigned: true }], ['/a', 'no signature', { target: undefined, isSigned: false }], ['/a?w=1&sig=bad', 'expired', { target: '/a?w=1', isSigned: true }]] as const) {
    trial.told.length = 0
    t.match(await admitted(some.admit(asked([], { target }))), { ...admission, principal: { strategy: 'trial', name: '' }, isPrivate: true }, target)
    t.same(trial.told, [[reason, target]])
  }
  trial.told.length = 0
  const beside = rules({ read: ['staff', 'trial'] }, [knows('staff'), trial], { signedBy: 'trial', isReadOnly: true, mayNeedSignature: needs })
  t.match(await admitted(beside.admit(as('staff', { target: '/a?w=1' }))), { isSigned: true, principal: { strategy: 'staff' } })
  t.same(trial.told, [['no signature', '/a?w=1']], 'a key lets in, and lets ask for no variant')
  t.match(await admitted(beside.admit(as('staff', { target: '/a' }))), { isSigned: false, principal: { strategy: 'staff' } })
  t.equal(trial.told.length, 1)
})

t.test('whoever had to prove who they are gets what is theirs alone, for the methods where they had to', async t => {
  const some = rules({ read: 'public', write: 'keys', methods: { HEAD: 'keys' } }, [knows('keys')])
  for (const [method, isPrivate] of [['GET', false], ['OPTIONS', false], ['HEAD', true], ['POST', true], ['DELETE', true]] as const) t.equal((await admitted(some.admit(as('keys', { method })))).isPrivate, isPrivate, method)
})

t.test('nobody waits where no strategy has to', async t => {
  const some = rules({ read: ['staff', 'trial'] }, [knows('staff'), signs('trial', { reporting: true })])
  for (const request of [as('staff'), asked(), asked([], { target: '/a?sig=bad' })]) t.notOk(some.admit(request) instanceof Promise)
  t.ok(rules({ read: ['staff'] }, [knows('staff', { later: true })]).admit(as('staff')) instanceof Promise)
})
