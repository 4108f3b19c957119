// A policy service decides. Whatever goes wrong with it, nobody gets in by that.
import type { IncomingHttpHeaders } from 'node:http'
import { pino } from 'pino'
import t from 'tap'
import type { AccessRequest, Verdict } from '../../../lib/access/access.ts'
import { forwardMistakes, ForwardStrategy } from '../../../lib/access/forward.ts'
import { MAX_ANSWER_BYTES } from '../../../lib/access/policy-answer.ts'
import { ServiceClient } from '../../../lib/access/service-request.ts'
import type { ForwardConfig } from '../../../lib/config/access-schema.ts'
import { decodePath } from '../../../lib/paths/request-path.ts'
import type { Test } from '../../helpers/app.ts'
import { origin, rawOrigin } from '../../helpers/origin.ts'
import { dies, diesMidway, endless, policyServer, says, silent, type Misbehaviour, type Rule } from '../../helpers/policy-server.ts'
import { eventually } from '../../helpers/process.ts'
import { wire } from '../../helpers/wire.ts'

const secret = 'Bearer s3cr3t-of-ann'
const refused = { kind: 'forbidden', reason: 'refused by the policy' }
const granted = { kind: 'granted', principal: { strategy: 'policy', name: '' } }

/** Ann may read photos; what is public everybody; of the rest nothing is defined. */
const rule: Rule = ({ path, headers, method }) => {
  if (path[0] === 'public') return true
  if (path[0] !== 'photos') return undefined
  return headers.authorization === secret && method === 'GET'
}

interface Choices extends Partial<Omit<ForwardConfig, 'driver'>> {
  readonly now?: () => number
}

interface Opened {
  readonly strategy: ForwardStrategy
  readonly log: string[]
}

/** A strategy with a client of its own, and the lines that it wrote. */
function open (t: Test, url: string, { now, ...choices }: Choices = {}): Opened {
  const config: ForwardConfig = { driver: 'forward', url, protocol: 'opa', headers: ['Authorization', 'Cookie'], timeoutMs: 20_000, cacheMs: 60_000, maxCached: 100, connections: 8, maxWaiting: 1000, ...choices }
  const { connections, maxWaiting, timeoutMs } = config
  const client = new ServiceClient({ url, connections, maxWaiting, timeoutMs, maxBytes: MAX_ANSWER_BYTES })
  const log: string[] = []
  const strategy = new ForwardStrategy({ name: 'policy', config, client, log: pino({ base: null }, { write: (line: string) => { log.push(line) } }), ...(now === undefined ? {} : { now }) })
  t.teardown(async () => await strategy.close())
  return { strategy, log }
}

/** A request with the fields as they stand on the wire. */
function asks (target: string, fields: ReadonlyArray<readonly [string, string]> = [], more: Partial<AccessRequest> = {}): AccessRequest {
  const headers: IncomingHttpHeaders = {}
  for (const [name, value] of fields) { // as node:http does
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value : key === 'authorization' ? headers[key] : `${String(headers[key])}${key === 'cookie' ? ';' : ','} ${value}`
  }
  return { method: 'GET', target, mount: '/photos', headers, rawHeaders: fields.flat(), address: '192.0.2.7', isFromTrustedProxy: false, certificate: undefined, get path () { return decodePath(target) }, ...more }
}

const ann = [['Host', 'media.example'], ['Authorization', secret], ['X-Other', 'untold']] as const
const bob = [['Authorization', 'Bearer of-bob']] as const

const kindOf = async (verdict: Verdict | Promise<Verdict>): Promise<string> => (await verdict).kind

t.test('the policy lets in, refuses, and what it does not define is refused', async t => {
  const server = await policyServer(t, rule)
  const { strategy, log } = open(t, server.url)
  t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), granted)
  t.same(await strategy.judge(asks('/photos/cat.jpg', bob)), refused)
  t.same(await strategy.judge(asks('/photos/cat.jpg')), { kind: 'absent' }, 'without any credentials it is asked too')
  t.same(await strategy.judge(asks('/public/logo.svg')), granted, 'since it may be public')
  t.same(await strategy.judge(asks('/elsewhere', ann)), refused)
  t.same(await strategy.judge(asks('/photos/cat.jpg', ann, { method: 'WEBSOCKET' })), refused)
  t.equal(server.requests.length, 6)
  t.same(log, [])
})

