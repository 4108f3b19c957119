/**
 * Whoever wants in without an account makes a token: without a signature (`alg: none`, CVE-2015-9235), signed with
 * what is public (an RSA key taken for a shared secret, CVE-2016-5431), with a key that the token itself brings
 * (`jwk`, `jku`, `x5u`, CVE-2018-0114) or names (`kid` as a path or as SQL), with claims no issuer writes
 * (`1e400`, two issuers in a list, CVE-2025-30144). Or has a good one, and would have it hold for longer, elsewhere,
 * or for what belongs to others. None is let in, none makes the server fail, and the log has no piece of one.
 */
import { createHash, createPublicKey } from 'node:crypto'
import sharp from 'sharp'
import t, { type Test as Tap } from 'tap'
import type { MediaOptions } from '../../app.ts'
import { ask, raw, scratch, serveMedia, type Answer, type Served, type Test } from '../helpers/app.ts'
import { foldedPath } from '../../lib/paths/folded.ts'
import { origin } from '../helpers/origin.ts'
import { ecKeys, edKeys, inSeconds, rsaKeys, sharedSecret, signed, token, type KeyPair } from '../helpers/tokens.ts'

const [issued, stranger] = [rsaKeys(), rsaKeys()]
const curve = ecKeys()
const claims = { iss: 'https://id.example.com', aud: 'media', sub: 'ann', exp: inSeconds(600) }
const encoded = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Three mounts over one directory, each with its own kind of key. */
async function protecting (t: Test, strategy: Record<string, unknown> = {}): Promise<Served> {
  const root = await scratch(t, { 'a.txt': 'a secret' })
  const demands = { driver: 'jwt', issuers: [claims.iss], audiences: [claims.aud], ...strategy }
  return await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies: {
      rsa: { algorithms: ['RS256'], key: issued.publicKey, ...demands },
      shared: { algorithms: ['HS256'], key: sharedSecret, ...demands },
      curve: { algorithms: ['ES256'], key: curve.publicKey, ...demands }
    },
    mounts: ['rsa', 'shared', 'curve'].map(name => ({ prefix: `/${name}`, source: 'files', access: { read: [name] } }))
  } as unknown as MediaOptions)
}

