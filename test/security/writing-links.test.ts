// Whoever can put links below a root, by another service or an archive that was unpacked there, has uploads
// written outside it: at once, or by switching a directory for a link between the check and the use
// (CWE-59, CWE-367). Nothing outside the root is made, changed or removed, and nothing hidden within.
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Key } from '../../lib/paths/request-path.ts'
import { fileSource } from '../../lib/sources/file.ts'
import { MediaError } from '../../lib/errors.ts'
import { textAt, write, writingOf } from '../contracts/writable.ts'
import { scratch } from '../helpers/app.ts'

const key = (text: string): Key => text as Key

const SECRET = 'outside the root'

for (const symlinks of ['inside', 'deny'] as const) {
  t.test(`no link leads a write out of the root (${symlinks})`, async t => {
    const outside = await scratch(t, { 'secret.txt': SECRET, 'd/secret.txt': SECRET })
    const root = await scratch(t, { 'a.txt': 'a', '.hidden/h.txt': SECRET, 'real/r.txt': 'r' })
    const links = { 'out.txt': join(outside, 'secret.txt'), 'new.txt': join(outside, 'new.txt'), out: outside, up: '..', 'real/up': '../..', etc: '/etc', hidden: '.hidden', 'hidden.txt': '.hidden/h.txt', uploads: '.uploads' }
    for (const [name, target] of Object.entries(links)) await symlink(target, join(root, name))
    const source = await fileSource({ root, symlinks })
    await write(source, 'first.txt', 'so that there is a directory for drafts')
    const keys = ['out.txt', 'new.txt', 'out/secret.txt', 'out/d/secret.txt', 'out/new.txt', 'out/x/y/new.txt', 'up/new.txt', 'real/up/new.txt', 'etc/fastify-media-test', 'hidden/h.txt', 'hidden/new.txt', 'hidden.txt', 'uploads/drafts/x', 'uploads/x', '..', '../x.txt', 'a/../../x.txt', './x.txt']
    for (const name of keys) {
      await t.rejects(write(source, name, 'x'), { code: 'forbidden' }, name)
      await t.rejects(writingOf(source).remove(key(name)), { code: 'forbidden' }, `removing ${name}`)
      await t.rejects(writingOf(source).move(key('a.txt'), key(name)), { code: 'forbidden' }, `moving to ${name}`)
      await t.rejects(writingOf(source).move(key(name), key('b.txt')), { code: 'forbidden' }, `moving ${name}`)
    }
    t.same((await readdir(outside)).toSorted(), ['d', 'secret.txt'])
    for (const name of ['secret.txt', 'd/secret.txt']) t.equal(await readFile(join(outside, name), 'utf8'), SECRET)
    t.same(await readdir(join(root, '.hidden')), ['h.txt'])
    t.same(await readdir(join(root, '.uploads')).then(names => names.toSorted()), ['drafts', 'locks'])
    for (const [name, target] of Object.entries(links)) t.equal(await readlink(join(root, name)), target, `${name} is what it was`)
    t.equal(await textAt(source, 'a.txt'), 'a')
  })
}

t.test('a link inside the root is followed on the way, and replaced at the end', async t => {
  const root = await scratch(t, { 'real/cat.txt': 'meow' })
  await symlink('real', join(root, 'folder'))
  await symlink('real/cat.txt', join(root, 'link.txt'))
  await symlink('real', join(root, 'linked'))
  const source = await fileSource({ root })
  const { found } = await write(source, 'folder/dog.txt', 'woof')
  t.equal(found.canonical, 'real/dog.txt')
  t.equal(await readFile(join(root, 'real/dog.txt'), 'utf8'), 'woof')
  const { replaced } = await write(source, 'link.txt', 'own')
  t.equal(replaced?.canonical, 'real/cat.txt', 'a condition is told what was read there')
  t.equal(await textAt(source, 'real/cat.txt'), 'meow', 'what the link led to stays')
  t.ok((await lstat(join(root, 'link.txt'))).isFile())
  await t.rejects(write(source, 'linked', 'x'), { code: 'conflict' }, 'a link to a directory is a directory')
  await symlink('real/cat.txt', join(root, 'again.txt'))
  await t.rejects(writingOf(source).move(key('again.txt'), key('elsewhere/again.txt')), { code: 'conflict' }, 'elsewhere it would lead elsewhere')
  t.ok(await writingOf(source).remove(key('again.txt')), 'the link is removed')
  t.equal(await textAt(source, 'real/cat.txt'), 'meow')
  for (const name of ['cat.txt', 'dog.txt']) await writingOf(source).remove(key(`folder/${name}`))
  t.ok((await lstat(join(root, 'real'))).isDirectory(), 'what a link leads to does not vanish')
})

