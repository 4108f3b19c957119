import { createHmac } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import t from 'tap'
import type { AccessRequest, Verdict } from '../../../lib/access/access.ts'
import { JwtStrategy, type JwtOptions } from '../../../lib/access/jwt.ts'
import { verifierOf, type JwtPlugin } from '../../../lib/access/token-verifier.ts'
import type { JwtConfig } from '../../../lib/config/access-schema.ts'
import { MediaError } from '../../../lib/errors.ts'
import type { Test } from '../../helpers/app.ts'
import { answer, origin, rawOrigin, silent, type Origin } from '../../helpers/origin.ts'
import { ecKeys, edKeys, inSeconds, rsaKeys, sharedSecret, signed, token, type KeyPair, type TokenParts } from '../../helpers/tokens.ts'

const rsa = rsaKeys()
const other = rsaKeys()
const exp = inSeconds(600)

const defaults: JwtConfig = {
  driver: 'jwt',
  algorithms: ['RS256'],
  issuers: [],
  audiences: [],
  requiredClaims: ['exp'],
  leewaySeconds: 5,
  scopeClaim: 'scope',
  pathsClaim: 'paths',
  jwksMaxAgeMs: 600_000,
  jwksCooldownMs: 30_000,
  jwksTimeoutMs: 20_000
}

function strategy (t: Test, config: Partial<JwtConfig> = {}, options: Partial<JwtOptions> = {}): JwtStrategy {
  const key = config.jwks === undefined && config.keyFile === undefined ? { key: rsa.publicKey } : {}
  const made = new JwtStrategy({ name: 'staff', config: { ...defaults, ...key, ...config }, verifierOf: verifierOf(fastifyJwt as unknown as JwtPlugin), log: { warn: () => undefined, info: () => undefined }, ...options })
  t.teardown(async () => await made.close())
  return made
}

function request (authorization?: string, path = '/a/cat.jpg'): AccessRequest {
  return {
    method: 'GET',
    target: path,
    mount: '/a',
    headers: authorization === undefined ? {} : { authorization },
    rawHeaders: authorization === undefined ? [] : ['Authorization', authorization],
    address: '192.0.2.1',
    isFromTrustedProxy: false,
    certificate: undefined,
    path
  }
}

/** `granted`, or the kind of the verdict and its reason. */
async function verdict (judge: JwtStrategy, text: string, path?: string): Promise<string> {
  return told(await judge.judge(request(`Bearer ${text}`, path)))
}

function told (verdict: Verdict): string {
  return 'reason' in verdict ? `${verdict.kind}: ${verdict.reason}` : verdict.kind
}

/** A token of RS256 that is good but for what is said. */
const bearer = (parts: Partial<TokenParts> = {}): string => token({ alg: 'RS256', key: rsa, claims: { exp, sub: 'anna' }, ...parts })

t.test('every family of algorithms, at once and without waiting', t => {
  for (const [alg, key] of [
    ['HS256', sharedSecret], ['HS512', sharedSecret], ['RS256', rsa], ['RS512', rsa], ['PS256', rsa], ['PS384', rsa],
    ['ES256', ecKeys()], ['ES384', ecKeys('P-384')], ['ES512', ecKeys('P-521')], ['EdDSA', edKeys()]
  ] as Array<[JwtConfig['algorithms'][number], KeyPair | string]>) {
    const judge = strategy(t, { algorithms: [alg], keyFile: 'key.pem' }, { key: typeof key === 'string' ? key : key.publicKey })
    const text = token({ alg, key, claims: { exp, sub: 'anna', scope: 'read write' } })
    const expected = { kind: 'granted', principal: { strategy: 'staff', name: 'anna', scopes: ['read', 'write'], claims: { exp, sub: 'anna', scope: 'read write' } } }
    t.strictSame(judge.judge(request(`Bearer ${text}`)), expected, alg)
    t.strictSame(judge.judge(request(`bearer ${text}`)), expected, `${alg} again`)
    const [head, payload, signature = ''] = text.split('.')
    t.same(judge.judge(request(`Bearer ${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`)), { kind: 'invalid', reason: 'signature does not match' }, `${alg} with another signature`)
  }
  t.end()
})

