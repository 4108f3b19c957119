import { execFileSync } from 'node:child_process'
import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { fileSource, type FileSourceOptions } from '../../../lib/sources/file.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import { RepresentationChanged } from '../../../lib/representation.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { bytesOf, fileAt, sourceContract } from '../../contracts/source.ts'
import { scratch, type Test } from '../../helpers/app.ts'

const key = (text: string): Key => text as Key

async function open (t: Test, root: string, options: Partial<FileSourceOptions> = {}): Promise<Source> {
  const largeFiles = new LargeFiles({ poolBytes: 4 * 1024 * 1024, maxDescriptors: 4, descriptorIdleMs: 50 })
  t.teardown(async () => await largeFiles.close())
  return await fileSource({ root, symlinks: 'inside', visibleDotNames: [], caseInsensitive: false, ...options }, largeFiles)
}

t.test('the file source keeps the contract', t => {
  sourceContract(t, async (t, files) => await open(t, await scratch(t, files)))
  t.end()
})

t.test('a root that is not there is refused at once', async t => {
  await t.rejects(open(t, '/nonexistent-root'), { code: 'ENOENT' })
})

t.test('dotfiles are missing, at any depth, and in listings', async t => {
  const root = await scratch(t, { '.env': 'x', '.git/config': 'x', 'a/.hidden/b.txt': 'x', 'a/b.txt': 'x', '.well-known/security.txt': 'x' })
  const source = await open(t, root)
  for (const hidden of ['.env', '.git', '.git/config', 'a/.hidden', 'a/.hidden/b.txt', '.well-known/security.txt']) {
    t.equal(await source.stat(key(hidden)), undefined, hidden)
  }
  t.same((await source.list(key(''), 10))?.entries.map(entry => entry.name), ['a'])
  t.equal(await source.list(key('.git'), 10), undefined)
  const wellKnown = await open(t, root, { visibleDotNames: ['.well-known'] })
  t.ok(await wellKnown.stat(key('.well-known/security.txt')))
  t.equal(await wellKnown.stat(key('.env')), undefined)
})

t.test('links are followed inside the root, nowhere, or everywhere', async t => {
  const outside = await scratch(t, { 'secret.txt': 'secret' })
  const root = await scratch(t, { 'real/cat.txt': 'meow', '.hidden/x.txt': 'x' })
  await symlink(join(root, 'real', 'cat.txt'), join(root, 'link.txt'))
  await symlink('real', join(root, 'folder'))
  await symlink(join(outside, 'secret.txt'), join(root, 'out.txt'))
  await symlink(outside, join(root, 'outside'))
  await symlink(join(root, '.hidden', 'x.txt'), join(root, 'unhidden.txt'))
  await symlink('loop', join(root, 'loop'))
  await symlink('nowhere', join(root, 'dangling'))
  await symlink(root, join(root, 'self'))
  const reaches = async (symlinks: 'inside' | 'deny' | 'follow'): Promise<string[]> => {
    const source = await open(t, root, { symlinks })
    const names = ['real/cat.txt', 'link.txt', 'folder/cat.txt', 'out.txt', 'outside/secret.txt', 'unhidden.txt', 'loop', 'dangling', 'self']
    const found = await Promise.all(names.map(async name => await source.stat(key(name)) === undefined ? undefined : name))
    return found.filter(name => name !== undefined)
  }
  t.same(await reaches('inside'), ['real/cat.txt', 'link.txt', 'folder/cat.txt', 'self'])
  t.same(await reaches('deny'), ['real/cat.txt'])
  t.same(await reaches('follow'), ['real/cat.txt', 'link.txt', 'folder/cat.txt', 'out.txt', 'outside/secret.txt', 'unhidden.txt', 'self'])
  const listed = (await (await open(t, root)).list(key(''), 20))?.entries.map(entry => entry.name)
  t.same(listed, ['folder', 'link.txt', 'real', 'self'], 'what is missing is not listed either')
})

t.test('a sibling whose name begins like the root is outside', async t => {
  const parent = await scratch(t, { 'data/a.txt': 'a', 'data-secret/s.txt': 's' })
  await symlink(join(parent, 'data-secret', 's.txt'), join(parent, 'data', 's.txt'))
  t.equal(await (await open(t, join(parent, 'data'))).stat(key('s.txt')), undefined)
})

t.test('a root that is a link follows the link as it is now', async t => {
  const parent = await scratch(t, { 'one/v.txt': 'one', 'two/v.txt': 'two!' })
  await symlink('one', join(parent, 'current'))
  const source = await open(t, join(parent, 'current'))
  t.equal((await fileAt(t, source, 'v.txt')).representation.size, 3)
  await symlink('two', join(parent, 'next'))
  await rename(join(parent, 'next'), join(parent, 'current'))
  t.equal((await fileAt(t, source, 'v.txt')).representation.size, 4)
  await rm(join(parent, 'current'))
  t.equal(await source.stat(key('v.txt')), undefined)
})

