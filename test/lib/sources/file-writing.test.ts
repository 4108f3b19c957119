import { execFileSync } from 'node:child_process'
import { chmod, chown, link, lstat, mkdir, readdir, readFile, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { fileSource, type FileSourceOptions } from '../../../lib/sources/file.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { fileAt } from '../../contracts/source.ts'
import { textAt, unlessThere, writableContract, write, writingOf } from '../../contracts/writable.ts'
import { scratch, type Test } from '../../helpers/app.ts'
import { brokenDisk } from '../../helpers/disk-faults.ts'
import { eventually, openBelow } from '../../helpers/process.ts'
import { childOf } from '../../helpers/child.ts'

const key = (text: string): Key => text as Key

const NOBODY = 65_534

const isRoot = process.getuid?.() === 0

const byRootOnly = isRoot ? false : 'only root mounts file systems'

const roots = new WeakMap<Source, string>()

async function open (t: Test, root: string, options: Partial<FileSourceOptions> = {}): Promise<Source> {
  const largeFiles = new LargeFiles({ poolBytes: 4 * 1024 * 1024, maxDescriptors: 4, descriptorIdleMs: 50 })
  t.teardown(async () => await largeFiles.close())
  const source = await fileSource({ root, ...options }, largeFiles)
  roots.set(source, root)
  return source
}

async function drafts (root: string): Promise<string[]> {
  return await readdir(join(root, '.uploads', 'drafts'))
}

/** Mounts a small file system on a directory, for the length of a test. */
function mountSmall (t: Test, directory: string, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'fastify-media-test', directory])
  t.teardown(() => execFileSync('umount', ['-l', directory]))
}

/** Does something as a user who owns nothing. */
async function unprivileged<T> (action: () => Promise<T>): Promise<T> {
  if (!isRoot) return await action()
  process.setegid?.(NOBODY)
  process.seteuid?.(NOBODY)
  try {
    return await action()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
}

t.test('the file source keeps the contract of sources that are written', t => {
  writableContract(t, async (t, files) => await open(t, await scratch(t, files)), { again: async (t, source) => await open(t, roots.get(source) as string) })
  t.end()
})

t.test('so it does where letter case does not count, and where links are not followed', t => {
  writableContract(t, async (t, files) => await open(t, await scratch(t, files), { caseInsensitive: true }), { tellsCompositions: false })
  writableContract(t, async (t, files) => await open(t, await scratch(t, files), { symlinks: 'deny' }))
  t.end()
})

t.test('a draft lies where only we look; a file may be read by all, as far as the umask lets it', async t => {
  const root = await scratch(t, { 'old.txt': 'old' })
  await chmod(join(root, 'old.txt'), 0o777)
  const source = await open(t, root)
  const draft = await writingOf(source).begin(key('d/a.txt'))
  const mode = async (name: string): Promise<number> => (await lstat(join(root, name))).mode & 0o777
  for (const name of ['.uploads', '.uploads/drafts', '.uploads/locks']) t.equal(await mode(name), 0o700, name)
  t.equal((await drafts(root)).length, 1)
  await draft.commit()
  await write(source, 'old.txt', 'new')
  const expected = 0o644 & ~process.umask()
  t.equal(await mode('d/a.txt'), expected)
  t.equal(await mode('old.txt'), expected)
  t.same(await drafts(root), [])
  t.same(await readdir(join(root, '.uploads', 'locks')), [])
})

t.test('what is not finished is hidden, whatever is shown', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const source = await open(t, root, { visibleDotNames: ['.uploads', '.Uploads', '.well-known'], symlinks: 'follow' })
  const draft = await writingOf(source).begin(key('b.txt'))
  await draft.write(Buffer.alloc(600_000))
  const [name = ''] = await drafts(root)
  await symlink('.uploads', join(root, 'link'))
  await symlink(`.uploads/drafts/${name}`, join(root, 'link.txt'))
  for (const asked of ['.uploads', '.uploads/drafts', `.uploads/drafts/${name}`, '.Uploads', 'link', `link/drafts/${name}`, 'link.txt']) {
    t.equal(await source.stat(key(asked)), undefined, asked)
    t.equal(await source.list(key(asked), 10), undefined, asked)
    await t.rejects(write(source, asked, 'x'), { code: 'forbidden' }, asked)
  }
  t.same((await source.list(key(''), 10))?.entries.map(entry => entry.name), ['a.txt'])
  await write(source, '.well-known/security.txt', 'shown')
  t.equal(await textAt(source, '.well-known/security.txt'), 'shown')
  await draft.discard()
})

