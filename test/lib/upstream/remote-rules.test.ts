import t from 'tap'
import { remoteRules } from '../../../lib/upstream/remote-rules.ts'

/** Which of the URLs a list lets through. */
function allowed (allow: string[], urls: readonly string[], addresses: 'public' | 'any' = 'public'): string[] {
  const rules = remoteRules(allow, { addresses })
  return urls.filter(url => {
    try {
      rules.check(new URL(url))
      return true
    } catch (error) {
      if ((error as { code?: string }).code !== 'remote-forbidden') throw error
      return false
    }
  })
}

const url = (text: string): URL => new URL(text)

t.test('an exact rule is for one scheme, one host and one port', async t => {
  const mine = ['https://img.example.com/', 'https://img.example.com:443/a/b?c', 'https://IMG.EXAMPLE.COM/', 'https://img.example.com./', 'https://img.exa\u00admple.com/', 'https://img%2Eexample.com/', 'https://ｉｍｇ.example.com/', 'https://img。example.com/']
  const others = [
    'http://img.example.com/', 'https://img.example.com:8443/', 'https://img.example.com:80/', 'http://img.example.com:443/', 'https://example.com/', 'https://a.img.example.com/', 'https://aimg.example.com/', 'https://img.example.com.evil.example/', 'https://img-example.com/', 'https://imgxexample.com/',
    'https://img.example.co/', 'https://img.example.comm/', 'https://evil.example/img.example.com', 'https://evil.example/?https://img.example.com/', 'https://evil.example/#@img.example.com/', 'https://img.example.com../', 'https://.img.example.com/', 'https://img..example.com/', 'ftp://img.example.com/', 'ws://img.example.com/', 'wss://img.example.com/', 'file://img.example.com/'
  ]
  t.strictSame(allowed(['https://img.example.com'], [...mine, ...others]), mine)
})

t.test('a wildcard is for every name below, label by label, and not for the name itself', async t => {
  const mine = ['https://a.example.com/', 'https://a.b.example.com/', 'https://a-b.c_d.example.com./', 'https://example.com.example.com/', 'https://xn--bcher-kva.example.com/', 'https://bücher.example.com/']
  const others = ['https://example.com/', 'https://evilexample.com/', 'https://a.evilexample.com/', 'https://a-example.com/', 'https://a.example.com.evil.example/', 'https://.example.com/', 'https://a..example.com/', 'https://..example.com/', 'https://a.example.com../', 'http://a.example.com/', 'https://a.example.com:8443/', 'https://a.examplexcom/', 'https://com/', 'https://a.com/']
  t.strictSame(allowed(['https://*.example.com'], [...mine, ...others]), mine)
})

t.test('a rule with a port is for that port', async t => {
  t.strictSame(allowed(['http://img.example.com:8080', 'https://*.example.org:8443', 'https://img.example.net:443', 'http://img.example.net:80'], [
    'http://img.example.com:8080/', 'http://img.example.com/', 'https://img.example.com:8080/', 'http://img.example.com:80/', 'https://a.example.org:8443/', 'https://a.example.org/', 'http://a.example.org:8443/', 'https://img.example.net/', 'http://img.example.net/', 'http://img.example.net:443/', 'https://img.example.net:80/'
  ]), ['http://img.example.com:8080/', 'https://a.example.org:8443/', 'https://img.example.net/', 'http://img.example.net/'])
})

t.test('a user or a password is refused, also where the host is allowed', async t => {
  t.strictSame(allowed(['https://img.example.com', 'https://*.example.com'], ['https://user@img.example.com/', 'https://user:secret@img.example.com/', 'https://:secret@img.example.com/', 'https://img.example.com@evil.example/', 'https://evil.example\\@img.example.com/', 'https://img.example.com%2f@evil.example/']), [])
})

t.test('IDN hosts are compared as they are resolved', async t => {
  for (const rule of ['https://bücher.example', 'https://BÜCHER.example', 'https://xn--bcher-kva.example', 'https://bu\u0308cher.example']) {
    t.strictSame(allowed([rule], ['https://bücher.example/', 'https://xn--bcher-kva.example/', 'https://Bücher.Example./', 'https://bucher.example/', 'https://xn--bcher-kva.example.evil.example/']), ['https://bücher.example/', 'https://xn--bcher-kva.example/', 'https://Bücher.Example./'], rule)
  }
  t.strictSame(allowed(['https://paypal.example'], ['https://p\u0430ypal.example/']), [], 'a letter of another script')
})

t.test('an address is allowed by its own rule alone, however it is spelled', async t => {
  const spellings = ['http://8.8.4.4/', 'http://134743044/', 'http://0x08080404/', 'http://010.8.4.4/', 'http://8.8.1028/', 'http://8.8.4.4./', 'http://８.８.４.４/']
  t.strictSame(allowed(['http://8.8.4.4'], [...spellings, 'http://8.8.4.5/', 'http://[::ffff:8.8.4.4]/']), spellings)
  t.strictSame(allowed(['http://0x08080404'], spellings), spellings)
  t.strictSame(allowed(['http://*.example.com', 'http://dns.example'], spellings), [])
  t.strictSame(allowed(['https://[2606:4700:0::1]:8443'], ['https://[2606:4700::1]:8443/', 'https://[2606:4700:0:0:0:0:0:1]:8443/', 'https://[2606:4700::1]/', 'https://[2606:4700::2]:8443/']), ['https://[2606:4700::1]:8443/', 'https://[2606:4700:0:0:0:0:0:1]:8443/'])
})