t.test('what it says of itself', t => {
  const { name, challenge, fields, credentials } = strategy(t)
  t.same({ name, challenge, fields, credentials }, { name: 'staff', challenge: 'Bearer realm="fastify-media"', fields: ['Authorization'], credentials: ['authorization'] })
  t.end()
})

t.test('without a token there are no credentials, and two are none that count', async t => {
  const judge = strategy(t)
  t.equal(told(await judge.judge(request())), 'absent')
  t.equal(told(await judge.judge(request('Basic dXNlcjpwYXNz'))), 'absent')
  t.equal(told(await judge.judge(request('Bearer'))), 'invalid: malformed credentials')
  t.equal(told(await judge.judge({ ...request(`Bearer ${bearer()}`), rawHeaders: ['Authorization', `Bearer ${bearer()}`, 'authorization', 'Bearer x'] })), 'invalid: malformed credentials')
  t.equal(await verdict(judge, bearer({ claims: { exp, pad: 'x'.repeat(8192) } })), 'invalid: malformed credentials', 'a huge token is not even read')
})

t.test('the same token is the same principal, which is made once', async t => {
  const judge = strategy(t)
  const text = `Bearer ${bearer()}`
  const principalOf = (): unknown => (judge.judge(request(text)) as Extract<Verdict, { kind: 'granted' }>).principal
  t.equal(principalOf(), principalOf())
})

// RFC 8725 §2.1: a token says itself how it is checked. What it says has to be on the list.
t.test('alg none, another algorithm of the family, and spellings of it are not on the list', async t => {
  const judge = strategy(t)
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'RS512', 'PS256', 'HS256', 'rs256', 'RS256 ', 'constructor']) {
    const text = token({ alg: 'none', header: { alg }, claims: { exp } })
    t.equal(await verdict(judge, text), 'invalid: algorithm not allowed', alg)
    t.equal(await verdict(judge, `${text}AAAA`), 'invalid: algorithm not allowed', `${alg} with a signature`)
  }
  for (const alg of [null, 5, true, ['RS256'], { toString: 'RS256' }]) t.equal(await verdict(judge, bearer({ header: { alg } })), 'invalid: algorithm not allowed', JSON.stringify(alg))
  t.equal(await verdict(judge, token({ alg: 'none', header: { alg: 'RS256' }, claims: { exp } })), 'invalid: not signed')
  t.equal(await verdict(judge, token({ alg: 'RS512', key: rsa, claims: { exp } })), 'invalid: algorithm not allowed', 'also with a good signature')
})

// The public key is known to everybody. Where it were taken as a shared secret, everybody could sign.
t.test('a public key is no shared secret', async t => {
  const judge = strategy(t)
  for (const secret of [rsa.publicKey, rsa.publicKey.trim(), JSON.stringify(rsa.jwk())]) {
    t.equal(await verdict(judge, token({ alg: 'HS256', key: secret, claims: { exp } })), 'invalid: algorithm not allowed')
    const forged = token({ alg: 'HS256', key: secret, header: { alg: 'RS256' }, claims: { exp } })
    t.equal(await verdict(judge, forged), 'invalid: signature does not match')
  }
})

t.test('a signature is by our key, over these bytes', async t => {
  const judge = strategy(t)
  t.equal(await verdict(judge, bearer({ key: other })), 'invalid: signature does not match')
  const [head, payload, signature] = bearer().split('.')
  const admin = Buffer.from(JSON.stringify({ exp, sub: 'admin' })).toString('base64url')
  t.equal(await verdict(judge, `${head}.${admin}.${signature}`), 'invalid: signature does not match')
  t.equal(await verdict(judge, `${head}.${payload}.${signature?.slice(0, -8)}`), 'invalid: signature does not match')
  t.equal(await verdict(judge, `${head}.${payload}.`), 'invalid: not signed')
  const es = strategy(t, { algorithms: ['ES256'], key: ecKeys().publicKey })
  for (const bytes of [64, 63, 1, 132]) t.equal(await verdict(es, `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${payload}.${Buffer.alloc(bytes).toString('base64url')}`), 'invalid: signature does not match', `${bytes} zeros (CVE-2022-21449)`)
})

