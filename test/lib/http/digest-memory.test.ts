import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { HotFiles } from '../../../lib/cache/hot-files.ts'
import { DigestMemory } from '../../../lib/http/digest-memory.ts'
import { reprDigest } from '../../../lib/http/digest.ts'
import { childKey, rootKey } from '../../../lib/paths/request-path.ts'
import { RepresentationChanged, type Body, type Representation } from '../../../lib/representation.ts'
import { fileSource } from '../../../lib/sources/file.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { scratch } from '../../helpers/app.ts'

const content = Buffer.from('some content')

/** A representation, and how often it was opened. */
function counted (rest: Partial<Representation> = {}, open: () => Promise<Body> | Body = () => content): { representation: Representation, opened: () => number } {
  let times = 0
  const representation: Representation = {
    type: 'text/plain',
    size: content.length,
    open: () => {
      times++
      return open()
    },
    ...rest
  }
  return { representation, opened: () => times }
}

const stored = { path: '/a', revision: 'r1', size: content.length, changed: Date.now() - 60_000 }

t.test('a digest is worked out once for each algorithm', async t => {
  const memory = new DigestMemory()
  const { representation, opened } = counted()
  for (let n = 0; n < 3; n++) {
    t.equal(await memory.of(representation, 'sha-256'), await reprDigest(content, 'sha-256'))
    t.equal(await memory.of(representation, 'sha-512'), await reprDigest(content, 'sha-512'))
  }
  t.equal(opened(), 2)
})

t.test('bytes in memory are not opened', async t => {
  const memory = new DigestMemory({ maxBytes: 0, concurrency: 0 })
  const { representation, opened } = counted({ bytes: content })
  t.equal(await memory.of(representation, 'sha-256'), await reprDigest(content, 'sha-256'))
  t.equal(await memory.of(representation, 'sha-256'), await reprDigest(content, 'sha-256'))
  t.equal(opened(), 0)
})

t.test('of a file it is remembered by its revision', async t => {
  const memory = new DigestMemory()
  const first = counted({ stored })
  const again = counted({ stored: { ...stored } })
  const changed = counted({ stored: { ...stored, revision: 'r2' } }, () => Buffer.from('new content!'))
  t.equal(await memory.of(first.representation, 'sha-256'), await memory.of(again.representation, 'sha-256'))
  t.not(await memory.of(changed.representation, 'sha-256'), await memory.of(again.representation, 'sha-256'))
  t.same([first.opened(), again.opened(), changed.opened()], [1, 0, 1])
})

t.test('a file that changed just now is not remembered, since it may change again unseen', async t => {
  const memory = new DigestMemory()
  const fresh = counted({ stored: { ...stored, changed: Date.now() } })
  await memory.of(fresh.representation, 'sha-256')
  await memory.of(fresh.representation, 'sha-256')
  t.equal(fresh.opened(), 2)
})

t.test('who asks at the same time waits for the same', async t => {
  const memory = new DigestMemory({ concurrency: 1 })
  let go: (body: Body) => void = () => {}
  const { representation, opened } = counted({ stored }, async () => await new Promise<Body>(resolve => { go = resolve }))
  const all = Promise.all([memory.of(representation, 'sha-256'), memory.of({ ...representation }, 'sha-256'), memory.of(representation, 'sha-512')])
  go(Readable.from([content]))
  const expected = await reprDigest(content, 'sha-256')
  t.same(await all, [expected, expected, undefined], 'and another beyond what may be read at once goes without')
  t.equal(opened(), 1)
  t.equal(await memory.of(counted().representation, 'sha-256'), expected, 'until there is room again')
})

t.test('what is too large, or of unknown length, goes without', async t => {
  const memory = new DigestMemory({ maxBytes: content.length })
  const large = counted({ size: content.length + 1 })
  const unknown = counted({ size: undefined })
  t.same([await memory.of(large.representation, 'sha-256'), await memory.of(unknown.representation, 'sha-256')], [undefined, undefined])
  t.same([large.opened(), unknown.opened()], [0, 0])
})

t.test('what opening fails with is told, and nothing is remembered of it', async t => {
  const memory = new DigestMemory({ concurrency: 1 })
  let fails = true
  const { representation } = counted({ stored }, () => {
    if (fails) throw new RepresentationChanged('/a')
    return content
  })
  await t.rejects(memory.of(representation, 'sha-256'), { name: 'RepresentationChanged' })
  fails = false
  t.equal(await memory.of(representation, 'sha-256'), await reprDigest(content, 'sha-256'))
})

t.test('the memory is bounded', async t => {
  const memory = new DigestMemory({ entries: 2 })
  const files = Array.from({ length: 8 }, (_, n) => counted({ stored: { ...stored, path: `/${n}` } }))
  for (const { representation } of files) await memory.of(representation, 'sha-256')
  for (const { representation } of files) await memory.of(representation, 'sha-256')
  t.ok(files.filter(({ opened }) => opened() === 2).length >= 4)
  await memory.of(files.at(-1)?.representation as Representation, 'sha-256')
  t.equal(files.at(-1)?.opened(), 2, 'what was used last is there')
})

async function representationOf (source: Source, name: string): Promise<Representation> {
  const found = await source.stat(childKey(rootKey, name))
  if (found?.kind !== 'file') throw new Error(`Expected a file ${name}`)
  return found.representation
}

t.test('of real files, small and hot or large and in chunks, it is that of the bytes', async t => {
  const large = Buffer.alloc(3_000_000, 'large ')
  const root = await scratch(t, { 'small.txt': 'small', 'large.bin': large })
  const past = new Date(Date.now() - 60_000)
  for (const name of ['small.txt', 'large.bin']) await utimes(join(root, name), past, past)
  const memory = new DigestMemory()
  const source = new HotFiles().over(await fileSource({ root }))
  t.teardown(async () => await source.close())
  t.equal(await memory.of(await representationOf(source, 'small.txt'), 'sha-256'), await reprDigest(Buffer.from('small'), 'sha-256'))
  t.equal(await memory.of(await representationOf(source, 'small.txt'), 'sha-512'), await reprDigest(Buffer.from('small'), 'sha-512'), 'now from memory')
  t.equal(await memory.of(await representationOf(source, 'large.bin'), 'sha-512'), await reprDigest(large, 'sha-512'))
})
