import type { Test as Tap } from 'tap'
import type { Key } from '../../lib/paths/request-path.ts'
import type { FoundFile, Source } from '../../lib/sources/source.ts'

/** Makes a source that holds just these files, by key. */
export type MakeSource = (t: Tap, files: Record<string, string | Buffer>) => Promise<Source>

const key = (text: string): Key => text as Key

/** What a driver cannot tell, by what it reads from. */
export interface SourceLimits {
  /** Whether it knows the members of a directory, and which keys are one. Default true. */
  lists?: boolean
}

/** What every driver must do, whatever it reads from. */
export function sourceContract (t: Tap, make: MakeSource, { lists = true }: SourceLimits = {}): void {
  t.test('a file is described by type, size, tag and date', async t => {
    const source = await make(t, { 'a/cat.txt': 'meow' })
    const found = await fileAt(t, source, 'a/cat.txt')
    t.match(found.representation, { type: 'text/plain; charset=utf-8', size: 4, entityTag: /^"[^"]+"$/ })
    t.ok(Math.abs((found.representation.lastModified ?? 0) - Date.now()) < 60_000)
    t.type(found.revision, 'string')
  })

  t.test('two looks at an unchanged file agree', async t => {
    const source = await make(t, { 'cat.txt': 'meow' })
    const [one, two] = [await fileAt(t, source, 'cat.txt'), await fileAt(t, source, 'cat.txt')]
    t.equal(one.revision, two.revision)
    t.equal(one.representation.entityTag, two.representation.entityTag)
  })

  t.test('a key that names nothing is undefined, not an error', async t => {
    const source = await make(t, { 'cat.txt': 'meow' })
    for (const missing of ['dog.txt', 'cat.txt/below', 'no/such/place', 'x'.repeat(300), 'ü'.repeat(200)]) {
      t.equal(await source.stat(key(missing)), undefined, missing.slice(0, 20))
      t.equal(await source.list(key(missing), 10), undefined)
    }
  })

  t.test('opening gives all bytes, or those of a range with both ends included', async t => {
    for (const size of [0, 1, 10, 300_000, 1_200_000]) {
      const content = Buffer.alloc(size, 'abcdefghij')
      const source = await make(t, { 'data.bin': content })
      const { representation } = await fileAt(t, source, 'data.bin')
      t.ok((await bytesOf(await representation.open())).equals(content), `${size} bytes`)
      if (size < 10) continue
      t.ok((await bytesOf(await representation.open({ start: 3, end: 7 }))).equals(content.subarray(3, 8)), `part of ${size} bytes`)
      t.ok((await bytesOf(await representation.open({ start: size - 4, end: size - 1 }))).equals(content.subarray(-4)), `end of ${size} bytes`)
    }
  })

  t.test('names in any script are found as they are spelt', async t => {
    const names = ['Grüße.txt', '猫.txt', '😀 smile.txt', 'a%20b.txt', 'semi;colon.txt', 'q?.txt', 'hash#.txt']
    const source = await make(t, Object.fromEntries(names.map(name => [name, name])))
    for (const name of names) t.equal((await fileAt(t, source, name)).representation.size, Buffer.byteLength(name), name)
  })

  t.test('a file may be opened several times at once', async t => {
    const content = Buffer.alloc(1_500_000, 'abcdefghij')
    const { representation } = await fileAt(t, await make(t, { 'data.bin': content }), 'data.bin')
    const bodies = await Promise.all([representation.open(), representation.open({ start: 10, end: 1_200_000 }), representation.open()])
    const [one, part, two] = await Promise.all(bodies.map(bytesOf))
    t.ok(one?.equals(content))
    t.ok(part?.equals(content.subarray(10, 1_200_001)))
    t.ok(two?.equals(content))
  })

  t.test('closing twice is closing', async t => {
    const source = await make(t, { 'cat.txt': 'meow' })
    await source.close()
    await source.close()
  })

  if (lists) listingContract(t, make)
  else unlistedContract(t, make)
}

function unlistedContract (t: Tap, make: MakeSource): void {
  t.test('a source that knows no directories lists none', async t => {
    const source = await make(t, { 'a/cat.txt': 'meow' })
    for (const directory of ['', 'a', 'a/cat.txt']) t.equal(await source.list(key(directory), 10), undefined, directory)
  })
}

function listingContract (t: Tap, make: MakeSource): void {
  t.test('the root and directories are directories', async t => {
    const source = await make(t, { 'a/b/cat.txt': 'meow' })
    for (const directory of ['', 'a', 'a/b']) t.match(await source.stat(key(directory)), { kind: 'directory' }, directory)
  })

  t.test('members of a directory come in order, with kind and size', async t => {
    const source = await make(t, { 'd/b.txt': 'bb', 'd/a.txt': 'a', 'd/sub/c.txt': 'c', 'other.txt': '' })
    const listing = await source.list(key('d'), 10)
    t.match(listing, { truncated: false, entries: [{ name: 'a.txt', kind: 'file', size: 1 }, { name: 'b.txt', kind: 'file', size: 2 }, { name: 'sub', kind: 'directory' }] })
    t.equal(listing?.entries.length, 3)
    t.equal(await source.list(key('d/a.txt'), 10), undefined, 'a file has no members')
  })

  t.test('a listing stops at its limit and says so', async t => {
    const source = await make(t, Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`f${n + 10}.txt`, ''])))
    const listing = await source.list(key(''), 5)
    t.same(listing?.entries.map(entry => entry.name), ['f10.txt', 'f11.txt', 'f12.txt', 'f13.txt', 'f14.txt'])
    t.equal(listing?.truncated, true)
  })
}

/** The file at a key; the test fails without one. */
export async function fileAt (t: Tap, source: Source, text: string): Promise<FoundFile> {
  const found = await source.stat(key(text))
  if (found?.kind !== 'file') {
    t.fail(`expected a file at ${text}`)
    throw new Error('no file')
  }
  return found
}

/** A body's bytes, whichever form it came in. */
export async function bytesOf (body: Buffer | NodeJS.ReadableStream): Promise<Buffer> {
  if (Buffer.isBuffer(body)) return body
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
