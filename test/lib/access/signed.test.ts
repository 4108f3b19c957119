import t, { type Test } from 'tap'
import type { AccessRequest, Verdict } from '../../../lib/access/access.ts'
import { exampleSecrets } from '../../../lib/access/secrets.ts'
import { hasSignature, signedMistakes, SignedStrategy, withoutSignature, type SignedOptions } from '../../../lib/access/signed.ts'
import { signTarget, type SignOptions } from '../../../lib/signing/signer.ts'
import { seeded } from '../../helpers/random-transforms.ts'

const secret = 'the walrus keeps 12 secrets of the sea'
const key = { id: '2026-11', secret }
const now = Date.parse('2026-01-01T00:00:00Z')
const config: SignedOptions['config'] = { mode: 'enforce', requireExpiry: true, maxLifetimeSeconds: 31_536_000, leewaySeconds: 5 }

function strategy (options: Partial<SignedOptions['config']> = {}, log: string[] = [], clock = () => now): SignedStrategy {
  return new SignedStrategy({
    name: 'links',
    config: { ...config, ...options },
    secrets: [{ ...key, revoked: false }, { id: '2026-10', secret: 'an older walrus keeps 11 secrets', revoked: true }],
    log: { warn: (facts, message) => { log.push(JSON.stringify({ ...facts, message })) }, info: () => undefined },
    now: clock
  })
}

function asked (target: string, { method = 'GET', address = '192.0.2.7' } = {}): AccessRequest {
  return { method, target, address, mount: '/private', headers: {}, rawHeaders: [], isFromTrustedProxy: false, certificate: undefined, get path (): string { throw new Error('the path is not asked for') } }
}

const sign = (target: string, options: SignOptions = {}): string => signTarget(target, key, { expiresIn: 3600, now, ...options })
const judge = (target: string, request?: { method?: string, address?: string }): Verdict => strategy().judge(asked(target, request))

function refusedFor (t: Test, target: string, reason: string, request?: { method?: string, address?: string }): void {
  t.same(judge(target, request), { kind: 'denied', reason }, target)
}

t.test('a signed URL lets in, and goes on as what it was without its signature', async t => {
  for (const target of ['/private/cat.jpg', '/private/cat.jpg?w=320&f=auto', '/private/cat.jpg?', '/private/my%20cat.jpg?download=my+cat.jpg', 'http://media.example/private/cat.jpg?w=1']) {
    const principal = { strategy: 'links', name: '2026-11', isShared: true }
    t.same(judge(sign(target)), { kind: 'granted', principal, target, isPassing: true }, target)
  }
  const { challenge, fields, name } = strategy()
  t.same({ challenge, fields, name }, { challenge: 'SignedURL realm="fastify-media"', fields: [], name: 'links' })
})

t.test('without a signature there is nothing to judge', async t => {
  for (const target of ['/private/cat.jpg', '/private/cat.jpg?w=1', '/sig=2026-11..A', '/a?design=1', '/a?sig', '/a?%73ig=x', '']) t.same(judge(target), { kind: 'absent' }, target)
})

// Whoever has one signed URL has 43 characters and tries what else they open.
const target = '/private/cat.jpg?w=320&f=auto'
const signed = sign(target)
const [before = '', signature = ''] = signed.split('&sig=')

t.test('a signature that is cut, empty, padded or twice there is refused', async t => {
  refusedFor(t, `${before}&sig=`, 'malformed signature')
  for (let cut = 1; cut <= signature.length; cut++) refusedFor(t, signed.slice(0, -cut), 'malformed signature')
  for (const end of ['=', 'A', '%3D', ' ', '#', '#x', '&', '&w=1', '?', '/', '\0', '\n', '%00']) refusedFor(t, signed + end, 'malformed signature')
  refusedFor(t, `${before}&sig=${signature}&sig=${signature}`, 'signature does not match')
  refusedFor(t, `${before}&sig=${signature}&sig=`, 'malformed signature')
  refusedFor(t, `${before}&%73ig=${signature}&sig=${signature}`, 'signature does not match')
  refusedFor(t, `${before}&sig=${signature},${signature}`, 'malformed signature')
  for (const name of ['%73ig', 'Sig', 'SIG', 'sig[]', 'sig%00', ' sig']) t.same(judge(`${before}&${name}=${signature}`), { kind: 'absent' }, name)
})