t.test('a root that is a link is written where it leads to', async t => {
  const parent = await scratch(t, { 'one/v.txt': 'one', 'two/v.txt': 'two' })
  await symlink('one', join(parent, 'current'))
  const source = await open(t, join(parent, 'current'))
  const begun = await writingOf(source).begin(key('new.txt'))
  await write(source, 'v.txt', 'newer one')
  await unlink(join(parent, 'current'))
  await symlink('two', join(parent, 'current'))
  await begun.commit()
  await write(source, 'v.txt', 'newer two')
  t.equal(await readFile(join(parent, 'one/v.txt'), 'utf8'), 'newer one')
  t.equal(await readFile(join(parent, 'two/v.txt'), 'utf8'), 'newer two')
  t.ok(await source.stat(key('new.txt')), 'what was begun before it was switched comes where it leads now')
})

t.test('letter case does not make a second file where it does not count', async t => {
  const root = await scratch(t, { 'Photos/Cat.JPG': 'old', 'Photos/A/x.txt': 'x' })
  const source = await open(t, root, { caseInsensitive: true })
  t.ok((await write(source, 'photos/cat.jpg', 'new')).replaced)
  await write(source, 'PHOTOS/a/b/c.txt', 'c')
  await write(source, 'photos/dog.txt', 'dog')
  t.same((await readdir(join(root, 'Photos'))).toSorted(), ['A', 'Cat.JPG', 'dog.txt'])
  t.equal(await readFile(join(root, 'Photos/Cat.JPG'), 'utf8'), 'new')
  t.equal(await readFile(join(root, 'Photos/A/b/c.txt'), 'utf8'), 'c')
  await t.rejects(writingOf(source).move(key('photos/cat.jpg'), key('photos/CAT.jpg')), { code: 'conflict' }, 'it is that already')
  await Promise.all(['n/One.txt', 'n/one.txt', 'n/ONE.txt'].map(async name => await write(source, name, name)))
  t.equal((await readdir(join(root, 'n'))).length, 1)
  t.ok(await writingOf(source).remove(key('PHOTOS/CAT.JPG')))
  t.same((await readdir(join(root, 'Photos'))).toSorted(), ['A', 'dog.txt'])
})

t.test('what is no file is not written over, nor removed', async t => {
  const root = await scratch(t)
  execFileSync('mkfifo', [join(root, 'pipe.txt')])
  const source = await open(t, root)
  await t.rejects(write(source, 'pipe.txt', 'x'), { code: 'forbidden' })
  await t.rejects(writingOf(source).remove(key('pipe.txt')), { code: 'forbidden' })
  t.ok((await lstat(join(root, 'pipe.txt'))).isFIFO())
  t.same(await drafts(root), [])
})

t.test('names that the file system does not take are refused', async t => {
  const root = await scratch(t)
  const source = await open(t, root)
  for (const name of ['x'.repeat(300), 'ü'.repeat(200), `${'d'.repeat(300)}/a.txt`, `${'d'.repeat(300)}/b/a.txt`, `new/${'x'.repeat(300)}`, `new/${'d'.repeat(300)}/a.txt`, 'a\0b.txt']) {
    await t.rejects(write(source, name, 'x'), { code: 'bad-name' }, `${name.slice(0, 10)} of ${name.length}`)
  }
  t.same(await drafts(root), [])
  t.same(await readdir(root), ['.uploads'], 'and no directory stays that was made for them')
})

t.test('two names of one file: a move onto the other leaves that', async t => {
  const root = await scratch(t, { 'a.txt': 'same' })
  await link(join(root, 'a.txt'), join(root, 'b.txt'))
  const source = await open(t, root)
  await writingOf(source).move(key('a.txt'), key('b.txt'))
  t.same((await readdir(root)).filter(name => name !== '.uploads'), ['b.txt'])
  t.equal(await textAt(source, 'b.txt'), 'same')
})

t.test('a file that may have no second name is renamed', { skip: byRootOnly }, async t => {
  const root = await scratch(t, { 'd/theirs.txt': 'theirs' })
  await chmod(root, 0o777)
  await chown(join(root, 'd'), NOBODY, NOBODY)
  const source = await open(t, root)
  // The kernel lets nobody link to what is another's (protected_hardlinks).
  await unprivileged(async () => { await writingOf(source).move(key('d/theirs.txt'), key('d/moved.txt')) })
  t.same(await readdir(join(root, 'd')), ['moved.txt'])
  t.equal(await textAt(source, 'd/moved.txt'), 'theirs')
})

