import t from 'tap'
import type { TokenKey } from '../../../lib/access/jwt-keys.ts'
import { KeySet, type KeySetOptions } from '../../../lib/access/key-set.ts'
import { ServiceError } from '../../../lib/access/service-request.ts'
import { ecKeys, edKeys, rsaKeys } from '../../helpers/tokens.ts'

const rsa = rsaKeys()
const other = rsaKeys()

/** A key set whose issuer answers what the test says, and a clock that the test moves. */
interface Issuer {
  readonly set: KeySet
  /** What is answered: a status and a text, or what is thrown. */
  answer: { status?: number, body: unknown } | Error
  now: number
  asked: number
  readonly warnings: Array<{ facts: object, message: string }>
  /** Answers wait until this is called, once it was asked for. */
  hold (): () => void
}

function issuer (keys: unknown[], options: Partial<KeySetOptions> = {}): Issuer {
  let gate: Promise<void> | undefined
  const it: Omit<Issuer, 'set'> = {
    answer: { body: { keys } },
    now: 1_000_000,
    asked: 0,
    warnings: [],
    hold () {
      const { promise, resolve } = withResolvers()
      gate = promise
      return () => { gate = undefined; resolve() }
    }
  }
  const set = new KeySet({
    strategy: 'staff',
    algorithms: ['RS256'],
    maxAgeMs: 600_000,
    cooldownMs: 30_000,
    now: () => it.now,
    log: { warn: (facts, message) => { it.warnings.push({ facts, message }) }, info: () => undefined },
    ask: async () => {
      it.asked++
      await gate
      if (it.answer instanceof Error) throw it.answer
      const { status = 200, body } = it.answer
      return { status, headers: {}, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }
    },
    ...options
  })
  return Object.assign(it, { set })
}

function withResolvers (): { promise: Promise<void>, resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>(done => { resolve = done })
  return { promise, resolve }
}

/** The PEM of a key by its name, whether it is known at once or not; or why it cannot be told. */
async function pem (set: KeySet, kid?: string): Promise<string | undefined> {
  try {
    return (await set.keyFor(kid))?.key
  } catch (error) {
    return (error as ServiceError).reason
  }
}

t.test('a key set is asked for with the first token, and then known without waiting', async t => {
  const it = issuer([rsa.jwk({ kid: 'a' }), other.jwk({ kid: 'b', use: 'sig', alg: 'RS256', key_ops: ['verify'] })])
  t.equal(it.asked, 0)
  const first = it.set.keyFor('a')
  t.type(first, Promise)
  t.strictSame(await first, { key: rsa.publicKey, algorithms: ['RS256'] })
  t.equal((it.set.keyFor('b') as TokenKey).key, other.publicKey, 'no promise')
  t.equal(it.set.keyFor(undefined), undefined, 'which of the two is not told')
  t.equal(it.asked, 1)
})

t.test('a token that names no key means the only one', async t => {
  t.equal(await pem(issuer([rsa.jwk({ kid: 'a' })]).set), rsa.publicKey)
  t.equal(await pem(issuer([rsa.jwk()]).set), rsa.publicKey)
  t.equal(await pem(issuer([rsa.jwk(), ecKeys().jwk()]).set), rsa.publicKey, 'of those that are for us')
  t.equal(await pem(issuer([rsa.jwk(), other.jwk()]).set), undefined)
  t.equal(await pem(issuer([rsa.jwk({ kid: 'a' }), other.jwk()]).set), undefined)
})

t.test('of two keys of one name the first counts', async t => {
  t.equal(await pem(issuer([rsa.jwk({ kid: 'a' }), other.jwk({ kid: 'a' })]).set, 'a'), rsa.publicKey)
})

t.test('names are names, whatever they look like', async t => {
  const it = issuer([rsa.jwk({ kid: '__proto__' }), other.jwk({ kid: '../../etc/passwd' })])
  t.equal(await pem(it.set, '__proto__'), rsa.publicKey)
  t.equal(await pem(it.set, '../../etc/passwd'), other.publicKey)
  for (const kid of ['constructor', 'toString', '', 'undefined']) t.equal(it.set.keyFor(kid), undefined, kid)
})

