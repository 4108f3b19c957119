import t from 'tap'
import { clientView, trustRanges, type ClientView, type Connection } from '../../../lib/http/forwarded.ts'

const isTrusted = trustRanges(['10.0.0.0/8', '::1', 'fd00::/8'])

function view (headers: Connection['headers'], { address = '10.0.0.1', encrypted = false } = {}): ClientView {
  return clientView({ address, encrypted, headers: { host: 'direct.example', ...headers } }, isTrusted)
}

t.test('an untrusted peer is believed nothing but its own address', async t => {
  const headers = {
    'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-prefix': '/evil', 'forwarded': 'for=203.0.113.9;proto=https;host=evil.example'
  }
  t.strictSame(view(headers, { address: '198.51.100.1' }), { address: '198.51.100.1', scheme: 'http', host: 'direct.example', prefix: '', forwarded: false })
  t.strictSame(view(headers, { address: '::ffff:198.51.100.1', encrypted: true }), { address: '198.51.100.1', scheme: 'https', host: 'direct.example', prefix: '', forwarded: false })
  t.match(view(headers, { address: '' }), { address: '', forwarded: false })
})

t.test('a trusted peer that says nothing is itself the client', async t => {
  t.strictSame(view({}), { address: '10.0.0.1', scheme: 'http', host: 'direct.example', prefix: '', forwarded: false })
})

t.test('a trusted proxy tells address, scheme, host and prefix', async t => {
  t.strictSame(view({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'HTTPS', 'x-forwarded-host': 'pics.example:8443', 'x-forwarded-prefix': '/media/' }),
    { address: '203.0.113.9', scheme: 'https', host: 'pics.example:8443', prefix: '/media', forwarded: true })
  t.strictSame(view({ forwarded: 'for="[2001:DB8:0::17]:4711";proto=https;host="pics.example:8443";by=10.0.0.1' }, { address: '::ffff:10.0.0.1' }),
    { address: '2001:db8::17', scheme: 'https', host: 'pics.example:8443', prefix: '', forwarded: true })
})