t.test('a time of change that somebody set is followed, unless it lies in the future', async t => {
  const root = await scratch(t, { 'a.txt': 'old' })
  const source = await open(t, root)
  const soon = Date.now() + 5000
  await utimes(join(root, 'a.txt'), soon / 1000, soon / 1000)
  const { found, replaced } = await write(source, 'a.txt', 'new')
  t.ok((found.representation.lastModified ?? 0) > (replaced?.representation.lastModified ?? Infinity))
  await utimes(join(root, 'a.txt'), 4e9, 4e9)
  await write(source, 'a.txt', 'now')
  t.ok(((await fileAt(t, source, 'a.txt')).representation.lastModified ?? Infinity) <= Date.now())
})

t.test('drafts that rest hold nothing open, and their files are whole on the disk', async t => {
  const root = await scratch(t)
  const source = await open(t, root)
  const resting = []
  for (let n = 0; n < 200; n++) {
    const draft = await writingOf(source).begin(key(`${n}.txt`))
    await draft.write(Buffer.from(`of ${n}`))
    await draft.rest()
    resting.push(draft)
  }
  t.equal(openBelow(root), 0)
  t.equal((await drafts(root)).length, 200)
  for (const name of await drafts(root)) t.ok((await lstat(join(root, '.uploads/drafts', name))).size > 3)
  t.equal(await writingOf(source).sweep(-1), 0, 'they are under way')
  await t.rejects(resting[0]?.write(Buffer.from('more')) ?? Promise.resolve(), { code: 'internal' })
  for (const [n, draft] of resting.entries()) await (n % 2 === 0 ? draft.commit() : draft.discard())
  t.equal(openBelow(root), 0)
  t.same(await drafts(root), [])
  t.equal((await source.list(key(''), 1000))?.entries.length, 100)
  t.equal(await textAt(source, '198.txt'), 'of 198')
})

t.test('a draft that rested and was removed by somebody else does not come to be', async t => {
  const root = await scratch(t)
  const source = await open(t, root)
  const [removed, led] = [await writingOf(source).begin(key('a.txt')), await writingOf(source).begin(key('a.txt'))]
  for (const draft of [removed, led]) await draft.rest()
  for (const name of await drafts(root)) await unlink(join(root, '.uploads/drafts', name))
  await t.rejects(removed.commit(), { code: 'unavailable' })
  await led.discard()
  t.equal(await source.stat(key('a.txt')), undefined)
})

t.test('a disk that fails when a draft comes to rest, or is committed, is told, and its room is given back', async t => {
  const root = await scratch(t)
  const source = await open(t, root)
  const mend = await brokenDisk(t, path => path.includes('/drafts/'))
  const [resting, committed] = [await writingOf(source).begin(key('a.txt')), await writingOf(source).begin(key('a.txt'))]
  for (const draft of [resting, committed]) await draft.write(Buffer.from('a'))
  await t.rejects(resting.rest(), { code: 'internal', context: { errno: 'EIO' } })
  await t.rejects(resting.commit(), { code: 'internal' }, 'it stays so')
  await t.rejects(committed.commit(), { code: 'internal' })
  mend()
  t.same(await drafts(root), [])
  t.equal(openBelow(root), 0)
  t.equal(await source.stat(key('a.txt')), undefined)
})