// What a token says of its own key leads to the attacker's, or has us ask whom he likes (RFC 8725 §3.10).
t.test('jku, jwk, x5u and x5c are not followed', async t => {
  const attacker = await origin(t, (_request, response) => response.end(JSON.stringify({ keys: [other.jwk({ kid: 'a' })] })))
  const judge = strategy(t)
  for (const header of [{ jku: attacker.url }, { x5u: attacker.url }, { jwk: other.jwk() }, { x5c: [other.publicKey.replaceAll(/-----.*?-----|\n/g, '')] }]) {
    t.equal(await verdict(judge, bearer({ key: other, kid: 'a', header })), 'invalid: signature does not match', JSON.stringify(header).slice(0, 9))
    t.equal(await verdict(judge, bearer({ header })), 'granted', 'where our key signed, they do not matter')
  }
  t.equal(attacker.opened, 0)
})

// kid is chosen by the token: as a path or a query it would lead to a key of the attacker's choice.
t.test('kid is a name, and no path, no query, and nothing else', async t => {
  const judge = strategy(t)
  for (const kid of ['../../../../dev/null', '/etc/passwd', '\' UNION SELECT \'key', '| id', '__proto__', 'a\u0000b']) {
    t.equal(await verdict(judge, token({ alg: 'RS256', key: other, kid, claims: { exp } })), 'invalid: signature does not match', JSON.stringify(kid))
    t.equal(await verdict(judge, bearer({ header: { alg: 'HS256' }, kid, key: '' })), 'invalid: algorithm not allowed', 'signed with nothing')
  }
  for (const kid of [5, null, ['a'], { a: 1 }, 'x'.repeat(257)]) t.equal(await verdict(judge, bearer({ kid })), 'invalid: key name is none', JSON.stringify(kid).slice(0, 9))
})

// An extension that is critical has to be understood (RFC 7515 §4.1.11); a falsy one was passed over by the library.
t.test('crit is refused, whatever it holds', async t => {
  const judge = strategy(t)
  for (const crit of [['b64'], ['exp'], [], 'b64', '', null, 0, false, {}]) t.equal(await verdict(judge, bearer({ header: { crit, b64: false } })), 'invalid: critical extensions', JSON.stringify(crit))
})

t.test('what is no token is malformed', async t => {
  const judge = strategy(t)
  const encode = (text: string): string => Buffer.from(text).toString('base64url')
  const head = encode('{"alg":"RS256"}')
  for (const text of ['a', '.', '..', '...', 'a.b', 'a.b.c', 'a.b.c.d', `${bearer()}.`, `.${bearer()}`, `${encode('{')}.e30.AA`, `${encode('[]')}.e30.AA`, `${encode('null')}.e30.AA`, `${encode('"RS256"')}.e30.AA`]) t.equal(await verdict(judge, text), 'invalid: malformed', text.slice(0, 20))
  for (const payload of ['', '{', '[]', '[{"exp":9999999999}]', 'null', '"text"', '5', 'true']) t.equal(await verdict(judge, signed(`${head}.${encode(payload)}`, 'RS256', rsa)), 'invalid: malformed', payload)
  t.equal(await verdict(judge, signed(`${head}.${encode(`{"exp":${exp}}`)}+`, 'RS256', rsa)), 'invalid: malformed', 'the other alphabet (RFC 7515 §2)')
  t.equal(await verdict(judge, `${bearer()}=`), 'invalid: signature does not match', 'padding')
})

t.test('its time has to have come, and not be over', async t => {
  const judge = strategy(t)
  t.equal(await verdict(judge, bearer({ claims: { exp: inSeconds(-60) } })), 'invalid: expired')
  t.equal(await verdict(judge, bearer({ claims: { exp, nbf: inSeconds(60) } })), 'invalid: not valid yet')
  t.equal(await verdict(judge, bearer({ claims: { exp, iat: inSeconds(60) } })), 'invalid: not valid yet', 'issued in the future')
  t.equal(await verdict(judge, bearer({ claims: { exp: inSeconds(-2), iat: inSeconds(2) } })), 'granted', 'within the leeway')
  t.equal(await verdict(strategy(t, { maxAgeSeconds: 60 }), bearer({ claims: { exp, iat: inSeconds(-120) } })), 'invalid: expired')
})

