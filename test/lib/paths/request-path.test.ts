import t from 'tap'
import { childKey, decodePath, encodeSegment, MAX_PATH_BYTES, pathBelow, rawPath, rootKey } from '../../../lib/paths/request-path.ts'

t.test('the raw path ends at the query or the fragment, and begins after an authority', async t => {
  const rows = [
    ['/', '/'], ['/a/b', '/a/b'], ['/a?b', '/a'], ['/a#b', '/a'], ['/a?b#c', '/a'], ['/a#b?c', '/a'], ['/?/../', '/'], ['?x', ''], ['', ''], ['*', '*'],
    ['http://example.com/a?b', '/a'], ['HTTPS://user@example.com:8443/a', '/a'], ['http://example.com', ''], ['http://example.com?x', ''], ['http:///a', '/a'], ['coap+tcp://h/a', '/a'],
    ['//example.com/a', '//example.com/a'], ['example.com:443', 'example.com:443'], ['/http://example.com/a', '/http://example.com/a'], ['://h/a', '://h/a']
  ] as const
  for (const [target, path] of rows) t.equal(rawPath(target), path, target)
})

t.test('a path is decoded once', async t => {
  const rows = [
    ['/', '/'], ['', '/'], ['http://example.com', '/'], ['http://example.com/a%20b', '/a b'], ['/a/b.txt', '/a/b.txt'], ['/a/', '/a/'], ['/a%20b', '/a b'], ['/%C3%A9', '/\u00e9'], ['/%F0%9F%90%88', '/\u{1f408}'],
    ['/%41', '/A'], ['/a+b', '/a+b'], ['/%252e%252e/x', '/%2e%2e/x'], ['/%252f', '/%2f'], ['/%25', '/%'], ['/a?%00', '/a'], ['/.env', '/.env'], ['/a/...', '/a/...'], ['/..a', '/..a'], ['/a..', '/a..'],
    ['/%3F%23', '/?#'], ['/a;b=c', '/a;b=c'], ['/__proto__/constructor', '/__proto__/constructor'], ['/ab:c', '/ab:c'], ['/1:c', '/1:c'], ['/x/c:', '/x/c:'], ['/%EF%BF%BD', '/\ufffd']
  ] as const
  for (const [target, path] of rows) t.equal(decodePath(target), path, target)
})

t.test('every spelling of a traversal is refused', async t => {
  const targets = [
    '/..', '/../', '/../etc/passwd', '/a/../b', '/a/..', '/.', '/./a', '/a/.', '/a/./', '/%2e%2e/etc', '/%2E%2e', '/.%2e/etc', '/%2e./etc', '/%2e', '/a/%2e/b',
    '/..%2fetc', '/a%2fb', '/a%2Fb', '/%2f', '/..%5cetc', '/a\\b', '/%5c', '/%5C..', '\\etc', '/a%00.txt', '/%00', '/%0a', '/%0d%0aX:y', '/%1f', '/%7f', '/\u0000', '/\t',
    '//', '//etc', '//host/a', '/a//b', '/a//', '/a///', 'http://example.com//a', '/c:', '/C:/windows', '/c%3a/windows', '/%43:',
    '/%c0%ae%c0%ae/etc', '/%c0%af', '/%e0%80%af', '/%f0%80%80%af', '/%c1%9c', '/%ed%a0%80', '/%ff', '/%c3', '/%E0%A4%A', '/%f4%90%80%80',
    '/%', '/%2', '/%zz', '/a%', '/%u002e', '/%u2215', '*', 'a', 'etc/passwd', '../etc', 'example.com:443', 'file:/etc/passwd', '%2fetc'
  ]
  for (const target of targets) t.throws(() => decodePath(target), { name: 'MediaError', code: 'bad-path', statusCode: 400 }, JSON.stringify(target))
})

t.test('a refusal says why, and not what', async t => {
  for (const [target, why] of [
    ['a', 'must begin with a slash'], ['/a%2fb', 'may not hold an encoded slash'], ['/%ff', 'is not percent-encoded UTF-8'], ['/%00', 'may not hold control characters or backslashes'],
    ['/..', 'may not hold dot segments'], ['//a', 'may not hold empty segments'], ['/c:/a', 'may not begin with a drive letter']
  ] as const) t.throws(() => decodePath(target), { message: `The path ${why}` })
  t.throws(() => decodePath('/%ff'), { cause: { name: 'URIError' } })
})