const bearer = (text: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${text}` } })
const good = (alg: string, key: KeyPair | string, more: Record<string, unknown> = {}): string => token({ alg, key, claims: { ...claims, ...more } })

/** Each third of a credential, where it is long enough to tell anything. */
function pieces (text: string): string[] {
  const third = Math.floor(text.length / 3)
  return third < 8 ? [] : [0, 1, 2].map(place => text.slice(place * third, (place + 1) * third))
}

function notWrittenDown (t: Tap, { logs }: Served, text: string): void {
  const written = JSON.stringify(logs)
  for (const piece of pieces(text)) t.notOk(written.includes(piece), `not in the log: ${piece.slice(0, 24)}…`)
}

/** 401 that says what would help, why in the log, and nothing of the token anywhere. */
async function refused (t: Tap, served: Served, path: string, text: string, reason: RegExp | string): Promise<void> {
  const before = served.logs.length
  const answer = await ask(served, path, bearer(text))
  t.match(answer, { status: 401, headers: { 'www-authenticate': 'Bearer realm="fastify-media", error="invalid_token"', 'cache-control': 'no-store' } }, `${path} ${text.slice(0, 60)}`)
  t.notMatch(answer.text, /secret|reason|stack/)
  t.match(served.logs.slice(before).find(({ code }) => code === 'unauthorized'), { level: 40, reason }, 'the operator is told why')
  notWrittenDown(t, served, text)
}

t.test('a token of each kind gets in where its key is asked for, and nowhere else', async t => {
  const served = await protecting(t)
  const tokens = { rsa: good('RS256', issued), shared: good('HS256', sharedSecret), curve: good('ES256', curve) }
  for (const [name, text] of Object.entries(tokens)) {
    for (const mount of Object.keys(tokens)) {
      if (mount === name) t.match(await ask(served, `/${mount}/a.txt`, bearer(text)), { status: 200, text: 'a secret' }, mount)
      else await refused(t, served, `/${mount}/a.txt`, text, `${mount}: algorithm not allowed`)
    }
  }
  t.match(await ask(served, '/rsa/a.txt'), { status: 401, headers: { 'www-authenticate': 'Bearer realm="fastify-media"' } })
  for (const text of Object.values(tokens)) notWrittenDown(t, served, text)
})

t.test('alg none, in every spelling, signs nothing', async t => {
  const served = await protecting(t)
  const signature = good('RS256', issued).split('.')[2] as string
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', ' none', 'none\0', 'null', '', null, 0, false, [], ['none'], ['RS256'], {}, { toString: 'RS256' }, 'RS256 ', 'rs256', 'RS256\0', '*', '__proto__', 'constructor']) {
    const input = `${encoded({ alg, typ: 'JWT' })}.${encoded(claims)}`
    for (const end of ['.', `.${signature}`, '.AA', '']) await refused(t, served, '/rsa/a.txt', input + end, end === '' ? 'rsa: malformed' : 'rsa: algorithm not allowed')
  }
  for (const mount of ['rsa', 'shared', 'curve']) {
    await refused(t, served, `/${mount}/a.txt`, `${encoded({ typ: 'JWT' })}.${encoded(claims)}.`, `${mount}: algorithm not allowed`)
    const alg = { rsa: 'RS256', shared: 'HS256', curve: 'ES256' }[mount] as string
    await refused(t, served, `/${mount}/a.txt`, `${encoded({ alg, typ: 'JWT' })}.${encoded(claims)}.`, /not signed|does not match|malformed/)
  }
})

t.test('what is public is no shared secret', async t => {
  const served = await protecting(t)
  for (const [mount, pair] of [['rsa', issued], ['curve', curve]] as const) {
    const { publicKey } = pair
    const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' })
    for (const secret of [publicKey, publicKey.trimEnd(), publicKey.replaceAll('\n', '\r\n'), JSON.stringify(pair.jwk()), der.toString('base64'), der.toString('latin1'), '']) {
      for (const alg of ['HS256', 'HS384', 'HS512']) await refused(t, served, `/${mount}/a.txt`, good(alg, secret), `${mount}: algorithm not allowed`)
      // Under the name of an algorithm that is taken, a MAC is no signature.
      const input = `${encoded({ alg: mount === 'rsa' ? 'RS256' : 'ES256', typ: 'JWT' })}.${encoded(claims)}`
      await refused(t, served, `/${mount}/a.txt`, signed(input, 'HS256', secret), /signature does not match|malformed|does not hold/)
    }
  }
})

t.test('a configuration that would take a public key for a secret does not start', async t => {
  for (const strategy of [{ algorithms: ['HS256'], key: issued.publicKey }, { algorithms: ['HS256'], key: JSON.stringify(issued.jwk()) }, { algorithms: ['HS256', 'RS256'], key: sharedSecret }, { algorithms: ['RS256'], key: sharedSecret }, { algorithms: ['ES256'], key: issued.publicKey }]) {
    await t.rejects(protecting(t, strategy), /strategies\.(?:rsa|shared|curve)/, JSON.stringify(strategy.algorithms))
  }
})

t.test('one algorithm is not another of its family, and no key is for another curve', async t => {
  const served = await protecting(t)
  for (const alg of ['HS384', 'HS512']) await refused(t, served, '/shared/a.txt', good(alg, sharedSecret), 'shared: algorithm not allowed')
  for (const alg of ['RS384', 'RS512', 'PS256', 'PS512']) await refused(t, served, '/rsa/a.txt', good(alg, issued), 'rsa: algorithm not allowed')
  const rsaAsCurve = signed(`${encoded({ alg: 'ES256', typ: 'JWT' })}.${encoded(claims)}`, 'RS256', issued)
  await refused(t, served, '/curve/a.txt', rsaAsCurve, /signature does not match|malformed|does not hold/)
  await refused(t, served, '/rsa/a.txt', signed(`${encoded({ alg: 'RS256', typ: 'JWT' })}.${encoded(claims)}`, 'PS256', issued), 'rsa: signature does not match')
  for (const key of [ecKeys('P-384'), ecKeys('P-521')]) await refused(t, served, '/curve/a.txt', signed(`${encoded({ alg: 'ES256', typ: 'JWT' })}.${encoded(claims)}`, 'ES256', key), /signature does not match|does not hold/)
  await refused(t, served, '/curve/a.txt', good('EdDSA', edKeys()), 'curve: algorithm not allowed')
  // CVE-2022-21449: a signature of zeros.
  for (const zeros of [Buffer.alloc(64), Buffer.from([0x30, 6, 2, 1, 0, 2, 1, 0])]) await refused(t, served, '/curve/a.txt', `${encoded({ alg: 'ES256', typ: 'JWT' })}.${encoded(claims)}.${zeros.toString('base64url')}`, /signature does not match|does not hold/)
})

t.test('a signature is for the very bytes that were signed, and of the one key', async t => {
  const served = await protecting(t)
  for (const [mount, alg, key, other] of [['rsa', 'RS256', issued, stranger], ['shared', 'HS256', sharedSecret, 'another secret, of another issuer, of 40 bytes'], ['curve', 'ES256', curve, ecKeys()]] as const) {
    const path = `/${mount}/a.txt`
    const [header, payload, signature] = good(alg, key).split('.') as [string, string, string]
    await refused(t, served, path, good(alg, other), `${mount}: signature does not match`)
    await refused(t, served, path, `${header}.${encoded({ ...claims, sub: 'root' })}.${signature}`, `${mount}: signature does not match`)
    await refused(t, served, path, `${encoded({ alg, typ: 'JWT', kid: '1' })}.${payload}.${signature}`, `${mount}: signature does not match`)
    await refused(t, served, path, `${header}.${payload}.${good(alg, key, { sub: 'bob' }).split('.')[2]}`, `${mount}: signature does not match`)
    for (let cut = 1; cut < signature.length; cut += 11) await refused(t, served, path, `${header}.${payload}.${signature.slice(0, -cut)}`, /signature does not match|not signed|malformed|does not hold/)
    const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`
    await refused(t, served, path, `${header}.${payload}.${flipped}`, /signature does not match|does not hold/)
  }
})

