import { createHash } from 'node:crypto'
import t from 'tap'
import { ApiKeyStrategy, apiKeyMistakes, keyHash, MAX_KEY_BYTES } from '../../../lib/access/api-keys.ts'
import type { ApiKeyConfig } from '../../../lib/config/access-schema.ts'
import { asked, judging } from './judging.ts'

// The attacks: keys that are cut, in another letter case, with a NUL, too long, sent twice, of
// another strategy, revoked, expired, and good ones for another mount or method.

type Key = ApiKeyConfig['keys'][number]

const secret = 'fm_BdZ4rGoXhvq0Yl5mC2tJ8sKeWn1uQ7aPzR3xVf6yIg0'
const other = 'fm_0gIy6fVx3RzPa7Qu1nWeKs8Jt2Cm5lY0qvhXoGr4ZdB'

function keyOf (key: Partial<Key> = {}): Key {
  return { name: 'reader', hash: keyHash(secret), mounts: [], methods: ['GET', 'HEAD'], scopes: ['photos'], revoked: false, ...key }
}

function strategyOf (keys: Key[] = [keyOf()], config: Partial<ApiKeyConfig> = {}, now?: () => number): ApiKeyStrategy {
  return new ApiKeyStrategy({ name: 'machines', config: { driver: 'apiKey', header: 'X-API-Key', bearer: true, keys, ...config }, ...now === undefined ? {} : { now } })
}

const granted = { kind: 'granted', principal: { strategy: 'machines', name: 'reader', scopes: ['photos'] } }
const unknown = { kind: 'invalid', reason: 'unknown key' }

t.test('a key in its field or as a bearer token lets its holder in under its name', async t => {
  const server = await judging(t, strategyOf())
  t.same(await server.ask({ 'x-api-key': secret }), granted)
  t.same(await server.ask({ authorization: `Bearer ${secret}` }), granted)
  t.same(await server.ask({ authorization: `bearer ${secret}` }), granted)
  t.same(await server.ask({}), { kind: 'absent' })
  t.same(await server.ask({ authorization: 'Basic YTpi' }), { kind: 'absent' }, 'other schemes are for others')
})

t.test('a key that is not the whole key, and nothing else, is unknown', async t => {
  const server = await judging(t, strategyOf())
  for (const key of [secret.slice(0, -1), secret.slice(1), `${secret}A`, secret.toUpperCase(), secret.toLowerCase(), other, 'fm_', `${secret},${secret}`, `"${secret}"`, `Bearer ${secret}`, keyHash(secret), keyHash(secret).slice(7)]) {
    t.same(await server.ask({ 'x-api-key': key }), unknown, key)
  }
  t.same(await server.ask({ 'x-api-key': '' }), unknown, 'an empty line is a key that nobody has')
  t.same(strategyOf().judge(asked([['X-API-Key', `${secret}\0`]])), unknown)
  t.same(strategyOf().judge(asked([['X-API-Key', `\0${secret}`]])), unknown)
})

t.test('a key with a NUL, and one of a megabyte, get no answer but an error', async t => {
  const server = await judging(t, strategyOf())
  t.match(await server.raw(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: ${secret}\0\r\n\r\n`), /^HTTP\/1\.1 400 /)
  t.match(await server.raw(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: ${'a'.repeat(2 ** 20)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
})

t.test('a key beyond 1 KiB is refused before it is hashed, even where it is a known one', async t => {
  const [longest, longer] = ['k'.repeat(MAX_KEY_BYTES), 'k'.repeat(MAX_KEY_BYTES + 1)]
  const server = await judging(t, strategyOf([keyOf({ hash: keyHash(longest) }), keyOf({ name: 'longer', hash: keyHash(longer) })]))
  t.same(await server.ask({ 'x-api-key': longest }), granted)
  t.same(await server.ask({ 'x-api-key': longer }), { kind: 'invalid', reason: 'key too long' })
  t.same(await server.ask({ authorization: `Bearer ${longer}` }), { kind: 'invalid', reason: 'key too long' })
})

t.test('two lines with a key are refused, whichever of them is good', async t => {
  const server = await judging(t, strategyOf())
  for (const keys of [[secret, other], [other, secret], [secret, secret], ['', secret]]) {
    t.same(await server.ask({ 'x-api-key': keys }), { kind: 'invalid', reason: 'more than one line with a key' })
  }
  t.same(await server.raw(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${secret}\r\nAuthorization: Bearer ${other}\r\n\r\n`).then(text => text.split('\r\n\r\n')[1]), JSON.stringify({ kind: 'invalid', reason: 'malformed bearer token' }))
})

