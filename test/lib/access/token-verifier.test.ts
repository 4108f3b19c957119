import fastifyJwt from '@fastify/jwt'
import t from 'tap'
import { verifierOf, type JwtPlugin, type TokenDemands } from '../../../lib/access/token-verifier.ts'
import { ecKeys, inSeconds, rsaKeys, sharedSecret, token } from '../../helpers/tokens.ts'

const demands: TokenDemands = { algorithms: ['HS256'], leewaySeconds: 5, requiredClaims: ['exp'], issuers: [], audiences: [] }
const verifier = verifierOf(fastifyJwt as unknown as JwtPlugin)

/** The claims of a token, or the code of what it fails with. */
function check (claims: Record<string, unknown>, more: Partial<TokenDemands> = {}, header = {}): unknown {
  try {
    return verifier(sharedSecret, { ...demands, ...more })(token({ alg: 'HS256', header, claims }))
  } catch (error) {
    return (error as { code: string }).code
  }
}

t.test('a token that holds gives its claims', t => {
  const claims = { exp: inSeconds(60), sub: 'anna' }
  t.strictSame(check(claims), claims)
  t.end()
})

t.test('the leeway is in seconds, before and after', t => {
  t.type(check({ exp: inSeconds(-2) }), 'object')
  t.equal(check({ exp: inSeconds(-10) }), 'FAST_JWT_EXPIRED')
  t.type(check({ exp: inSeconds(60), nbf: inSeconds(3) }), 'object')
  t.equal(check({ exp: inSeconds(60), nbf: inSeconds(30) }), 'FAST_JWT_INACTIVE')
  t.end()
})

t.test('a greatest age is in seconds, and asks for iat', t => {
  t.type(check({ exp: inSeconds(60), iat: inSeconds(-20) }, { maxAgeSeconds: 30 }), 'object')
  t.equal(check({ exp: inSeconds(60), iat: inSeconds(-40) }, { maxAgeSeconds: 30 }), 'FAST_JWT_EXPIRED')
  t.equal(check({ exp: inSeconds(60) }, { maxAgeSeconds: 30 }), 'FAST_JWT_MISSING_REQUIRED_CLAIM')
  t.end()
})

// The library passes over a claim that is not there, also where only some values of it are allowed.
t.test('issuers and audiences ask for iss and aud', t => {
  const exp = inSeconds(60)
  t.type(check({ exp, iss: 'a' }, { issuers: ['b', 'a'] }), 'object')
  t.type(check({ exp, aud: ['x', 'media'] }, { audiences: ['media'] }), 'object')
  t.equal(check({ exp, iss: 'c' }, { issuers: ['a'] }), 'FAST_JWT_INVALID_CLAIM_VALUE')
  t.equal(check({ exp, aud: [] }, { audiences: ['media'] }), 'FAST_JWT_INVALID_CLAIM_VALUE')
  t.equal(check({ exp }, { issuers: ['a'] }), 'FAST_JWT_MISSING_REQUIRED_CLAIM')
  t.equal(check({ exp }, { audiences: ['media'] }), 'FAST_JWT_MISSING_REQUIRED_CLAIM')
  t.end()
})

t.test('a type is that of the header', t => {
  const exp = inSeconds(60)
  t.type(check({ exp }, { type: 'at+jwt' }, { typ: 'application/AT+JWT' }), 'object')
  t.equal(check({ exp }, { type: 'at+jwt' }), 'FAST_JWT_INVALID_TYPE')
  t.end()
})

t.test('a key of another kind is refused when the check is made', t => {
  t.throws(() => verifier(rsaKeys().publicKey, { ...demands, algorithms: ['ES256'] }), { code: 'FAST_JWT_INVALID_KEY' })
  t.throws(() => verifier(ecKeys().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), { ...demands, algorithms: ['ES256'] }), { code: 'FAST_JWT_INVALID_KEY' })
  t.end()
})

t.test('a plugin that decorates nothing is told', t => {
  t.throws(() => verifierOf((_app, _options, done) => { done() })(sharedSecret, demands), /Expected @fastify\/jwt to decorate at once/)
  t.end()
})