t.test('where a directory cannot be flushed', async t => {
  t.test('a new file is not there, nor the directories that were made for it', async t => {
    const root = await scratch(t, { 'd/old.txt': 'old' })
    const source = await open(t, root)
    const mend = await brokenDisk(t, path => path.endsWith('/d') || path.endsWith('/e'))
    await t.rejects(write(source, 'd/new.txt', 'new'), { code: 'internal', context: { errno: 'EIO' } })
    await t.rejects(write(source, 'e/new.txt', 'new'), { code: 'internal' })
    t.equal(await source.stat(key('d/new.txt')), undefined)
    t.same((await readdir(root)).toSorted(), ['.uploads', 'd'])
    t.same(await drafts(root), [])
    t.equal(openBelow(root), 0)
    await t.rejects(write(source, 'd/old.txt', 'newer'), { code: 'internal' })
    t.equal(await textAt(source, 'd/old.txt'), 'newer', 'what was replaced cannot be had back')
    mend()
    await write(source, 'd/new.txt', 'new')
    t.equal(await textAt(source, 'd/new.txt'), 'new')
  })

  t.test('what somebody else put there meanwhile stays', async t => {
    const root = await scratch(t, { 'd/old.txt': 'old', 'theirs.txt': 'theirs' })
    const source = await open(t, root)
    await brokenDisk(t, path => {
      if (!path.endsWith('/d')) return false
      execFileSync('mv', [join(root, 'theirs.txt'), join(root, 'd/new.txt')])
      return true
    })
    await t.rejects(write(source, 'd/new.txt', 'ours'), { code: 'internal' })
    t.equal(await textAt(source, 'd/new.txt'), 'theirs')
  })

  t.test('a file is not moved', async t => {
    for (const broken of ['from', 'to']) {
      const root = await scratch(t, { 'from/a.txt': 'a', 'to/b.txt': 'b' })
      const source = await open(t, root)
      await brokenDisk(t, path => path.endsWith(`/${broken}`))
      await t.rejects(writingOf(source).move(key('from/a.txt'), key('to/a.txt')), { code: 'internal', context: { errno: 'EIO' } }, broken)
      t.same([await readdir(join(root, 'from')), await readdir(join(root, 'to'))], [['a.txt'], ['b.txt']])
      t.equal(await textAt(source, 'from/a.txt'), 'a')
    }
  })

  t.test('a file whose names were taken by others meanwhile keeps the one it has', async t => {
    for (const [taken, names] of [['from/a.txt', ['a.txt']], ['to/a.txt', ['a.txt']]] as const) {
      const root = await scratch(t, { 'from/a.txt': 'a', 'to/b.txt': 'b', 'theirs.txt': 'theirs' })
      const source = await open(t, root)
      await brokenDisk(t, path => {
        if (!path.endsWith('/from')) return false
        execFileSync('mv', [join(root, 'theirs.txt'), join(root, taken)])
        return true
      })
      await t.rejects(writingOf(source).move(key('from/a.txt'), key('to/a.txt')), { code: 'internal' })
      t.equal(await textAt(source, taken), 'theirs')
      t.same((await readdir(join(root, 'to'))).filter(name => name !== 'b.txt'), names)
    }
  })
})

t.test('a file that cannot lose its name is not moved, and has no second one', { skip: byRootOnly }, async t => {
  const root = await scratch(t, { 'closed/a.txt': 'a', 'open/b.txt': 'b' })
  const source = await open(t, root)
  for (const name of ['', 'open']) await chmod(join(root, name), 0o777)
  // Its owner may link to it, and not change the directory that it is in.
  await chown(join(root, 'closed/a.txt'), NOBODY, NOBODY)
  await unprivileged(async () => {
    await t.rejects(writingOf(source).move(key('closed/a.txt'), key('open/a.txt')), { code: 'forbidden' })
    await t.rejects(writingOf(source).move(key('closed/a.txt'), key('open/new/a.txt')), { code: 'forbidden' })
    // It is renamed over what is there, which is refused before anything changes.
    await t.rejects(writingOf(source).move(key('closed/a.txt'), key('open/b.txt')), { code: 'forbidden' })
  })
  t.same([await readdir(join(root, 'closed')), await readdir(join(root, 'open'))], [['a.txt'], ['b.txt']])
  t.equal(await textAt(source, 'open/b.txt'), 'b')
  t.equal((await lstat(join(root, 'closed/a.txt'))).nlink, 1)
})

t.test('a file that others remove while it is moved is moved', async t => {
  const root = await scratch(t, { 'from/a.txt': 'a', 'to/b.txt': 'b' })
  const source = await open(t, root)
  await brokenDisk(t, path => {
    if (path.endsWith('/to')) execFileSync('rm', [join(root, 'from/a.txt')])
    return false
  })
  await writingOf(source).move(key('from/a.txt'), key('to/a.txt'))
  t.equal(await textAt(source, 'to/a.txt'), 'a')
})

