import t from 'tap'
import { MAX_REMOTE_URL, parseRemoteUrl, resolveRemoteUrl, spellRemoteUrl } from '../../../lib/upstream/remote-url.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64url')

t.test('each spelling of one URL gives the same one', async t => {
  const spellings = [
    'https://img.example.com/a/cat.jpg%3Fid=5', '/https://img.example.com/a/cat.jpg%3Fid=5', 'https:/img.example.com/a/cat.jpg%3Fid=5', 'https:/img.example.com/a/cat.jpg%3fid=5', 'HTTPS://IMG.Example.COM/a/cat.jpg%3Fid=5',
    'https://img.example.com:443/a/cat.jpg%3Fid=5', 'https://img.example.com./a/cat.jpg%3Fid=5',
    'https%3A%2F%2Fimg.example.com%2Fa%2Fcat.jpg%3Fid%3D5', 'https%3a%2f%2fimg.example.com%2fa%2fcat.jpg%3fid%3d5', 'https:%2F%2Fimg.example.com%2Fa%2Fcat.jpg%3Fid=5', 'https%3A%2Fimg.example.com%2Fa%2Fcat.jpg%3Fid=5', '/https%3A%2F%2Fimg.example.com%2Fa%2Fcat.jpg%3Fid%3D5',
    base64('https://img.example.com/a/cat.jpg?id=5'), `/${base64('https://img.example.com/a/cat.jpg?id=5')}`, `${base64('https://img.example.com/a/cat.jpg?id=5')}/cat.jpg`, `${base64('https://img.example.com/a/cat.jpg?id=5')}/`, `${base64('HTTPS://img.example.com:443/a/cat.jpg?id=5')}/%41%00%zz`
  ]
  for (const spelling of spellings) t.equal(parseRemoteUrl(spelling).href, 'https://img.example.com/a/cat.jpg?id=5', spelling)
})

t.test('base64url may be padded', async t => {
  for (const text of ['https://a.example/', 'https://a.example/b', 'https://a.example/bc']) {
    const padding = '='.repeat(-base64(text).length & 3)
    for (const spelling of [base64(text), base64(text) + padding, base64(text) + encodeURIComponent(padding)]) t.equal(parseRemoteUrl(spelling).href, text, spelling)
  }
})

t.test('the canonical form', async t => {
  const rows = [
    ['http://a.example', 'http://a.example/'], ['http://a.example/', 'http://a.example/'], ['http://a.example%3Fq', 'http://a.example/?q'], ['http://a.example:80/', 'http://a.example/'], ['http://a.example:8080/', 'http://a.example:8080/'], ['https://a.example:80/', 'https://a.example:80/'],
    ['https://a.example//b//', 'https://a.example//b//'], ['https://a.example/b%20c', 'https://a.example/b%20c'], ['https://a.example/b%2Fc', 'https://a.example/b%2Fc'], ['https://a.example/b%2fc', 'https://a.example/b%2fc'], ['https://a.example/%23', 'https://a.example/%23'],
    ['https://a.example/b%3Fc%3Fd', 'https://a.example/b?c%3Fd'], ['https://a.example/b%3Fc=https://x.example/y', 'https://a.example/b?c=https://x.example/y'], ['https://a.example/..b/.../c..', 'https://a.example/..b/.../c..'], ['https://a.example/b%3F../..', 'https://a.example/b?../..'],
    ['https%3A%2F%2Fa.example%2Fb%253Fc', 'https://a.example/b%3Fc'], ['https%3A%2F%2Fa.example%2Fb%2520c%3Fd%2526e', 'https://a.example/b%20c?d%26e'], ['https%3A%2F%2Fa.example%2F%C3%A9', 'https://a.example/%C3%A9'],
    ['https%3A%2F%2Fb%C3%BCcher.example%2F', 'https://xn--bcher-kva.example/'], ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example/'], [base64('https://bücher.example/é?ü'), 'https://xn--bcher-kva.example/%C3%A9?%C3%BC'],
    ['https://2130706433/', 'https://127.0.0.1/'], ['https://0x7f.1/', 'https://127.0.0.1/'], ['https://[0:0::1]/', 'https://[::1]/'], ['https://a.example/@b:c', 'https://a.example/@b:c'], ['https://a.example/b%3Fc@d', 'https://a.example/b?c@d'], ['https://a.example/__proto__', 'https://a.example/__proto__']
  ] as const
  for (const [spelling, href] of rows) t.equal(parseRemoteUrl(spelling).href, href, spelling)
})