// 1e400 is Infinity to JSON.parse, and an error inside of the library, not a verdict, for others.
t.test('times that no clock shows are refused', async t => {
  const judge = strategy(t)
  for (const claims of [`{"exp":1e400}`, `{"exp":-1e400}`, `{"exp":1e300}`, `{"exp":-1e300}`, `{"exp":"${exp}"}`, `{"exp":null}`, `{"exp":[${exp}]}`, `{"exp":${exp},"nbf":-1}`, `{"exp":${exp},"nbf":1e400}`, `{"exp":${exp},"iat":"1"}`, `{"exp":${exp},"iat":-1e400}`]) {
    const [first, again] = [await verdict(judge, bearer({ claims })), await verdict(judge, bearer({ claims }))]
    t.match(first, /^invalid: /, claims)
    t.equal(again, first, 'also the second time')
  }
  t.equal(await verdict(judge, bearer({ claims: '{"exp":1e400}' })), 'invalid: times that are none')
})

t.test('a token that is remembered ends when it ends, and begins when it begins', async t => {
  let now = Date.now()
  const judge = strategy(t, { leewaySeconds: 0 }, { now: () => now })
  const [issued, end] = [inSeconds(0), inSeconds(100)]
  const text = bearer({ claims: { nbf: issued, exp: end } })
  t.equal(await verdict(judge, text), 'granted')
  now = end * 1000 - 1
  t.equal(await verdict(judge, text), 'granted')
  now = end * 1000
  t.equal(await verdict(judge, text), 'invalid: expired')
  now = issued * 1000 - 1
  t.equal(await verdict(judge, text), 'invalid: not valid yet', 'the clock was set back')
})

t.test('claims that have to be there, and what they have to say', async t => {
  const judge = strategy(t, { issuers: ['https://id.example.com'], audiences: ['media', 'files'], requiredClaims: ['exp', 'jti'], type: 'at+jwt' })
  const good = { exp, jti: '1', iss: 'https://id.example.com', aud: ['other', 'media'] }
  const saying = async (claims: object, typ: unknown = 'at+jwt'): Promise<string> => await verdict(judge, bearer({ claims: { ...good, ...claims }, header: { typ } }))
  t.equal(await saying({}), 'granted')
  for (const claim of ['exp', 'jti', 'iss', 'aud']) t.equal(await saying({ [claim]: undefined }), 'invalid: a required claim is missing', claim)
  for (const iss of ['https://evil.example', 'https://id.example.com.evil.example', 'https://id.example.com/', '']) t.equal(await saying({ iss }), 'invalid: wrong issuer', iss)
  for (const aud of ['mediax', [], ['other'], '']) t.equal(await saying({ aud }), 'invalid: wrong audience', JSON.stringify(aud))
  for (const aud of [5, null, { media: true }, ['media', 5]]) t.equal(await saying({ aud }), 'invalid: claims of the wrong kind', JSON.stringify(aud))
  for (const typ of ['JWT', 5, null, ['at+jwt']]) t.equal(await saying({}, typ), 'invalid: wrong type', JSON.stringify(typ))
  t.equal(await verdict(strategy(t, { requiredClaims: [] }), bearer({ claims: {} })), 'granted', 'where nothing is asked for, a token has no end')
})