t.test('sweeping removes what others have left, once it is old', async t => {
  const root = await scratch(t)
  const source = await open(t, root)
  t.equal(await writingOf(source).sweep(0), 0, 'nothing was ever written')
  const own = await writingOf(source).begin(key('own.txt'))
  await own.write(Buffer.alloc(1_000_000))
  const left = join(root, '.uploads', 'drafts', 'left')
  await writeFile(left, 'half')
  await mkdir(join(root, '.uploads', 'drafts', 'odd'))
  await writeFile(join(root, '.uploads', 'locks', `${'0'.repeat(32)}.${'0'.repeat(12)}.1.1.00`), '')
  const old = Date.now() / 1000 - 3600
  for (const path of [left, join(root, '.uploads', 'locks', `${'0'.repeat(32)}.${'0'.repeat(12)}.1.1.00`)]) await utimes(path, old, old)
  t.equal(await writingOf(source).sweep(7_200_000), 0)
  t.equal(await writingOf(source).sweep(1_800_000), 2)
  t.equal(await writingOf(source).sweep(-1), 0, 'own drafts stay, and what is no draft')
  await own.commit()
  t.equal((await fileAt(t, source, 'own.txt')).representation.size, 1_000_000)
  await rm(root, { recursive: true })
  t.equal(await writingOf(source).sweep(0), 0)
  await t.rejects(write(source, 'a.txt', 'x'), { code: 'unavailable' }, 'a root that went is not made')
})

t.test('a draft that somebody else removed does not come to be', async t => {
  const root = await scratch(t)
  const source = await open(t, root)
  const draft = await writingOf(source).begin(key('a.txt'))
  await draft.write(Buffer.from('a'))
  for (const name of await drafts(root)) await unlink(join(root, '.uploads', 'drafts', name))
  await t.rejects(draft.commit(), { code: 'unavailable' })
  t.equal(await source.stat(key('a.txt')), undefined)
  await rm(join(root, '.uploads'), { recursive: true })
  await write(source, 'a.txt', 'again')
  t.equal(await textAt(source, 'a.txt'), 'again', 'what is needed is made anew')
})

t.test('a directory below the root that the server may not write is refused, before a byte is sent', async t => {
  const root = await scratch(t, { 'closed/a.txt': 'a', 'open/a.txt': 'a' })
  const source = await open(t, root)
  for (const name of ['', 'open']) await chmod(join(root, name), 0o777)
  await chmod(join(root, 'closed'), 0o555)
  const child = childOf(t, 'writing-child', ['begin', root, 'closed/a.txt', 'closed/new/b.txt', 'open/b.txt'])
  await eventually(() => child.lines().length === 3 || child.errors() !== '')
  t.same(child.lines(), ['closed/a.txt forbidden', 'closed/new/b.txt forbidden', 'open/b.txt begun'])
  await unprivileged(async () => {
    await t.rejects(write(source, 'closed/a.txt', 'x'), { code: 'forbidden', context: { fault: 'permission', errno: 'EACCES' } })
    await t.rejects(write(source, 'closed/new/b.txt', 'x'), { code: 'forbidden' })
    await t.rejects(writingOf(source).remove(key('closed/a.txt')), { code: 'forbidden', detail: 'The server may not write this file' })
    await t.rejects(writingOf(source).move(key('closed/a.txt'), key('open/b.txt')), { code: 'forbidden' })
    await t.rejects(writingOf(source).move(key('open/a.txt'), key('closed/b.txt')), { code: 'forbidden' })
    await write(source, 'open/a.txt', 'b')
  })
  t.same(await readdir(join(root, 'closed')), ['a.txt'])
  t.same(await readdir(join(root, 'open')), ['a.txt'])
  t.equal(await textAt(source, 'closed/a.txt'), 'a')
  await chmod(join(root, 'closed'), 0o755)
})

t.test('a full disk is told; nothing of the file is there, and what fits is written', { skip: byRootOnly }, async t => {
  const root = await scratch(t)
  mountSmall(t, root, '4m')
  const source = await open(t, root)
  await write(source, 'old.bin', Buffer.alloc(1_000_000, 'o'))
  for (const name of ['d/new.bin', 'old.bin']) {
    const draft = await writingOf(source).begin(key(name))
    const filling = async (): Promise<void> => {
      for (let n = 0; n < 100; n++) await draft.write(Buffer.alloc(65_536, 'n'))
      await draft.commit()
    }
    await t.rejects(filling(), { code: 'insufficient-storage' })
    t.same(await drafts(root), [], 'the room is given back')
    await t.rejects(draft.write(Buffer.from('more')), { code: 'insufficient-storage' }, 'it stays so')
    await t.rejects(draft.commit(), { code: 'insufficient-storage' })
    await draft.discard()
  }
  t.same((await source.list(key(''), 10))?.entries.map(({ name }) => name), ['old.bin'])
  t.equal(await textAt(source, 'old.bin'), 'o'.repeat(1_000_000))
  await t.rejects(writingOf(source).begin(key('e.bin'), { size: 5_000_000 }), { code: 'insufficient-storage' }, 'what cannot fit is refused at once')
  const last = await writingOf(source).begin(key('last.bin'))
  await last.write(Buffer.alloc(4_000_000))
  await t.rejects(last.commit(), { code: 'insufficient-storage' }, 'a failure that comes with the last bytes')
  await write(source, 'd/new.bin', Buffer.alloc(1_500_000, 'n'))
  t.equal((await fileAt(t, source, 'd/new.bin')).representation.size, 1_500_000)
  await writeFile(join(root, 'filler'), Buffer.alloc(4_000_000)).catch(() => undefined)
  t.ok(await writingOf(source).remove(key('old.bin')), 'what lies on a full disk can be removed')
  // Its room is there once nobody has it open to read any more.
  t.ok(await eventually(async () => await write(source, 'small.txt', 'fits again').then(() => true, () => false)))
})

