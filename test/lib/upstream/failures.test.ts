// Each way in which an origin can fail, and what of it the public hears: a code and the upstream's name.
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { problem, type FailureCode, type MediaError } from '../../../lib/errors.ts'
import { guardedConnect } from '../../../lib/upstream/guarded-connect.ts'
import { upstreamFailure } from '../../../lib/upstream/failures.ts'
import { Upstream } from '../../../lib/upstream/upstream.ts'
import { noOpenssl } from '../../helpers/certificates.ts'
import * as kit from '../../helpers/origin.ts'
import { eventually, freePort } from '../../helpers/process.ts'
import { drop, failureOf, get, open } from './open-upstream.ts'

const file = kit.content(100_000)
const contradictory = new Set(['two lengths that differ', 'a length beside the chunked coding'])

/** What a failure tells outside: nothing by which the origin could be found. */
function tellsNoAddress (t: Pick<Test, 'match' | 'notMatch'>, error: MediaError, port: number): void {
  const outside = JSON.stringify([error.message, error.headers, problem(error.code, { detail: error.detail })])
  t.match(outside, /assets/)
  t.notMatch(outside, new RegExp(`127\\.0\\.0\\.1|localhost|${port}|ECONN|UND_ERR|HPE_`))
}

t.test('before the head: each failure has its code, and the connection is gone', async t => {
  const cases: Array<[string, kit.Script, FailureCode]> = [
    ['RST', kit.resetBeforeHead(), 'upstream-reset'],
    ['FIN', kit.finBeforeHead(), 'upstream-reset'],
    ['RST within the head', kit.resetMidHead(), 'upstream-reset'],
    ['a head that is too large', kit.largeHeader(70_000), 'upstream-malformed'],
    ['an upgrade that nobody asked for', kit.unaskedUpgrade(), 'upstream-malformed'],
    ['a 101 without a protocol', kit.bytes(kit.head(101)), 'upstream-malformed'],
    ['a status below 100', kit.bytes(kit.head('099 Low', { 'Content-Length': 0 })), 'upstream-malformed'],
    // undici takes lengths that contradict each other for a body that was cut
    ...Object.entries(kit.nonsense).map(([name, bytes]): [string, kit.Script, FailureCode] => [name, kit.bytes(bytes, 'end'), contradictory.has(name) ? 'upstream-reset' : 'upstream-malformed'])
  ]
  for (const [name, script, code] of cases) {
    const origin = await kit.rawOrigin(t, script)
    const { upstream } = await open(t, origin.url, { retries: 0 })
    const error = await failureOf(get(upstream))
    t.same([error.code, error.statusCode], [code, 502], name)
    tellsNoAddress(t, error, origin.port)
    t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)), name)
    t.same(upstream.origins.state().map(({ pending, failures }) => [pending, failures]), [[0, 1]], `${name} is the origin's failure`)
  }
})

t.test('after the head: what came is passed on, then the body fails', async t => {
  const cases: Array<[string, kit.Script, number]> = []
  for (const framing of ['length', 'chunked'] as const) {
    for (const after of [0, 1, 70_000, 99_999]) {
      cases.push([`RST after ${after}, ${framing}`, kit.resetMidBody(file, after, framing), after])
      cases.push([`FIN after ${after}, ${framing}`, kit.finMidBody(file, after, framing), after])
    }
  }
  cases.push(['less than its length', kit.wrongLength(100_000, 70_000), 70_000])
  for (const [name, script, after] of cases) {
    const origin = await kit.rawOrigin(t, script)
    const { upstream } = await open(t, origin.url, { retries: 0 })
    const { status, body } = await get(upstream).catch((error: MediaError) => ({ status: 200, body: new Readable({ read () { this.destroy(error) } }) }))
    const { bytes, hash, error } = await kit.taken(body)
    const { hash: expected } = await kit.taken(file.bytes(0, bytes))
    t.same([status, hash], [200, expected], name)
    t.ok(name.startsWith('RST') ? bytes <= after : bytes === after, `${name}: ${bytes}`) // a reset may overtake what was sent
    t.equal(error?.code, 'upstream-reset', name)
    tellsNoAddress(t, error as MediaError, origin.port)
    t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)), name)
    t.equal(upstream.origins.state()[0]?.failures, 1)
  }
})