t.test('a token may be for some paths alone', async t => {
  const judge = strategy(t)
  const text = bearer({ claims: { exp, paths: ['/user-uploads/4/', '/a/cat.jpg'] } })
  for (const path of ['/user-uploads/4/', '/user-uploads/4/x/y', '/a/cat.jpg']) t.equal(await verdict(judge, text, path), 'granted', path)
  for (const path of ['/user-uploads/42/x', '/user-uploads/4', '/user-uploads/', '/a/cat.jpg/x', '/A/cat.jpg']) t.equal(await verdict(judge, text, path), 'forbidden: not for this path', path)
  t.equal(await verdict(judge, bearer({ claims: { exp, paths: '/' } })), 'invalid: paths that are none')
  t.equal(await verdict(judge, bearer({ claims: { exp, paths: ['/a/../'] } })), 'invalid: paths that are none')
  t.equal(await verdict(judge, bearer({ claims: { exp, scope: { admin: true } } })), 'invalid: scopes that are none')
  t.equal(await verdict(strategy(t, { pathsClaim: 'only' }), bearer({ claims: { exp, only: ['/b/'], paths: ['/'] } })), 'forbidden: not for this path')
})

t.test('a path that two could read differently is told as that, once the token holds', async t => {
  const judge = strategy(t)
  const odd = (text: string): AccessRequest => Object.defineProperty(request(`Bearer ${text}`), 'path', { get: () => { throw new MediaError('bad-path') } })
  const restricted = { exp, paths: ['/a/'] }
  t.throws(() => judge.judge(odd(bearer({ claims: restricted }))), { code: 'bad-path' })
  t.equal(told(await judge.judge(odd(bearer({ claims: restricted, key: other })))), 'invalid: signature does not match')
  t.equal(told(await judge.judge(odd(bearer()))), 'granted', 'it is not looked at where it does not matter')
})

t.test('reasons hold nothing of a token', async t => {
  const judge = strategy(t, { issuers: ['us'], type: 'at+jwt' })
  const secret = 'c0ffee-c0ffee'
  for (const text of [
    bearer({ header: { alg: secret } }), bearer({ kid: [secret] }), bearer({ header: { crit: [secret] } }), bearer({ header: { typ: secret } }),
    bearer({ claims: { exp, iss: secret }, header: { typ: 'at+jwt' } }), bearer({ claims: { exp: secret, iss: 'us' }, header: { typ: 'at+jwt' } }), bearer({ claims: { exp, iss: 'us', paths: [secret] }, header: { typ: 'at+jwt' } })
  ]) {
    const reason = await verdict(judge, text)
    t.match(reason, /^invalid: /)
    t.notMatch(reason, /c0ffee/)
  }
})

t.test('a key that cannot be used is told at start', t => {
  t.throws(() => strategy(t, { algorithms: ['HS256'], key: 'your-256-bit-secret' }), /^staff\.key: .*example/)
  t.throws(() => strategy(t, { algorithms: ['RS256', 'HS256'] }), /staff\.algorithms: Expected algorithms of one family/)
  t.throws(() => strategy(t, { keyFile: 'key.pem' }), /staff: Expected what is in keyFile/)
  t.end()
})

/** An issuer whose key set the test may change. */
type Issuer = Origin & { keys: unknown[] }

async function issuer (t: Test, keys: unknown[]): Promise<Issuer> {
  const published = { keys }
  const asked = await origin(t, (_request, response) => response.end(JSON.stringify(published)))
  return Object.defineProperty(asked, 'keys', { set: (next: unknown[]) => { published.keys = next } }) as Issuer
}

t.test('keys of a key set, each by its name', async t => {
  const it = await issuer(t, [rsa.jwk({ kid: 'a' }), other.jwk({ kid: 'b' })])
  const judge = strategy(t, { jwks: `${it.url}/.well-known/jwks.json` })
  const text = bearer({ kid: 'a' })
  t.type(judge.judge(request(`Bearer ${text}`)), Promise, 'the first waits')
  t.equal(await verdict(judge, text), 'granted')
  t.equal((judge.judge(request(`Bearer ${text}`)) as Verdict).kind, 'granted', 'the next do not')
  t.equal(await verdict(judge, bearer({ kid: 'b', key: other })), 'granted')
  t.equal(await verdict(judge, bearer({ kid: 'b' })), 'invalid: signature does not match', 'signed by the key of another name')
  t.equal(await verdict(judge, bearer()), 'invalid: unknown key', 'which of the two is not told')
  t.equal(await verdict(judge, bearer({ kid: 'c' })), 'invalid: unknown key')
  t.same(it.requests.map(({ url }) => url), ['/.well-known/jwks.json'])
})