t.test('a file system that is read only, and one that is mounted below the root', { skip: byRootOnly }, async t => {
  const root = await scratch(t, { 'other/.keep': '' })
  const source = await open(t, root)
  mountSmall(t, join(root, 'other'), '1m')
  await writeFile(join(root, 'other', 'there.txt'), 'there')
  for (const name of ['other/new.txt', 'other/there.txt', 'other/d/e/new.txt']) {
    await t.rejects(write(source, name, 'x'), { code: 'forbidden', context: { fault: 'other-file-system' } }, name)
  }
  await t.rejects(writingOf(source).move(key('other/there.txt'), key('here.txt')), { code: 'forbidden' })
  t.same(await readdir(join(root, 'other')), ['there.txt'], 'no directory stays that was made for it')
  t.same(await drafts(root), [])
  t.ok(await writingOf(source).remove(key('other/there.txt')))
  t.ok((await lstat(join(root, 'other'))).isDirectory(), 'a mount point does not vanish')

  const fixed = await scratch(t)
  mountSmall(t, fixed, '1m')
  const reading = await open(t, fixed)
  await write(reading, 'a.txt', 'a')
  execFileSync('mount', ['-o', 'remount,ro', fixed])
  await t.rejects(write(reading, 'a.txt', 'b'), { code: 'forbidden' })
  await t.rejects(writingOf(reading).remove(key('a.txt')), { code: 'forbidden' })
  t.equal(await textAt(reading, 'a.txt'), 'a')
})

t.test('a file that comes from elsewhere while ours is committed stays', async t => {
  const root = await scratch(t, { 'there.txt': 'there' })
  const source = await open(t, root)
  const draft = await writingOf(source).begin(key('a.txt'))
  await draft.write(Buffer.from('ours'))
  let asked = 0
  await t.rejects(draft.commit(current => {
    // Somebody who knows no locks is as fast as can be.
    if (asked++ === 0) execFileSync('cp', [join(root, 'there.txt'), join(root, 'a.txt')])
    unlessThere(current)
  }), { code: 'precondition-failed' })
  t.equal(asked, 2)
  t.equal(await textAt(source, 'a.txt'), 'there')
})

t.test('what keeps changing is a conflict at last', async t => {
  const root = await scratch(t)
  const source = await open(t, root)
  await symlink('nowhere', join(root, 'dangling'))
  await t.rejects(write(source, 'dangling/a.txt', 'x'), { code: 'conflict' })
  await symlink('loop', join(root, 'loop'))
  await t.rejects(write(source, 'loop/a.txt', 'x'), { code: 'conflict' })
  t.same((await readdir(root)).toSorted(), ['.uploads', 'dangling', 'loop'])
})

t.test('no descriptor is left open, however it ends', async t => {
  const root = await scratch(t, { 'd/a.txt': 'a' })
  const source = await open(t, root)
  const refuse = (): never => { throw new Error('refused') }
  for (let n = 0; n < 5; n++) {
    await write(source, `x/y/${n}.txt`, 'x')
    await t.rejects(write(source, 'd/a.txt', 'x', refuse), 'refused')
    await t.rejects(write(source, 'd', 'x'))
    await t.rejects(write(source, 'd/a.txt/b', 'x'))
    await t.rejects(writingOf(source).remove(key('d/a.txt'), refuse))
    await writingOf(source).move(key(`x/y/${n}.txt`), key('d/moved.txt'))
    await (await writingOf(source).begin(key('b.txt'))).discard()
  }
  t.equal(openBelow(root), 0)
  await rename(join(root, 'd'), join(root, 'e'))
  t.equal(await textAt(source, 'e/moved.txt'), 'x')
})