const hostile: ReadonlyArray<readonly [why: string, spellings: readonly string[]]> = [
  ['no HTTP', ['', '/', 'cat.jpg', 'img.example.com/cat.jpg', '//img.example.com/cat.jpg', 'ftp://a.example/', 'file:///etc/passwd', 'file:/etc/passwd', 'data:image/png;base64,AA', 'javascript:alert(1)', 'gopher://a.example/', 'unix:/run/docker.sock', 'httpss://a.example/', 'ws://a.example/', 'blob:https://a.example/', 'view-source:https://a.example/', 'https', 'https:', 'https:/', 'https://', 'https:///', 'https:///a.example/', 'https:a.example', 'https:////a.example', '//https://a.example/', 'https://%3Fq', 'https://?q']],
  ['no HTTP once decoded', [base64('ftp://a.example/'), base64('file:///etc/passwd'), base64('//a.example/'), base64('/etc/passwd'), base64(''), base64('https:'), base64('https:///a'), base64(' https://a.example/'), encodeURIComponent('ftp://a.example/'), encodeURIComponent('//a.example/x')]],
  ['a user or a password', ['https://user@a.example/', 'https://user:secret@a.example/', 'https://@a.example/', 'https://:@a.example/', 'https://a.example@127.0.0.1/', 'https://a.example%40127.0.0.1/', 'https://a@b@c.example/', encodeURIComponent('https://u@a.example/'), base64('https://u:p@a.example/'), 'https%3A%2F%2F%40a.example%2F']],
  ['a fragment', ['https://a.example/#', 'https://a.example/#b', 'https://a.example/b%3Fc#d', encodeURIComponent('https://a.example/#b'), base64('https://a.example/#'), base64('https://a.example?#')]],
  ['the query of the request', ['https://a.example/?b', 'https://a.example?w=320', 'https%3A%2F%2Fa.example%2F?b', `${base64('https://a.example/')}?w=320`]],
  ['dot segments', ['https://a.example/../b', 'https://a.example/..', 'https://a.example/./b', 'https://a.example/.', 'https://a.example/b/%2e%2e/c', 'https://a.example/b/.%2E', 'https://a.example/%2e/', 'https://a.example/..%3Fq', encodeURIComponent('https://a.example/../b'), base64('https://a.example/b/%2e.')]],
  ['backslashes', ['https:\\\\a.example\\', 'https:/\\a.example/', 'https://a.example\\@127.0.0.1/', 'https://a.example/b\\c', encodeURIComponent('https://a.example\\@127.0.0.1/'), base64('https:\\/a.example/'), base64('https://a.example/b?c\\d')]],
  ['white space and control characters', ['https://a.example/ b', 'https://a.example/\tb', 'https://a.exa\nmple/', 'https://a.example/\u0000', 'https://a.example/\u007f', ' https://a.example/', 'https://a.example/ ', ...[' ', '\t', '\n', '\r\nHost: x', '\0', '\u0085', '\u00a0', '\u2028', '\u3000', '\ufeff', '\u007f'].flatMap(character => [encodeURIComponent(`https://a.example/b${character}c`), base64(`https://a.exa${character}mple/`), base64(`https://a.example/${character}`)])]],
  ['what is not ASCII', ['https://b\u00fccher.example/', 'https://a.example/\u00e9', 'https://a.example/\u{1f408}']],
  ['percent-encoding', ['https://a.example/%', 'https://a.example/%2', 'https://a.example/%zz', 'https://a.example/%u0041', 'https%3A%2F%2Fa.example%2F%', 'https%3A%2F%2Fa.example%2F%FF', 'https%3A%2F%2Fa.example%2F%C0%AE', 'https%3A%2F%2Fa.example%2F%25zz', base64('https://a.example/%'), base64('https://a.example/%g0')]],
  ['a mixture of spellings', ['https%3A//a.example/b', 'https%3A/a.example', 'https%3A%2F%2Fa.example/b', 'https:%2F%2Fa.example/b', 'https%253A%252F%252Fa.example', 'https%3A%252F%252Fa.example', 'h%74tps://a.example/', `${base64('https://a.example/')}/a/b`, `a/${base64('https://a.example/')}`]],
  ['no base64url', ['aHR0cHM6Ly9h+w', 'aHR0cHM6Ly9hLmV4YW1wbGUv===', 'aHR0cHM6Ly9hLmV4YW1wbGUvYm', 'aHR0cHM6Ly9hLmV4YW1wbGU-_A', 'aHR0cHM6Ly9h LmV4', 'aHR0cHM6Ly9hLmV4YW1wbGUv%41', 'x', Buffer.from('https://a.example/\xff', 'latin1').toString('base64url'), Buffer.from('\ufeffhttps://a.example/').toString('base64url')]],
  ['a host that is none', ['https://a..example/', 'https://.a.example/', 'https://a.example../', 'https://./', 'https://../', 'https://a b.example/', 'https://a%20b/', 'https://a%00b/', 'https://a%2fb/', 'https://a%5cb/', 'https://[::1/', 'https://::1/', 'https://[::1%25lo]/', 'https://[v1.x]/', 'https://1.2.3.4.5/', 'https://256.256.256.256/', 'https://0x100000000/', 'https://a.1/', 'https://a.example:65536/', 'https://a.example:-1/', 'https://a.example:b/', 'https://a.example:80:80/', 'https://<a>/', 'https://a^b/', 'https://a|b/', 'https://:443/']]
]

