import t from 'tap'
import { bindsAddress, hasOtherSignature, hasSignature, maskSignatures, messageOf, placeOfSignature, readFields, readSignature, withoutSignature, writeFields } from '../../../lib/signing/signed-target.ts'
import { seeded } from '../../helpers/random-transforms.ts'

const mac = 'A'.repeat(43)

t.test('a signature is a parameter of the query: the path and other values may spell what they like', async t => {
  for (const target of ['/a?sig=x', '/a?w=1&sig=x', '/a?sig=', '/a?sig=x&w=1', 'http://h/a?sig=x', '/a?b=?x&sig=y', '/a?&sig=']) t.ok(hasSignature(target), target)
  for (const target of ['/a', '/sig=x', '/a&sig=x', '/a;sig=x', '/a?', '/a?sig', '/a?Sig=x', '/a?design=x', '/a?b=sig=x', '/a?b=?sig=x', '/a&sig=x?w=1', '/a?%73ig=x', '']) t.notOk(hasSignature(target), target)
  t.equal(placeOfSignature('/a?sig=1&sig=2'), 8, 'the last')
})

t.test('without its signature a target is what it was before', async t => {
  for (const [target, rest] of [
    ['/a?sig=x', '/a'],
    ['/a?w=1&sig=x', '/a?w=1'],
    ['/a?&sig=x', '/a?'],
    ['http://h/a?w=1&sig=x', 'http://h/a?w=1'],
    ['/a?sig=x&w=1', '/a?w=1'],
    ['/a?f=auto&sig=x&w=1&h=2', '/a?f=auto&w=1&h=2'],
    ['/a?sig=1&sig=2', '/a?sig=1'],
    ['/sig=x?w=sig=x', '/sig=x?w=sig=x'],
    ['/a', '/a']
  ] as const) t.equal(withoutSignature(target), rest, target)
})

t.test('a second parameter of the name is seen in every spelling that decodes to it', async t => {
  for (const target of ['/a?sig=1', '/a?%73ig=1', '/a?s%69g=1', '/a?si%67=1', '/a?%73%69%67=1', '/a?w=1&sig', '/a?sig', '/a?sig&w=1', '/a?w=1&%73ig']) t.ok(hasOtherSignature(target), target)
  for (const target of ['/a', '/sig=', '/a?', '/a?sigma=1', '/a?design=1', '/a?w=sig=1', '/a?w=?sig=1', '/a?Sig=1', '/a?sig%3D=1', '/a?s%2569g=1']) t.notOk(hasOtherSignature(target), target)
  t.notOk(hasOtherSignature('/a?w=1&sig=x', 6), 'before the place alone')
  t.ok(hasOtherSignature('/a?sig=1&sig=x', 8))
})

t.test('what was signed begins with the path and ends with the dot before the signature\'s bytes', async t => {
  const read = (target: string): unknown => readSignature(target, placeOfSignature(target))
  t.same(read(`/a?w=1&sig=k.e5~a.${mac}`), { id: 'k', fields: 'e5~a', mac, signed: '/a?w=1&sig=k.e5~a.' })
  t.same(read(`/a?sig=2026-11_B..${mac}`), { id: '2026-11_B', fields: '', mac, signed: '/a?sig=2026-11_B..' })
  for (const origin of ['http://h', 'https://h.example:8443', 'HTTP://u:p@[::1]']) t.match(read(`${origin}/a?sig=k..${mac}`), { signed: '/a?sig=k..' }, origin)
  t.match(read(`//h/a?sig=k..${mac}`), { signed: '//h/a?sig=k..' })
})

