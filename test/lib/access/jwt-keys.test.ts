import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { configuredKey, jwtMistakes } from '../../../lib/access/jwt-keys.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { ecKeys, edKeys, rsaKeys, sharedSecret } from '../../helpers/tokens.ts'

const rsa = rsaKeys()
const p256 = ecKeys()

/** The mistakes of a strategy with a key, as `path: message`. */
function mistakes (algorithms: string[], text?: string, more: Record<string, unknown> = { key: text }): string[] {
  return jwtMistakes({ algorithms, ...more }, 'strategies.staff', text).map(({ path, message }) => `${path}: ${message}`)
}

t.test('a key that fits its algorithms has no mistakes', t => {
  for (const [algorithms, key] of [
    [['HS256', 'HS512'], sharedSecret],
    [['RS256', 'RS384', 'RS512'], rsa.publicKey],
    [['PS256'], rsa.publicKey],
    [['ES256'], p256.publicKey],
    [['ES384'], ecKeys('P-384').publicKey],
    [['ES512'], ecKeys('P-521').publicKey],
    [['EdDSA'], edKeys().publicKey]
  ] as const) {
    t.same(mistakes([...algorithms], key), [], algorithms.join())
    t.same(configuredKey(key, algorithms), { key, algorithms: [...algorithms] }, algorithms.join())
  }
  t.same(mistakes(['RS256'], undefined, { jwks: 'https://id.example.com/keys' }), [])
  t.end()
})

t.test('a certificate stands for its key', { skip: noOpenssl ?? false }, t => {
  const { cert, key } = certificate('good')
  t.same(mistakes(['ES256'], cert, { keyFile: 'cert.pem' }), [])
  t.match(configuredKey(cert, ['ES256']).key, /^-----BEGIN PUBLIC KEY-----/)
  t.match(mistakes(['ES256'], `${cert}${key}`), ['strategies.staff.key: Expected a public key, but received a private one'])
  t.end()
})

// One key for two families is how a public key becomes a shared secret (RFC 8725 §2.1).
t.test('algorithms are of one family', t => {
  t.match(mistakes(['HS256', 'RS256'], sharedSecret), [/^strategies\.staff\.algorithms: Expected algorithms of one family but received HS and RS/])
  t.match(mistakes(['RS256', 'PS256'], rsa.publicKey), [/RS and PS/])
  t.match(mistakes(['ES256', 'EdDSA'], p256.publicKey), [/ES and EdDSA/])
  t.same(mistakes([], sharedSecret), [], 'what the schema refuses is not told twice')
  t.end()
})

t.test('the key is told in one place', t => {
  t.match(mistakes(['RS256'], undefined, {}), ['strategies.staff: Expected one of key, keyFile and jwks but received none'])
  t.match(mistakes(['RS256'], rsa.publicKey, { key: 'x', jwks: 'y' }), ['strategies.staff: Expected one of key, keyFile and jwks but received key and jwks'])
  t.match(mistakes(['HS256'], undefined, { jwks: 'https://id.example.com/keys' }), [/^strategies\.staff\.jwks: Expected key or keyFile/])
  t.same(mistakes(['RS256'], undefined, { keyFile: 'gone.pem' }), [], 'that a file cannot be read is told by who reads it')
  t.end()
})

t.test('a shared secret is one: no public key, no example, not short', t => {
  t.match(mistakes(['HS256'], rsa.publicKey), [/^strategies\.staff\.key: .*in PEM/])
  t.match(mistakes(['HS256'], `  \n${p256.publicKey}`), [/in PEM/])
  t.match(mistakes(['HS256'], JSON.stringify(rsa.jwk()), { keyFile: 'x' }), [/^strategies\.staff\.keyFile: .*JSON/])
  t.match(mistakes(['HS256'], ` ${JSON.stringify({ keys: [rsa.jwk()] })}`), [/JSON/])
  t.match(mistakes(['HS256'], 'your-256-bit-secret'), [/example/])
  const [short = ''] = mistakes(['HS256'], 'swordfish in a barrel')
  t.match(short, /fewer than 32/)
  t.notMatch(short, /swordfish/, 'and nothing of it is told')
  t.same(mistakes(['HS256'], `{${sharedSecret}`), [], 'a secret may begin like JSON')
  t.end()
})

t.test('a public key is one, of the right kind and size', t => {
  const pkcs8 = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const sec1 = p256.privateKey.export({ type: 'sec1', format: 'pem' }).toString()
  for (const key of [pkcs8, sec1, `${rsa.publicKey}${pkcs8}`]) t.match(mistakes(['RS256'], key), [/but received a private one/])
  for (const key of [sharedSecret, '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', '']) t.match(mistakes(['RS256'], key), [/cannot be read/])
  t.match(mistakes(['RS256'], p256.publicKey), ['strategies.staff.key: Expected a key for RS256, but this one is of the kind ec prime256v1'])
  t.match(mistakes(['ES256', 'ES384'], p256.publicKey), [/Expected a key for ES384/])
  t.match(mistakes(['ES256'], ecKeys('secp256k1').publicKey), [/ec secp256k1/])
  t.match(mistakes(['EdDSA'], rsa.publicKey), [/of the kind rsa$/])
  t.match(mistakes(['RS256'], rsaKeys(1024).publicKey), [/has 1024 bits, fewer than 2048/])
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }).toString()
  t.match(mistakes(['PS256'], pss), [/of the kind rsa-pss/])
  t.end()
})