t.test('a token that could not hold asks for no key set', async t => {
  const it = await issuer(t, [rsa.jwk({ kid: 'a' })])
  const judge = strategy(t, { jwks: it.url })
  for (const text of ['a.b.c', token({ alg: 'none', kid: 'a', claims: { exp } }), token({ alg: 'HS256', kid: 'a', claims: { exp } }), bearer({ kid: ['a'] }), bearer({ kid: 'a', header: { crit: ['x'] } })]) t.match(await verdict(judge, text), /^invalid: /)
  t.equal(it.opened, 0)
})

t.test('keys rotate: a new one is found, and a token of a removed one is refused, also where it was remembered', async t => {
  const it = await issuer(t, [rsa.jwk({ kid: 'a' })])
  const judge = strategy(t, { jwks: it.url, jwksCooldownMs: 0 })
  const old = bearer({ kid: 'a' })
  t.equal(await verdict(judge, old), 'granted')
  it.keys = [other.jwk({ kid: 'b' })]
  t.equal(await verdict(judge, old), 'granted', 'as long as the set is believed')
  t.equal(await verdict(judge, bearer({ kid: 'b', key: other })), 'granted')
  t.equal(await verdict(judge, old), 'invalid: unknown key')
})

t.test('a key that was replaced under its name takes no token of the old one', async t => {
  const it = await issuer(t, [rsa.jwk({ kid: 'a' })])
  const judge = strategy(t, { jwks: it.url, jwksCooldownMs: 0 })
  const old = bearer({ kid: 'a' })
  t.equal(await verdict(judge, old), 'granted')
  it.keys = [other.jwk({ kid: 'a' })]
  t.equal(await verdict(judge, bearer({ kid: 'unknown' })), 'invalid: unknown key', 'has the set fetched')
  t.equal(await verdict(judge, old), 'invalid: signature does not match')
})

// Anybody can make tokens that name unknown keys: each would be a request to the issuer.
t.test('a flood of unknown keys is one request', async t => {
  const it = await issuer(t, [rsa.jwk({ kid: 'a' })])
  const judge = strategy(t, { jwks: it.url })
  const verdicts = await Promise.all(Array.from({ length: 200 }, async (_, at) => await verdict(judge, token({ alg: 'none', header: { alg: 'RS256' }, kid: `unknown-${at}`, claims: { exp } }))))
  t.ok(verdicts.every(told => told === 'invalid: unknown key'))
  t.equal(it.requests.length, 1)
  t.equal(await verdict(judge, bearer({ kid: 'a' })), 'granted')
})

t.test('without a key set nothing can be told', async t => {
  for (const [expected, script, timeout] of [['timed out', silent(), 100], ['status 500', answer('no', {}, 500), 20_000], ['no key set', answer('<html>'), 20_000], ['answer too large', answer('x'.repeat(262_145)), 20_000]] as const) {
    const it = await rawOrigin(t, script)
    const judge = strategy(t, { jwks: it.url, jwksTimeoutMs: timeout })
    t.equal(await verdict(judge, bearer({ kid: 'a' })), `unavailable: key set: ${expected}`)
    t.equal(told(await judge.judge(request())), 'absent', 'who shows nothing is told so')
  }
})

t.test('a key of a set is for the algorithms that it is published for', async t => {
  const it = await issuer(t, [rsa.jwk({ kid: 'a', alg: 'RS512' })])
  const judge = strategy(t, { algorithms: ['RS256', 'RS512'], jwks: it.url })
  t.equal(await verdict(judge, token({ alg: 'RS512', key: rsa, kid: 'a', claims: { exp } })), 'granted')
  t.equal(await verdict(judge, bearer({ kid: 'a' })), 'invalid: algorithm not allowed')
})

t.test('a shared secret is taken by its bytes', async t => {
  const secret = `ü${sharedSecret}`
  const judge = strategy(t, { algorithms: ['HS256'], key: secret })
  const input = [{ alg: 'HS256' }, { exp }].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  t.equal(await verdict(judge, `${input}.${createHmac('sha256', Buffer.from(secret)).update(input).digest('base64url')}`), 'granted')
})