t.test('the name of a key is a name: no path, no statement, nothing that is not text', async t => {
  const served = await protecting(t)
  // What a server would sign with, if it followed such a name: nothing, or a file that everybody knows.
  const guesses = ['', '\0', 'root:x:0:0:root:/root:/bin/bash', 'key']
  for (const kid of ['../../etc/passwd', '/dev/null', '..%2f..%2fdev%2fnull', 'x\' UNION SELECT \'key\'; --', '"; DROP TABLE keys; --', '| sleep 9', '`id`', '__proto__', 'constructor', 'a\0b', '\u202e', '${jndi:ldap://127.0.0.1/a}']) {
    for (const guess of guesses) await refused(t, served, '/shared/a.txt', token({ alg: 'HS256', key: guess, kid, claims }), 'shared: signature does not match')
    await refused(t, served, '/rsa/a.txt', token({ alg: 'RS256', key: stranger, kid, claims }), 'rsa: signature does not match')
  }
  for (const kid of ['k'.repeat(257), 'k'.repeat(5000), ['a'], [], {}, { toString: 'a' }, { length: 1 }, null, 0, 1e9, true]) {
    await refused(t, served, '/shared/a.txt', token({ alg: 'HS256', claims, header: { kid } }), 'shared: key name is none')
    await refused(t, served, '/rsa/a.txt', token({ alg: 'RS256', key: issued, claims, header: { kid } }), 'rsa: key name is none')
  }
})

t.test('a key that a token brings along is not looked at, nor where it says there is one', async t => {
  const attacker = await origin(t, (_request, response) => { response.end(JSON.stringify({ keys: [stranger.jwk({ kid: 'a' })] })) })
  const served = await protecting(t)
  const certificate = createPublicKey(stranger.publicKey).export({ type: 'spki', format: 'der' }).toString('base64')
  const headers = [{ jwk: stranger.jwk() }, { jwk: stranger.jwk({ kid: 'a' }), kid: 'a' }, { jku: `${attacker.url}/jwks.json` }, { jku: `${attacker.url}/jwks.json`, kid: 'a' }, { x5u: `${attacker.url}/chain.pem` }, { x5c: [certificate] }, { x5t: 'AA', 'x5t#S256': 'AA' }, { jku: [attacker.url] }, { jku: 'file:///etc/passwd' }]
  for (const header of headers) {
    await refused(t, served, '/rsa/a.txt', token({ alg: 'RS256', key: stranger, header, claims }), 'rsa: signature does not match')
    t.match(await ask(served, '/rsa/a.txt', bearer(token({ alg: 'RS256', key: issued, header, claims }))), { status: 200 }, 'and beside a signature that holds it does not matter')
  }
  t.equal(attacker.requests.length, 0)
})