t.test('a body that only the end of the connection ends fails where that is a reset', async t => {
  for (const size of [1000, 100_000]) {
    const part = kit.content(size)
    let isRead = (): void => {}
    const read = new Promise<void>(resolve => { isRead = resolve })
    const origin = await kit.rawOrigin(t, kit.noLength(part, 'reset', async () => await read))
    const { upstream } = await open(t, origin.url)
    const { body } = await get(upstream)
    let bytes = 0
    if (!Buffer.isBuffer(body)) body.on('data', (piece: Buffer) => { if ((bytes += piece.length) === size) isRead() })
    t.match(await kit.taken(body), { error: { code: 'upstream-reset' } })
  }
})

t.test('more than the length says is cut, and is not the next answer', async t => {
  for (const script of [kit.wrongLength(10, 5000), kit.extraAnswer('0123456789'), kit.lyingLength(10, 10)]) {
    const origin = await kit.rawOrigin(t, script)
    const { upstream } = await open(t, origin.url)
    for (let time = 0; time < 5; time++) {
      const { body } = await get(upstream)
      t.equal((await kit.taken(body)).bytes, 10)
    }
    t.equal(origin.requests.length, 5)
  }
})

t.test('a body where there can be none is not the next answer', async t => {
  for (const [method, status] of [['HEAD', 200], ['GET', 204], ['GET', 304]] as const) {
    const origin = await kit.rawOrigin(t, kit.inTurn(kit.unaskedBody(status), kit.answer('mine', {}, 203)))
    const { upstream } = await open(t, origin.url, { retries: 0 })
    const first = await get(upstream, '/1', { method }).catch((error: MediaError) => error.code)
    if (typeof first !== 'string') t.equal((await kit.taken(first.body)).bytes, 0)
    const second = await get(upstream, '/2')
    t.same([second.status, (await kit.taken(second.body)).hash], [203, (await kit.taken(Buffer.from('mine'))).hash], `${method} ${status}`)
  }
})

t.test('chunks that are none end in a failure, never in a whole body', async t => {
  for (const [name, bytes] of Object.entries(kit.nonsenseChunks)) {
    const origin = await kit.rawOrigin(t, kit.bytes(bytes))
    const { upstream } = await open(t, origin.url, { retries: 0 })
    const error = await get(upstream).then(async ({ body }) => (await kit.taken(body)).error, (error: MediaError) => error)
    t.equal(error?.code, 'upstream-malformed', name)
    t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)))
  }
})

t.test('a status that is none is no answer', async t => {
  for (const status of [600, 999]) {
    const origin = await kit.rawOrigin(t, kit.answer('ok', {}, status))
    const { upstream } = await open(t, origin.url, { retries: 0 })
    t.match(await failureOf(get(upstream)), { code: 'upstream-malformed', statusCode: 502 })
  }
})

t.test('odd answers that are HTTP pass', async t => {
  const cases: Array<[kit.Script, number]> = [
    [kit.answer('ok', {}, 500), 500],
    [kit.largeHeader(40_000), 200],
    [kit.manyHeaders(1500), 200],
    [kit.redirectTo('http://169.254.169.254/latest/meta-data/'), 302],
    [kit.redirectLoop(), 302]
  ]
  for (const [script, expected] of cases) {
    const origin = await kit.rawOrigin(t, script)
    const { upstream } = await open(t, origin.url, { retries: 0 })
    const answer = await get(upstream, '/loop')
    t.equal(answer.status, expected)
    t.equal((await kit.taken(answer.body)).error, undefined)
    t.equal(origin.requests.length, 1, 'a redirect is passed on, not followed')
  }
})

