import t, { type Test } from 'tap'
import { referenceMapper, type Places } from '../../../../lib/upstream/rewrite/references.ts'

function check (t: Test, places: Omit<Places, 'origins'> & { origins: string[] }, rows: Array<[string, string | undefined]>): void {
  const map = referenceMapper({ ...places, origins: places.origins.map(url => new URL(url)) })
  for (const [reference, expected] of rows) t.equal(map(reference), expected, JSON.stringify(reference))
}

const usual = { origins: ['http://10.0.0.5:8080/base/'], mountPrefix: '/cdn' }

t.test('what leads below the base of the origin leads to the mount', async t => {
  check(t, usual, [
    ['http://10.0.0.5:8080/base/cat.jpg', '/cdn/cat.jpg'],
    ['http://10.0.0.5:8080/base/a/b?c=/base/#d', '/cdn/a/b?c=/base/#d'],
    ['http://10.0.0.5:8080/base/', '/cdn/'],
    ['http://10.0.0.5:8080/base', '/cdn'],
    ['http://10.0.0.5:8080/base?q', '/cdn?q'],
    ['HTTP://10.0.0.5:8080/base/X', '/cdn/X'],
    ['//10.0.0.5:8080/base/cat.jpg', '/cdn/cat.jpg'],
    ['/base/cat.jpg', '/cdn/cat.jpg'],
    ['/base', '/cdn'],
    ['  /base/x \t', '/cdn/x']
  ])
})

t.test('what leads elsewhere stays', async t => {
  check(t, usual, [
    'http://10.0.0.5:8080/', 'http://10.0.0.5:8080', 'http://10.0.0.5:8080/basement', 'http://10.0.0.5:8080/Base/x', 'http://10.0.0.5:8080/base/../secret', 'http://10.0.0.5:8080/base/%2e%2E/secret',
    'http://10.0.0.5/base/x', 'http://10.0.0.5:80801/base/', 'http://10.0.0.5:8080.evil.com/base/', 'http://10.0.0.55:8080/base/x', 'http://evil.com/http://10.0.0.5:8080/base/', 'http://10.0.0.5:8080@evil.com/base/',
    'https://10.0.0.5:8080/base/', 'ftp://10.0.0.5:8080/base/', 'http://evil.com:8080/base/', '//evil.com/base/', '//10.0.0.5/base/', '/basement', '/other', '/', '/cdn/x'
  ].map(reference => [reference, undefined]))
})

t.test('references relative to the document stay, and so does what is none', async t => {
  check(t, usual, ['', ' ', 'cat.jpg', './cat.jpg', '../base/x', '?q', '#f', 'base/x', 'javascript:alert(1)', 'data:,/base/x', 'http://', 'http://[', '//', '//[/', '/\0', 'http:', '::'].map(reference => [reference, undefined]))
})

t.test('the spelling of the rest stays', async t => {
  check(t, usual, [
    ['/base/a%2Fb/%C3%A9//c/..name/...?x=%zz&y=a b#"', '/cdn/a%2Fb/%C3%A9//c/..name/...?x=%zz&y=a b#"'],
    ['http://10.0.0.5:8080/base/caf\u00c3\u00a9 {$token}', '/cdn/caf\u00c3\u00a9 {$token}']
  ])
})

t.test('what two readers could read differently is read as browsers do', async t => {
  check(t, usual, [
    ['http://10.0.0.5:8080/base/a/../b', '/cdn/b'],
    ['http://10.0.0.5:8080/x/../base/b?c', '/cdn/b?c'],
    ['/base/../base/./b', '/cdn/b'],
    ['http:\\\\10.0.0.5:8080\\base\\b', '/cdn/b'],
    ['\\\\10.0.0.5:8080\\base\\b', '/cdn/b'],
    ['\\base\\b', '/cdn/b'],
    ['http:/\t/10.0.0.5:8080/ba\nse/b', '/cdn/b'],
    ['http:10.0.0.5:8080/base/b', '/cdn/b'],
    ['http:/10.0.0.5:8080/base/b', '/cdn/b'],
    ['http://0x0a.0.0.5:8080/base/b', '/cdn/b'],
    ['http://10.0.0.5:8080/b%61se/b', '/cdn/b'],
    ['http://10.0.0.5:8080/base/b\\c', '/cdn/b/c']
  ])
})

t.test('ports, IPv6 and names are compared as they are meant', async t => {
  check(t, { origins: ['https://[2001:db8::1]:8443/', 'http://Origin.Example', 'https://bücher.example/a'], mountPrefix: '/m' }, [
    ['https://[2001:DB8:0::1]:8443/x', '/m/x'],
    ['https://[2001:db8::1]/x', undefined],
    ['https://[2001:db8::2]:8443/x', undefined],
    ['http://origin.example:80/x', '/m/x'],
    ['http://ORIGIN.example', '/m/'],
    ['http://origin.example:80?x', '/m/?x'],
    ['http://origin.example:8080/x', undefined],
    ['https://xn--bcher-kva.example:443/a/x', '/m/x'],
    ['//xn--bcher-kva.example/a/x', '/m/x'],
    ['//origin.example/x', '/m/x']
  ])
})

t.test('any of several origins counts, the one with the longest path first', async t => {
  check(t, { origins: ['http://one/a', 'http://two/a/b/', 'http://one/a/c'], mountPrefix: '/m' }, [
    ['http://one/a/x', '/m/x'],
    ['http://two/a/b/x', '/m/x'],
    ['http://two/a/x', undefined],
    ['http://one/a/c/x', '/m/x'],
    ['http://one/a/b/x', '/m/b/x'],
    ['/a/b/x', '/m/x']
  ])
})

t.test('user and password of an origin never get out', async t => {
  check(t, usual, [
    ['http://user:secret@10.0.0.5:8080/base/x', '/cdn/x'],
    ['//user@10.0.0.5:8080/base/x', '/cdn/x'],
    ['http://user:secret@10.0.0.5:8080/other?q', 'http://10.0.0.5:8080/other?q'],
    ['http://user:secret@elsewhere/base/x', undefined]
  ])
})

t.test('no path that is put out names another host', async t => {
  check(t, { origins: ['http://origin/'], mountPrefix: '' }, [
    ['http://origin//evil.com/x', '/.//evil.com/x'],
    ['http://origin/\\evil.com/x', '/.//evil.com/x'],
    ['http://origin/.//evil.com', '/.//evil.com'],
    ['http://origin', '/'],
    ['/x', undefined]
  ])
  check(t, { origins: ['http://origin/base'], mountPrefix: '' }, [
    ['/base//evil.com', '/.//evil.com'],
    ['/base', '/'],
    ['http://origin/base?x', '/?x']
  ])
})

t.test('with the public URL of this server references are whole', async t => {
  check(t, { ...usual, publicBase: 'https://media.example' }, [
    ['http://10.0.0.5:8080/base/x', 'https://media.example/cdn/x'],
    ['/base/x', 'https://media.example/cdn/x'],
    ['/other', undefined]
  ])
})

t.test('an origin that names the mount itself is believed', async t => {
  check(t, { origins: ['http://origin'], mountPrefix: '/cdn' }, [
    ['/cdn/x', undefined],
    ['/cdn', undefined],
    ['/cdnx', '/cdn/cdnx'],
    ['/x', '/cdn/x'],
    ['http://origin/cdn/x', '/cdn/cdn/x']
  ])
})