t.test('what a token calls critical is not understood', async t => {
  const served = await protecting(t)
  for (const header of [{ crit: ['exp'] }, { crit: ['b64'], b64: false }, { crit: [] }, { crit: 'b64' }, { crit: null }, { crit: {} }, { crit: ['https://example.com/x'], 'https://example.com/x': true }]) {
    await refused(t, served, '/shared/a.txt', token({ alg: 'HS256', header, claims }), 'shared: critical extensions')
  }
})

t.test('a token that is over, not yet there, or for others is refused', async t => {
  const served = await protecting(t)
  const refusals: Array<[changed: Record<string, unknown>, reason: RegExp | string]> = [
    [{ exp: inSeconds(-60) }, 'shared: expired'], [{ exp: 1 }, 'shared: expired'], [{ exp: 0 }, /expired|claims of the wrong kind/],
    [{ nbf: inSeconds(60) }, 'shared: not valid yet'], [{ nbf: inSeconds(600), exp: inSeconds(900) }, 'shared: not valid yet'], [{ iat: inSeconds(60) }, 'shared: not valid yet'],
    [{ nbf: inSeconds(500), exp: inSeconds(400) }, /not valid yet|ends before it begins/],
    [{ aud: 'others' }, 'shared: wrong audience'], [{ aud: ['others', 'Media', 'media '] }, 'shared: wrong audience'], [{ aud: 'mediaa' }, 'shared: wrong audience'], [{ aud: [] }, /audience|claim/], [{ aud: '' }, /audience|claim/], [{ aud: { 0: 'media' } }, /audience|claim/], [{ aud: undefined }, 'shared: a required claim is missing'],
    [{ iss: 'https://evil.example' }, 'shared: wrong issuer'], [{ iss: 'https://id.example.com/' }, 'shared: wrong issuer'], [{ iss: 'HTTPS://ID.EXAMPLE.COM' }, 'shared: wrong issuer'], [{ iss: '' }, /issuer|claim/], [{ iss: undefined }, 'shared: a required claim is missing'],
    [{ iss: ['https://evil.example', claims.iss] }, /issuer|claim/], [{ iss: [claims.iss] }, /issuer|claim/], [{ iss: { toString: claims.iss } }, /issuer|claim/],
    [{ exp: undefined }, 'shared: a required claim is missing'], [{ exp: null }, /claim|times/]
  ]
  for (const [changed, reason] of refusals) await refused(t, served, '/shared/a.txt', good('HS256', sharedSecret, changed), reason)
  t.match(await ask(served, '/shared/a.txt', bearer(good('HS256', sharedSecret, { aud: ['others', 'media'] }))), { status: 200 }, 'of several audiences one is enough')
})

t.test('times that are no times are refused, whoever signed them', async t => {
  const served = await protecting(t)
  const { exp: _exp, ...rest } = claims
  const base = JSON.stringify(rest).slice(0, -1)
  for (const name of ['exp', 'nbf', 'iat']) {
    for (const number of ['1e400', '-1e400', '-1', '1e300', '9e15', '"9999999999"', '"never"', 'true', '[9999999999]', '{"a":1}', '""']) {
      const text = token({ alg: 'HS256', claims: `${base}${name === 'exp' ? '' : `,"exp":${claims.exp}`},"${name}":${number}}` })
      await refused(t, served, '/shared/a.txt', text, /shared: (?:times that are none|claims of the wrong kind|expired|not valid yet|does not hold)/)
    }
  }
})