t.test('base64url that decodes to the same bytes but is spelled otherwise is refused', async t => {
  const bytes = Buffer.from(signature.slice(-43), 'base64url')
  const last = signature.slice(-1)
  const twins = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_').filter(letter => letter !== last && Buffer.from(signature.slice(-43, -1) + letter, 'base64url').equals(bytes))
  t.equal(twins.length, 3)
  for (const twin of twins) refusedFor(t, signed.slice(0, -1) + twin, 'malformed signature')
  const standard = Array.from({ length: 100 }, (_, n) => sign(`/private/${n}.jpg`)).find(each => /-.*_|_.*-/.test(each.slice(-43))) as string
  refusedFor(t, standard.slice(0, -43) + standard.slice(-43).replaceAll('-', '+').replaceAll('_', '/'), 'malformed signature')
  t.equal(judge(standard).kind, 'granted')
})

t.test('a signature over another path, or over the same in another spelling, is refused', async t => {
  for (const path of ['/private/dog.jpg', '/private/Cat.jpg', '/PRIVATE/cat.jpg', '/private/c%61t.jpg', '/private%2Fcat.jpg', '/private//cat.jpg', '//private/cat.jpg', '/private/./cat.jpg', '/private/x/../cat.jpg', '/private/%2e/cat.jpg', '/private/cat.jpg/', '/private/cat.jpg;', '/private/cat.jpg%00', '/private/cat.jpg\0', '/private\\cat.jpg', '/private/cat.jp', '/', '']) {
    refusedFor(t, signed.replace('/private/cat.jpg', () => path), 'signature does not match')
  }
  const spaced = sign('/private/my%20cat.jpg?txt=a%20b')
  for (const [from, to] of [['my%20cat', 'my+cat'], ['my%20cat', 'my%2520cat'], ['my%20cat', 'my cat'], ['a%20b', 'a+b'], ['a%20b', 'a%2520b']] as const) refusedFor(t, spaced.replace(from, to), 'signature does not match')
  const encoded = sign('/private/my%2520cat.jpg')
  refusedFor(t, encoded.replace('%2520', '%20'), 'signature does not match')
  const plus = sign('/private/a+b.jpg')
  for (const to of ['%2B', '%2b', '%20', ' ']) refusedFor(t, plus.replace('+', to), 'signature does not match')
})

t.test('a signature in the path, or on another path, opens nothing', async t => {
  t.same(judge(`/private/cat.jpg/sig=${signature}`), { kind: 'absent' })
  t.same(judge(`/private/cat.jpg;sig=${signature}`), { kind: 'absent' })
  t.same(judge(`/private/cat.jpg&sig=${signature}`), { kind: 'absent' })
  t.same(judge(`/private/cat.jpg%3Fw=320&sig=${signature}`), { kind: 'absent' })
  refusedFor(t, `/private/cat.jpg&sig=${signature}?w=320&f=auto&sig=${signature}`, 'signature does not match')
  refusedFor(t, `/public/../private/cat.jpg?w=320&f=auto&sig=${signature}`, 'signature does not match')
  refusedFor(t, `/private/cat.jpg?sig=${signature}`, 'signature does not match')
})

t.test('a parameter added, taken away, moved or changed is refused', async t => {
  for (const query of ['w=321&f=auto', 'w=320', 'f=auto', 'f=auto&w=320', 'w=320&f=auto&q=1', 'q=1&w=320&f=auto', 'w=320&&f=auto', 'w=320&f=auto&', '&w=320&f=auto', 'w=320&f=AUTO', 'w=3%320&f=auto', 'w=320;f=auto', 'W=320&f=auto', 'w=320&f=auto&download=', '']) {
    refusedFor(t, `/private/cat.jpg?${query}&sig=${signature}`, 'signature does not match')
  }
  refusedFor(t, `/private/cat.jpg?w=320&sig=${signature}&f=auto`, 'malformed signature')
  refusedFor(t, `/private/cat.jpg?w=320&f=auto?sig=${signature}&sig=${signature}`, 'signature does not match')
})

t.test('what a signature says of itself cannot be changed', async t => {
  const [, fields = ''] = signature.split('.')
  refusedFor(t, signed.replace(fields, `e${now / 1000 + 9_999}`), 'signature does not match')
  refusedFor(t, signed.replace(fields, ''), 'signature does not match')
  refusedFor(t, signed.replace(fields, `${fields}~mPUT`), 'signature does not match', { method: 'PUT' })
  refusedFor(t, signed.replace('sig=2026-11', 'sig=2026-10'), 'revoked or unknown key')
  refusedFor(t, signed.replace('sig=2026-11', 'sig=../../etc/passwd'), 'malformed signature')
  refusedFor(t, sign(target, { expires: now / 1000 + 9e8, expiresIn: undefined }), 'expires too far ahead')
  refusedFor(t, signed, 'for another method', { method: 'PUT' })
  refusedFor(t, signed, 'for another method', { method: 'POST' })
  t.equal(judge(signed, { method: 'HEAD' }).kind, 'granted')
  refusedFor(t, sign(target, { address: '192.0.2.8' }), 'signature does not match')
  t.equal(judge(sign(target, { address: '2001:db8::1' }), { address: '2001:db8::2' }).kind, 'granted')
  t.equal(judge(sign(target, { expiresIn: 1 })).kind, 'granted')
  t.same(strategy({}, [], () => now + 3_605_000).judge(asked(signed)), { kind: 'denied', reason: 'expired' })
})