t.test('a malformed signature is none, and finding that out takes no longer for a long one', async t => {
  for (const text of ['', 'k', 'k.', 'k..', `k.${mac}`, `..${mac}`, `${'k'.repeat(33)}..${mac}`, `k.x.y.${mac}`, `k!..${mac}`, `k.e=5.${mac}`, `k.${'e'.repeat(65)}.${mac}`, `k..${mac}A`, `k..${mac.slice(1)}`, `k..${mac}=`, `k..${mac} `, `k..${mac}\n`, `k..${mac}#`, `k..${mac}&`, `k..${mac}&w=1`, `k..${'+'.repeat(43)}`, `k..%41${mac.slice(1)}`, `\0..${mac}`]) t.equal(readSignature(`/a?sig=${text}`, 2), undefined, JSON.stringify(text))
  for (const last of 'BCDFGHJKLNOPRSTVWXZabdefhijlmnpqrtuvxyz1235679-_') t.equal(readSignature(`/a?sig=k..${mac.slice(1)}${last}`, 2), undefined, `${last} has bits that decode to nothing`)
  for (const last of 'AEIMQUYcgkosw048') t.ok(readSignature(`/a?sig=k..${mac.slice(1)}${last}`, 2), last)
  const cost = (target: string): number => {
    const started = process.hrtime.bigint()
    for (let i = 0; i < 50; i++) readSignature(target, placeOfSignature(target))
    return Number(process.hrtime.bigint() - started)
  }
  const long = (length: number): string => `/a?sig=${'k'.repeat(16)}.${'~a'.repeat(length)}.${'A'.repeat(length)}`
  cost(long(1000))
  t.ok(cost(long(100_000)) < 1000 * Math.max(cost(long(1000)), 100_000), 'no more than in proportion, with ten times of room')
})

t.test('fields have one spelling: in order, each once, numbers without leading zeros', async t => {
  t.same(readFields(''), { expires: undefined, notBefore: undefined, method: undefined, isBound: false })
  t.same(readFields('e1767225600~n5~mM-SEARCH~a'), { expires: 1767225600, notBefore: 5, method: 'M-SEARCH', isBound: true })
  for (const text of ['n5~e6', 'a~e5', 'mPUT~n5', 'e5~e6', 'a~a', 'e', 'e0', 'e05', 'e-5', 'e5x', 'e1234567890123', 'm', 'mput', `m${'A'.repeat(25)}`, 'x5', '~', 'e5~', '~e5', 'e5~~a', 'a~', 'e5a', 'mPUTa', 'e5n6']) t.equal(readFields(text), undefined, text)
})

t.test('fields are read as they were written, and bind where they say so', async t => {
  const random = seeded(51)
  for (let i = 0; i < 500; i++) {
    const fields = {
      expires: random() < 0.5 ? undefined : 1 + Math.floor(random() * 999_999_999_999),
      notBefore: random() < 0.5 ? undefined : 1 + Math.floor(random() * 999_999_999_999),
      method: random() < 0.5 ? undefined : ['GET', 'PUT', 'M-SEARCH', 'A', 'WEBSOCKET'][Math.floor(random() * 5)],
      isBound: random() < 0.5
    }
    const text = writeFields(fields)
    t.same(readFields(text), fields, text)
    t.equal(bindsAddress(text), fields.isBound)
    t.ok(readSignature(`/?sig=k.${text}.${mac}`, 1), 'short enough')
  }
})

t.test('the message has its purpose in front, so that it is none of anything else', async t => {
  t.equal(messageOf('', '/a?sig=k..'), 'fastify-media/url/1\n\n/a?sig=k..')
  t.equal(messageOf('192.0.2.7', '/a?sig=k.a.'), 'fastify-media/url/1\n192.0.2.7\n/a?sig=k.a.')
})

t.test('a text in which no signature stands any more says otherwise what it said', t => {
  for (const [text, masked] of [
    ['/a?w=1&sig=2026-11.e5~a.hush', '/a?w=1&sig=redacted'],
    ['/a?sig=hush&w=1&sig=hush2#top', '/a?sig=redacted&w=1&sig=redacted#top'],
    ['/a?SIG=hush', '/a?SIG=redacted'],
    ['/a&sig=hush/b;Sig=hush', '/a&sig=redacted/b;Sig=redacted'],
    ['/a/sig=hush', '/a/sig=redacted'],
    ['/a%3Fsig%3Dhush%26w', '/a%3Fsig%3Dredacted'],
    ['/a%26sig=hush', '/a%26sig=redacted'],
    ['/a?design=1&sigma=2&sig', '/a?design=1&sigma=2&sig'],
    ['/signs/a.jpg?w=1', '/signs/a.jpg?w=1'],
    ['', '']
  ] as const) t.equal(maskSignatures(text), masked, text)
  t.end()
})