t.test('what is no token is refused as one', async t => {
  const served = await protecting(t)
  const [header, payload, signature] = good('HS256', sharedSecret).split('.') as [string, string, string]
  const notJson = ['{', '{}}', '[]', 'null', '1', '"HS256"', '', '{"alg":"HS256"', '\uFEFF{"alg":"HS256"', '{"alg":\'HS256\'}', '['.repeat(3000)]
  const malformed = [
    'a', 'a.b', 'a.b.c', '.', '..', '...', `${header}.${payload}`, `${header}.${payload}.${signature}.`, `.${header}.${payload}.${signature}`, `${header}..${signature}`, `.${payload}.${signature}`,
    `${header}.${payload}.${signature}.${header}.${payload}`, ...notJson.map(text => signed(`${encoded(text)}.${payload}`, 'HS256'))
  ]
  for (const text of malformed) await refused(t, served, '/shared/a.txt', text, /shared: (?:malformed|algorithm not allowed|signature does not match)/)
  for (const text of notJson) await refused(t, served, '/shared/a.txt', signed(`${header}.${encoded(text)}`, 'HS256'), /shared: (?:malformed|a required claim is missing|does not hold|claims of the wrong kind)/)
  // base64 with what base64url does not have, and padding within (RFC 7515 §2): readers differ in what they skip.
  for (const text of [`${header}=.${payload}.${signature}`, `${header}.${payload}=.${signature}`, `${header}.${payload}.+/${signature}`, `${header}.${payload.slice(0, 9)} ${payload.slice(9)}.${signature}`, `${header}.${payload}.${signature}%00`, `${header},${payload},${signature}`, `"${header}.${payload}.${signature}"`]) {
    await refused(t, served, '/shared/a.txt', text, /shared: (?:malformed|signature does not match)/)
  }
  const invalidUtf8 = signed(`${header}.${Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]).toString('base64url')}`, 'HS256')
  await refused(t, served, '/shared/a.txt', invalidUtf8, /shared: /)
})