t.test('very long targets are judged as short ones', async t => {
  const long = `/private/${'a'.repeat(200_000)}.jpg?${'w=1&'.repeat(50_000)}f=auto`
  t.equal(judge(sign(long)).kind, 'granted')
  refusedFor(t, sign(long).replace('aaa', 'aab'), 'signature does not match')
  refusedFor(t, `/a?${'sig=&'.repeat(100_000)}sig=`, 'malformed signature')
  refusedFor(t, `/a?sig=${'a~'.repeat(100_000)}`, 'malformed signature')
})

t.test('any byte of a signed target that is another one, any missing and any too many, is refused', async t => {
  const random = seeded(52)
  const whole = sign('/private/my%20cat.jpg?w=320&f=auto&download=', { notBefore: 1, method: 'GET', address: '192.0.2.7' })
  t.equal(judge(whole).kind, 'granted')
  let tried = 0
  const refuse = (changed: string): void => {
    tried++
    if (changed !== whole && judge(changed).kind === 'granted') t.fail(changed)
  }
  for (let place = 0; place <= whole.length; place++) {
    const [start, byte, end] = [whole.slice(0, place), whole.charCodeAt(place), whole.slice(place + 1)]
    for (let bit = 0; bit < 8; bit++) refuse(start + String.fromCharCode(byte ^ (1 << bit)) + end)
    refuse(start + String.fromCharCode(byte + 0x100) + end)
    for (const letter of ['A', '0', '.', '~', '&', '=', '%', '/', '\0', 'é', String.fromCharCode(Math.floor(random() * 0x10000))]) {
      refuse(start + letter + end)
      refuse(start + letter + whole.slice(place))
    }
    if (place < whole.length) refuse(start + end)
  }
  t.ok(tried > 3000)
})

t.test('two signed targets cannot be put together to a third', async t => {
  const [first, second] = [sign('/private/a?w=1'), sign('/private/b?h=2')]
  let tried = 0
  for (let i = 0; i <= first.length; i++) {
    for (let j = 0; j <= second.length; j++) {
      const mixed = first.slice(0, i) + second.slice(j)
      if (mixed === first || mixed === second) continue
      tried++
      if (judge(mixed).kind === 'granted') t.fail(mixed)
    }
  }
  t.ok(tried > 5000)
})

t.test('both modes count what held and what did not, by reason', async t => {
  const links = strategy()
  for (const each of [signed, signed, `${signed}A`, signed.replace('cat', 'dog'), signed.replace('cat', 'cow'), '/private/cat.jpg']) links.judge(asked(each))
  t.same(links.state, { mode: 'enforce', granted: 2, refused: { 'malformed signature': 1, 'signature does not match': 2 } })
})

t.test('mode report-only judges as strictly, and counts what it is told of alone', async t => {
  const links = strategy({ mode: 'report-only' })
  t.equal(strategy().report, undefined, 'a strategy that counts has nobody to tell')
  t.same(links.judge(asked(signed)), { kind: 'granted', principal: { strategy: 'links', name: '2026-11', isShared: true }, target, isPassing: true })
  t.same(links.judge(asked('/private/cat.jpg?w=1')), { kind: 'absent' })
  const refusals = [[`${target}&sig=x`, 'malformed signature'], [signed.replace('cat', 'dog'), 'signature does not match'], ['/a?sig=x&w=1', 'malformed signature']] as const
  for (const [sent, reason] of refusals) t.same(links.judge(asked(sent)), { kind: 'denied', reason }, sent)
  t.same(links.judge(asked(signed, { method: 'PUT' })), { kind: 'denied', reason: 'for another method' })
  t.same(links.state, { mode: 'report-only', granted: 1, refused: {} }, 'something else may have let them in')
  for (const [sent, reason] of [...refusals, ['/private/cat.jpg', 'no signature']] as const) links.report?.(reason, sent)
  t.same(links.state, { mode: 'report-only', granted: 1, refused: { 'malformed signature': 2, 'signature does not match': 1, 'no signature': 1 } })
})

