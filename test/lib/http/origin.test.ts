import t from 'tap'
import { isOriginAllowed, originMatchers } from '../../../lib/http/origin.ts'

function allows (list: string[], origin: string): boolean {
  return isOriginAllowed(origin, originMatchers(list))
}

t.test('an exact origin allows itself alone', async t => {
  const list = ['https://example.com', 'http://localhost:5173', 'https://[::1]:8443']
  for (const origin of list) t.equal(allows(list, origin), true, origin)
  for (const origin of [
    'http://example.com', 'https://example.com:8443', 'https://example.com/', 'https://www.example.com', 'https://example.com.evil.net', 'https://evilexample.com',
    'https://EXAMPLE.com', 'https://example.com, https://example.com', ' https://example.com', 'https://example.com\n', 'http://localhost:51730', 'null', '', '__proto__'
  ]) t.equal(allows(list, origin), false, JSON.stringify(origin))
})

t.test('an origin is compared in its serialised form', async t => {
  t.strictSame(originMatchers(['HTTPS://Example.COM', 'https://example.com:443', 'http://example.com:80', 'https://b\u00fccher.example']), ['https://example.com', 'https://example.com', 'http://example.com', 'https://xn--bcher-kva.example'])
})

t.test('a wildcard stands for one or more labels in front', async t => {
  const list = ['https://*.example.com']
  for (const origin of ['https://a.example.com', 'https://a-b.c1.example.com']) t.equal(allows(list, origin), true, origin)
  for (const origin of [
    'https://example.com', 'http://a.example.com', 'https://a.example.com:8443', 'https://.example.com', 'https://a..example.com', 'https://-a.example.com', 'https://a-.example.com',
    'https://aexample.com', 'https://a.exampleXcom', 'https://a.example.com.evil.net', 'https://evil.net/.example.com', 'https://evil.net#.example.com', 'https://evil.net?.example.com', 'https://u@a.example.com',
    'https://a.example.com\n', 'https://evil.net\na.example.com', 'https://A.example.com', 'null'
  ]) t.equal(allows(list, origin), false, JSON.stringify(origin))
  t.equal(allows(['http://*.example.com:8080'], 'http://a.example.com:8080'), true)
  t.equal(allows(['http://*.example.com:8080'], 'http://a.example.com'), false)
  t.equal(allows(['https://*.my-site.example'], 'https://a.my-site.example'), true)
  t.equal(allows(['https://*.wildcard.com'], 'https://a.wildcard.com'), true)
})

t.test('signs that mean something in a pattern are letters of a host', async t => {
  for (const [pattern, origin] of [['https://*.exa+mple.com', 'https://a.exaaample.com'], ['https://*.a$', 'https://x.a'], ['https://*.(a+)+.com', `https://x.${'a'.repeat(40)}`]] as const) {
    t.equal(allows([pattern], origin), false, pattern)
  }
})

t.test('* allows every origin, the opaque one too', async t => {
  t.equal(allows(['*'], 'https://example.com'), true)
  t.equal(allows(['*'], 'null'), true)
  t.equal(allows([], 'https://example.com'), false)
})

t.test('what is no origin is refused by name', async t => {
  for (const text of [
    '', 'null', 'example.com', '//example.com', 'https://', 'https:example.com', 'https:\\\\example.com', 'https://example.com/', 'https://example.com/path', 'https://example.com?', 'https://example.com?x', 'https://example.com#',
    'https://user@example.com', 'ftp://example.com', 'file:///x', 'https://*', 'https://*.', 'https://a.*.com', 'https://*.*.com', 'https://*example.com', '*.example.com', '*://example.com', 'https://exa mple.com', ' https://example.com',
    'https://*.192.0.2.1', 'https://*.[::1]', 'https://example.com:99999', '/^https:/', 'constructor'
  ]) t.throws(() => originMatchers([text]), { name: 'TypeError', message: `Expected an origin such as https://example.com or https://*.example.com but received ${text}` }, JSON.stringify(text))
})

t.test('a long origin is compared in linear time', async t => {
  const matchers = originMatchers(['https://*.example.com'])
  const started = performance.now()
  for (const origin of [`https://${'a'.repeat(60_000)}`, `https://${'a-'.repeat(30_000)}`, `https://${'a.'.repeat(30_000)}`, `https://${'a.example.com.'.repeat(5000)}x`, `https://${'-'.repeat(60_000)}.example.com`]) t.equal(isOriginAllowed(origin, matchers), false)
  t.ok(performance.now() - started < 1000)
})