t.test('a huge token is not looked at', async t => {
  const served = await protecting(t)
  for (const size of [8193, 12_000]) {
    await refused(t, served, '/shared/a.txt', 'a'.repeat(size), 'shared: malformed credentials')
    await refused(t, served, '/shared/a.txt', good('HS256', sharedSecret, { pad: 'x'.repeat(size) }), 'shared: malformed credentials')
  }
  t.match(await raw(served, `GET /shared/a.txt HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${'a'.repeat(20_000)}\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 431 /, 'nor does one get so far that no header may have')
  t.match(await ask(served, '/shared/a.txt', bearer(token({ alg: 'HS256', claims: `${JSON.stringify(claims).slice(0, -1)},"deep":${'['.repeat(2500)}${']'.repeat(2500)}}` }))), { status: 200 }, 'one that is deep, of its own issuer, harms nobody')
})

t.test('credentials that two readers could read differently are none', async t => {
  const served = await protecting(t)
  const [text, bad] = [good('HS256', sharedSecret), token({ alg: 'HS256', key: 'guessed', claims })]
  const send = async (...lines: string[]): Promise<string> => await raw(served, `GET /shared/a.txt HTTP/1.1\r\nHost: a\r\n${lines.map(line => `${line}\r\n`).join('')}Connection: close\r\n\r\n`)
  t.match(await send(`Authorization: Bearer ${text}`), /^HTTP\/1\.1 200 /)
  t.match(await send(`authorization:bearer   ${text}`), /^HTTP\/1\.1 200 /, 'the scheme\'s name counts in any case')
  const twice = [[`Bearer ${text}`, `Bearer ${text}`], [`Bearer ${text}`, `Bearer ${bad}`], [`Bearer ${bad}`, `Bearer ${text}`], [`Bearer ${text}`, 'Basic YTpi'], ['Basic YTpi', `Bearer ${text}`], [`Bearer ${text}`, '']]
  for (const values of twice) t.match(await send(...values.map((value, place) => `${place === 0 ? 'Authorization' : 'AUTHORIZATION'}: ${value}`)), /^HTTP\/1\.1 401 [\s\S]*www-authenticate: Bearer/i, values.map(value => value.slice(0, 9)).join(' and '))
  const inAnotherPlace = [`Basic ${text}`, `Token ${text}`, `JWT ${text}`, `Bearer\t${text}`, `Bearer, ${text}`, `Bearer ${text}, Bearer ${text}`, `Bearer ${text} ${text}`, `Bearer token="${text}"`, `Digest Bearer ${text}`, text, 'Bearer', 'Bearer ', `Bearer${text}`]
  for (const value of inAnotherPlace) t.match(await send(`Authorization: ${value}`), /^HTTP\/1\.1 401 [\s\S]*www-authenticate: Bearer/i, value.slice(0, 20))
  for (const line of [`Cookie: token=${text}; Authorization=Bearer ${text}`, `X-Authorization: Bearer ${text}`, `Proxy-Authorization: Bearer ${text}`, `X-Forwarded-Authorization: Bearer ${text}`]) t.match(await send(line), /^HTTP\/1\.1 401 /, line.slice(0, 20))
  for (const query of [`access_token=${text}`, `token=${text}`, `authorization=Bearer%20${text}`]) t.equal((await ask(served, `/shared/a.txt?${query}`)).status, 401, 'RFC 6750 §2.3 is not taken: URLs end up in logs')
  for (const one of [text, bad]) notWrittenDown(t, served, one)
})

t.test('bad tokens by the thousand leave the good one good', async t => {
  const served = await protecting(t)
  const text = good('RS256', issued)
  const before = await ask(served, '/rsa/a.txt', bearer(text))
  const tags = new Set<number>()
  for (let round = 0; round < 30; round++) {
    const answers = await Promise.all(Array.from({ length: 40 }, async (_, place): Promise<Answer> => await ask(served, '/rsa/a.txt', bearer(`${text.slice(0, -4)}${createHash('sha256').update(`${round} ${place}`).digest('hex').slice(0, 4)}`))))
    for (const { status } of answers) tags.add(status)
  }
  t.same([...tags], [401])
  t.match([before, await ask(served, '/rsa/a.txt', bearer(text))], [{ status: 200 }, { status: 200 }])
  notWrittenDown(t, served, text)
})

t.test('a token for one user\'s files is not for another\'s, however their path is spelled', async t => {
  const picture = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#f00' } }).png().toBuffer()
  const root = await scratch(t, Object.fromEntries(['42', '43', '420', '4', '42.old'].map(user => [`user-uploads/${user}/x.png`, picture])))
  const served = await serveMedia(t, {
    images: { workers: 1, cache: { directory: await scratch(t) } },
    sources: { files: { driver: 'file', root, caseInsensitive: true } },
    strategies: { users: { driver: 'jwt', algorithms: ['HS256'], key: sharedSecret } },
    mounts: [{ prefix: '/m', source: 'files', listing: true, images: { mode: 'open' }, access: { read: ['users'] } }]
  } as unknown as MediaOptions)
  const holder = bearer(token({ alg: 'HS256', claims: { exp: inSeconds(600), paths: ['/m/user-uploads/42/'] } }))
  for (const path of ['/m/user-uploads/42/x.png', '/m/user-uploads/42/', '/m/user-uploads/%34%32/x.png', '/m/user-uploads/42/x.png?w=8', '/m/_ipx/w_8/user-uploads/42/x.png', '/_ipx/w_8/m/user-uploads/42/x.png', '/m/user-uploads/42/x.png?x=/m/user-uploads/43/']) {
    const { status } = await ask(served, path, holder)
    t.ok([200, 400].includes(status) && (status === 200 || path.includes('x=/')), `${path} is ${status}`)
  }
  const others = [
    '/m/user-uploads/43/x.png', '/m/user-uploads/420/x.png', '/m/user-uploads/4/x.png', '/m/user-uploads/42.old/x.png', '/m/user-uploads/42', '/m/user-uploads/', '/m/', '/m', '/m/user-uploads/43/x.png?w=8',
    '/m/user-uploads/43/x.png?/m/user-uploads/42/', '/m/user-uploads/43/x.png?paths=/m/user-uploads/42/', '/m/USER-UPLOADS/42/x.png', '/M/user-uploads/42/x.png', '/m/user-uploads/43/X.PNG',
    '/m/user-uploads/42%2F..%2F43/x.png', '/m/user-uploads/42%2f../43/x.png', '/m/user-uploads/42/../43/x.png', '/m/user-uploads/42/%2e%2e/43/x.png', '/m/user-uploads/42/%252e%252e/43/x.png', '/m/user-uploads/42/..%5C43/x.png', '/m/user-uploads/42/..;/43/x.png', '/m/user-uploads%2F43/x.png',
    '/m/user-uploads//43/x.png', '/m//user-uploads/42/../43/x.png', '//m/user-uploads/43/x.png', '/m/./user-uploads/43/x.png', '/m/user-uploads/42%00/../43/x.png', '/m/user-uploads/43/x.png#/m/user-uploads/42/',
    '/m/_ipx/w_8/user-uploads/43/x.png', '/_ipx/w_8/m/user-uploads/43/x.png', '/m/_ipx/_/user-uploads/43/x.png', '/m/_ipx/w_8/user-uploads/42/../43/x.png', '/m/_ipx/w_8/user-uploads/42%2F..%2F43/x.png', '/m/%5Fipx/w_8/user-uploads/43/x.png', '/m/_ipx/w_8%2Fuser-uploads%2F42/user-uploads/43/x.png',
    '/m/_ipx//user-uploads/43/x.png', '/m/_ipx/user-uploads/42/user-uploads/43/x.png', '/m/_ipx/w_8/_ipx/w_8/user-uploads/43/x.png', '/_ipx/w_8/m/_ipx/w_8/user-uploads/43/x.png', '/_ipx/user-uploads/m/user-uploads/43/x.png', '/m/_ipx/w_8/m/user-uploads/42/../43/x.png', '/m/_ipx/w_8/../user-uploads/42/x.png'
  ]
  for (const path of others) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(served, path, { method, ...holder })
      t.ok([400, 403, 404].includes(answer.status), `${method} ${path} is ${answer.status}`)
    }
  }
  const oneFile = bearer(token({ alg: 'HS256', claims: { exp: inSeconds(600), paths: ['/m/user-uploads/42/x.png'] } }))
  t.match([await ask(served, '/m/user-uploads/42/x.png', oneFile), await ask(served, '/m/user-uploads/42/x.png/', oneFile), await ask(served, '/m/user-uploads/42/', oneFile)].map(({ status }) => status), [200, 403, 403])
  for (const paths of ['/m/', ['m/'], ['/m/user-uploads/42/../'], ['//'], [1], { 0: '/m/' }, null, ['/m//'], Array.from({ length: 1001 }, () => '/')]) {
    t.match(await ask(served, '/m/user-uploads/42/x.png', bearer(token({ alg: 'HS256', claims: { exp: inSeconds(600), paths } }))), { status: 401 }, `paths ${JSON.stringify(paths).slice(0, 40)}`)
  }
  t.match(await ask(served, '/m/user-uploads/42/x.png', bearer(token({ alg: 'HS256', claims: { exp: inSeconds(600), paths: [] } }))), { status: 403 }, 'for no path at all')
  notWrittenDown(t, served, holder.headers.authorization as string)
})

t.test('nor does an origin that reads paths leniently read another user\'s out of it', async t => {
  const far = await origin(t, (_request, response) => { response.end('a secret') })
  for (const delivery of ['proxy', 'gateway']) {
    const served = await serveMedia(t, {
      upstreams: { far: { origins: [{ url: far.url }] } },
      strategies: { users: { driver: 'jwt', algorithms: ['HS256'], key: sharedSecret } },
      mounts: [{ prefix: '/m', delivery, upstream: 'far', access: { read: ['users'], write: ['users'] } }]
    } as unknown as MediaOptions)
    const holder = bearer(token({ alg: 'HS256', claims: { exp: inSeconds(600), paths: ['/m/42/'] } }))
    t.equal((await ask(served, '/m/42/x.png', holder)).status, 200)
    const asked = far.requests.length
    for (const path of ['/m/43/x', '/m/42/../43/x', '/m/42/%2e%2e/43/x', '/m/42/..;/43/x', '/m/42/..;a=b/43/x', '/m/42/..%3b/43/x', '/m/42/%2e%2e;/43/x', '/m/42/.. /43/x'.replace(' ', '%20'), '/m/42/..%2f43/x', '/m/42/..%5c43/x', '/m/42/..\\43/x', '/m/42%2f..%2f43/x', '/m/42;/../43/x', '/m/42/x;/..;/..;/43/x', '/m/42/a/..;/..;/43/x', '/m/42/%00/..;/43/x', '/m/42/.../43/x', '/m/42/%c0%ae%c0%ae/43/x', '/m//43/x', '/m/42//../43/x', '/m/42/;/../43/x']) {
      const answer = await raw(served, `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: ${holder.headers.authorization}\r\nConnection: close\r\n\r\n`)
      t.match(answer, /^HTTP\/1\.1 (?:200|400|403|404) /, `${delivery} ${path}`)
    }
    const beyond = far.requests.slice(asked).map(({ url }) => url).filter(url => !foldedPath(url).startsWith('/42/'))
    t.same(beyond, [], delivery)
    for (const target of ['http://a/m/43/x', 'http://a/m/42/../43/x', 'https://m/42/x/m/43/x']) t.match(await raw(served, `GET ${target} HTTP/1.1\r\nHost: a\r\nAuthorization: ${holder.headers.authorization}\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 (?:400|403|404) /, target)
  }
})
