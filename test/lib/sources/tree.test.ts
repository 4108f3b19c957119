import { join } from 'node:path'
import t from 'tap'
import { fileSource } from '../../../lib/sources/file.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import { treeSource } from '../../../lib/sources/tree.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { bytesOf, fileAt, sourceContract } from '../../contracts/source.ts'
import { scratch, type Test } from '../../helpers/app.ts'

const key = (text: string): Key => text as Key

async function directory (t: Test, files: Record<string, string | Buffer>): Promise<Source> {
  const largeFiles = new LargeFiles({ poolBytes: 4 * 1024 * 1024, maxDescriptors: 4, descriptorIdleMs: 50 })
  t.teardown(async () => await largeFiles.close())
  return await fileSource({ root: await scratch(t, files), symlinks: 'inside', visibleDotNames: [], caseInsensitive: false }, largeFiles)
}

t.test('a tree of one branch keeps the source contract', t => {
  sourceContract(t, async (t, files) => treeSource([{ path: '/', source: await directory(t, files) }]))
  t.end()
})

t.test('a tree whose files hang at several places keeps the source contract', t => {
  sourceContract(t, async (t, files) => {
    const inD = Object.entries(files).filter(([name]) => name.startsWith('d/'))
    const rest = Object.entries(files).filter(([name]) => !name.startsWith('d/'))
    return treeSource([
      { path: '/', source: await directory(t, Object.fromEntries(rest)) },
      { path: '/d', source: await directory(t, Object.fromEntries(inD.map(([name, content]) => [name.slice(2), content]))) }
    ].slice(0, inD.length === 0 ? 1 : 2))
  })
  t.end()
})

t.test('the deepest branch wins, then those above, then the given order', async t => {
  const tree = treeSource([
    { path: '/', source: await directory(t, { 'photos/cat.txt': 'root', 'photos/only-root.txt': 'root', 'a.txt': 'first' }) },
    { path: '/', source: await directory(t, { 'a.txt': 'second', 'b.txt': 'second' }) },
    { path: '/photos', source: await directory(t, { 'cat.txt': 'photos' }) },
    { path: '/photos/2024/', source: await directory(t, { 'x.txt': 'deep' }) }
  ])
  const text = async (name: string): Promise<string> => (await bytesOf(await (await fileAt(t, tree, name)).representation.open())).toString()
  t.equal(await text('photos/cat.txt'), 'photos')
  t.equal(await text('photos/only-root.txt'), 'root')
  t.equal(await text('a.txt'), 'first')
  t.equal(await text('b.txt'), 'second')
  t.equal(await text('photos/2024/x.txt'), 'deep')
  t.equal(await tree.stat(key('photos2024/x.txt')), undefined, 'a branch begins at a segment')
})

t.test('a listing joins the members of all branches, and the branches themselves', async t => {
  const tree = treeSource([
    { path: '/', source: await directory(t, { 'a.txt': 'first', 'photos/b.txt': '' }) },
    { path: '/', source: await directory(t, { 'a.txt': 'second!' }) },
    { path: '/archive/2001', source: await directory(t, { 'old.txt': '' }) }
  ])
  t.match((await tree.list(key(''), 10))?.entries, [{ name: 'a.txt', size: 5 }, { name: 'archive', kind: 'directory' }, { name: 'photos', kind: 'directory' }])
  t.match(await tree.stat(key('archive')), { kind: 'directory' }, 'a directory that no source holds')
  t.match((await tree.list(key('archive'), 10))?.entries, [{ name: '2001', kind: 'directory' }])
  t.match(await tree.list(key(''), 2), { truncated: true })
  t.equal(await tree.list(key('nowhere'), 10), undefined)
})

t.test('a tree of sources elsewhere in the tree has a root of its own', async t => {
  const tree = treeSource([{ path: join('/', 'x'), source: await directory(t, { 'a.txt': 'a' }) }])
  t.match(await tree.stat(key('')), { kind: 'directory' })
  await tree.close()
})