const privateHosts = [
  'localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'localhost.localdomain', 'printer.local', 'metadata.google.internal', 'instance-data.ec2.internal', 'a.b.internal', 'kubernetes.default.svc.cluster.local', 'wiki.corp', 'nas.home', 'router.lan', 'x.home.arpa', 'x.intranet', 'x.private', 'metadata', 'redis',
  '127.0.0.1', '127.1', '2130706433', '0x7f.1', '0', '10.0.0.1', '192.168.0.1', '169.254.169.254', '100.100.100.200', '168.63.129.16', '224.0.0.1', '255.255.255.255', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[::127.0.0.1]', '[fe80::1]', '[fd00:ec2::254]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]'
]

t.test('what is private is refused, also where a rule would let it through', async t => {
  const tops = ['local', 'internal', 'localhost', 'corp', 'home', 'lan', 'home.arpa', 'intranet', 'private', 'localdomain', 'google.internal', 'cluster.local']
  for (const host of privateHosts) {
    t.throws(() => remoteRules([`http://${host}`]), { name: 'TypeError', message: `Expected a public host in http://${host}: with addresses 'public' nothing private is asked for` })
    t.strictSame(allowed(['http://img.example.com', 'http://*.com', 'http://*.arpa'], [`http://${host}/`]), [], host)
  }
  for (const top of tops) t.throws(() => remoteRules([`http://*.${top}`]), TypeError, top)
  t.strictSame(allowed(['http://locallocal.example', 'http://internal.example', 'http://localhost.example', 'http://mylocal.xlocal'], ['http://locallocal.example/', 'http://internal.example/', 'http://localhost.example/', 'http://mylocal.xlocal/']), ['http://locallocal.example/', 'http://internal.example/', 'http://localhost.example/', 'http://mylocal.xlocal/'], 'names that only look like it')
})

t.test('with any, rules alone decide', async t => {
  for (const host of privateHosts) t.strictSame(allowed([`http://${host}`], [`http://${host}/`, 'http://other.example/'], 'any'), [`http://${host}/`], host)
  t.strictSame(allowed(['http://*.internal'], ['http://a.internal/', 'http://internal/', 'http://127.0.0.1/'], 'any'), ['http://a.internal/'])
})

t.test('nothing is allowed where nothing is listed', async t => {
  t.strictSame(allowed([], ['https://img.example.com/', 'http://a/']), [])
})

t.test('a refusal is 403, says nothing in public, and tells the log no more than the origin', async t => {
  t.throws(() => remoteRules(['https://a.example']).check(url('https://b.example:8443/secret?token=x')), { name: 'MediaError', code: 'remote-forbidden', statusCode: 403, detail: undefined, context: { origin: 'https://b.example:8443' } })
})

t.test('a rule that is none is told', async t => {
  const rules = [
    '', '*', 'img.example.com', '*.example.com', '//img.example.com', 'ftp://img.example.com', 'ws://img.example.com', 'https:img.example.com', 'https:/img.example.com', 'https://', 'https://*', 'https://*.', 'https://.', 'https://*.*.example.com', 'https://a.*.example.com', 'https://*a.example.com', 'https://a*.example.com', 'https://**.example.com',
    'https://img.example.com/', 'https://img.example.com/a', 'https://img.example.com?a', 'https://img.example.com#a', 'https://user@img.example.com', 'https://user:secret@img.example.com', 'https://img.example.com\\a', 'https://img.example .com', ' https://img.example.com', 'https://img.example.com ', 'https://img.example.com\n',
    'https://img.example.com:65536', 'https://img.example.com:x', 'https://img.example.com:0', 'https://*.127.0.0.1', 'https://*.8.8.8.8', 'https://*.[::1]', 'https://[::1', 'https://1.2.3.4.5', 'https://256.1.1.1', 'https://img..example.com', 'https://.example.com', 'https://*..example.com', 'https://a%00b', 'https://a%2fb', `https://${'a'.repeat(63)}.${'b.'.repeat(120)}example`, 'null', '/.*/'
  ]
  for (const rule of rules) t.throws(() => remoteRules(['https://ok.example', rule]), { name: 'TypeError', message: `Expected a rule such as https://img.example.com or https://*.example.com:8443 but received ${rule}` }, JSON.stringify(rule))
})

t.test('a long list, and a host without end, cost little', async t => {
  const rules = remoteRules(Array.from({ length: 1000 }, (_, place) => `https://*.a${place}.example`))
  rules.check(url('https://b.c.a999.example/'))
  const long = url(`https://${'a.'.repeat(30_000)}example/`)
  t.throws(() => rules.check(long), { code: 'remote-forbidden' })
  const longest = `${'b.'.repeat(120)}a5.example`
  rules.check(url(`https://${longest}/`))
  t.throws(() => rules.check(url(`https://${'b.'.repeat(122)}a5.example/`)), { code: 'remote-forbidden' }, 'longer than a name can be')
})
