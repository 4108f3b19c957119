/**
 * Keys come from an issuer's key set (JWKS) over HTTP, and whoever sends a token decides when it is asked for: by
 * three hundred names of keys that there are not, the server would be made to flood the issuer, or to wait for it
 * with every request. And the issuer's server may be slow, gone, in other hands, or send everybody elsewhere: then
 * nobody gets in who would not otherwise, nothing breaks, and it is well again as soon as that is. A key that was
 * withdrawn ends when the set is asked for anew.
 */
import { gzipSync } from 'node:zlib'
import t, { type Test as Tap } from 'tap'
import type { MediaOptions } from '../../app.ts'
import { ask, scratch, serveMedia, type Served } from '../helpers/app.ts'
import { drip, flush, head, origin, rawOrigin, reset, type Script } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { ecKeys, inSeconds, rsaKeys, token, type KeyPair } from '../helpers/tokens.ts'

const [issued, next, stranger, weak] = [rsaKeys(), rsaKeys(), rsaKeys(), rsaKeys(1024)]
const claims = { sub: 'ann', exp: inSeconds(600) }

async function trusting (t: Tap, jwks: string, more: Record<string, unknown> = {}): Promise<Served> {
  const root = await scratch(t, { 'a.txt': 'a secret', 'open.txt': 'open' })
  return await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies: { staff: { driver: 'jwt', algorithms: ['RS256'], jwks, ...more } },
    mounts: [{ source: 'files' }, { prefix: '/private', source: 'files', access: { read: ['staff'] } }]
  } as unknown as MediaOptions)
}

const signedBy = (key: KeyPair, kid?: string): string => token({ alg: 'RS256', key, kid, claims })
const show = async (served: Served, text: string): Promise<number> => (await ask(served, '/private/a.txt', { headers: { authorization: `Bearer ${text}` } })).status

/** An issuer that answers with whatever its keys are by now. */
async function issuer (t: Tap, keys: { now: Array<Record<string, unknown>> }): Promise<{ url: string, asked: () => number, urls: () => string[] }> {
  const far = await origin(t, (_request, response) => { response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify({ keys: keys.now })) })
  return { url: `${far.url}/.well-known/jwks.json`, asked: () => far.requests.length, urls: () => far.requests.map(({ url }) => url) }
}

t.test('a key that is new in the set counts at once, and one that is gone no longer', async t => {
  const keys = { now: [issued.jwk({ kid: '1', use: 'sig' })] }
  const far = await issuer(t, keys)
  const served = await trusting(t, far.url, { jwksCooldownMs: 0 })
  t.equal(await show(served, signedBy(issued, '1')), 200)
  t.equal(await show(served, signedBy(next, '2')), 401, 'not yet there')
  keys.now = [issued.jwk({ kid: '1' }), next.jwk({ kid: '2' })]
  t.same([await show(served, signedBy(next, '2')), await show(served, signedBy(issued, '1'))], [200, 200], 'both, while both are there')
  const asked = far.asked()
  keys.now = [next.jwk({ kid: '2' })]
  t.equal(await show(served, signedBy(issued, '1')), 200, 'as long as the set is believed')
  t.equal(far.asked(), asked)
  t.equal(await show(served, signedBy(issued, '3')), 401, 'an unknown name: the set is asked for')
  t.equal(await show(served, signedBy(issued, '1')), 401, 'and what is gone from it is over, also for a token that held before')
  t.equal(await show(served, signedBy(next, '2')), 200)
})

t.test('a key that is gone is over without anybody asking for another, when the set is old', async t => {
  const keys = { now: [issued.jwk({ kid: '1' }), next.jwk({ kid: '2' })] }
  const far = await issuer(t, keys)
  const served = await trusting(t, far.url, { jwksMaxAgeMs: 1000 })
  const text = signedBy(issued, '1')
  t.equal(await show(served, text), 200)
  keys.now = [next.jwk({ kid: '2' })]
  await eventually(async () => await show(served, text) === 401)
  t.equal(await show(served, signedBy(next, '2')), 200)
})