t.test('FIFOs, sockets and devices are missing, and never opened', async t => {
  const root = await scratch(t)
  execFileSync('mkfifo', [join(root, 'pipe.txt')])
  const server = createServer().listen(join(root, 'socket.txt'))
  t.teardown(() => server.close())
  await symlink('/dev/zero', join(root, 'zero.txt'))
  const source = await open(t, root, { symlinks: 'follow' })
  for (const name of ['pipe.txt', 'socket.txt', 'zero.txt']) t.equal(await source.stat(key(name)), undefined, name)
  t.same((await source.list(key(''), 10))?.entries, [])
})

t.test('a listing leaves out names that no URL can ask for', async t => {
  const root = await scratch(t, { 'a.txt': '', 'b\nc.txt': '', 'back\\slash.txt': '', 'C:x': '', 'd/C:y': '' })
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), '')
  const source = await open(t, root)
  t.same((await source.list(key(''), 10))?.entries.map(entry => entry.name), ['a.txt', 'd'])
  t.same((await source.list(key('d'), 10))?.entries.map(entry => entry.name), ['C:y'], 'a drive is one only at the top')
})

t.test('letter case does not count where so configured', async t => {
  const root = await scratch(t, { 'Photos/Cat.JPG': 'meow', 'photos.txt': 'x', '.Secret/a.txt': 'x', 'e\u0301.txt': 'nfd' })
  const source = await open(t, root, { caseInsensitive: true })
  t.equal((await fileAt(t, source, 'photos/cat.jpg')).representation.size, 4)
  t.equal((await fileAt(t, source, 'PHOTOS/CAT.jpg')).representation.type, 'image/jpeg')
  t.equal((await fileAt(t, source, '\u00e9.txt')).representation.size, 3, 'nor does Unicode composition')
  t.equal(await source.stat(key('.secret/a.txt')), undefined)
  t.equal(await source.stat(key('photos.txt/x')), undefined)
  t.equal(await source.stat(key('dog.jpg')), undefined)
  t.equal(await (await open(t, root)).stat(key('photos/cat.jpg')), undefined, 'and counts otherwise')
})

t.test('a file that changed after it was described is not opened', async t => {
  const root = await scratch(t, { 'small.txt': 'one', 'large.bin': Buffer.alloc(600_000), 'gone.txt': 'x', 'link.txt': 'x' })
  const source = await open(t, root)
  const [small, large, gone, link] = await Promise.all(['small.txt', 'large.bin', 'gone.txt', 'link.txt'].map(async name => (await fileAt(t, source, name)).representation))
  await writeFile(join(root, 'small.txt'), 'another')
  await writeFile(join(root, 'large.bin'), Buffer.alloc(700_000))
  await rm(join(root, 'gone.txt'))
  await rename(join(root, 'link.txt'), join(root, 'moved.txt'))
  await symlink('moved.txt', join(root, 'link.txt'))
  for (const representation of [small, large, gone, link]) {
    await t.rejects(async () => await representation?.open(), RepresentationChanged)
  }
})

t.test('a directory put in a file\'s path after the look does not lead outside', async t => {
  const outside = await scratch(t, { 'a.txt': 'secret' })
  const root = await scratch(t, { 'd/a.txt': 'public' })
  const source = await open(t, root)
  const { representation } = await fileAt(t, source, 'd/a.txt')
  await rename(join(root, 'd'), join(root, 'was'))
  await symlink(outside, join(root, 'd'))
  await t.rejects(async () => await representation.open(), RepresentationChanged)
  await rm(join(root, 'd'))
  await symlink('was', join(root, 'd'))
  await t.rejects(async () => await representation.open(), RepresentationChanged, 'nor by another way to the same file')
})

t.test('SVG that is stored gzipped says so', async t => {
  const source = await open(t, await scratch(t, { 'logo.svgz': 'x' }))
  t.match((await fileAt(t, source, 'logo.svgz')).representation, { type: 'image/svg+xml', encoding: 'gzip' })
})

t.test('the tag follows size and time alone, so that replicas agree', async t => {
  const when = new Date('2020-01-01T00:00:00Z')
  const tags = []
  for (const content of ['same', 'size']) {
    const root = await scratch(t, { 'a.txt': content })
    await utimes(join(root, 'a.txt'), when, when)
    tags.push((await fileAt(t, await open(t, root), 'a.txt')).representation.entityTag)
  }
  t.equal(tags[0], tags[1])
})

t.test('a name that is a directory with a file\'s ending is a directory', async t => {
  const root = await scratch(t)
  await mkdir(join(root, 'folder.jpg'))
  t.match(await (await open(t, root)).stat(key('folder.jpg')), { kind: 'directory' })
})

t.test('a file of many chunks comes whole through either way of reading', async t => {
  const content = Buffer.from(Array.from({ length: 1_600_003 }, (_, n) => n % 251))
  const source = await open(t, await scratch(t, { 'large.bin': content }))
  const { representation } = await fileAt(t, source, 'large.bin')
  t.ok((await bytesOf(await representation.open())).equals(content))
  t.ok((await bytesOf(await representation.open({ start: 524_287, end: 1_048_577 }))).equals(content.subarray(524_287, 1_048_578)))
})