for (const [why, spellings] of hostile) {
  t.test(`refused: ${why}`, async t => {
    for (const spelling of spellings) {
      t.throws(() => parseRemoteUrl(spelling), { name: 'MediaError', code: 'bad-remote-url', statusCode: 400, detail: /^The URL of the remote file / }, JSON.stringify(spelling))
    }
  })
}

t.test('no URL is longer than the bound, however it is spelled', async t => {
  const longest = `https://a.example/${'b'.repeat(MAX_REMOTE_URL - 'https://a.example/'.length)}`
  for (const spelling of [longest, encodeURIComponent(longest), base64(longest)]) t.equal(parseRemoteUrl(spelling).href, longest)
  for (const spelling of [`${longest}b`, encodeURIComponent(`${longest}b`), base64(`${longest}b`), base64(`https://a.example/${'é'.repeat(1000)}`)]) {
    t.throws(() => parseRemoteUrl(spelling), { code: 'bad-remote-url', detail: /longer than 4096 characters/ })
  }
  for (const spelling of [`https:/${'/'.repeat(1_000_000)}`, 'https%3A%2F'.repeat(100_000), 'a'.repeat(1_000_000), 'a/'.repeat(500_000), `https://a.example/${'/.'.repeat(500_000)}`]) {
    t.throws(() => parseRemoteUrl(spelling), { code: 'bad-remote-url', detail: /longer/ })
  }
})