t.test('a key that is another under its own name ends the tokens of the one before', async t => {
  const keys = { now: [issued.jwk({ kid: '1' })] }
  const far = await issuer(t, keys)
  const served = await trusting(t, far.url, { jwksCooldownMs: 0 })
  t.equal(await show(served, signedBy(issued, '1')), 200)
  keys.now = [next.jwk({ kid: '1' })]
  t.equal(await show(served, signedBy(next, 'else')), 401)
  t.same([await show(served, signedBy(issued, '1')), await show(served, signedBy(next, '1'))], [401, 200])
})

t.test('three hundred tokens with names of no key ask the issuer once or twice', async t => {
  const keys = { now: [issued.jwk({ kid: '1' })] }
  const far = await issuer(t, keys)
  const served = await trusting(t, far.url)
  t.equal(await show(served, signedBy(issued, '1')), 200)
  const names = Array.from({ length: 300 }, (_, place) => [`unknown-${place}`, `../../keys/${place}`, `https://evil.example/${place}`, `${place}' OR '1'='1`][place % 4] as string)
  const statuses = await Promise.all(names.map(async kid => await show(served, token({ alg: 'RS256', key: stranger, kid, claims }))))
  t.same([...new Set(statuses)], [401])
  t.ok(far.asked() <= 2, `asked ${far.asked()} times`)
  t.same([...new Set(far.urls())], ['/.well-known/jwks.json'], 'and for nothing else, whatever the names are')
  t.equal(await show(served, signedBy(issued, '1')), 200)
})

t.test('nor while the issuer is gone', async t => {
  const far = await origin(t, (_request, response) => { response.writeHead(500).end() })
  const served = await trusting(t, `${far.url}/jwks`)
  const statuses = await Promise.all(Array.from({ length: 300 }, async (_, place) => await show(served, token({ alg: 'RS256', key: stranger, kid: `unknown-${place}`, claims }))))
  t.same([...new Set(statuses)], [503])
  t.ok(far.requests.length <= 5, `asked ${far.requests.length} times`)
})

t.test('two hundred at once at start ask for it once', async t => {
  let answer = (): void => {}
  const isAsked = new Promise<void>(resolve => { answer = resolve })
  const far = await origin(t, async (_request, response) => {
    await isAsked
    response.end(JSON.stringify({ keys: [issued.jwk({ kid: '1' })] }))
  })
  const served = await trusting(t, `${far.url}/jwks`, { jwksTimeoutMs: 60_000 })
  let arrived = 0
  served.app.server.on('request', () => { if (++arrived === 200) answer() })
  const statuses = await Promise.all(Array.from({ length: 200 }, async (_, place) => await show(served, signedBy(place % 2 === 0 ? issued : stranger, '1'))))
  t.equal(far.requests.length, 1)
  t.same([statuses.filter(status => status === 200).length, statuses.filter(status => status === 401).length], [100, 100])
})

const json = (value: unknown, fields: Record<string, string | number> = {}): Script => async ({ socket }) => {
  const body = typeof value === 'string' ? value : JSON.stringify(value)
  await flush(socket, head(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), Connection: 'close', ...fields }) + body)
  socket.end()
}
const set = { keys: [issued.jwk({ kid: '1' })] }
const setText = JSON.stringify(set)
const packed = gzipSync(setText)

