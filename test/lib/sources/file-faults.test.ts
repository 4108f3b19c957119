import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { fileFault, isMissing } from '../../../lib/sources/file-faults.ts'
import { fileSource } from '../../../lib/sources/file.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import { scratch } from '../../helpers/app.ts'

const NOBODY = 65_534
const key = (text: string): Key => text as Key
const errno = (code: string): Error => Object.assign(new Error(code), { code })

t.test('what the file system says becomes a failure of ours, with its cause', async t => {
  const path = join(await scratch(t, { 'a.txt': 'a' }), 'a.txt')
  for (const [code, failure] of [['EACCES', 'forbidden'], ['EPERM', 'forbidden'], ['EMFILE', 'out-of-descriptors'], ['ENFILE', 'out-of-descriptors'], ['ENOENT', 'not-found'], ['EIO', 'internal'], ['ELOOP', 'not-found']] as const) {
    const cause = errno(code)
    t.match(await fileFault(cause, path), { code: failure, cause }, code)
  }
  t.match(await fileFault(new Error('no code'), path), { code: 'internal', context: { errno: 'unknown', path } })
  t.equal(isMissing(null), false)
})

t.test('a permission fault tells owner and mode of the path, or of what of it can be looked at', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  await chmod(join(root, 'a.txt'), 0o640)
  t.match((await fileFault(errno('EACCES'), join(root, 'a.txt'))).context, { fault: 'permission', errno: 'EACCES', path: join(root, 'a.txt'), mode: '0640', uid: Number, gid: Number })
  t.match((await fileFault(errno('EACCES'), join(root, 'gone', 'deep.txt'))).context, { path: root })
  t.match((await fileFault(errno('EACCES'), '/nowhere-at-all/x')).context, { path: '/' })
})

t.test('directories and files that the process may not enter or open are forbidden', async t => {
  const root = await scratch(t, { 'closed/a.txt': 'a', 'closed.txt': 'a', 'big.bin': Buffer.alloc(600_000), 'unlisted/a.txt': 'a', 'unsearched/a.txt': 'a' })
  await mkdir(join(root, 'plain'))
  await writeFile(join(root, 'plain', 'b.txt'), 'b')
  await chmod(root, 0o755)
  for (const [name, mode] of [['closed', 0o700], ['closed.txt', 0o600], ['big.bin', 0o600], ['unlisted', 0o711], ['unsearched', 0o744]] as const) await chmod(join(root, name), mode)
  const largeFiles = new LargeFiles({ poolBytes: 1_000_000, maxDescriptors: 2, descriptorIdleMs: 50 })
  const options = { root, symlinks: 'inside', visibleDotNames: [], caseInsensitive: false } as const
  const [source, folding] = [await fileSource(options, largeFiles), await fileSource({ ...options, caseInsensitive: true }, largeFiles)]
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(NOBODY) // the root user is refused nothing
  else for (const [name, mode] of [['closed', 0], ['closed.txt', 0], ['big.bin', 0], ['unlisted', 0o111], ['unsearched', 0o444]] as const) await chmod(join(root, name), mode)
  try {
    await t.rejects(async () => await source.stat(key('closed/a.txt')), { code: 'forbidden' })
    await t.rejects(async () => await folding.stat(key('closed/A.txt')), { code: 'forbidden' })
    await t.rejects(source.list(key('unlisted'), 10), { code: 'forbidden' })
    t.equal(await folding.stat(key('unlisted/x.txt')), undefined, 'no other spelling can be looked for')
    t.ok(await folding.stat(key('unlisted/a.txt')))
    t.same(await source.list(key('unsearched'), 10), { entries: [], truncated: false }, 'members that cannot be looked at are left out')
    for (const name of ['closed.txt', 'big.bin']) {
      // access(2) asks for the real user, who is still root here: then opening is what is refused.
      await t.rejects(async () => {
        const found = await source.stat(key(name))
        return found?.kind === 'file' ? await found.representation.open() : undefined
      }, { code: 'forbidden' }, name)
    }
    t.ok(await source.stat(key('plain/b.txt')), 'the rest is served')
  } finally {
    if (isRoot) process.seteuid?.(0)
    else for (const name of ['closed', 'unlisted', 'unsearched']) await chmod(join(root, name), 0o700)
    await largeFiles.close()
  }
})