t.test('of a key in the field and another as a bearer token, the field decides', async t => {
  const server = await judging(t, strategyOf([keyOf(), keyOf({ name: 'writer', hash: keyHash(other) })]))
  t.match(await server.ask({ 'x-api-key': other, authorization: `Bearer ${secret}` }), { principal: { name: 'writer' } })
  t.match(await server.ask({ 'x-api-key': secret, authorization: `Bearer ${other}` }), { principal: { name: 'reader' } })
  t.same(await server.ask({ 'x-api-key': 'wrong', authorization: `Bearer ${secret}` }), unknown)
  t.same(await server.ask({ 'x-api-key': secret, authorization: 'Bearer' }), granted, 'a malformed bearer token beside it does not matter')
  t.same(await server.ask({ authorization: 'Bearer' }), { kind: 'invalid', reason: 'malformed bearer token' })
  t.same(await server.ask({ authorization: `Bearer ${secret} ${secret}` }), { kind: 'invalid', reason: 'malformed bearer token' })
})

t.test('without `bearer` only the field carries a key', async t => {
  const strategy = strategyOf([keyOf()], { bearer: false, header: 'X-Machine' })
  t.same(strategy.judge(asked([['Authorization', `Bearer ${secret}`]])), { kind: 'absent' })
  t.same(strategy.judge(asked([['X-API-Key', secret]])), { kind: 'absent' })
  t.same(strategy.judge(asked([['x-machine', secret]])), granted)
})

t.test('what it asks for, varies with and keeps from upstreams', async t => {
  t.match(strategyOf(), { name: 'machines', challenge: 'Bearer realm="fastify-media"', fields: ['X-API-Key', 'Authorization'], credentials: ['x-api-key', 'authorization'] })
  t.match(strategyOf([keyOf()], { bearer: false }), { challenge: 'ApiKey realm="fastify-media"', fields: ['X-API-Key'], credentials: ['x-api-key'] })
})

t.test('a revoked key is refused, and one that is expired from its date on', async t => {
  let now = Date.parse('2027-01-01T00:00:00Z') - 1
  const strategy = strategyOf([keyOf({ expires: '2027-01-01T00:00:00Z' }), keyOf({ name: 'old', hash: keyHash(other), revoked: true })], {}, () => now)
  t.same(strategy.judge(asked([['X-API-Key', secret]])), granted)
  now++
  t.same(strategy.judge(asked([['X-API-Key', secret]])), { kind: 'invalid', reason: 'expired: key reader' })
  t.same(strategy.judge(asked([['X-API-Key', other]])), { kind: 'invalid', reason: 'revoked: key old' })
  t.match(strategyOf([keyOf({ expires: 'never' })]).judge(asked([['X-API-Key', secret]])), { kind: 'invalid' }, 'what is no date is past')
})

t.test('a key of another strategy is unknown', async t => {
  const another = strategyOf([keyOf({ hash: keyHash(other) })])
  t.same(another.judge(asked([['X-API-Key', secret]])), unknown)
})

t.test('a key for some mounts is for no other, and not for those whose names begin alike', async t => {
  const strategy = strategyOf([keyOf({ mounts: ['/photos/', '/films'] }), keyOf({ name: 'root', hash: keyHash(other), mounts: ['/'] })])
  const judge = (mount: string, key = secret) => strategy.judge(asked([['X-API-Key', key]], { mount })).kind
  for (const mount of ['/photos', '/photos/', '/films', '/films/']) t.equal(judge(mount), 'granted', mount)
  for (const mount of ['/photos-secret', '/photo', '/photos/secret', '/Photos', '/', '/films2']) t.equal(judge(mount), 'forbidden', mount)
  t.equal(judge('/', other), 'granted')
  t.equal(judge('/photos', other), 'forbidden', 'the root is a mount like any other')
})

t.test('a key is for the methods it lists; OPTIONS comes with GET', async t => {
  const methods = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'WEBSOCKET', 'get']
  const allowed = (listed: string[]) => methods.filter(method => strategyOf([keyOf({ methods: listed })]).judge(asked([['X-API-Key', secret]], { method })).kind === 'granted')
  t.same(allowed(['GET']), ['GET', 'OPTIONS'], 'not HEAD')
  t.same(allowed(['HEAD']), ['HEAD'])
  t.same(allowed(['GET', 'WEBSOCKET']), ['GET', 'OPTIONS', 'WEBSOCKET'])
  t.same(allowed(['POST']), ['POST'])
  t.same(allowed([]), [])
  t.same(strategyOf().judge(asked([['X-API-Key', secret]], { method: 'POST' })), { kind: 'forbidden', reason: 'key reader is not for POST' })
})

t.test('a revoked key is not told for what else it was', async t => {
  const strategy = strategyOf([keyOf({ revoked: true, mounts: ['/films'] })])
  t.equal(strategy.judge(asked([['X-API-Key', secret]])).kind, 'invalid')
})