/** An issuer's server at its worst. Of none may a token of a stranger come of use. */
const worst: Record<string, Script> = {
  'resets the connection': ({ socket }) => { reset(socket) },
  'hangs up': ({ socket }) => { socket.end() },
  'never answers': () => {},
  'answers a byte now and then': async ({ socket }) => { await drip(socket, head(200, { 'Content-Length': setText.length }) + setText, { everyMs: 50 }) },
  'stops midway': async ({ socket }) => { await flush(socket, head(200, { 'Content-Length': setText.length }) + setText.slice(0, -20)) },
  'promises more than it sends': async ({ socket }) => { await flush(socket, head(200, { 'Content-Length': setText.length + 100 }) + setText); socket.end() },
  'says no HTTP': async ({ socket }) => { await flush(socket, 'SSH-2.0-OpenSSH_9.6\r\n'); socket.end() },
  'fails': async ({ socket }) => { await flush(socket, head(500, { 'Content-Length': setText.length, Connection: 'close' }) + setText) },
  'answers 206': async ({ socket }) => { await flush(socket, head(206, { 'Content-Length': setText.length, Connection: 'close' }) + setText) },
  'answers 204': async ({ socket }) => { await flush(socket, head(204, { Connection: 'close' })) },
  'sends a page': json('<!doctype html><title>Sign in</title>'),
  'sends nothing': json(''),
  'sends null': json('null'),
  'sends a list': json([issued.jwk({ kid: '1' })]),
  'sends no list': json({ keys: issued.jwk({ kid: '1' }) }),
  'sends no key': json({ keys: [] }),
  'sends what are no keys': json({ keys: [null, 1, 'a', [], {}, { kty: 'RSA' }, { kty: 'RSA', kid: '1', n: 'AQAB', e: 'AQAB' }, { kty: 'RSA', kid: '1', n: 1, e: {} }] }),
  'sends a shared secret': json({ keys: [{ kty: 'oct', kid: '1', k: 'c2VjcmV0', alg: 'HS256' }, { kty: 'oct', kid: '1', k: 'c2VjcmV0', alg: 'RS256' }] }),
  'sends its private key': json({ keys: [{ ...issued.privateKey.export({ format: 'jwk' }), kid: '1' }] }),
  'sends a weak key': json({ keys: [weak.jwk({ kid: '1' })] }),
  'sends keys for something else': json({ keys: [issued.jwk({ kid: '1', use: 'enc' }), issued.jwk({ kid: '1', alg: 'RSA-OAEP' }), issued.jwk({ kid: '1', alg: 'none' }), issued.jwk({ kid: '1', key_ops: ['encrypt'] }), ecKeys().jwk({ kid: '1' })] }),
  'sends too many keys': json({ keys: Array.from({ length: 101 }, (_, place) => issued.jwk({ kid: String(place) })) }),
  'sends megabytes': json(`{"keys":[],"pad":"${'x'.repeat(3_000_000)}"}`),
  'sends without end': async ({ socket }) => {
    socket.write(head(200, { 'Transfer-Encoding': 'chunked' }))
    while (socket.writable) await flush(socket, `10000\r\n${' '.repeat(65_536)}\r\n`)
  },
  'nests without end': json('{"keys":'.repeat(20_000)),
  'packs it though nobody asked': async ({ socket }) => {
    await flush(socket, Buffer.concat([Buffer.from(head(200, { 'Content-Encoding': 'gzip', 'Content-Length': packed.length, Connection: 'close' })), packed]))
    socket.end()
  }
}

