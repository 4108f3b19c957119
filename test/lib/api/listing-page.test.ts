import t from 'tap'
import { listingPage, MAX_MEMBERS, readCursor, writeCursor } from '../../../lib/api/listing-page.ts'
import { rootKey } from '../../../lib/paths/request-path.ts'
import type { Entry, Source } from '../../../lib/sources/source.ts'

/** A directory of so many members, which notes how many it was asked for. */
function directory (names: readonly string[], missing: ReadonlySet<string> = new Set()): Source & { asked: number[] } {
  const asked: number[] = []
  return {
    asked,
    stat: () => undefined,
    list: async (key, limit) => {
      asked.push(limit)
      if (key !== rootKey) return undefined
      return { entries: names.slice(0, limit).filter(name => !missing.has(name)).map((name): Entry => ({ name, kind: 'file' })), truncated: names.length > limit }
    },
    close: async () => {}
  }
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, number) => `f${String(number).padStart(6, '0')}`)

t.test('a cursor is read as it was written, whatever the name, and nothing else is one', t => {
  for (const after of ['a', 'ä ö', '🐈.jpg', 'line\nbreak', '..', 'x'.repeat(255)]) for (const seen of [0, 1, 999_999]) t.strictSame(readCursor(writeCursor({ after, seen })), { after, seen })
  for (const text of ['', 'a', 'MS8', '====', writeCursor({ after: 'a/b', seen: 1 }), writeCursor({ after: 'a', seen: 1e7 }), writeCursor({ after: 'a', seen: -1 }), writeCursor({ after: 'a', seen: 1.5 }), `${writeCursor({ after: 'a', seen: 1 })}=`, Buffer.from('1/\xff', 'latin1').toString('base64url'), Buffer.from('01/a').toString('base64url')]) t.throws(() => readCursor(text), { code: 'bad-request' }, text)
  t.end()
})

t.test('a page is what follows its cursor, and costs no more of the directory than lies before it', async t => {
  const source = directory(numbered(1000))
  const first = await listingPage(source, rootKey, { limit: 10, cursor: undefined })
  t.match(first, { entries: { length: 10 }, next: { after: 'f000009', seen: 10 }, truncated: false })
  const second = await listingPage(source, rootKey, { limit: 10, cursor: first?.next })
  t.equal(second?.entries[0]?.name, 'f000010')
  t.strictSame(source.asked, [11, 21])
  t.match(await listingPage(source, rootKey, { limit: 1000, cursor: undefined }), { entries: { length: 1000 }, next: undefined })
  t.match(await listingPage(source, rootKey, { limit: 10, cursor: { after: 'f000994', seen: 0 } }), { entries: { length: 5 }, next: undefined }, 'wherever its member is now')
  t.match(await listingPage(source, rootKey, { limit: 10, cursor: { after: 'g', seen: 500 } }), { entries: { length: 0 }, next: undefined })
  t.equal(await listingPage(source, 'other' as typeof rootKey, { limit: 10, cursor: undefined }), undefined)
})

t.test('members that are left out make no page short', async t => {
  const names = numbered(100)
  const source = directory(names, new Set(names.slice(5, 80)))
  t.match(await listingPage(source, rootKey, { limit: 10, cursor: undefined }), { entries: { length: 10 }, next: { after: 'f000084' } })
})

t.test('of more members than are ever looked at, it is told that there are more', async t => {
  const names = numbered(MAX_MEMBERS + 5)
  const source = directory(names)
  t.match(await listingPage(source, rootKey, { limit: 1000, cursor: { after: names[MAX_MEMBERS - 3] as string, seen: MAX_MEMBERS - 2 } }), { entries: { length: 2 }, next: undefined, truncated: true })
  t.ok(source.asked.every(limit => limit <= MAX_MEMBERS))
})
