import { createHmac } from 'node:crypto'
import t from 'tap'
import { messageOf, placeOfSignature } from '../../../lib/signing/signed-target.ts'
import { signTarget, type SignOptions } from '../../../lib/signing/signer.ts'
import { SignatureVerifier, type SigningRules } from '../../../lib/signing/verifier.ts'

const secret = 'the walrus keeps 12 secrets of the sea'
const other = 'another walrus keeps 13 other secrets'
const key = { id: 'new', secret }
const now = Date.parse('2026-01-01T00:00:00Z')
const seconds = now / 1000
const secrets = [{ ...key, revoked: false }, { id: 'old', secret: other, revoked: false }, { id: 'gone', secret, revoked: true }]

interface Asked { method?: string, address?: string, at?: number, rules?: Partial<SigningRules> }

/** The key's name, or the reason. */
function verify (target: string, { method = 'GET', address = '192.0.2.7', at = now, rules = {} }: Asked = {}): string {
  const verifier = new SignatureVerifier(secrets, { requireExpiry: false, maxLifetimeSeconds: 86_400, leewaySeconds: 5, ...rules })
  const told = verifier.verify({ target, method, address }, placeOfSignature(target), at)
  return 'id' in told ? told.id : told.refusal
}

const sign = (options: SignOptions = {}, target = '/a.jpg?w=1'): string => signTarget(target, key, { now, ...options })

/** A signature of our own key over whatever text: what a faulty signer elsewhere could make. */
function signedText (start: string): string {
  return start + createHmac('sha256', secret).update(messageOf('', start)).digest('base64url')
}

t.test('every key that is not revoked is taken, each for what it signed', async t => {
  t.equal(verify(sign()), 'new')
  t.equal(verify(signTarget('/a.jpg', { id: 'old', secret: other })), 'old')
  t.equal(verify(signTarget('/a.jpg', { id: 'new', secret: other })), 'signature does not match')
  t.equal(verify(sign().replace('sig=new', 'sig=old')), 'signature does not match')
  t.equal(verify(signTarget('/a.jpg', { id: 'gone', secret })), 'revoked or unknown key')
  for (const id of ['never', '__proto__', 'constructor', 'NEW']) t.equal(verify(signTarget('/a.jpg', { id, secret })), 'revoked or unknown key', id)
  t.equal(verify(sign().replace('sig=new', 'sig=gone')), 'revoked or unknown key')
})

t.test('an expiry is one within the leeway, and may not lie too far ahead', async t => {
  const target = sign({ expires: seconds + 60 })
  t.equal(verify(target, { at: now + 60_000 }), 'new')
  t.equal(verify(target, { at: now + 64_999 }), 'new')
  t.equal(verify(target, { at: now + 65_000 }), 'expired')
  t.equal(verify(target, { at: now + 60_000, rules: { leewaySeconds: 0 } }), 'expired')
  t.equal(verify(sign({ expires: seconds + 86_405 })), 'new')
  t.equal(verify(sign({ expires: seconds + 86_406 })), 'expires too far ahead')
  t.equal(verify(sign({ expires: 99_999_999_999 }), { rules: { maxLifetimeSeconds: 315_360_000 } }), 'expires too far ahead')
  t.equal(verify(sign(), { rules: { requireExpiry: true } }), 'without an expiry')
  t.equal(verify(target, { rules: { requireExpiry: true } }), 'new')
})

t.test('before its time it does not hold', async t => {
  const target = sign({ notBefore: seconds + 60 })
  t.equal(verify(target), 'not valid yet')
  t.equal(verify(target, { at: now + 54_999 }), 'not valid yet')
  t.equal(verify(target, { at: now + 55_000 }), 'new')
  t.equal(verify(target, { at: now + 55_000, rules: { leewaySeconds: 0 } }), 'not valid yet')
})

t.test('without a method it is for reading, and with one for that: GET is HEAD too', async t => {
  const methods = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'WEBSOCKET', 'get']
  const allowed = (target: string): string[] => methods.filter(method => verify(target, { method }) === 'new')
  t.same(allowed(sign()), ['GET', 'HEAD', 'OPTIONS'])
  t.same(allowed(sign({ method: 'GET' })), ['GET', 'HEAD'])
  t.same(allowed(sign({ method: 'HEAD' })), ['HEAD'])
  t.same(allowed(sign({ method: 'PUT' })), ['PUT'])
  t.same(allowed(sign({ method: 'WEBSOCKET' })), ['WEBSOCKET'])
  t.equal(verify(sign({ method: 'PUT' })), 'for another method')
})

t.test('bound to an address it is for that of IPv4, and for the network of 64 bits of IPv6', async t => {
  const v4 = sign({ address: '192.0.2.7' })
  t.equal(verify(v4), 'new')
  t.equal(verify(v4, { address: '::ffff:192.0.2.7' }), 'new')
  for (const address of ['192.0.2.8', '192.0.2.77', '', '2001:db8::7', 'unknown']) t.equal(verify(v4, { address }), 'signature does not match', address)
  const v6 = sign({ address: '2001:db8:0:1::7' })
  t.equal(verify(v6, { address: '2001:db8:0:1:ffff::1' }), 'new')
  for (const address of ['2001:db8:0:2::7', '2001:db8::7', '192.0.2.7', '']) t.equal(verify(v6, { address }), 'signature does not match', address)
  t.equal(verify(v4.replace('.a.', '..')), 'signature does not match', 'the binding cannot be taken off')
  t.equal(verify(sign().replace('..', '.a.')), 'signature does not match')
})

t.test('what a signer elsewhere spells otherwise is refused, though it has the key', async t => {
  t.equal(verify(signedText('/a?sig=new..')), 'new')
  for (const fields of ['e05', `n5~e${seconds + 60}`, `e${seconds + 60}~`, 'x', 'mput', 'e1~e2', `e${seconds + 60}~mGET~mPUT`]) t.equal(verify(signedText(`/a?sig=new.${fields}.`)), 'malformed signature', fields)
  for (const query of ['sig=1', 'w=1&sig=1', '%73ig=1', 'sig', 'w=1&s%69g']) t.equal(verify(signedText(`/a?${query}&sig=new..`)), 'malformed signature', query)
})

t.test('of an absolute target path and query are verified, whatever the host', async t => {
  for (const origin of ['http://h', 'https://other.example:8443', 'HTTP://h']) t.equal(verify(origin + sign()), 'new', origin)
  for (const origin of ['http:/', 'http://h/', 'h', '/http://h', 'http://h?']) t.equal(verify(origin + sign()), 'signature does not match', origin)
})