t.test('whatever the issuer\'s server does, nobody gets in by it, and others are served on', async t => {
  const root = await scratch(t, { 'a.txt': 'a secret' })
  const ways = await Promise.all(Object.entries(worst).map(async ([way, script], place) => ({ way, name: `way${place}`, url: `${(await rawOrigin(t, script)).url}/jwks` })))
  const served = await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies: Object.fromEntries(ways.map(({ name, url }) => [name, { driver: 'jwt', algorithms: ['RS256'], jwks: url, jwksTimeoutMs: 300 }])),
    mounts: [{ prefix: '/open', source: 'files' }, ...ways.map(({ name }) => ({ prefix: `/${name}`, source: 'files', access: { read: [name] } }))]
  } as unknown as MediaOptions)
  const tokens = [signedBy(stranger, '1'), signedBy(stranger), signedBy(issued, '1'), signedBy(weak, '1'), token({ alg: 'HS256', key: 'secret', kid: '1', claims })]
  await Promise.all(ways.map(async ({ way, name }) => {
    for (const text of tokens) {
      const answer = await ask(served, `/${name}/a.txt`, { headers: { authorization: `Bearer ${text}` } })
      t.ok([401, 503].includes(answer.status), `${way}: ${answer.status}`)
      t.notMatch(answer.text, /secret|jwks|127\.0\.0\.1/)
      if (answer.status === 503) t.ok(Number(answer.headers['retry-after']) >= 1)
    }
    t.same([await ask(served, '/open/a.txt'), await ask(served, `/${name}/a.txt`)].map(({ status }) => status), [200, 401], `${way}: what is for everybody is there`)
    t.match(served.logs.find(({ msg, strategy }) => msg === 'The key set could not be fetched' && strategy === name), { level: 40, reason: /./ }, `${way}: the operator is told`)
  }))
  for (const piece of tokens.flatMap(text => text.split('.'))) t.notOk(JSON.stringify(served.logs).includes(piece), 'nothing of a token is in the log')
})

t.test('a redirect is not followed, to whoever\'s key set', async t => {
  const attacker = await origin(t, (_request, response) => { response.end(JSON.stringify({ keys: [stranger.jwk({ kid: '1' })] })) })
  for (const status of [301, 302, 303, 307, 308, 300]) {
    const far = await origin(t, (_request, response) => { response.writeHead(status, { location: `${attacker.url}/jwks` }).end(JSON.stringify({ keys: [stranger.jwk({ kid: '1' })] })) })
    const served = await trusting(t, `${far.url}/jwks`)
    t.equal(await show(served, signedBy(stranger, '1')), 503, String(status))
  }
  t.equal(attacker.requests.length, 0)
})

t.test('some bad keys do not spoil the good ones beside them', async t => {
  const keys = { now: [weak.jwk({ kid: '0' }), { kty: 'oct', kid: '9', k: 'c2VjcmV0' }, issued.jwk({ kid: '1', alg: 'RS256', x5u: 'http://127.0.0.1:1/', x5c: ['AA'] }), stranger.jwk({ kid: '1' })] }
  const served = await trusting(t, (await issuer(t, keys)).url)
  t.same([await show(served, signedBy(issued, '1')), await show(served, signedBy(weak, '0')), await show(served, signedBy(stranger, '1'))], [200, 401, 401], 'of two of one name the first counts')
  t.same([await show(served, signedBy(issued)), await show(served, signedBy(stranger))], [401, 401], 'without a name it is none of several')
  t.match(served.logs.find(({ msg }) => msg === 'Some keys of the key set are not used'), { strategy: 'staff' })
  t.notMatch(JSON.stringify(served.logs), /c2VjcmV0/)
})

t.test('an issuer that was gone is well again, and while it is gone known keys hold for a time', async t => {
  const port = { well: false }
  const far = await origin(t, (_request, response) => port.well ? response.end(setText) : response.socket?.resetAndDestroy())
  const served = await trusting(t, `${far.url}/jwks`, { jwksMaxAgeMs: 2000, jwksCooldownMs: 0 })
  const text = signedBy(issued, '1')
  t.equal(await show(served, text), 503)
  port.well = true
  await eventually(async () => await show(served, text) === 200)
  port.well = false
  t.equal(await show(served, text), 200, 'it is known')
  t.equal(await show(served, signedBy(next, 'new')), 503, 'what is not cannot be told')
  await eventually(async () => await show(served, text) === 503)
  t.equal(await show(served, signedBy(stranger, '1')), 503, 'too old to be believed')
  port.well = true
  await eventually(async () => await show(served, text) === 200)
  t.equal(await show(served, signedBy(stranger, '1')), 401)
})