t.test('a key is for the algorithms that fit it, and that it is published for', async t => {
  const algorithmsOf = async (jwk: object, algorithms: string[]): Promise<unknown> => (await issuer([jwk], { algorithms }).set.keyFor(undefined))?.algorithms
  t.same(await algorithmsOf(rsa.jwk(), ['RS256', 'RS512']), ['RS256', 'RS512'])
  t.same(await algorithmsOf(rsa.jwk({ alg: 'RS512' }), ['RS256', 'RS512']), ['RS512'])
  t.same(await algorithmsOf(ecKeys('P-384').jwk(), ['ES256', 'ES384']), ['ES384'])
  t.same(await algorithmsOf(edKeys().jwk(), ['EdDSA']), ['EdDSA'])
})

t.test('keys that are not for us are passed over in silence', async t => {
  const it = issuer([
    rsa.jwk({ kid: 'enc', use: 'enc' }), rsa.jwk({ kid: 'ops', key_ops: ['encrypt'] }), rsa.jwk({ kid: 'alg', alg: 'RS512' }), rsa.jwk({ kid: 'none', alg: 'none' }),
    ecKeys().jwk({ kid: 'ec' }), { kty: 'AKP', kid: 'new' }, null, 5, 'text', [], other.jwk({ kid: 'good' })
  ])
  t.equal(await pem(it.set, 'good'), other.publicKey)
  for (const kid of ['enc', 'ops', 'alg', 'none', 'ec', 'new']) t.equal(it.set.keyFor(kid), undefined, kid)
  t.same(it.warnings, [])
})

// A set with private keys or shared secrets lets everybody sign who can read it.
t.test('keys that nobody should publish are refused, and that is told without them', async t => {
  const it = issuer([
    { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'private' }, { kty: 'oct', k: 'c2VjcmV0c2VjcmV0', kid: 'shared' }, rsaKeys(1024).jwk({ kid: 'short' }),
    { kty: 'RSA', n: 'AQAB', kid: 'broken' }, rsa.jwk({ kid: 5 }), rsa.jwk({ kid: 'x'.repeat(257) }), other.jwk({ kid: 'good' })
  ])
  t.equal(await pem(it.set, 'good'), other.publicKey)
  for (const kid of ['private', 'shared', 'short', 'broken', 'x'.repeat(257)]) t.equal(it.set.keyFor(kid), undefined, kid.slice(0, 9))
  t.same(it.warnings, [{ facts: { strategy: 'staff', refused: ['a secret', 'a secret', 'a key of an unsafe size', 'a key that cannot be read', 'a name that is none', 'a name that is none'] }, message: 'Some keys of the key set are not used' }])
})

t.test('URLs and certificates of a key are not looked at', async t => {
  const it = issuer([rsa.jwk({ kid: 'a', x5u: 'http://127.0.0.1:1/evil', x5c: ['AAAA'], jku: 'http://127.0.0.1:1/evil' })])
  t.equal(await pem(it.set, 'a'), rsa.publicKey)
  t.equal(it.asked, 1)
})

// Tokens that name unknown keys cost nothing to make: they must not make us flood the issuer.
t.test('a thousand tokens that name unknown keys make one request, and then none until it has cooled down', async t => {
  const it = issuer([rsa.jwk({ kid: 'a' })])
  await pem(it.set, 'a')
  it.now += 30_000
  const release = it.hold()
  const asked = Array.from({ length: 1000 }, async (_, at) => await pem(it.set, `unknown-${at}`))
  release()
  t.ok((await Promise.all(asked)).every(key => key === undefined))
  t.equal(it.asked, 2)
  for (let at = 0; at < 1000; at++) t.equal(it.set.keyFor(`other-${at}`), undefined)
  t.equal(it.asked, 2)
  it.now += 29_999
  t.equal(it.set.keyFor('unknown'), undefined)
  it.now += 1
  t.equal(await pem(it.set, 'unknown'), undefined)
  t.equal(it.asked, 3)
})

t.test('a key that is new is found as soon as a token names it', async t => {
  const it = issuer([rsa.jwk({ kid: 'a' })])
  const before = await it.set.keyFor('a')
  it.now += 30_000
  it.answer = { body: { keys: [rsa.jwk({ kid: 'a' }), other.jwk({ kid: 'b' })] } }
  t.equal(await pem(it.set, 'b'), other.publicKey)
  t.equal(it.set.keyFor('a'), before, 'what did not change stays the same, with what is known by it')
})

t.test('an old set is used while a new one is fetched, and a removed key is then gone', async t => {
  const it = issuer([rsa.jwk({ kid: 'a' }), other.jwk({ kid: 'b' })])
  await pem(it.set, 'a')
  it.answer = { body: { keys: [other.jwk({ kid: 'b' })] } }
  it.now += 600_001
  const release = it.hold()
  t.equal((it.set.keyFor('a') as TokenKey).key, rsa.publicKey)
  t.equal((it.set.keyFor('b') as TokenKey).key, other.publicKey)
  t.equal(it.asked, 2, 'once for all')
  const unknown = pem(it.set, 'c')
  release()
  t.equal(await unknown, undefined, 'who names an unknown key waits for the same')
  t.equal(it.set.keyFor('a'), undefined)
  t.equal(it.asked, 2)
})