t.test('Open Policy Agent is told the request in its own words, with configured fields only and without the signature', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url, { headers: ['authorization', 'Cookie', 'X-Team', 'cookie'] })
  await strategy.judge(asks('/photos/K%C3%A4tzchen/?w=3&sig=c2VjcmV0&x=%73', [...ann, ['COOKIE', 'a=1'], ['Cookie', 'b=2'], ['X-Team', 'red'], ['x-team', 'blue']]))
  t.same(server.inputs[0], { method: 'GET', path: ['photos', 'Kätzchen'], url: '/photos/K%C3%A4tzchen/?w=3&sig=redacted&x=%73', mount: '/photos', address: '192.0.2.7', headers: { authorization: secret, cookie: 'a=1; b=2', 'x-team': ['red', 'blue'] } })
  t.match(server.requests[0], { method: 'POST', url: '/v1/data/media/allow', headers: { 'content-type': 'application/json' } })
  t.same(server.requests[0]?.headers.authorization, undefined, 'it is no credential for the service itself')
  await strategy.judge(asks('/', [], { address: '' }))
  t.same(server.inputs[1], { method: 'GET', path: [], url: '/', mount: '/photos', address: '', headers: {} })
})

t.test('each line of a field is told as it came over the wire, a second Authorization too', async t => {
  const front = await origin(t, (_, response) => { response.end() })
  const lines = ['Host: media.example', `Authorization: ${secret}`, 'authorization: Bearer of-bob', 'Cookie: a=\xe4', 'Cookie: b=2', 'X-Team: red', 'x-TEAM:  blue ']
  const client = await wire(t, front)
  client.send(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`)
  await client.end()
  const { headers, rawHeaders } = front.requests[0] ?? {}
  t.equal(headers?.authorization, secret, 'Node.js shows but the first')
  const told = { authorization: [secret, 'Bearer of-bob'], cookie: 'a=\xe4; b=2', 'x-team': ['red', 'blue'] }
  for (const protocol of ['opa', 'request'] as const) {
    const server = await policyServer(t, rule)
    const { strategy } = open(t, protocol === 'opa' ? server.url : server.subrequestUrl, { protocol, headers: ['Authorization', 'Cookie', 'X-Team', 'Constructor'] })
    t.same(await strategy.judge(asks('/photos/cat.jpg', [], { headers: headers ?? {}, rawHeaders: rawHeaders ?? [] })), refused)
    t.match(server.inputs[0]?.headers, told)
    t.notOk(Object.hasOwn(server.inputs[0]?.headers ?? {}, 'constructor'), 'what was not sent is not told')
  }
})

t.test('a path that two readers could read differently is the client\'s fault, and nobody is asked', async t => {
  const server = await policyServer(t, () => true)
  for (const protocol of ['opa', 'request'] as const) {
    const { strategy } = open(t, server.url, { protocol })
    for (const target of ['/photos/%2e%2e/private', '/photos//cat.jpg', '/photos%2Fcat.jpg']) {
      t.throws(() => strategy.judge(asks(target, ann)), { name: 'MediaError', code: 'bad-path' })
    }
  }
  t.equal(server.requests.length, 0)
})

t.test('the policy may tell who it is, and what for', async t => {
  const answers: Array<[unknown, unknown]> = [
    [{ allow: true }, granted],
    [{ allow: true, principal: 'ann' }, { kind: 'granted', principal: { strategy: 'policy', name: 'ann' } }],
    [{ allow: true, principal: 'Änne 陳', scopes: ['read', 'write'], more: 1 }, { kind: 'granted', principal: { strategy: 'policy', name: 'Änne 陳', scopes: ['read', 'write'] } }],
    [{ allow: true, scopes: [] }, { kind: 'granted', principal: { strategy: 'policy', name: '', scopes: [] } }],
    [{ allow: false, principal: 'ann' }, refused],
    [{ principal: 'ann' }, refused]
  ]
  for (const [result, verdict] of answers) {
    const server = await policyServer(t, () => result)
    t.same(await open(t, server.url).strategy.judge(asks('/photos/cat.jpg', ann)), verdict, JSON.stringify(result))
  }
})

t.test('an answer that is none lets nobody in, and is not believed afterwards', async t => {
  const lies: Record<string, Misbehaviour> = {
    'no JSON object': says('true'),
    'no JSON object: broken': says('{"result": true'),
    'no JSON object: empty': says(''),
    'no JSON object: a page': says('<html>result: true</html>'),
    'no JSON object: a list': says('[{"result": true}]'),
    'no JSON object: null': says('null'),
    'no JSON object: no UTF-8': says(Buffer.from('{"result": true, "by": "\xff"}', 'latin1')),
    'a result that is neither true nor false: a text': says('{"result": "true"}'),
    'a result that is neither true nor false: a number': says('{"result": 1}'),
    'a result that is neither true nor false: a list': says('{"result": [true]}'),
    'a result that is neither true nor false: null': says('{"result": null}'),
    'allow that is neither true nor false': says('{"result": {"allow": "true"}}'),
    'a principal that is no name': says('{"result": {"allow": true, "principal": 7}}'),
    'a principal that is no name: null': says('{"result": {"allow": true, "principal": null}}'),
    'a principal that is no name: two lines': says('{"result": {"allow": true, "principal": "ann\\nroot"}}'),
    'a principal that is no name: half a character': says('{"result": {"allow": true, "principal": "\\ud800"}}'),
    'a principal that is no name: long': says(JSON.stringify({ result: { allow: true, principal: 'a'.repeat(257) } })),
    'scopes that are no list of texts': says('{"result": {"allow": true, "scopes": "read"}}'),
    'scopes that are no list of texts: of numbers': says('{"result": {"allow": true, "scopes": ["read", 1]}}'),
    'status 201': says('{"result": true}', 201),
    'status 204': says('', 204),
    'status 401': says('{"result": true}', 401),
    'status 403': says('{"result": false}', 403),
    'status 500': says('{"result": true}', 500)
  }
  const server = await policyServer(t, rule)
  for (const [lie, misbehaviour] of Object.entries(lies)) {
    const { strategy } = open(t, server.url)
    server.misbehave(misbehaviour)
    t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), { kind: 'unavailable', reason: `the policy service: answered ${lie.replace(/:.*/, '')}`, retryAfterSeconds: 1 }, lie)
    server.misbehave()
    t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), granted, 'the next question is asked')
  }
})

t.test('a permission with too much around it is not read to its end', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url)
  server.misbehave(says(`{"result": true}${' '.repeat(MAX_ANSWER_BYTES - 16)}`))
  t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), granted)
  server.misbehave(says(`{"result": true}${' '.repeat(MAX_ANSWER_BYTES - 15)}`))
  t.same(await strategy.judge(asks('/photos/dog.jpg', ann)), { kind: 'unavailable', reason: 'the policy service: answer too large', retryAfterSeconds: 1 })
})

t.test('a redirect is not followed, and the credentials go nowhere else', async t => {
  const elsewhere = await policyServer(t, () => true)
  for (const protocol of ['opa', 'request'] as const) {
    for (const status of [301, 302, 303, 307, 308]) {
      const server = await policyServer(t, rule)
      server.misbehave(says('{"result": true}', status, { Location: elsewhere.url }))
      t.equal(await kindOf(open(t, server.url, { protocol }).strategy.judge(asks('/photos/cat.jpg', ann))), 'unavailable')
    }
  }
  t.equal(elsewhere.requests.length, 0)
})

t.test('a service that is too slow lets nobody in', async t => {
  for (const misbehaviour of [silent, endless]) {
    for (const protocol of ['opa', 'request'] as const) {
      const server = await policyServer(t, rule)
      server.misbehave(misbehaviour)
      const { strategy } = open(t, protocol === 'opa' ? server.url : server.subrequestUrl, { protocol, timeoutMs: 200 })
      t.equal(await kindOf(strategy.judge(asks('/photos/cat.jpg', ann))), 'unavailable')
    }
  }
})

t.test('a service that dies lets nobody in, and everybody it should once it is back', async t => {
  const server = await policyServer(t, rule)
  const { strategy, log } = open(t, server.url)
  for (const misbehaviour of [dies, diesMidway]) {
    server.misbehave(misbehaviour)
    t.equal(await kindOf(strategy.judge(asks('/photos/cat.jpg', ann))), 'unavailable')
  }
  server.misbehave()
  t.equal(await kindOf(strategy.judge(asks('/photos/cat.jpg', ann))), 'granted')
  await server.close()
  t.equal(await kindOf(strategy.judge(asks('/photos/cat.jpg', ann))), 'granted', 'what is kept is believed a little longer')
  t.equal(await kindOf(strategy.judge(asks('/photos/dog.jpg', ann))), 'unavailable')
  t.match(log.join(''), /"reason":"refused"/)
})

t.test('auth_request: the status decides', async t => {
  const server = await policyServer(t, rule)
  const { strategy, log } = open(t, server.subrequestUrl, { protocol: 'request', cacheMs: 0 })
  t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), granted)
  t.same(await strategy.judge(asks('/photos/cat.jpg', bob)), refused)
  t.same(await strategy.judge(asks('/elsewhere', ann)), { kind: 'invalid', reason: 'not known to the policy service' })
  for (const status of [200, 201, 299]) {
    server.misbehave(says('', status))
    t.same(await strategy.judge(asks('/photos/cat.jpg')), granted, `status ${status}`)
  }
  for (const status of [300, 302, 304, 400, 402, 404, 407, 429, 500, 503]) {
    server.misbehave(says('', status))
    t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), { kind: 'unavailable', reason: `the policy service: answered status ${status}`, retryAfterSeconds: 1 })
  }
  t.equal(log.length, 10, 'each is told')
})

t.test('auth_request: the service is told where, by whom and with what, and not the signature', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.subrequestUrl, { protocol: 'request', headers: ['Authorization', 'Cookie', 'X-Team'] })
  const target = '/photos/w_3/%63at%20.jpg?SIG=c2VjcmV0'
  await strategy.judge(asks(target, [...ann, ['Cookie', 'a=\xe4'], ['X-Team', 'red'], ['X-Team', 'blue'], ['X-Original-URI', '/public/'], ['Content-Length', '5']], { path: '/photos/cat .jpg', method: 'DELETE' }))
  t.match(server.requests[0], { method: 'GET', url: '/auth?for=media' })
  const { host, connection, ...headers } = server.requests[0]?.headers ?? {}
  t.same(headers, { 'x-original-method': 'DELETE', 'x-original-uri': '/photos/w_3/%63at%20.jpg?SIG=redacted', 'x-original-path': '/photos/cat%20.jpg', 'x-original-mount': '/photos', 'x-client-address': '192.0.2.7', authorization: secret, cookie: 'a=\xe4', 'x-team': 'red, blue' })
  t.same(server.inputs[0]?.headers['x-team'], ['red', 'blue'], 'in as many lines')
  t.not(host, 'media.example')
  t.type(connection, 'string')
})

t.test('auth_request: a name is taken where it is one', async t => {
  const names: Array<[string, string]> = [['ann', 'ann'], ['Ann of Green Gables', 'Ann of Green Gables'], ['a'.repeat(256), 'a'.repeat(256)], ['a'.repeat(257), ''], ['\xc4nne', ''], ['a\tb', ''], ['', '']]
  for (const [principal, name] of names) {
    const server = await policyServer(t, () => ({ allow: true, principal }))
    const { strategy } = open(t, server.subrequestUrl, { protocol: 'request' })
    t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), { kind: 'granted', principal: { strategy: 'policy', name } })
  }
})

t.test('fields of the message and those that tell the request are never sent on, whatever is configured', async t => {
  const bad = ['Host', 'Content-Length', 'transfer-encoding', 'Connection', 'Upgrade', 'TE', 'Keep-Alive', 'Proxy-Authorization', 'Expect', 'Trailer', 'X-Original-URI', 'X-Original-Path', 'X-Original-Method', 'X-Original-Mount', 'X-Client-Address']
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.subrequestUrl, { protocol: 'request', headers: [...bad, 'Authorization'] })
  t.same(await strategy.judge(asks('/photos/cat.jpg', [...ann, ...bad.map(name => [name, '/public/'] as const)])), granted)
  t.match(server.requests[0]?.headers, { 'x-original-uri': '/photos/cat.jpg', 'x-original-path': '/photos/cat.jpg', expect: undefined, 'transfer-encoding': undefined })
  t.same(strategy.fields, ['Authorization'])
  const mistakes = forwardMistakes({ url: server.url, headers: ['Cookie', ...bad, 7] }, 'strategies.policy')
  t.same(mistakes.map(({ path }) => path), bad.map((_, place) => `strategies.policy.headers[${place + 1}]`))
  t.match(mistakes[0]?.message, /^Expected a field .* but Host is about the message/)
})

t.test('a URL with credentials is refused without being shown', t => {
  const [mistake, ...none] = forwardMistakes({ url: 'http://opa:s3cr3t@10.0.0.5/', headers: ['Cookie'] }, 'strategies.policy')
  t.match(mistake, { path: 'strategies.policy.url', message: /without user and password/ })
  t.notMatch(mistake?.message, /s3cr3t/)
  t.same(none, [])
  t.match(forwardMistakes({ url: 'http://[::1', headers: [] }, 'p'), [{ path: 'p.url', message: /^Expected a URL such as/ }])
  t.same(forwardMistakes({ url: 'http://127.0.0.1:8181/v1/data/media/allow?strict=true' }, 'p'), [])
  t.same(forwardMistakes({ url: 7 }, 'p'), [], 'the schema tells it')
  t.end()
})

t.test('what its verdict rests on is told for Vary, and Authorization alone is used up by it', t => {
  const url = 'http://127.0.0.1:9/'
  const { strategy } = open(t, url, { headers: ['authorization', 'COOKIE', 'x-api-key', 'Cookie'] })
  t.same(strategy.fields, ['Authorization', 'Cookie', 'X-Api-Key'])
  t.same(strategy.credentials, ['authorization'])
  for (const protocol of ['opa', 'request'] as const) {
    t.equal(open(t, url, { protocol }).strategy.challenge, 'Bearer realm="fastify-media"')
    t.equal(open(t, url, { protocol, headers: ['Cookie'] }).strategy.challenge, undefined, 'a login page is not for us to name')
  }
  t.end()
})

t.test('OPA has no answer that asks for credentials, so whoever sent none is asked for them', async t => {
  const server = await policyServer(t, rule)
  for (const cacheMs of [60_000, 0]) {
    const { strategy } = open(t, server.url, { headers: ['Authorization', 'X-Api-Key'], cacheMs })
    for (let count = 0; count < 2; count++) {
      t.same(await strategy.judge(asks('/photos/cat.jpg', [['Cookie', 'a=1']])), { kind: 'absent' }, 'what it is not told is none')
      for (const fields of [bob, [['X-Api-Key', 'guessed']], [['Authorization', '']]] as const) t.same(await strategy.judge(asks('/photos/cat.jpg', fields)), refused, JSON.stringify(fields))
      t.same(await strategy.judge(asks('/public/logo.svg')), granted)
    }
  }
  t.equal(server.requests.length, 5 + 2 * 5, 'an answer is kept as the service gave it')
  const { strategy } = open(t, server.url)
  await strategy.judge(asks('/photos/cat.jpg'))
  t.same(strategy.judge(asks('/photos/cat.jpg')), { kind: 'absent' }, 'at once, without a promise')
  t.same(await open(t, server.url, { headers: ['Cookie'] }).strategy.judge(asks('/photos/cat.jpg')), refused, 'without Authorization there is nothing to ask for')
  t.same(await open(t, server.subrequestUrl, { protocol: 'request' }).strategy.judge(asks('/photos/cat.jpg')), refused, 'the other protocol has a status for it')
  server.misbehave(dies)
  t.equal(await kindOf(open(t, server.url).strategy.judge(asks('/photos/cat.jpg'))), 'unavailable', 'and nobody is asked for credentials where they would not help')
})

t.test('an answer is kept for those who tell the same, and for nobody else', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url)
  const first = await strategy.judge(asks('/photos/cat.jpg?sig=one', ann))
  t.same(first, granted)
  t.equal(strategy.judge(asks('/photos/cat.jpg?sig=two', [...ann, ['Accept', '*/*']])), first, 'at once, without a promise')
  t.equal(server.requests.length, 1)
  const others = [
    asks('/photos/cat.jpg?sig=one', bob), asks('/photos/cat.jpg?sig=one'), asks('/photos/cat.jpg?sig=one', [...ann, ['Cookie', 'a=1']]), asks('/photos/cat.jpg?sig=one', [...ann, ...bob]),
    asks('/photos/cat.jpg?sig=one', ann, { method: 'PUT' }), asks('/photos/cat.jpg?sig=one', ann, { address: '192.0.2.8' }), asks('/photos/cat.jpg?sig=one', ann, { mount: '/' }),
    asks('/photos/dog.jpg?sig=one', ann), asks('/photos/cat.jpg?sig=one&w=3', ann), asks('/photos/cat.jpg?sig=one', ann, { path: '/photos/private/cat.jpg' })
  ]
  for (const other of others) await strategy.judge(other)
  t.equal(server.requests.length, 1 + others.length)
  t.same(strategy.judge(asks('/photos/cat.jpg?sig=one', bob)), refused, 'refusals are kept too')
  t.equal(server.requests.length, 1 + others.length)
})

t.test('a kept answer is asked for anew when its time is over, counted from the question', async t => {
  let now = 1000
  let may = true
  const server = await policyServer(t, () => may)
  const { strategy } = open(t, server.url, { cacheMs: 500, now: () => now })
  const release = server.hold()
  const first = strategy.judge(asks('/photos/cat.jpg', ann))
  await eventually(() => server.requests.length === 1)
  now += 400 // so long it took
  release()
  t.same(await first, granted)
  may = false
  now += 99
  t.same(strategy.judge(asks('/photos/cat.jpg', ann)), granted)
  now += 1
  t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), refused)
  t.equal(server.requests.length, 2)
})

t.test('no more answers are kept than configured', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url, { maxCached: 10 })
  const targets = Array.from({ length: 53 }, (_, place) => `/public/${place}`)
  for (const target of targets) await strategy.judge(asks(target))
  const asked = server.requests.length
  const verdicts = targets.toReversed().map(async target => await strategy.judge(asks(target)))
  t.same(await Promise.all(verdicts), targets.map(() => granted))
  const kept = targets.length - (server.requests.length - asked)
  t.ok(kept > 0 && kept <= 10, `${kept} kept`)
})

t.test('without keeping answers each request is asked about', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url, { cacheMs: 0 })
  const verdicts = await Promise.all(Array.from({ length: 5 }, async () => await strategy.judge(asks('/photos/cat.jpg', ann))))
  t.same(verdicts, verdicts.map(() => granted))
  t.equal(server.requests.length, 5)
})

t.test('a flood of requests that are alike asks once', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url, { connections: 1, maxWaiting: 1 })
  const release = server.hold()
  const flood = Array.from({ length: 200 }, async () => await strategy.judge(asks('/photos/cat.jpg', ann)))
  await eventually(() => server.requests.length === 1)
  release()
  t.same(await Promise.all(flood), flood.map(() => granted))
  t.equal(server.requests.length, 1)
})

t.test('whom the line is too long for is not let in', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url, { connections: 1, maxWaiting: 2 })
  const release = server.hold()
  const flood = Array.from({ length: 10 }, async (_, place) => await strategy.judge(asks(`/public/${place}`)))
  await eventually(() => server.requests.length === 1)
  release()
  const kinds = (await Promise.all(flood)).map(({ kind }) => kind)
  t.same([kinds.filter(kind => kind === 'granted').length, kinds.filter(kind => kind === 'unavailable').length], [3, 7])
})

t.test('a service that is gone is told of once a second, each kind of fault for itself', async t => {
  let now = 0
  const server = await policyServer(t, rule)
  const { strategy, log } = open(t, server.url, { now: () => now })
  server.misbehave(says('', 500))
  const flood = async (): Promise<unknown> => await Promise.all(Array.from({ length: 20 }, async (_, place) => await strategy.judge(asks(`/photos/${place}`, ann))))
  await flood()
  now = 999
  await flood()
  t.equal(log.length, 1)
  server.misbehave(says('"true"'))
  await flood()
  t.equal(log.length, 2)
  now = 2000
  await flood()
  t.match(log.map(line => JSON.parse(line) as unknown), [
    { strategy: 'policy', reason: 'answered status 500' }, { strategy: 'policy', reason: 'answered no JSON object' }, { strategy: 'policy', reason: 'answered no JSON object' }
  ])
})

t.test('no credential is in a log line or a verdict, even where the service repeats it', async t => {
  const lines: string[] = []
  const verdicts: Verdict[] = []
  const echo = JSON.stringify({ echo: secret, cookie: 'sid=s3cr3t' })
  const malformed = await rawOrigin(t, ({ socket }) => { socket.end(`HTTP/1.1 200 OK\r\n${secret}\r\nSet-Cookie sid=s3cr3t\r\n\r\n`) })
  const server = await policyServer(t, rule)
  const fields = [...ann, ['Cookie', 'sid=s3cr3t']] as const
  const faults: Array<[string, Misbehaviour | undefined]> = [[server.url, says(echo.slice(0, -2))], [server.url, says(secret)], [server.url, says(JSON.stringify({ result: secret }))], [server.url, says(echo, 500, { 'X-Echo': secret })], [server.url, dies], [malformed.url, undefined]]
  for (const [url, misbehaviour] of faults) {
    server.misbehave(misbehaviour)
    const { strategy, log } = open(t, url)
    verdicts.push(await strategy.judge(asks('/photos/cat.jpg?sig=s3cr3t', fields)))
    lines.push(...log)
  }
  t.same(verdicts.map(({ kind }) => kind), faults.map(() => 'unavailable'))
  t.equal(lines.length, faults.length)
  t.notMatch(lines.join('') + JSON.stringify(verdicts), /s3cr3t/)
})

t.test('a failure that nobody foresaw lets nobody in', async t => {
  const config: ForwardConfig = { driver: 'forward', url: 'http://127.0.0.1:9/', protocol: 'opa', headers: [], timeoutMs: 1, cacheMs: 0, maxCached: 1, connections: 1, maxWaiting: 1 }
  const strategy = new ForwardStrategy({ name: 'policy', config, client: { ask: async () => { throw new TypeError(secret) }, close: async () => {} }, log: { warn () {}, info () {} } })
  t.same(await strategy.judge(asks('/photos/cat.jpg', ann)), { kind: 'unavailable', reason: 'the policy service: failed', retryAfterSeconds: 1 })
})

t.test('once it is closed nobody gets in, by what was kept neither', async t => {
  const server = await policyServer(t, rule)
  const { strategy } = open(t, server.url)
  t.equal(await kindOf(strategy.judge(asks('/photos/cat.jpg', ann))), 'granted')
  await strategy.close()
  t.equal(await kindOf(strategy.judge(asks('/photos/cat.jpg', ann))), 'unavailable')
  t.equal(server.requests.length, 1)
})