t.test('a path longer than any name is not found, however it is spelt', async t => {
  const name = 'a'.repeat(MAX_PATH_BYTES - 1)
  t.equal(decodePath(`/${name}`), `/${name}`)
  t.equal(decodePath(`/%61${name.slice(1)}`), `/${name}`)
  for (const target of [`/${name}a`, `/%61${name}`, `/${'%C3%A9'.repeat(MAX_PATH_BYTES / 2)}`, `/${'a/'.repeat(MAX_PATH_BYTES)}`, `/.${name}`]) {
    t.throws(() => decodePath(target), { code: 'not-found', statusCode: 404 }, target.slice(0, 10))
  }
})

t.test('whatever encodeSegment writes, decodePath reads back', async t => {
  let seed = 7
  const random = (below: number): number => (seed = seed * 48_271 % 2_147_483_647) % below
  const characters = [...' !"#$%&\'()*+,-.:;<=>?@[]^_`{|}~aZ09\u00e9\u00df\u4e2d\u0301\u202e\u0080\ufeff'.split(''), '\u{1f408}']
  const wrong: string[] = []
  for (let round = 0; round < 500; round++) {
    const names = Array.from({ length: 1 + random(4) }, () => `x${Array.from({ length: random(12) }, () => characters[random(characters.length)]).join('')}`)
    const first = names[0] ?? ''
    if (first.startsWith('x:')) continue // a drive letter
    const path = `/${names.join('/')}${random(2) === 0 ? '/' : ''}`
    const encoded = path.split('/').map(encodeSegment).join('/')
    if (decodePath(encoded) !== path || !/^[\u0021-\u007e]+$/.test(encoded)) wrong.push(path)
  }
  t.strictSame(wrong, [])
})

t.test('what decodePath lets through has neither dot nor empty segments', async t => {
  let seed = 11
  const random = (below: number): number => (seed = seed * 48_271 % 2_147_483_647) % below
  const pieces = ['.', '..', '/', '%2e', '%2E', '%2f', '%5c', '%25', '\\', 'a', '%00', '%', 'c:', '%c0%ae', '//', '?', '#', 'http://h']
  const wrong: string[] = []
  let passed = 0
  for (let round = 0; round < 3000; round++) {
    const target = `/${Array.from({ length: 1 + random(5) }, () => pieces[random(pieces.length)]).join('')}`
    let path: string
    try {
      path = decodePath(target)
    } catch {
      continue
    }
    passed++
    const segments = path.slice(1).split('/')
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    if (!path.startsWith('/') || segments.some((segment, place) => /^\.{1,2}$|[\\\u0000]/.test(segment) || (segment === '' && place < segments.length - 1))) wrong.push(target)
  }
  t.strictSame(wrong, [])
  t.ok(passed > 100)
})

t.test('a key is what stands below the prefix', async t => {
  const rows: Array<[string, string, [string, boolean] | undefined]> = [
    ['/', '', ['', true]],
    ['/a', '', ['a', false]],
    ['/a/b/', '', ['a/b', true]],
    ['/files', '/files', ['', false]],
    ['/files/', '/files', ['', true]],
    ['/files/a.txt', '/files', ['a.txt', false]],
    ['/files/a/', '/files', ['a', true]],
    ['/files/files/a', '/files', ['files/a', false]],
    ['/filesystem', '/files', undefined],
    ['/file', '/files', undefined],
    ['/Files/a', '/files', undefined],
    ['/', '/files', undefined],
    ['/a b/c', '/a b', ['c', false]]
  ]
  for (const [path, prefix, expected] of rows) {
    const found = pathBelow(path, prefix)
    t.strictSame(found === undefined ? undefined : [found.key, found.directory], expected, `${path} below ${prefix}`)
  }
})

t.test('a name within a directory is joined by a slash, at the root by none', async t => {
  const key = childKey(rootKey, 'a')
  t.equal(key, 'a')
  t.equal(childKey(key, 'b.txt'), 'a/b.txt')
})

t.test('a long path is read in linear time', async t => {
  const started = performance.now()
  for (const target of [`/${'a/'.repeat(30_000)}%`, `/${'a'.repeat(60_000)}!`, `${'a'.repeat(60_000)}:`, 'a+'.repeat(30_000), `/${'%61'.repeat(20_000)}`, `/${'/'.repeat(60_000)}`, `http://${'a'.repeat(60_000)}`]) {
    try {
      decodePath(target)
    } catch {}
  }
  t.ok(performance.now() - started < 1000)
})