t.test('while the service fails an old set is used as long again, and then nobody gets in', async t => {
  const it = issuer([rsa.jwk({ kid: 'a' })])
  await pem(it.set, 'a')
  it.answer = new ServiceError('refused')
  it.now += 600_001
  t.equal((it.set.keyFor('a') as TokenKey).key, rsa.publicKey)
  t.equal(await pem(it.set, 'unknown'), 'refused', 'of an unknown key nothing can be told')
  t.equal(it.asked, 2)
  t.equal(await pem(it.set, 'unknown'), 'refused', 'nor asked again so soon')
  t.equal((it.set.keyFor('a') as TokenKey).key, rsa.publicKey)
  t.equal(it.asked, 2)
  it.now += 1_000
  t.equal((it.set.keyFor('a') as TokenKey).key, rsa.publicKey)
  t.equal(it.asked, 3)
  it.now += 600_000
  t.equal(await pem(it.set, 'a'), 'refused')
  t.same(it.warnings[0], { facts: { strategy: 'staff', reason: 'refused' }, message: 'The key set could not be fetched' })
  it.answer = { body: { keys: [rsa.jwk({ kid: 'a' })] } }
  it.now += 1_000
  t.equal(await pem(it.set, 'a'), rsa.publicKey, 'until it answers')
})

// A server that nobody asked for a while must not take a key that was removed long ago.
t.test('keys that are more than a little too old are waited for, and taken where they cannot be had anew', async t => {
  const it = issuer([rsa.jwk({ kid: 'a' }), other.jwk({ kid: 'b' })])
  await pem(it.set, 'a')
  it.now += 660_001
  it.answer = new ServiceError('refused')
  t.equal(await pem(it.set, 'a'), rsa.publicKey, 'the service fails')
  t.equal(await pem(it.set, 'c'), 'refused', 'of an unknown key nothing can be told')
  t.equal(it.asked, 2)
  it.now += 1_000
  it.answer = { body: { keys: [other.jwk({ kid: 'b' })] } }
  t.equal(await pem(it.set, 'a'), undefined, 'it answers: the key is gone, and at once')
  t.equal((it.set.keyFor('b') as TokenKey).key, other.publicKey)
  t.equal(it.asked, 3)
})

t.test('a service that failed at first is left alone for a second, however many ask', async t => {
  const it = issuer([])
  it.answer = new ServiceError('timed out')
  t.same(await Promise.all(Array.from({ length: 100 }, async () => await pem(it.set, 'a'))), Array(100).fill('timed out'))
  it.now += 999
  t.equal(await pem(it.set, 'a'), 'timed out')
  t.equal(it.asked, 1)
  it.now += 1
  it.answer = { body: { keys: [rsa.jwk({ kid: 'a' })] } }
  t.equal(await pem(it.set, 'a'), rsa.publicKey)
  t.equal(it.asked, 2)
})

t.test('an answer that is no key set leaves the old one in place', async t => {
  const wrong: Array<[string, Issuer['answer']]> = [
    ['status 404', { status: 404, body: { keys: [other.jwk({ kid: 'a' })] } }],
    ['status 302', { status: 302, body: '' }],
    ['no key set', { body: '' }],
    ['no key set', { body: '<html>' }],
    ['no key set', { body: 'null' }],
    ['no key set', { body: { keys: {} } }],
    ['no key set', { body: [other.jwk({ kid: 'a' })] }],
    ['no usable keys', { body: { keys: [] } }],
    ['no usable keys', { body: { keys: [ecKeys().jwk({ kid: 'a' })] } }],
    ['too many keys', { body: { keys: Array(101).fill(other.jwk({ kid: 'a' })) } }]
  ]
  for (const [reason, answer] of wrong) {
    const it = issuer([rsa.jwk({ kid: 'a' })])
    await pem(it.set, 'a')
    it.answer = answer
    it.now += 600_001
    it.set.keyFor('a')
    t.equal(await pem(it.set, 'unknown'), reason)
    t.match(it.warnings, [{ facts: { reason } }])
    t.equal((it.set.keyFor('a') as TokenKey).key, rsa.publicKey, reason)
  }
})
