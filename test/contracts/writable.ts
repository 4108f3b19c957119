import { createHash, randomBytes } from 'node:crypto'
import type { Test as Tap } from 'tap'
import { MediaError } from '../../lib/errors.ts'
import type { Key } from '../../lib/paths/request-path.ts'
import type { FoundFile, Source } from '../../lib/sources/source.ts'
import type { Condition, Draft, Writable, Written } from '../../lib/sources/writing.ts'
import { bytesOf, fileAt, type MakeSource } from './source.ts'

/** What a driver cannot do, or does otherwise, by what it writes to. */
export interface WritableLimits {
  /** Opens what another one, that `make` gave, reads and writes, as another process would: writers meet there, too. */
  readonly again?: ((t: Tap, source: Source) => Promise<Source>) | undefined
  /** Keys that it hides. Default: dotfiles, at any depth. */
  readonly hidden?: readonly string[]
  /** Bytes of the largest file that is tried. Default 20 MB. */
  readonly largeBytes?: number
  /** Whether two keys that differ only in Unicode composition are two. Default true. */
  readonly tellsCompositions?: boolean
}

const key = (text: string): Key => text as Key

/** Its writing side; the test fails without one. */
export function writingOf (source: Source): Writable {
  if (source.writing === undefined) throw new Error('Expected a source that can be written')
  return source.writing
}

/** Writes a file whole. */
export async function write (source: Source, name: string, content: string | Buffer, condition?: Condition): Promise<Written> {
  const draft = await writingOf(source).begin(key(name), { size: Buffer.byteLength(content) })
  await draft.write(Buffer.from(content))
  return await draft.commit(condition)
}

/** What a key names, as text; undefined where it names no file. */
export async function textAt (source: Source, name: string): Promise<string | undefined> {
  const found = await source.stat(key(name))
  return found?.kind === 'file' ? String(await bytesOf(await found.representation.open())) : undefined
}

/** As `If-None-Match: *`. */
export const unlessThere: Condition = current => {
  if (current !== undefined) throw new MediaError('precondition-failed')
}

/** As `If-Match` of what was found. */
export function ifMatches ({ representation: { entityTag } }: FoundFile): Condition {
  return current => {
    if (current === undefined || current.representation.entityTag !== entityTag) throw new MediaError('precondition-failed')
  }
}

async function namesIn (source: Source, directory: string): Promise<string[] | undefined> {
  return (await source.list(key(directory), 1000))?.entries.map(({ name }) => name)
}

/** How many of many settled well; every other has to have been refused with one of these codes. */
async function winners (t: Tap, attempts: ReadonlyArray<Promise<unknown>>, codes: readonly string[]): Promise<number[]> {
  const settled = await Promise.allSettled(attempts)
  return settled.flatMap((one, place) => {
    if (one.status === 'fulfilled') return [place]
    t.ok(one.reason instanceof MediaError && codes.includes(one.reason.code), `refused as ${codes.join(' or ')}: ${one.reason}`)
    return []
  })
}

/** What every driver that can be written must do, whatever it writes to. */
export function writableContract (t: Tap, make: MakeSource, limits: WritableLimits = {}): void {
  draftContract(t, make, limits)
  conditionContract(t, make)
  directoryContract(t, make)
  removalContract(t, make)
  moveContract(t, make)
  raceContract(t, make, limits)
  hiddenContract(t, make, limits)
  sweepContract(t, make)
}