t.test('the chain is read from the nearest hop and ends at the first that is not trusted', async t => {
  const rows = [
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9, 10.0.0.3', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9, 10.0.0.3, 10.0.0.2', '203.0.113.9'],
    ['10.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['10.0.0.4, 10.0.0.3', '10.0.0.4'],
    ['6.6.6.6, unknown', '10.0.0.1'],
    ['6.6.6.6, unknown, 10.0.0.2', '10.0.0.2'],
    [' ,203.0.113.9 ,, ', '203.0.113.9'],
    ['203.0.113.9:51234', '203.0.113.9'],
    ['2001:db8::9', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
    ['::ffff:203.0.113.9', '203.0.113.9']
  ] as const
  for (const [field, address] of rows) {
    t.equal(view({ 'x-forwarded-for': field }).address, address, field)
    t.equal(view({ 'x-forwarded-for': field.split(',') }).address, address, `${field}, in several fields`)
  }
})

t.test('Forwarded is read the same way', async t => {
  const rows = [
    ['for=203.0.113.9', '203.0.113.9'],
    ['For="203.0.113.9:51234"', '203.0.113.9'],
    ['for=203.0.113.9:51234', '203.0.113.9'],
    ['for=6.6.6.6, for=203.0.113.9;by=10.0.0.2, for=10.0.0.2', '203.0.113.9'],
    ['for="[2001:db8::9]"', '2001:db8::9'],
    ['for="[2001:db8::9]:_port"', '2001:db8::9'],
    ['for="203\\.0\\.113.9"', '203.0.113.9'],
    ['for=_hidden', '10.0.0.1'],
    ['for=unknown', '10.0.0.1'],
    ['for=6.6.6.6, for=_hidden', '10.0.0.1'],
    ['for=6.6.6.6, proto=https', '10.0.0.1'],
    ['; for=203.0.113.9 ;; secret-1="a;b\\"c" ;', '203.0.113.9'],
    [',, for=203.0.113.9 ,', '203.0.113.9'],
    ['__proto__=x;constructor=y;for=203.0.113.9', '203.0.113.9']
  ] as const
  for (const [field, address] of rows) t.equal(view({ forwarded: field }).address, address, field)
})

t.test('of a malformed element nothing is believed', async t => {
  for (const element of ['for=203.0.113.9;proto', 'for=203.0.113.9 proto=https', 'for="203.0.113.9', 'for=203.0.113.9"', '"for=203.0.113.9', '=203.0.113.9', 'for =203.0.113.9', 'for=203.0.113.9;host="a"b', 'x']) {
    t.strictSame(view({ forwarded: `for=6.6.6.6;proto=https;host=evil.example, ${element}` }), { address: '10.0.0.1', scheme: 'http', host: 'direct.example', prefix: '', forwarded: false }, element)
  }
})

t.test('what a client wrote cannot swallow what a proxy appended', async t => {
  for (const evil of ['for="', 'x="\\', 'for=6.6.6.6;host="evil.example', 'garbage', '"', ';;;', 'for=6.6.6.6;proto=https;a="b, c']) {
    t.match(view({ forwarded: `${evil}, for=203.0.113.9;proto=https;host="pics.example"` }), { address: '203.0.113.9', scheme: 'https', host: 'pics.example' }, evil)
  }
})

t.test('a client\'s Forwarded means nothing where the proxy speaks X-Forwarded', async t => {
  const forwarded = 'for=6.6.6.6;proto=http;host=evil.example'
  t.strictSame(view({ forwarded, 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }), { address: '203.0.113.9', scheme: 'https', host: 'direct.example', prefix: '', forwarded: true })
  t.match(view({ forwarded, 'x-forwarded-proto': 'https' }), { address: '10.0.0.1', scheme: 'https', host: 'direct.example' })
  t.match(view({ forwarded, 'x-forwarded-host': 'pics.example' }), { address: '10.0.0.1', scheme: 'http', host: 'pics.example' })
})

t.test('scheme and host are the farthest trusted proxy\'s word', async t => {
  t.match(view({ forwarded: 'for=6.6.6.6;proto=http;host=evil.example, for=203.0.113.9;proto=https;host=pics.example, for=10.0.0.2;proto=http;host=inner.example' }), { scheme: 'https', host: 'pics.example' })
  t.match(view({ forwarded: 'for=203.0.113.9, for=10.0.0.2;proto=https;host=inner.example' }), { address: '203.0.113.9', scheme: 'https', host: 'inner.example' })
  t.match(view({ forwarded: 'for=203.0.113.9;proto=gopher;host="a b", for=10.0.0.2;proto=https;host=inner.example' }), { scheme: 'https', host: 'inner.example' })
})

t.test('X-Forwarded-Proto and -Host belong to hops where there are as many as addresses', async t => {
  const chain = '6.6.6.6, 203.0.113.9, 10.0.0.2'
  t.match(view({ 'x-forwarded-for': chain, 'x-forwarded-proto': 'http, https, http', 'x-forwarded-host': 'evil.example, pics.example, inner.example' }), { address: '203.0.113.9', scheme: 'https', host: 'pics.example' })
  t.match(view({ 'x-forwarded-for': chain, 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example, pics.example' }), { scheme: 'https', host: 'pics.example' })
  t.match(view({ 'x-forwarded-proto': 'http, https' }), { address: '10.0.0.1', scheme: 'https' })
})

t.test('a host that could end a URL\'s authority early is not believed', async t => {
  for (const host of ['pics.example', 'PICS.example:8443', 'localhost', '192.0.2.1', '[2001:db8::1]', '[::1]:3000', 'a_b.example', 'pics.example.']) t.equal(view({ 'x-forwarded-host': host }).host, host)
  for (const host of ['pics.example/evil', 'a@evil.example', 'a b', 'a"b', "a'b", 'a?b', 'a#b', 'a\\b', '.example', 'a..b', 'a:', 'a:b', 'a:123456', '[::1', '::1', '<a>', 'a%2fb', 'b\u00fccher.example', ':80', 'a\r\nb']) {
    t.equal(view({ 'x-forwarded-host': host }).host, 'direct.example', JSON.stringify(host))
    t.equal(view({ host }, { address: '198.51.100.1' }).host, 'localhost', JSON.stringify(host))
  }
  t.equal(view({ host: undefined }).host, 'localhost')
  t.equal(view({ host: ['a', 'b'] }).host, 'localhost')
})

t.test('a prefix is plain segments, the nearest proxy\'s', async t => {
  const rows = [
    ['/media', '/media'], ['/media/', '/media'], ['/a/b-c_d.e~f', '/a/b-c_d.e~f'], ['/a, /b', '/b'], ['/.well-known', '/.well-known'], ['/...', '/...']
  ] as const
  for (const [field, prefix] of rows) t.match(view({ 'x-forwarded-prefix': field }), { prefix, forwarded: true }, field)
  t.match(view({ 'x-forwarded-prefix': '/' }), { prefix: '', forwarded: true })
  for (const field of ['media', '//evil.example', '/a//b', '/a//', '/..', '/a/../b', '/.', '/a/./b', '/a b', '/a%2fb', '/a?b', '/a#b', '/a\\b', '/"', '/\u00e9', '', ' ']) {
    t.match(view({ 'x-forwarded-prefix': field }), { prefix: '', forwarded: false }, JSON.stringify(field))
  }
})

t.test('trusted ranges hold what lies in them', async t => {
  const rows: Array<[string, string, boolean]> = [
    ['10.0.0.0/8', '10.255.255.255', true], ['10.0.0.0/8', '11.0.0.0', false], ['10.0.0.0/8', '::ffff:10.1.2.3', true], ['10.0.0.0/8', '::ffff:11.1.2.3', false],
    ['192.0.2.1', '192.0.2.1', true], ['192.0.2.1', '192.0.2.2', false], ['192.0.2.1/32', '192.0.2.1', true], ['0.0.0.0/0', '203.0.113.9', true], ['0.0.0.0/0', '2001:db8::1', false],
    ['::1', '::1', true], ['::1', '0:0:0:0:0:0:0:1', true], ['::1', '::2', false], ['fd00::/8', 'fdab::1', true], ['fd00::/8', 'fe80::1', false], ['fe80::/10', 'fe80::1%eth0', true], ['::/0', '2001:db8::1', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true], ['::ffff:10.0.0.0/104', '11.1.2.3', false], ['::ffff:192.0.2.1', '192.0.2.1', true], ['::ffff:192.0.2.1', '192.0.2.2', false],
    ['10.0.0.0/8', '', false], ['0.0.0.0/0', 'localhost', false], ['0.0.0.0/0', 'unknown', false]
  ]
  for (const [range, address, expected] of rows) t.equal(trustRanges([range])(address), expected, `${address} in ${range}`)
  t.equal(trustRanges([])('127.0.0.1'), false)
})

t.test('what is no range is refused by name', async t => {
  for (const range of ['', '/', '/8', 'localhost', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0.0/x', '10.0.0.0/8 ', '10/8', '10.0/16', '010.0.0.0/8', '0x0a.0.0.0/8', '256.0.0.0/8', '::/129', '::1::/8', '[::1]', '10.0.0.0/9999', '1', '*', 'true']) {
    t.throws(() => trustRanges(['10.0.0.0/8', range]), { name: 'TypeError', message: `Expected a CIDR range such as 10.0.0.0/8 but received ${range}` }, range)
  }
})

t.test('a long field costs no more than is believed of it', async t => {
  const started = performance.now()
  const many = 'a,'.repeat(30_000)
  for (const field of [many, `${many}203.0.113.9`, `for=${'"'.repeat(60_000)}`, `for=a;${' '.repeat(60_000)}x`, `for="${'\\a'.repeat(30_000)}`, `${'a'.repeat(60_000)}=`, ';'.repeat(60_000), `for="[${':'.repeat(60_000)}]"`, `[${'1:'.repeat(30_000)}`, '1.'.repeat(30_000), '/a'.repeat(30_000), `${'a.'.repeat(30_000)}!`]) {
    for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-prefix']) view({ [name]: field })
  }
  t.ok(performance.now() - started < 2000)
})