t.test('one who wants links followed wherever they lead has them written there', async t => {
  const outside = await scratch(t, { 'there.txt': 'there' })
  const root = await scratch(t)
  await symlink(outside, join(root, 'out'))
  const source = await fileSource({ root, symlinks: 'follow' })
  await write(source, 'out/there.txt', 'new')
  await write(source, 'out/d/new.txt', 'new')
  t.equal(await readFile(join(outside, 'there.txt'), 'utf8'), 'new')
  t.equal(await readFile(join(outside, 'd/new.txt'), 'utf8'), 'new')
  await t.rejects(write(source, 'out/d/new.txt', 'x', () => { throw new MediaError('precondition-failed') }), { code: 'precondition-failed' })
})

t.test('a directory that becomes a link between the beginning and the end leads nowhere', async t => {
  const outside = await scratch(t, { 'a.txt': SECRET })
  const root = await scratch(t, { 'd/a.txt': 'public', 'e/a.txt': 'public' })
  const source = await fileSource({ root })
  const drafts = await Promise.all(['d/a.txt', 'd/new.txt', 'd/x/y.txt'].map(async name => await writingOf(source).begin(key(name))))
  await rename(join(root, 'd'), join(root, 'was'))
  await symlink(outside, join(root, 'd'))
  for (const draft of drafts) await t.rejects(draft.commit(), { code: 'forbidden' })
  await t.rejects(writingOf(source).move(key('e/a.txt'), key('e/b.txt'), {
    // Asked while the directories are held: the link comes too late to lead anywhere.
    to: () => {
      void rename(join(root, 'e'), join(root, 'gone'))
      throw new MediaError('precondition-failed')
    }
  }), { code: 'precondition-failed' })
  t.same(await readdir(outside), ['a.txt'])
  t.equal(await readFile(join(outside, 'a.txt'), 'utf8'), SECRET)
})

t.test('a directory that is switched for a link all the time, while it is written, removed and moved in', async t => {
  const outside = await scratch(t, { 'victim.txt': SECRET })
  const root = await scratch(t, { 'd/victim.txt': 'public' })
  await symlink(outside, join(root, 'trap'))
  const source = await fileSource({ root })
  const switching = { isOver: false, times: 0 }
  const attacker = (async () => {
    while (!switching.isOver) {
      await rename(join(root, 'd'), join(root, 'aside')).catch(() => undefined)
      await rename(join(root, 'trap'), join(root, 'd')).catch(() => undefined)
      await rename(join(root, 'd'), join(root, 'trap')).catch(() => undefined)
      await rename(join(root, 'aside'), join(root, 'd')).catch(() => undefined)
      // Where a directory came in between, it begins anew.
      if (!(await lstat(join(root, 'trap')).catch(() => undefined))?.isSymbolicLink()) {
        await rm(join(root, 'trap'), { recursive: true, force: true })
        await symlink(outside, join(root, 'trap'))
      }
      await mkdir(join(root, 'd')).catch(() => undefined)
      switching.times++
    }
  })()
  let outcomes = 0
  for (let n = 0; n < 150; n++) {
    for (const attempt of [
      async () => await write(source, `d/new-${n}.txt`, 'ours'),
      async () => await write(source, 'd/victim.txt', 'ours'),
      async () => await write(source, `d/sub/${n}.txt`, 'ours'),
      async () => await writingOf(source).move(key(`d/new-${n}.txt`), key('d/victim.txt')),
      async () => await writingOf(source).remove(key('d/victim.txt'))
    ]) {
      await attempt().catch(error => { if (!(error instanceof MediaError) || error.statusCode >= 500) t.fail(String(error)) })
      outcomes++
    }
  }
  switching.isOver = true
  await attacker
  t.ok(switching.times > 20, `${switching.times} switches in ${outcomes} tries`)
  t.same(await readdir(outside), ['victim.txt'])
  t.equal(await readFile(join(outside, 'victim.txt'), 'utf8'), SECRET)
})