t.test('keys whose hashes begin alike are told apart', async t => {
  const [first, second] = alike()
  const strategy = strategyOf([keyOf({ name: 'first', hash: keyHash(first) }), keyOf({ name: 'second', hash: keyHash(second) })])
  t.match(strategy.judge(asked([['X-API-Key', first]])), { kind: 'granted', principal: { name: 'first' } })
  t.match(strategy.judge(asked([['X-API-Key', second]])), { kind: 'granted', principal: { name: 'second' } })
  t.same(strategyOf([keyOf({ hash: keyHash(first) })]).judge(asked([['X-API-Key', second]])), unknown)
})

/** Two keys whose hashes have the first four bytes in common: found among some 77,000. */
function alike (): [string, string] {
  const seen = new Map<number, string>()
  for (let number = 0; ; number++) {
    const key = `collision-${number}`
    const start = createHash('sha256').update(key).digest().readUInt32BE(0)
    const before = seen.get(start)
    if (before !== undefined) return [before, key]
    seen.set(start, key)
  }
}

t.test('who was let in cannot be made more of', async t => {
  const config = { driver: 'apiKey' as const, header: 'X-API-Key', bearer: true, keys: [keyOf()] }
  const strategy = new ApiKeyStrategy({ name: 'machines', config })
  config.keys[0]?.scopes.push('admin')
  config.keys[0]?.methods.push('DELETE')
  const verdict = strategy.judge(asked([['X-API-Key', secret]])) as typeof granted
  t.throws(() => verdict.principal.scopes.push('admin'), TypeError)
  t.throws(() => { verdict.principal.name = 'root' }, TypeError)
  t.same(strategy.judge(asked([['X-API-Key', secret], ['X-HTTP-Method-Override', 'DELETE'], ['X-Scope', 'admin']])), granted)
  t.equal(strategy.judge(asked([['X-API-Key', secret]], { method: 'DELETE' })).kind, 'forbidden')
})

t.test('no refusal holds the key or its hash', async t => {
  const strategy = strategyOf([keyOf({ mounts: ['/films'] }), keyOf({ name: 'old', hash: keyHash(other), revoked: true })])
  for (const key of [secret, other, 'k'.repeat(40), 'k'.repeat(5000)]) {
    const text = JSON.stringify(strategy.judge(asked([['X-API-Key', key]])))
    t.notOk(text.includes(key) || text.includes(keyHash(key).slice(7, 20)), text)
  }
})

t.test('keyHash is SHA-256 in hexadecimal', async t => {
  t.equal(keyHash('hello'), 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824')
})

t.test('mistakes are told with their places: what two keys share, and hashes of what everybody knows', async t => {
  const shared = { header: 'X-API-Key', bearer: true, keys: [keyOf(), keyOf({ hash: keyHash(other) }), keyOf({ name: 'third', hash: keyHash(other) })] }
  t.same(apiKeyMistakes(shared), [
    { path: 'keys[1].name', message: 'Expected a name of its own but it is that of keys[0]' },
    { path: 'keys[2].hash', message: 'Expected a hash of its own but it is that of keys[1]' }
  ])
  for (const key of ['', 'hello', 'your-256-bit-secret']) {
    t.match(apiKeyMistakes({ keys: [keyOf({ hash: keyHash(key) })] }), [{ path: 'keys[0].hash', message: /^Expected the hash of a secret but received that of / }])
  }
})

t.test('dates that there are not, no methods and Authorization as the field are mistakes', async t => {
  for (const expires of ['2027-02-30T00:00:00Z', '2027-13-01T00:00:00Z', '2027-01-01T24:00:00Z', '2027-01-01T25:00:00Z']) {
    t.same(apiKeyMistakes({ keys: [keyOf({ expires })] }), [{ path: 'keys[0].expires', message: `Expected a date that there is but received ${expires}` }])
  }
  t.match(apiKeyMistakes({ keys: [keyOf({ methods: [] })] }), [{ path: 'keys[0].methods' }])
  t.match(apiKeyMistakes({ header: 'authorization', bearer: true, keys: [keyOf()] }), [{ path: 'header' }])
  t.same(apiKeyMistakes({ header: 'Authorization', bearer: false, keys: [keyOf()] }), [])
})

t.test('a good configuration, and one that is wrong elsewhere, have no such mistakes', async t => {
  t.same(apiKeyMistakes({ driver: 'apiKey', header: 'X-API-Key', bearer: true, keys: [keyOf({ expires: '2028-02-29T23:59:59Z' })] }), [])
  for (const config of [{}, { keys: 5 }, { keys: [null, 'a'] }, { header: 5, keys: [{ name: 5, expires: 5, methods: 'GET' }] }]) t.same(apiKeyMistakes(config), [])
})
