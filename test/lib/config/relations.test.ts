import { join } from 'node:path'
import t from 'tap'
import { scratch } from '../../helpers/app.ts'
import { files, mistakesIn, mount, root, tree } from './mistakes-in.ts'

t.test('a name that objects inherit may be a source\'s', async t => {
  t.strictSame(await mistakesIn({ sources: { constructor: { driver: 'file', root: '/' } }, mounts: [{ source: 'constructor' }] }), [])
})

t.test('names and paths that lead up the tree are refused', async t => {
  for (const name of ['..', '.', 'a/b', 'a\\b', 'a\0b', '']) {
    t.match(await mistakesIn(mount({ index: [name] })), [/^mounts\[0\]\.index\[0\]: Expected something like "index\.html"/], JSON.stringify(name))
  }
  for (const file of ['../secret', '/etc/passwd', 'a/../../b', 'a//b', '.env', 'a/', 'a\0']) {
    t.match(await mistakesIn(mount({ fallback: { file } })), [/^mounts\[0\]\.fallback\.file: /], JSON.stringify(file))
  }
  for (const prefix of ['/..', '/a/../b', '/.', '//', '/a//b', '/a b', '/%2e', '/a?b', '/*', '/:id', '']) {
    t.match(await mistakesIn(mount({ prefix })), [/^mounts\[0\]\.prefix: /], JSON.stringify(prefix))
  }
  for (const prefix of ['/', '/a', '/a/', '/a/b.c/~d', '/.well-known', '/a..b']) t.strictSame(await mistakesIn(mount({ prefix })), [], prefix)
  for (const name of ['..', '.', 'env', '.a/b']) {
    t.match(await mistakesIn({ sources: { a: { driver: 'file', root: '/', visibleDotNames: [name] } } }), [/^sources\.a\.visibleDotNames\[0\]: /], JSON.stringify(name))
  }
})

t.test('a prefix that the server needs itself is refused', async t => {
  const input = { sources: files, mounts: ['/health/live', '/health/ready/', '/_media/listing', '/health'].map(prefix => ({ source: 'files', prefix })) }
  t.strictSame(await mistakesIn(input), [
    'mounts[0].prefix: Expected a prefix of its own, but /health/live is the server\'s own',
    'mounts[1].prefix: Expected a prefix of its own, but /health/ready is the server\'s own',
    'mounts[2].prefix: Expected a prefix of its own, but /_media/listing is the server\'s own'
  ])
})

t.test('trees may share branches but never lead back to themselves', async t => {
  t.strictSame(await mistakesIn({ sources: { ...files, a: tree('b', 'c'), b: tree('files'), c: tree('b', 'files') } }), [])
  t.strictSame(await mistakesIn({ sources: { a: tree('b'), b: tree('c'), c: tree('b') } }), [
    'sources.b.branches: Expected no branch that leads back to the tree itself',
    'sources.c.branches: Expected no branch that leads back to the tree itself'
  ])
})

t.test('a root that is no directory is told apart from one that is missing', async t => {
  const base = await scratch(t, { 'a.txt': '' })
  t.strictSame(await mistakesIn(root('a.txt'), { base }), [`sources.a.root: Expected a directory but received ${JSON.stringify(join(base, 'a.txt'))}, which is no directory`])
  t.match(await mistakesIn(root('a.txt/b'), { base }), [/which does not exist$/])
  t.match(await mistakesIn(root('a\0b'), { base }), [/which cannot be read: ERR_INVALID_ARG_VALUE$/])
  t.match(await mistakesIn(root('x'.repeat(300)), { base }), [/which cannot be read: ENAMETOOLONG$/])
})