t.test('what a URL is spelled as is read as that URL', async t => {
  let seed = 23
  const random = (below: number): number => (seed = seed * 48_271 % 2_147_483_647) % below
  const pick = <T> (list: readonly T[]): T => list[random(list.length)] as T
  const hosts = ['a.example', 'img.a-b.example', 'xn--bcher-kva.example', '93.184.216.34', '[2606:4700::1]', 'bücher.example', 'A.EXAMPLE.', 'a_b.example']
  const pieces = ['a', 'Z', '0', '-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@', '/', '//', '%20', '%2F', '%3F', '%3f', '%25', '%23', '|', '^', '`', '{', '}', '"', '<', '>', '[', ']', 'é', '中', '\u{1f408}', '..x', '%C3%A9']
  const text = (most: number): string => Array.from({ length: random(most) }, () => pick(pieces)).join('')
  let plain = 0
  for (let round = 0; round < 3000; round++) {
    const named = `${pick(['http', 'https'])}://${pick(hosts)}${pick(['', '', ':8080', ':443', ':80'])}/x${text(12)}${random(2) === 0 ? '' : `?${text(12)}${pick(['', '?', '?a'])}`}`
    let url: URL
    try {
      url = parseRemoteUrl(base64(named))
    } catch (error) {
      // Chance may make a dot segment: that alone is refused.
      if (/\/\.{1,2}(?:[/?]|$)/.test(named)) continue
      throw error
    }
    for (const form of ['plain', 'encoded', 'base64url'] as const) {
      const spelled = spellRemoteUrl(url, form)
      const again = parseRemoteUrl(`/${spelled}`)
      if (again.href !== url.href || parseRemoteUrl(spelled).href !== url.href) t.fail(`${form}: ${url.href} is spelled ${spelled}, and read as ${again.href}`)
      if (/[?#\\\s]/.test(spelled) || (form !== 'plain' && spelled.includes('/'))) t.fail(`${form}: ${spelled}`)
      if (form === 'plain' && spelled.startsWith('http')) plain++
    }
  }
  t.ok(plain > 1000, `${plain} of them in their plain form`)
})

t.test('spellings', async t => {
  const url = new URL('https://a.example/b/c.jpg?d=e&f')
  t.equal(spellRemoteUrl(url), 'https://a.example/b/c.jpg%3Fd=e&f')
  t.equal(spellRemoteUrl(url, 'encoded'), 'https%3A%2F%2Fa.example%2Fb%2Fc.jpg%3Fd%3De%26f')
  t.equal(spellRemoteUrl(new URL('https://a.example/b?c?d')), 'https%3A%2F%2Fa.example%2Fb%3Fc%3Fd')
  t.equal(spellRemoteUrl(url, 'base64url'), base64(url.href))
  t.equal(spellRemoteUrl(new URL('https://a.example/b%3Fc')), 'https%3A%2F%2Fa.example%2Fb%253Fc')
  t.equal(spellRemoteUrl(new URL('https://a.example/b?c%3Fd')), 'https://a.example/b%3Fc%3Fd')
})

t.test('a reference is resolved, and held to the same', async t => {
  const base = new URL('https://a.example/b/c.jpg?d')
  for (const [reference, href] of [
    ['e.jpg', 'https://a.example/b/e.jpg'], ['../e.jpg', 'https://a.example/e.jpg'], ['/e.jpg?f', 'https://a.example/e.jpg?f'], ['?f', 'https://a.example/b/c.jpg?f'], ['', 'https://a.example/b/c.jpg?d'], ['#f', 'https://a.example/b/c.jpg?d'],
    ['//f.example/g', 'https://f.example/g'], ['http://f.example/g#h', 'http://f.example/g'], ['https://f.example.:443/', 'https://f.example/'], ['https:g', 'https://a.example/b/g'], ['%zz', 'https://a.example/b/%zz']
  ] as const) t.equal(resolveRemoteUrl(reference, base).href, href, JSON.stringify(reference))
  for (const reference of ['ftp://f.example/', 'file:///etc/passwd', 'data:,x', 'javascript:x', '//u@f.example/', 'https://u:p@f.example/', '\\\\f.example\\', '/\\f.example', '//f.example\\@a.example/', ' /x', '/x\n', '/\tx', 'http://', '//', 'https://[/', 'http://a..b/', '/\u2028', 'x'.repeat(5000)]) {
    t.throws(() => resolveRemoteUrl(reference, base), { code: 'bad-remote-url' }, encodeURIComponent(reference))
  }
  t.throws(() => resolveRemoteUrl('/b'), { code: 'bad-remote-url', detail: /is no URL/ })
})