t.test('a signature for a time or a client gives a passing permission, any other a lasting one', async t => {
  const isPassing = (options: SignOptions): unknown => {
    const verdict = strategy({ requireExpiry: false }).judge(asked(sign('/private/cat.jpg', { expiresIn: undefined, ...options })))
    return verdict.kind === 'granted' ? verdict.isPassing : verdict
  }
  t.equal(isPassing({}), false)
  t.equal(isPassing({ method: 'GET' }), false, 'the method is a part of what is asked for')
  for (const options of [{ expiresIn: 60 }, { expires: now / 1000 + 60 }, { notBefore: 1 }, { address: '192.0.2.7' }, { expiresIn: 60, address: '192.0.2.7' }]) t.equal(isPassing(options), true, JSON.stringify(options))
})

t.test('what would be refused is logged by its path, once a second for each reason', async t => {
  const log: string[] = []
  let clock = now
  const links = strategy({ mode: 'report-only' }, log, () => clock)
  const report = (reason: string, sent: string, ms: number): void => {
    clock = now + ms
    links.report?.(reason, sent)
  }
  report('no signature', '/private/cat.jpg?token=hush', 0)
  report('no signature', '/private/2.jpg', 999)
  report('malformed signature', `${target}&sig=hush`, 999)
  report('no signature', '/private/3.jpg?w=1', 1000)
  report('no signature', '/private/4.jpg', -60_000)
  report('no signature', '/private/5.jpg&sig=hush', 1_000_000)
  const lines = log.map(line => JSON.parse(line) as unknown)
  const line = { strategy: 'links', message: 'A signed URL would be refused' }
  t.same(lines, [
    { ...line, reason: 'no signature', count: 1, path: '/private/cat.jpg' },
    { ...line, reason: 'malformed signature', count: 1, path: '/private/cat.jpg' },
    { ...line, reason: 'no signature', count: 3, path: '/private/3.jpg' },
    { ...line, reason: 'no signature', count: 4, path: '/private/4.jpg' },
    { ...line, reason: 'no signature', count: 5, path: '/private/5.jpg&sig=redacted' }
  ], 'also where the clock was set back, and a link is broken')
  t.notMatch(log.join('\n'), /hush|token/)
  const silent: string[] = []
  for (const mode of ['enforce', 'report-only'] as const) strategy({ mode }, silent).judge(asked(`${target}&sig=x`))
  t.same(silent, [], 'whoever is refused is logged as everybody who is')
})

t.test('others who let a request in can tell signatures and strip them', async t => {
  t.ok(hasSignature(signed))
  t.notOk(hasSignature(target))
  t.equal(withoutSignature(signed), target)
})

t.test('mistakes in keys are told at their place, without the keys', async t => {
  const mistakes = (keys: unknown, secrets: Array<string | undefined>): unknown => signedMistakes({ keys }, secrets)
  const good = { id: 'a', secret, revoked: false }
  t.same(mistakes([good, { id: 'b', secretFile: 'key', revoked: true }], [secret, `${secret}2`]), [])
  t.same(mistakes([good, { id: 'b', secret, revoked: true }], [secret, secret]), [{ path: 'keys[1]', message: 'Expected a secret of its own, but it is that of keys[0]' }], 'it would not be revoked')
  t.same(mistakes([good, { ...good }, { ...good, id: 'b' }], [secret, `${secret}2`, `${secret}3`]), [{ path: 'keys[1].id', message: 'Expected an id of its own, but a is that of keys[0]' }])
  t.same(mistakes([{ id: 'a' }, { id: 'b', secret, secretFile: 'key' }], [undefined, secret]), [
    { path: 'keys[0]', message: 'Expected a secret or a secretFile' },
    { path: 'keys[1]', message: 'Expected either a secret or a secretFile but received both' }
  ])
  t.same(mistakes([{ ...good, revoked: true }], [secret]), [{ path: 'keys', message: 'Expected a key that is not revoked' }])
  const told = signedMistakes({ keys: [{ id: 'a', secret: 'hunter2' }, { id: 'b', secretFile: 'key' }, { id: 'c', secret: 'x'.repeat(40) }, { id: 'd', secretFile: 'gone' }] }, ['hunter2', exampleSecrets[0], 'x'.repeat(40), undefined])
  t.same(told.map(({ path }) => path), ['keys[0].secret', 'keys[1].secretFile', 'keys[2].secret'])
  t.match(told, [{ message: /it has 7 bytes, fewer than 32/ }, { message: /it is an example/ }, { message: /it has 1 different bytes/ }])
  t.notMatch(JSON.stringify(told), /hunter2|change-me|xxx/)
  for (const keys of [undefined, null, 'a', [], [null], ['a'], [{ id: 5 }, { id: 5 }]]) t.ok(Array.isArray(mistakes(keys, [])), JSON.stringify(keys))
})
