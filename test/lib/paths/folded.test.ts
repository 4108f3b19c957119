import t from 'tap'
import { foldedPath, isBelowAny } from '../../../lib/paths/folded.ts'

t.test('whatever some reader takes for a path folds to it', t => {
  for (const target of ['/private/x', '/PRIVATE/X', '/%50rivate/x', '//private//x', '/./private/x', '/%2e/private/x', '/a/../private/x', '/a/%2e%2E/private/x', '/private%2Fx', '/private%5cx', '\\private\\x', '/private./x', '/private%20/x', '/private;v=1/x', '/private/x?q', '/private/x#f', 'http://host/private/x', '/private/x/', '/ｐrivate/x']) t.equal(foldedPath(target), '/private/x', target)
  t.equal(foldedPath('/ba\u212a'), '/bak', 'the Kelvin sign')
  t.equal(foldedPath('/%e4/x'), '/ä/x', 'what is no UTF-8 is read byte by byte')
  t.equal(foldedPath('/../..'), '/')
  t.equal(foldedPath(`/${'.'.repeat(60_000)}x/y${'. '.repeat(30_000)}`), `/${'.'.repeat(60_000)}x/y`, 'in one pass')
  t.end()
})

t.test('a prefix ends where a segment does', t => {
  const isBelow = isBelowAny(['/private', '/a.b/C'])
  for (const target of ['/a/..;/private/x', '/a/..%20/private/x', '/a/.../private/x', '/PRIVATE/.../x', '/private', '/Private/', '/private/x', '/A.B/c']) t.ok(isBelow(target), target)
  for (const target of ['/private-not', '/privat', '/', '/x/private', '/a.b']) t.notOk(isBelow(target), target)
  t.end()
})
