import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { fileSource } from '../../../lib/sources/file.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import { treeSource } from '../../../lib/sources/tree.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { bytesOf, fileAt, sourceContract } from '../../contracts/source.ts'
import { textAt, writableContract, write, writingOf } from '../../contracts/writable.ts'
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

t.test('a tree of one branch keeps the contract of sources that are written', t => {
  writableContract(t, async (t, files) => treeSource([{ path: '/', source: await directory(t, files) }]))
  t.end()
})

t.test('a tree whose deepest branch is written keeps the contract of sources that are written', t => {
  writableContract(t, async (t, files) => {
    const above = await directory(t, { 'unseen.txt': 'in another mount of the same' })
    return below(treeSource([{ path: '/', source: { ...above, writing: undefined } }, { path: '/in/here', source: await directory(t, files) }]), 'in/here')
  })
  t.end()
})

/** What lies below a key of a source, as a source. */
function below (source: Source, at: string): Source {
  const under = (name: Key): Key => key(name === '' ? at : `${at}/${name}`)
  const writing = writingOf(source)
  return {
    stat: name => source.stat(under(name)),
    list: async (name, limit) => await source.list(under(name), limit),
    writing: {
      begin: async (name, options) => await writing.begin(under(name), options),
      remove: async (name, condition) => await writing.remove(under(name), condition),
      move: async (from, to, conditions) => await writing.move(under(from), under(to), conditions),
      sweep: async age => await writing.sweep(age)
    },
    close: async () => await source.close()
  }
}

t.test('a tree of branches that cannot be written cannot be written', async t => {
  t.equal(treeSource([{ path: '/', source: { ...await directory(t, {}), writing: undefined } }]).writing, undefined)
})

t.test('a file is written where it is; a new one in the deepest branch that can be written', async t => {
  const [root, photos] = [await directory(t, { 'photos/old.txt': 'root', 'file': 'root' }), await directory(t, { 'cat.txt': 'photos' })]
  const fixed = { ...await directory(t, { 'cat.txt': 'fixed', 'photos/fixed.txt': 'fixed', 'block': 'fixed' }), writing: undefined }
  const tree = treeSource([{ path: '/', source: root }, { path: '/photos', source: photos }, { path: '/photos/2024', source: fixed }])
  await write(tree, 'photos/old.txt', 'newer')
  t.equal(await textAt(root, 'photos/old.txt'), 'newer')
  const { found } = await write(tree, 'photos/a/new.txt', 'new')
  t.equal(await textAt(photos, 'a/new.txt'), 'new')
  t.equal(found.canonical, undefined)
  await write(tree, 'photos/2024/new.txt', 'new')
  t.equal(await textAt(photos, '2024/new.txt'), 'new', 'the deepest that can be')
  await t.rejects(write(tree, 'photos/2024/cat.txt', 'x'), { code: 'forbidden' }, 'it would not be seen')
  await t.rejects(writingOf(tree).remove(key('photos/2024/cat.txt')), { code: 'forbidden' })
  await t.rejects(writingOf(tree).move(key('photos/cat.txt'), key('photos/2024/cat.txt')), { code: 'forbidden' })
  await t.rejects(write(tree, 'photos/2024/block/x.txt', 'x'), { code: 'conflict' }, 'nor what another branch has a file above')
  for (const name of ['photos', 'photos/2024', '']) await t.rejects(write(tree, name, 'x'), { code: 'conflict' }, name)
  await t.rejects(writingOf(tree).move(key('photos/cat.txt'), key('file2')), { code: 'conflict' }, 'no file moves to another source')
  await t.rejects(writingOf(tree).move(key('none'), key('photos/none')), { code: 'not-found' })
  await writingOf(tree).move(key('photos/cat.txt'), key('photos/dog.txt'))
  t.equal(await textAt(photos, 'dog.txt'), 'photos')
  await write(tree, 'photos/old.txt', 'root again')
  await write(photos, 'old.txt', 'in front')
  await writingOf(tree).remove(key('photos/old.txt'))
  t.equal(await textAt(tree, 'photos/old.txt'), 'root again', 'what was behind it is seen')
})

t.test('a file behind a link is told by the name that it has in the tree', async t => {
  const root = await scratch(t, { 'real/a.txt': 'a' })
  await symlink('real', join(root, 'link'))
  const tree = treeSource([{ path: '/in', source: await fileSource({ root }) }])
  t.equal((await write(tree, 'in/link/a.txt', 'b', current => { t.equal(current?.canonical, 'in/real/a.txt') })).found.canonical, 'in/real/a.txt')
  t.equal((await writingOf(tree).remove(key('in/link/a.txt')))?.canonical, 'in/real/a.txt')
  t.equal(await writingOf(tree).sweep(0), 0)
})
