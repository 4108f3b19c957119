import { mkdir, rm, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Key } from '../../../lib/paths/request-path.ts'
import { fileSource } from '../../../lib/sources/file.ts'
import type { Entry, Listing, Source } from '../../../lib/sources/source.ts'
import { filesOf, MAX_MEMBERS } from '../../../lib/sources/walk.ts'
import { scratch } from '../../helpers/app.ts'

async function walk (source: Source): Promise<{ files: string[], faults: string[] }> {
  const files: string[] = []
  const faults: string[] = []
  for await (const key of filesOf(source, (directory, error) => { faults.push(`${directory}: ${(error as Error).message}`) })) files.push(key)
  return { files, faults }
}

/** A source of listings alone. */
function listed (listings: Record<string, Listing | Error>): Source {
  return {
    stat: async () => undefined,
    async list (key) {
      const listing = listings[key]
      if (listing instanceof Error) throw listing
      return listing
    },
    async close () {}
  }
}

const file = (name: string): Entry => ({ name, kind: 'file', size: 1, lastModified: 1 })
const directory = (name: string): Entry => ({ name, kind: 'directory', lastModified: 1 })

t.test('every file that the source shows comes once, directory by directory, and no other', async t => {
  const root = await scratch(t, { 'b.jpg': '', 'a/z.jpg': '', 'a/b/c.jpg': '', 'c/d.jpg': '', '.hidden/e.jpg': '', 'a/.f.jpg': '' })
  await mkdir(join(root, 'empty'))
  await symlink(await scratch(t, { 'outside.jpg': '' }), join(root, 'link'))
  t.same(await walk(await fileSource({ root })), { files: ['a/b/c.jpg', 'a/z.jpg', 'b.jpg', 'c/d.jpg'], faults: [] })
})

t.test('a link that leads back up does not lead on for ever, nor do many', async t => {
  const root = await scratch(t, { 'a/cat.jpg': '' })
  for (const name of ['one', 'two', 'three']) await symlink('..', join(root, 'a', name))
  const { files } = await walk(await fileSource({ root }))
  t.equal(files[0], 'a/cat.jpg')
  t.ok(files.length < 20, `${files.length} files`)
})

t.test('directories of one name within each other are told from a circle, even where all times are the same', async t => {
  const root = await scratch(t, { 'photos/photos/cat.jpg': '' })
  for (const path of ['photos/photos/cat.jpg', 'photos/photos', 'photos', '.']) await utimes(join(root, path), 0, 0)
  t.same((await walk(await fileSource({ root }))).files, ['photos/photos/cat.jpg'])
})

t.test('a directory that cannot be listed is told, and the others are visited', async t => {
  const source = listed({
    '': { entries: [directory('a'), directory('b'), directory('gone'), file('z.jpg')], truncated: false },
    'a': new Error('no permission'),
    'b': { entries: [file('b.jpg')], truncated: false }
  })
  t.same(await walk(source), { files: ['b/b.jpg', 'z.jpg'], faults: ['a: no permission'] })
})

t.test('members beyond the bound are told', async t => {
  t.same(await walk(listed({ '': { entries: [file('a.jpg')], truncated: true } })), { files: ['a.jpg'], faults: [`: It has more than ${MAX_MEMBERS} members: the others are left out`] })
})

t.test('a root that is gone is told', async t => {
  const root = await scratch(t)
  const source = await fileSource({ root })
  await rm(root, { recursive: true })
  t.same(await walk(source), { files: [], faults: [': It is not there'] })
})

t.test('no directory is listed before its files are wanted', async t => {
  const asked: string[] = []
  const source = { ...listed({}), list: async (key: Key) => {
    asked.push(key)
    return { entries: key === '' ? [file('a.jpg'), directory('b')] : [file('c.jpg')], truncated: false }
  } }
  const files = filesOf(source, () => {})
  await files.next()
  t.same(asked, [''])
  await files.next()
  t.same(asked, ['', 'b'])
  await files.return()
})