t.test('nobody listens, no such name, no address that may be asked', async t => {
  const port = await freePort()
  const refused = await failureOf(get((await open(t, `http://127.0.0.1:${port}`)).upstream))
  t.same([refused.code, refused.statusCode], ['upstream-refused', 502])
  tellsNoAddress(t, refused, port)

  const { upstream: { config } } = await open(t, 'http://nowhere.example:8080')
  const connect = guardedConnect({ addresses: 'any', connectTimeoutMs: 5000, lookup: (name, _options, callback) => { callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), []) } })
  const unresolved = new Upstream('assets', config, { connect })
  t.teardown(async () => { await unresolved.close() })
  const error = await failureOf(get(unresolved))
  t.equal(error.code, 'upstream-unresolved')
  t.notMatch(JSON.stringify([error.message, error.detail]), /nowhere/)

  const origin = await kit.rawOrigin(t, kit.answer())
  const forbidden = await failureOf(get((await open(t, origin.url, { addresses: 'public' })).upstream))
  t.same([forbidden.code, origin.opened], ['remote-forbidden', 0])
  tellsNoAddress(t, forbidden, origin.port)
})

t.test('certificates that prove nothing', { skip: noOpenssl ?? false }, async t => {
  for (const certificate of ['wrong-name', 'self-signed', 'expired', 'good'] as const) {
    const origin = await kit.tlsOrigin(t, (_request, response) => { response.end('secret') }, { certificate })
    const { upstream } = await open(t, origin.url, { retries: 0 })
    const error = await failureOf(get(upstream))
    t.same([error.code, error.statusCode, origin.requests.length], ['upstream-tls', 502, 0], certificate)
    tellsNoAddress(t, error, origin.port)
  }
  const plain = await kit.rawOrigin(t, kit.bytes('HTTP/1.1 400 plain\r\n\r\n', 'end'))
  const server = await open(t, plain.url.replace('http:', 'https:'), { retries: 0 })
  plain.events.on('opened', socket => { socket.write('HTTP/1.1 400 plain HTTP\r\nContent-Length: 0\r\n\r\n') })
  t.equal((await failureOf(get(server.upstream))).code, 'upstream-tls', 'an origin that speaks no TLS')
})

t.test('what the client sends wrong is no failure of the origin, and is not sent again', async t => {
  const origin = await kit.origin(t, (request, response) => { request.resume().on('end', () => response.end('ok')) })
  const { upstream } = await open(t, origin.url, { ejectAfter: 1, retries: 3 })
  const mistakes: Array<Parameters<typeof get>[2]> = [
    { headers: { 'x-a': 'a\nb' } },
    { headers: { expect: '100-continue' } },
    { headers: { upgrade: 'h2c' } },
    { headers: { 'content-length': '1', connection: 'what' } },
    { path: '/a b' },
    { method: 'POST', headers: { 'content-length': '10' }, body: Readable.from([Buffer.from('short')]) },
    { method: 'POST', headers: { 'content-length': '3' }, body: Readable.from([Buffer.from('longer')]) },
    { method: 'POST', body: new Readable({ read () { this.destroy(new Error('the client left')) } }) }
  ]
  for (const mistake of mistakes) {
    await get(upstream, '/', mistake).then(drop, () => {})
    t.same(upstream.origins.state().map(({ state, failures, pending }) => [state, failures, pending]), [['up', 0, 0]], JSON.stringify({ ...mistake, body: undefined }))
  }
  t.equal((await get(upstream)).status, 200)
})

t.test('an upload that is refused early: the answer arrives', async t => {
  for (const after of ['stay', 'end'] as const) {
    const origin = await kit.rawOrigin(t, kit.earlyRefusal(413, after))
    const { upstream } = await open(t, origin.url)
    const body = Readable.from((function * () { for (let piece = 0; piece < 10_000; piece++) yield Buffer.alloc(65_536) })())
    const answer = await get(upstream, '/', { method: 'POST', body })
    t.equal(answer.status, 413)
    t.equal((await kit.taken(answer.body)).bytes, 9)
    t.ok(await eventually(() => body.destroyed), 'and the rest is not asked for')
    t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)))
  }
})

t.test('codes of errors that come from elsewhere', async t => {
  const codeOf = (error: unknown): string => upstreamFailure(error, 'assets').code
  t.equal(codeOf(Object.assign(new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]), { code: undefined })), 'upstream-refused')
  t.equal(codeOf(new Error('?')), 'upstream-reset')
  const error = upstreamFailure(new Error('10.0.0.1 said no'), 'assets', 'assets[1]')
  t.same(error.context, { upstream: 'assets', origin: 'assets[1]' })
  t.equal(upstreamFailure(error, 'other'), error, 'what has a code keeps it')
})