function draftContract (t: Tap, make: MakeSource, { largeBytes = 20_000_000, tellsCompositions = true }: WritableLimits): void {
  t.test('a file that was written is there: described, listed, with its bytes', async t => {
    const source = await make(t, { 'a/old.txt': 'old' })
    const { found, replaced } = await write(source, 'a/cat.txt', 'meow')
    t.equal(replaced, undefined)
    const looked = await fileAt(t, source, 'a/cat.txt')
    t.match(looked.representation, { type: 'text/plain; charset=utf-8', size: 4, entityTag: /^"[^"]+"$/ })
    t.equal(found.representation.entityTag, looked.representation.entityTag, 'what is told of it at once is what is told of it later')
    t.equal(found.revision, looked.revision)
    t.equal(String(await bytesOf(await found.representation.open())), 'meow')
    t.equal(await textAt(source, 'a/cat.txt'), 'meow')
    t.same(await namesIn(source, 'a'), ['cat.txt', 'old.txt'])
  })

  t.test('nothing is seen of a file before it is committed, nor after it was discarded', async t => {
    const source = await make(t, { 'there.txt': 'old' })
    const drafts = await Promise.all(['new/cat.txt', 'there.txt'].map(async name => await writingOf(source).begin(key(name))))
    for (const draft of drafts) {
      await draft.write(Buffer.from('half '))
      await draft.write(randomBytes(600_000))
    }
    const isAsBefore = async (): Promise<void> => {
      t.equal(await source.stat(key('new/cat.txt')), undefined)
      t.equal(await source.stat(key('new')), undefined)
      t.equal(await textAt(source, 'there.txt'), 'old')
      t.same(await namesIn(source, ''), ['there.txt'])
    }
    await isAsBefore()
    for (const draft of drafts) await draft.discard()
    await isAsBefore()
  })

  t.test('a discarded or committed draft may be discarded again', async t => {
    const source = await make(t, {})
    const draft = await writingOf(source).begin(key('a.txt'))
    await draft.discard()
    await draft.discard()
    const other = await writingOf(source).begin(key('a.txt'))
    await other.write(Buffer.from('a'))
    await other.commit()
    await other.discard()
    t.equal(await textAt(source, 'a.txt'), 'a')
  })

  t.test('a file may have no bytes', async t => {
    const source = await make(t, {})
    const draft = await writingOf(source).begin(key('empty.txt'))
    t.match((await draft.commit()).found.representation, { size: 0 })
    const other = await writingOf(source).begin(key('empty2.txt'), { size: 0 })
    await other.write(Buffer.alloc(0))
    await other.commit()
    t.equal(await textAt(source, 'empty.txt'), '')
    t.equal(await textAt(source, 'empty2.txt'), '')
  })

  t.test('a large file comes out as it went in, in whatever pieces', async t => {
    const source = await make(t, {})
    const content = randomBytes(largeBytes)
    for (const [name, sizes] of [['odd.bin', [1, 65_536, 77_777, 3, 1_000_003, 16_384]], ['even.bin', [65_536]], ['whole.bin', [largeBytes]]] as const) {
      const draft = await writingOf(source).begin(key(name), name === 'even.bin' ? {} : { size: largeBytes, type: 'application/octet-stream' })
      for (let start = 0, n = 0; start < content.length; n++) {
        const size = sizes[n % sizes.length] as number
        await draft.write(Buffer.from(content.subarray(start, start + size)))
        start += size
        t.equal(draft.bytes === Math.min(start, content.length), true)
      }
      await draft.commit()
      const { representation } = await fileAt(t, source, name)
      t.equal(representation.size, content.length)
      t.equal(sha(await bytesOf(await representation.open())), sha(content), name)
      t.ok((await bytesOf(await representation.open({ start: 65_530, end: 65_550 }))).equals(content.subarray(65_530, 65_551)))
    }
  })

  t.test('a draft that rests is nowhere seen; committed it is there with its bytes, discarded it leaves nothing', async t => {
    const source = await make(t, { 'there.txt': 'old' })
    const contents = [0, 1, 70_000, 600_000].map(size => randomBytes(size))
    for (const content of contents) {
      const [kept, dropped] = [await writingOf(source).begin(key('d/kept.bin')), await writingOf(source).begin(key('dropped/a.bin'))]
      for (const draft of [kept, dropped]) {
        for (let start = 0; start < content.length; start += 50_000) await draft.write(Buffer.from(content.subarray(start, start + 50_000)))
        await draft.rest()
      }
      t.equal(kept.bytes, content.length)
      t.equal(await source.stat(key('dropped')), undefined)
      await dropped.discard()
      await dropped.discard()
      await t.rejects(dropped.commit(), 'it is gone')
      t.match((await kept.commit(content === contents[0] ? unlessThere : undefined)).found.representation, { size: content.length })
      await kept.discard()
      const { representation } = await fileAt(t, source, 'd/kept.bin')
      t.equal(sha(await bytesOf(await representation.open())), sha(content))
    }
    t.equal(await writingOf(source).sweep(-1), 0)
    t.same(await namesIn(source, ''), ['d', 'there.txt'])
  })

  t.test('a draft that rested is judged by what is there when it is committed', async t => {
    const source = await make(t, {})
    const [draft, other] = [await begun(source, 'a.txt'), await begun(source, 'b.txt')]
    for (const resting of [draft, other]) await resting.rest()
    await write(source, 'a.txt', 'in between')
    await t.rejects(draft.commit(unlessThere), { code: 'precondition-failed' })
    await other.commit(unlessThere)
    t.equal(await textAt(source, 'a.txt'), 'in between')
    t.equal(await textAt(source, 'b.txt'), 'begun as b.txt')
  })

  t.test('many tiny pieces are one file', async t => {
    const source = await make(t, {})
    const draft = await writingOf(source).begin(key('tiny.txt'))
    for (let n = 0; n < 5000; n++) await draft.write(Buffer.from(String(n % 10)))
    await draft.commit()
    t.equal(await textAt(source, 'tiny.txt'), '0123456789'.repeat(500))
  })

  t.test('names in any script are kept as they are spelt', async t => {
    const source = await make(t, {})
    const names = ['Grüße.txt', '猫.txt', '😀 smile.txt', 'a%20b.txt', 'semi;colon.txt', 'q?.txt', 'hash#.txt', '&amp;<x>"\'.txt', 'plus+.txt', 'عربي/שלום.txt', '~tilde.txt', 'back`tick$HOME.txt', 'star*[a].txt', `${'x'.repeat(200)}.txt`]
    if (tellsCompositions) names.push('e\u0301.txt', '\u00e9.txt')
    for (const name of names) await write(source, name, `this is ${name}`)
    for (const name of names) t.equal(await textAt(source, name), `this is ${name}`, name)
    for (const name of names) t.ok(await writingOf(source).remove(key(name)), `${name} is removed`)
    t.same(await namesIn(source, ''), [])
  })
}

function sha (bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function conditionContract (t: Tap, make: MakeSource): void {
  t.test('a condition is told what the key names now', async t => {
    const source = await make(t, { 'there.txt': 'old' })
    const told: Array<FoundFile | undefined> = []
    const there = await fileAt(t, source, 'there.txt')
    const { replaced } = await write(source, 'there.txt', 'newer', current => { told.push(current) })
    await write(source, 'd/absent.txt', 'new', current => { told.push(current) })
    t.equal(told[0]?.representation.entityTag, there.representation.entityTag)
    t.equal(told[0]?.representation.size, 3)
    t.equal(told.at(-1), undefined)
    t.equal(replaced?.representation.entityTag, there.representation.entityTag, 'and what was replaced is told')
    t.equal(await textAt(source, 'there.txt'), 'newer')
    t.not((await fileAt(t, source, 'there.txt')).representation.entityTag, there.representation.entityTag)
  })

  t.test('a condition that throws leaves everything as it was', async t => {
    const source = await make(t, { 'there.txt': 'old' })
    const refusal = new MediaError('precondition-failed', { detail: 'This one' })
    const refuse = (): never => { throw refusal }
    for (const name of ['there.txt', 'new/absent.txt']) {
      const draft = await writingOf(source).begin(key(name))
      await draft.write(Buffer.from('never'))
      await t.rejects(draft.commit(refuse), refusal, name)
      await draft.discard()
      await t.rejects(draft.commit(), 'it is gone')
    }
    t.equal(await textAt(source, 'there.txt'), 'old')
    t.equal(await source.stat(key('new')), undefined)
    await t.rejects(writingOf(source).remove(key('there.txt'), refuse), refusal)
    t.equal(await textAt(source, 'there.txt'), 'old')
  })

  t.test('contents of one size that come at the same time have tags of their own', async t => {
    const source = await make(t, { 'a.txt': Buffer.alloc(300_000) })
    const tags = new Set([(await fileAt(t, source, 'a.txt')).representation.entityTag])
    const drafts = await Promise.all(Array.from({ length: 20 }, async () => await writingOf(source).begin(key('a.txt'))))
    await Promise.all(drafts.map(async (draft, n) => await draft.write(Buffer.alloc(300_000, n + 1))))
    for (const draft of drafts) tags.add((await draft.commit()).found.representation.entityTag)
    t.equal(tags.size, 21, 'else a cache, or a writer on condition, would take one for the other')
    const [one, other] = await Promise.all(['one.txt', 'other.txt'].map(async name => await write(source, name, name.slice(0, 3))))
    const moved = await writingOf(source).move(key('other.txt'), key('one.txt'))
    t.not(moved.found.representation.entityTag, one?.found.representation.entityTag)
    t.ok(other)
  })

  t.test('what was begun before somebody else wrote is judged by what is there when it is committed', async t => {
    const source = await make(t, { 'a.txt': 'first' })
    const first = await fileAt(t, source, 'a.txt')
    const draft = await writingOf(source).begin(key('a.txt'))
    await draft.write(Buffer.from('late'))
    await write(source, 'a.txt', 'in between')
    await t.rejects(draft.commit(ifMatches(first)), { code: 'precondition-failed' })
    t.equal(await textAt(source, 'a.txt'), 'in between')
    const creation = await writingOf(source).begin(key('b.txt'))
    await creation.write(Buffer.from('late'))
    await write(source, 'b.txt', 'in between')
    await t.rejects(creation.commit(unlessThere), { code: 'precondition-failed' })
    t.equal(await textAt(source, 'b.txt'), 'in between')
  })
}

function directoryContract (t: Tap, make: MakeSource): void {
  t.test('directories appear with the first file below them and vanish with the last', async t => {
    const source = await make(t, { 'keep.txt': 'k' })
    await write(source, 'a/b/c/one.txt', '1')
    await write(source, 'a/b/two.txt', '2')
    t.match(await source.stat(key('a/b/c')), { kind: 'directory' })
    t.same(await namesIn(source, 'a/b'), ['c', 'two.txt'])
    await writingOf(source).remove(key('a/b/c/one.txt'))
    t.equal(await source.stat(key('a/b/c')), undefined)
    t.same(await namesIn(source, 'a/b'), ['two.txt'])
    await writingOf(source).remove(key('a/b/two.txt'))
    t.equal(await source.stat(key('a')), undefined)
    t.same(await namesIn(source, ''), ['keep.txt'])
    await writingOf(source).remove(key('keep.txt'))
    t.match(await source.stat(key('')), { kind: 'directory' }, 'the root stays')
    await write(source, 'again/a.txt', 'a')
    t.equal(await textAt(source, 'again/a.txt'), 'a')
  })

  t.test('a file is not written where a directory is, nor below a file, nor as the root', async t => {
    const source = await make(t, { 'd/a.txt': 'a', 'f.txt': 'f' })
    for (const name of ['d', 'f.txt/below.txt', 'd/a.txt/b/c.txt', '']) {
      await t.rejects(write(source, name, 'x'), { code: 'conflict' }, name)
    }
    t.equal(await textAt(source, 'd/a.txt'), 'a')
    t.equal(await textAt(source, 'f.txt'), 'f')
    t.same(await namesIn(source, ''), ['d', 'f.txt'])
  })

  t.test('a directory that came while the file did is a conflict, and so is a file where one is needed', async t => {
    const source = await make(t, {})
    const asFile = await begun(source, 'x')
    await write(source, 'x/y.txt', 'y')
    await t.rejects(asFile.commit(), { code: 'conflict' })
    const below = await begun(source, 'z/a.txt')
    await write(source, 'z', 'z')
    await t.rejects(below.commit(), { code: 'conflict' })
    t.equal(await textAt(source, 'x/y.txt'), 'y')
    t.equal(await textAt(source, 'z'), 'z')
  })
}

async function begun (source: Source, name: string): Promise<Draft> {
  const draft = await writingOf(source).begin(key(name))
  await draft.write(Buffer.from(`begun as ${name}`))
  return draft
}

function removalContract (t: Tap, make: MakeSource): void {
  t.test('a file is removed once, and told', async t => {
    const source = await make(t, { 'a.txt': 'abc', 'b.txt': 'b' })
    const told: Array<FoundFile | undefined> = []
    const removed = await writingOf(source).remove(key('a.txt'), current => { told.push(current) })
    t.match(removed, { kind: 'file', representation: { size: 3 } })
    t.equal(told[0]?.representation.entityTag, removed?.representation.entityTag)
    t.equal(await source.stat(key('a.txt')), undefined)
    t.equal(await writingOf(source).remove(key('a.txt'), current => { told.push(current) }), undefined)
    t.equal(told.at(-1), undefined, 'a condition is asked about what is not there')
    await t.rejects(writingOf(source).remove(key('a.txt'), current => { if (current === undefined) throw new MediaError('precondition-failed') }), { code: 'precondition-failed' })
    for (const missing of ['no/such/place.txt', 'b.txt/below']) t.equal(await writingOf(source).remove(key(missing)), undefined, missing)
    t.same(await namesIn(source, ''), ['b.txt'])
  })

  t.test('a directory is not removed', async t => {
    const source = await make(t, { 'd/a.txt': 'a' })
    for (const name of ['d', '']) await t.rejects(writingOf(source).remove(key(name)), { code: 'conflict' }, name)
    t.equal(await textAt(source, 'd/a.txt'), 'a')
  })
}

function moveContract (t: Tap, make: MakeSource): void {
  t.test('a file is moved: to a new directory, out of one that vanishes', async t => {
    const source = await make(t, { 'a/b/cat.txt': 'meow' })
    const { found, replaced } = await writingOf(source).move(key('a/b/cat.txt'), key('x/y/dog.html'))
    t.equal(replaced, undefined)
    t.match(found.representation, { type: 'text/html; charset=utf-8', size: 4 })
    t.equal(found.revision, (await fileAt(t, source, 'x/y/dog.html')).revision)
    t.equal(await textAt(source, 'x/y/dog.html'), 'meow')
    t.equal(await source.stat(key('a')), undefined)
    await writingOf(source).move(key('x/y/dog.html'), key('x/y/z/dog.html'))
    t.equal(await textAt(source, 'x/y/z/dog.html'), 'meow')
    t.same(await namesIn(source, 'x/y'), ['z'])
  })

  t.test('a move replaces what is there, unless a condition refuses', async t => {
    const source = await make(t, { 'a.txt': 'aa', 'b.txt': 'bbb' })
    const [a, b] = [await fileAt(t, source, 'a.txt'), await fileAt(t, source, 'b.txt')]
    for (const conditions of [{ to: unlessThere }, { from: ifMatches(b) }, { to: ifMatches(a) }]) {
      await t.rejects(writingOf(source).move(key('a.txt'), key('b.txt'), conditions), { code: 'precondition-failed' })
    }
    t.equal(await textAt(source, 'a.txt'), 'aa')
    t.equal(await textAt(source, 'b.txt'), 'bbb')
    const { replaced } = await writingOf(source).move(key('a.txt'), key('b.txt'), { from: ifMatches(a), to: ifMatches(b) })
    t.equal(replaced?.representation.size, 3)
    t.equal(await textAt(source, 'b.txt'), 'aa')
    t.same(await namesIn(source, ''), ['b.txt'])
  })

  t.test('what is not there, a directory, and what would lie in the wrong place are not moved', async t => {
    const source = await make(t, { 'd/a.txt': 'a', 'f.txt': 'f' })
    await t.rejects(writingOf(source).move(key('none.txt'), key('b.txt')), { code: 'not-found' })
    await t.rejects(writingOf(source).move(key('d'), key('e')), { code: 'conflict' })
    await t.rejects(writingOf(source).move(key('f.txt'), key('d')), { code: 'conflict' })
    await t.rejects(writingOf(source).move(key('f.txt'), key('f.txt/x.txt')), { code: 'conflict' })
    await t.rejects(writingOf(source).move(key('f.txt'), key('d/a.txt/x.txt')), { code: 'conflict' })
    await t.rejects(writingOf(source).move(key('f.txt'), key('f.txt')), { code: 'conflict' })
    t.equal(await textAt(source, 'f.txt'), 'f')
    t.same(await namesIn(source, ''), ['d', 'f.txt'])
  })

  t.test('who looks while a file is moved finds it under one of its keys', async t => {
    const source = await make(t, { '0/cat.txt': 'meow' })
    const names = Array.from({ length: 12 }, (_, n) => `${n}/cat.txt`)
    const moves = { areOver: false }
    const looking = (async () => {
      do {
        // It moves the way that the looks go: whoever missed it here meets it further on.
        const looks = []
        for (const name of names) looks.push(await source.stat(key(name)))
        if (looks.every(found => found === undefined)) return 'nowhere'
      } while (!moves.areOver)
      return 'always'
    })()
    for (let n = 1; n < names.length; n++) await writingOf(source).move(key(`${n - 1}/cat.txt`), key(`${n}/cat.txt`))
    moves.areOver = true
    t.equal(await looking, 'always')
  })
}

function raceContract (t: Tap, make: MakeSource, { again }: WritableLimits): void {
  const both = async (t: Tap, files: Record<string, string>): Promise<[Source, Source]> => {
    const source = await make(t, files)
    return [source, await again?.(t, source) ?? source]
  }

  t.test('many who write one key at once: it is one of theirs, whole, and so is it for whoever reads meanwhile', async t => {
    const [one, other] = await both(t, { 'a.txt': 'start' })
    const contents = Array.from({ length: 12 }, (_, n) => Buffer.alloc(70_000 + n, String.fromCharCode(97 + n)))
    const isWhole = (text: string | undefined): boolean => text === 'start' || contents.some(content => text === String(content))
    const writes = { areOver: false }
    const reading = (async () => {
      while (!writes.areOver) {
        const found = await one.stat(key('a.txt'))
        if (found?.kind !== 'file') return 'gone'
        // It may be replaced between the look and the opening: that is refused, not mixed up.
        const body = await Promise.resolve().then(async () => await bytesOf(await found.representation.open())).catch(() => undefined)
        if (body !== undefined && !isWhole(String(body))) return 'mixed'
      }
      return 'whole'
    })()
    await Promise.all(contents.map(async (content, n) => await write(n % 2 === 0 ? one : other, 'a.txt', content)))
    writes.areOver = true
    t.equal(await reading, 'whole')
    const last = await textAt(one, 'a.txt')
    t.ok(last !== 'start' && isWhole(last))
  })

  t.test('of many who replace what they saw, exactly one does', async t => {
    for (let round = 0; round < 5; round++) {
      const [one, other] = await both(t, { 'd/a.txt': 'start' })
      const seen = await fileAt(t, one, 'd/a.txt')
      const won = await winners(t, Array.from({ length: 8 }, async (_, n) => await write(n % 2 === 0 ? one : other, 'd/a.txt', `of ${n}`, ifMatches(seen))), ['precondition-failed'])
      t.equal(won.length, 1)
      t.equal(await textAt(one, 'd/a.txt'), `of ${won[0]}`)
    }
  })

  t.test('of many who create what is not there, exactly one does', async t => {
    for (let round = 0; round < 5; round++) {
      const [one, other] = await both(t, {})
      const won = await winners(t, Array.from({ length: 8 }, async (_, n) => await write(n % 2 === 0 ? one : other, 'new/a.txt', `of ${n}`, unlessThere)), ['precondition-failed'])
      t.equal(won.length, 1)
      t.equal(await textAt(one, 'new/a.txt'), `of ${won[0]}`)
    }
  })

  t.test('a file that is replaced and removed on one condition is either', async t => {
    for (let round = 0; round < 5; round++) {
      const [one, other] = await both(t, { 'a.txt': 'start' })
      const seen = await fileAt(t, one, 'a.txt')
      const won = await winners(t, [write(one, 'a.txt', 'new', ifMatches(seen)), writingOf(other).remove(key('a.txt'), ifMatches(seen))], ['precondition-failed'])
      t.equal(won.length, 1)
      t.equal(await textAt(one, 'a.txt'), won[0] === 0 ? 'new' : undefined)
    }
  })

  t.test('a directory that vanishes while others write into it takes nothing with it', async t => {
    const [one, other] = await both(t, {})
    await Promise.all(Array.from({ length: 24 }, async (_, n) => {
      const source = n % 2 === 0 ? one : other
      const name = `d/e/${n}.txt`
      await write(source, name, `of ${n}`)
      if (n % 3 !== 0) await writingOf(source).remove(key(name))
    }))
    t.same((await namesIn(one, 'd/e'))?.length, 8)
    for (let n = 0; n < 24; n += 3) t.equal(await textAt(one, `d/e/${n}.txt`), `of ${n}`)
  })

  t.test('two who move one file: one does; two who move to one key, on condition: one does', async t => {
    const [one, other] = await both(t, { 'a.txt': 'a', 'x.txt': 'x', 'y.txt': 'y' })
    const from = await winners(t, [writingOf(one).move(key('a.txt'), key('b.txt')), writingOf(other).move(key('a.txt'), key('c.txt'))], ['not-found'])
    t.equal(from.length, 1)
    t.equal(await textAt(one, from[0] === 0 ? 'b.txt' : 'c.txt'), 'a')
    t.equal(await textAt(one, from[0] === 0 ? 'c.txt' : 'b.txt'), undefined)
    const to = await winners(t, [writingOf(one).move(key('x.txt'), key('z.txt'), { to: unlessThere }), writingOf(other).move(key('y.txt'), key('z.txt'), { to: unlessThere })], ['precondition-failed'])
    t.equal(to.length, 1)
    t.equal(await textAt(one, 'z.txt'), to[0] === 0 ? 'x' : 'y')
    t.equal(await textAt(one, to[0] === 0 ? 'y.txt' : 'x.txt'), to[0] === 0 ? 'y' : 'x', 'the other stays where it was')
  })
}

function hiddenContract (t: Tap, make: MakeSource, { hidden = ['.env', '.git/config', 'a/.hidden', 'a/.hidden/b.txt', '.uploads/x.txt'] }: WritableLimits): void {
  t.test('what is hidden is neither written nor removed nor moved', async t => {
    const source = await make(t, { 'a.txt': 'a', ...Object.fromEntries(hidden.filter(name => !hidden.some(other => other.startsWith(`${name}/`))).map(name => [name, 'secret'])) })
    const before = await namesIn(source, '')
    for (const name of hidden) {
      await t.rejects(write(source, name, 'x'), { code: 'forbidden' }, name)
      await t.rejects(writingOf(source).remove(key(name)), { code: 'forbidden' }, name)
      await t.rejects(writingOf(source).move(key(name), key('b.txt')), { code: 'forbidden' }, name)
      await t.rejects(writingOf(source).move(key('a.txt'), key(name)), { code: 'forbidden' }, name)
    }
    t.equal(await textAt(source, 'a.txt'), 'a')
    t.same(await namesIn(source, ''), before)
  })
}

function sweepContract (t: Tap, make: MakeSource): void {
  t.test('sweeping takes no file, and nothing that is younger', async t => {
    const source = await make(t, { 'd/a.txt': 'a' })
    const draft = await begun(source, 'b.txt')
    const discarded = await begun(source, 'c.txt')
    await discarded.discard()
    t.equal(await writingOf(source).sweep(3_600_000), 0)
    await draft.commit()
    t.equal(await writingOf(source).sweep(0), 0, 'what was committed or discarded has left nothing')
    t.equal(await textAt(source, 'd/a.txt'), 'a')
    t.equal(await textAt(source, 'b.txt'), 'begun as b.txt')
  })
}
