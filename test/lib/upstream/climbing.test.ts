import t from 'tap'
import { climbs } from '../../../lib/upstream/climbing.ts'

t.test('whatever some reader takes for a way up is one', async t => {
  const dots = ['..', '.%2e', '%2E.', '%2e%2E', '%c0%ae%c0%ae', '.%C0%AE', '%e0%80%ae.', '%f0%80%80%ae%2e']
  const ends = ['', '/', '/x', '\\x', '%2fx', '%2F', '%5cx', '%c0%afx', '%C0%AFx', '%e0%80%af', '%f0%80%80%af', '%c1%9cx', ';', ';a=b/x', '%3bx', '%c0%bbx']
  for (const dot of dots) for (const end of ends) for (const start of ['/', '/a/', '', 'a\\', 'a%2f', 'a%5C', '/a%c0%af', '/a%e0%80%af', '/a%c1%9c']) t.ok(climbs(start + dot + end), start + dot + end)
})

t.test('names with dots are names', async t => {
  for (const path of ['/', '/a/b', '/..name', '/name..', '/...', '/a/.../b', '/.hidden', '/a..b/c', '/%2e%2e%2e', '/..%c3%bc', '/%c3%ae%c3%ae', '/%c0%ae', '/a;../b;..c', '/..,/', '/..%252f', '/%252e%252e/']) t.notOk(climbs(path), path)
})

t.test('long paths are looked at once', async t => {
  const began = performance.now()
  for (const piece of ['.', '%2e', '%c0%ae', '/.', '..a', '%e0%80', '/..%', '%2f.']) climbs(`/${piece.repeat(16_384)}x`)
  t.ok(performance.now() - began < 5000)
})
