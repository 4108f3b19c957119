import { Readable } from 'node:stream'
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import type { MediaError } from '../../../lib/errors.ts'
import { encodeSegment, type Key } from '../../../lib/paths/request-path.ts'
import type { Body } from '../../../lib/representation.ts'
import { httpSource, type HttpSourceOptions, type OriginSource } from '../../../lib/sources/http.ts'
import type { OriginRepresentation } from '../../../lib/sources/http/origin-representation.ts'
import { MAX_HELD } from '../../../lib/sources/http/held-bodies.ts'
import type { FoundFile } from '../../../lib/sources/source.ts'
import type { Sender } from '../../../lib/upstream/message.ts'
import { bytesOf, fileAt, sourceContract } from '../../contracts/source.ts'
import type { Test } from '../../helpers/app.ts'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { answering, originOf, upstreamTo, type Answer } from './http/origins.ts'

/** From Node.js 22.15 on. */
const key = (text: string): Key => text as Key
const DAY = 86_400_000
const large = kit.content(3_000_000)
const small = kit.content(40_000)

function sourceOf (t: Test, sender: Sender, options: Partial<HttpSourceOptions> = {}): OriginSource {
  const source = httpSource({ sender, revalidateMs: 0, wholeMs: 60_000, holdMs: 60_000, ...options })
  t.teardown(async () => await source.close())
  return source
}

const sourceAt = (t: Test, { url }: { url: string }, options: Partial<HttpSourceOptions> = {}): OriginSource => sourceOf(t, upstreamTo(t, url), { bases: [url], ...options })
const hashOf = async (body: Body | Promise<Body>): Promise<string> => (await kit.taken(await body)).hash
const codeOf = async (action: () => unknown): Promise<unknown> => await Promise.resolve().then(action).then(() => 'done', (error: MediaError) => error.code ?? error.name)

t.test('the http source keeps the contract', t => {
  sourceContract(t, async (t, files) => {
    const origin = await originOf(t, Object.fromEntries(Object.entries(files).map(([name, content], place) => [
      `/base/photos/${name.split('/').map(encodeSegment).join('/')}`,
      { body: Buffer.from(content), etag: `"${place}"`, modified: Date.now() }
    ])))
    return sourceOf(t, upstreamTo(t, `${origin.url}/base`), { path: '/photos/' })
  }, { lists: false })
  t.end()
})

t.test('one request describes a file and brings it, whatever its size', async t => {
  for (const file of [kit.content(0), kit.content(1), small, kit.content(1_048_576), kit.content(1_048_577), large]) {
    const origin = await originOf(t, { '/a.bin': { body: file.bytes(), etag: '"a"', modified: Date.now() - DAY } })
    const found = await fileAt(t, sourceAt(t, origin), 'a.bin')
    t.match(found, { revision: '"a"', representation: { size: file.size, entityTag: '"a"', type: 'application/octet-stream' } })
    t.equal(found.representation.bytes !== undefined, file.size <= 1_048_576, 'small ones are there at once')
    t.equal(await hashOf(found.representation.open()), file.hash, `${file.size} bytes`)
    t.equal(origin.requests.length, 1)
  }
})

t.test('nothing of a client goes to an origin, and no coding is asked for', async t => {
  const origin = await originOf(t, { '/a.bin': { body: large.bytes(), etag: '"a"' } })
  const { representation } = await fileAt(t, sourceAt(t, origin), 'a.bin')
  await hashOf(representation.open())
  await hashOf(representation.open({ start: 5, end: 9 }))
  t.strictSame(origin.requests.map(({ method, headers }) => [method, Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host' && name !== 'connection'))]), [
    ['GET', { 'accept': '*/*', 'accept-encoding': 'identity', 'user-agent': 'fastify-media' }],
    ['GET', { 'accept': '*/*', 'accept-encoding': 'identity', 'user-agent': 'fastify-media', 'if-match': '"a"', 'range': 'bytes=5-9' }]
  ])
})

t.test('what is fresh is known at once; then one conditional request tells', async t => {
  const file = { body: small.bytes(), etag: '"a"', modified: Date.now() - DAY, fields: { 'cache-control': 'max-age=0' } as Record<string, string> }
  const origin = await originOf(t, { '/fresh.bin': { ...file, fields: { 'cache-control': 'max-age=60' } }, '/stale.bin': file, '/default.bin': { ...file, fields: {} } })
  const source = sourceAt(t, origin, { revalidateMs: 60_000 })
  for (const name of ['fresh.bin', 'default.bin']) {
    const found = await fileAt(t, source, name)
    const again = source.stat(key(name))
    t.notOk(again instanceof Promise, 'without waiting')
    t.equal(again, found)
  }
  t.equal(origin.requests.length, 2)
  const found = await fileAt(t, source, 'stale.bin')
  const again = await fileAt(t, source, 'stale.bin')
  t.equal(again.representation, found.representation, '304: it is the same, and what was learned of it holds')
  t.ok(again.representation.bytes?.equals(small.bytes()))
  t.match(origin.requests.at(-1)?.headers, { 'if-none-match': '"a"', 'if-modified-since': /GMT$/ })
  t.equal(origin.requests.length, 4)
  origin.files.set('/stale.bin', { ...file, body: large.bytes(), etag: '"b"' })
  const other = await fileAt(t, source, 'stale.bin')
  t.match(other, { revision: '"b"', representation: { size: large.size, entityTag: '"b"' } })
  t.equal(await hashOf(other.representation.open()), large.hash, 'the answer to the condition is the new file')
  t.equal(origin.requests.length, 5)
  source.forget(key('fresh.bin'))
  await source.stat(key('fresh.bin'))
  t.equal(origin.requests.length, 6, 'unless it was forgotten')
  source.doubt()
  const doubted = [await fileAt(t, source, 'fresh.bin'), await fileAt(t, source, 'fresh.bin')]
  t.match(origin.requests.slice(6).map(({ headers }) => headers['if-none-match']), ['"a"'], 'or doubted: then it is asked once whether it changed')
  t.match(doubted, [{ representation: { cacheOutcome: 'hot' } }, { revision: '"a"' }])
})

t.test('an origin that looks at no condition is believed by its validators', async t => {
  const origin = await kit.rawOrigin(t, kit.file(large, { etag: '"a"' }))
  const source = sourceAt(t, origin)
  const one = await fileAt(t, source, 'a.bin')
  const two = await fileAt(t, source, 'a.bin')
  t.equal(two.representation, one.representation)
  t.equal(source.holds.bodies, 1, 'one body is enough')
  t.ok(await eventually(() => origin.requests[1]?.closed === true))
  t.equal(await hashOf(two.representation.open()), large.hash)
  t.equal(origin.requests.length, 2)
})

t.test('a 304 may tell a new lifetime, and leaves the old where it tells none', async t => {
  const fields = [{ 'cache-control': 'max-age=0' }, { 'cache-control': 'max-age=60' }]
  const sender = answering(({ headers }) => headers['if-none-match'] === undefined ? { headers: { 'etag': '"a"', ...fields[0] }, body: Buffer.from('a') } : { status: 304, headers: { etag: '"a"', ...fields[1] } })
  const source = sourceOf(t, sender, { revalidateMs: 60_000 })
  await source.stat(key('a.txt'))
  await source.stat(key('a.txt'))
  await source.stat(key('a.txt'))
  t.equal(sender.requests.length, 2)
  const silent = answering(({ headers }) => headers['if-none-match'] === undefined ? { headers: { 'etag': '"a"', 'cache-control': 'max-age=0' }, body: Buffer.from('a') } : { status: 304 })
  const other = sourceOf(t, silent, { revalidateMs: 60_000 })
  for (let n = 0; n < 3; n++) await other.stat(key('a.txt'))
  t.equal(silent.requests.length, 3)
})

t.test('a 304 of something else is none: the file is asked for', async t => {
  let etag = '"a"'
  const sender = answering(({ headers }) => headers['if-none-match'] === undefined ? { headers: { etag }, body: Buffer.from(etag) } : { status: 304, headers: { etag } })
  const source = sourceOf(t, sender)
  await source.stat(key('a.txt'))
  etag = '"b"'
  t.match(await source.stat(key('a.txt')), { revision: '"b"' })
  t.equal(sender.requests.length, 3)
  const lying = sourceOf(t, answering(() => ({ status: 304 })))
  t.equal(await codeOf(async () => await lying.stat(key('a.txt'))), 'upstream-status', 'nor where none was asked for')
})

t.test('what is private or no-cache is asked for each time, what is no-store is not remembered', async t => {
  const file = { body: small.bytes(), etag: '"a"' }
  const origin = await originOf(t, Object.fromEntries(['private', 'no-cache', 'no-store'].map(rule => [`/${rule}`, { ...file, fields: { 'cache-control': `${rule}, max-age=60` } }])))
  const source = sourceAt(t, origin, { revalidateMs: 60_000 })
  for (const rule of ['private', 'no-cache', 'no-store']) {
    for (let n = 0; n < 2; n++) t.equal(await hashOf((await fileAt(t, source, rule)).representation.open()), small.hash)
    const [first, second] = origin.requests.slice(-2)
    t.equal(first?.headers['if-none-match'], undefined)
    t.equal(second?.headers['if-none-match'], rule === 'no-store' ? undefined : '"a"', rule)
  }
  const kept = source.holds.bytes
  t.ok(kept > 2 * small.size && kept < 3 * small.size, 'nor kept')
})

t.test('however many want a file, its origin is asked once', async t => {
  const origin = await originOf(t, { '/a.bin': { body: small.bytes(), etag: '"a"' }, '/large.bin': { body: large.bytes(), etag: '"a"' } })
  const source = sourceAt(t, origin)
  const found = await Promise.all(Array.from({ length: 500 }, async () => await fileAt(t, source, 'a.bin')))
  t.equal(origin.requests.length, 1)
  t.equal(new Set(found.map(({ representation }) => representation)).size, 1)
  const [one, two] = await Promise.all([fileAt(t, source, 'large.bin'), fileAt(t, source, 'large.bin')])
  const bodies = await Promise.all([one.representation.open(), two.representation.open()])
  const [first, second] = bodies as [Readable, Readable]
  first.destroy() // one client leaves
  t.equal(await hashOf(second), large.hash)
  t.equal(origin.requests.length, 3, 'the second body is one of its own')
})

t.test('a small file that was let go of is read again once, for all who open it', async t => {
  const origin = await originOf(t, { '/a.bin': { body: small.bytes(), etag: '"a"' }, '/b.bin': { body: small.bytes(), etag: '"b"' } })
  const source = sourceAt(t, origin, { keptBytes: small.size + 3000, revalidateMs: 60_000 })
  const { representation } = await fileAt(t, source, 'a.bin')
  await source.stat(key('b.bin'))
  t.equal(representation.bytes, undefined)
  t.ok(source.holds.bytes <= small.size + 3000)
  const bodies = await Promise.all(Array.from({ length: 20 }, async () => await representation.open()))
  for (const body of bodies) t.equal(await hashOf(body), small.hash)
  t.equal(origin.requests.length, 3)
  t.ok(representation.bytes, 'and kept from then on')
  t.ok((await bytesOf(await representation.open({ start: 10, end: 19 }))).equals(small.bytes(10, 20)))
  t.equal(origin.requests.length, 3)
})

t.test('what is kept of a file is reckoned with its name and tag, however small it is', async t => {
  const sender = answering(({ path }) => ({ headers: { etag: `"${path}${'b'.repeat(4000)}"`, 'cache-control': 'max-age=60' }, body: Buffer.from('x') }))
  const source = httpSource({ sender, keptBytes: 400_000 })
  t.teardown(async () => await source.close())
  for (let n = 0; n < 30; n++) {
    const before = source.holds.bytes
    await source.stat(key(`${n}${'a'.repeat(4000)}`))
    if (n < 5) t.ok(source.holds.bytes - before > 24_000)
    t.ok(source.holds.bytes <= 400_000)
  }
})

t.test('parts of a large file are asked for as parts', async t => {
  const origin = await originOf(t, { '/a.bin': { body: large.bytes(), etag: '"a"' } })
  const { representation } = await fileAt(t, sourceAt(t, origin), 'a.bin')
  for (const [start, end] of [[2_000_000, 2_999_999], [2_999_999, 2_999_999], [1_500_000, 1_500_010]] as const) {
    t.ok((await bytesOf(await representation.open({ start, end }))).equals(large.bytes(start, end + 1)))
    t.match(origin.requests.at(-1)?.headers, { 'range': `bytes=${start}-${end}`, 'if-match': '"a"' })
  }
  t.equal(origin.requests.length, 4)
})

t.test('the beginning comes from the body that waits, and leaves it whole', async t => {
  const origin = await originOf(t, { '/a.bin': { body: large.bytes(), etag: '"a"' } })
  const source = sourceAt(t, origin)
  const { representation } = await fileAt(t, source, 'a.bin')
  const heads = await Promise.all([[0, 65_535], [0, 0], [100, 1_048_575]].map(async ([start = 0, end = 0]) => await bytesOf(await representation.open({ start, end }))))
  t.strictSame(heads.map(head => head.length), [65_536, 1, 1_048_476])
  t.ok(heads[2]?.equals(large.bytes(100, 1_048_576)))
  t.equal(await hashOf(representation.open()), large.hash)
  t.equal(origin.requests.length, 1)
  const again = await fileAt(t, sourceAt(t, origin), 'a.bin')
  t.ok((await bytesOf(await again.representation.open({ start: 0, end: 2_000_000 }))).equals(large.bytes(0, 2_000_001)), 'a long beginning is cut from it')
  t.equal(origin.requests.length, 2)
})

t.test('a body that nobody opens goes after a while, and at once when nobody will', async t => {
  const origin = await kit.rawOrigin(t, kit.file(kit.content(30_000_000), { etag: '"a"', fields: { 'Cache-Control': 'max-age=60' } }))
  const brief = sourceAt(t, origin, { holdMs: 50 })
  await brief.stat(key('a.bin'))
  t.equal(brief.holds.bodies, 1)
  t.ok(await eventually(() => brief.holds.bodies === 0 && origin.requests[0]?.closed === true))
  t.ok(origin.written < 25_000_000, `${origin.written} bytes: it was not read`)

  const source = sourceAt(t, origin)
  const told = await Promise.all([fileAt(t, source, 'a.bin'), fileAt(t, source, 'a.bin')])
  const [{ representation }] = told as [FoundFile & { representation: OriginRepresentation }, FoundFile]
  await fileAt(t, source, 'a.bin') // fresh, and so one more who may open it
  representation.release()
  representation.release()
  t.equal(source.holds.bodies, 1)
  representation.release()
  t.equal(source.holds.bodies, 0)
  t.ok(await eventually(() => origin.requests[1]?.closed === true))
  representation.release()
  source.forget(key('a.bin'))
  const other = await fileAt(t, source, 'a.bin')
  t.ok((await bytesOf(await other.representation.open({ start: 20_000_000, end: 20_000_009 }))).equals(kit.content(30_000_000).bytes(20_000_000, 20_000_010)))
  t.equal(source.holds.bodies, 0, 'nor is it wanted by who asks for a part behind it')
  t.equal(await hashOf(representation.open({ start: 0, end: 9 })), kit.content(10).hash, 'it can be opened all the same')
  t.equal(origin.requests.length, 5)
})

t.test('no more than so many connections are held', async t => {
  const origin = await kit.rawOrigin(t, kit.whole(kit.content(20_000_000)))
  const source = sourceAt(t, origin)
  for (let place = 0; place < MAX_HELD + 5; place++) await source.stat(key(String(place)))
  t.equal(source.holds.bodies, MAX_HELD)
  t.ok(await eventually(() => origin.requests.filter(({ closed }) => closed).length === 5))
  await source.close()
  t.equal(source.holds.bodies, 0)
  t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)))
})

t.test('a file that changed after it was described is described anew', async t => {
  const origin = await originOf(t, { '/a.bin': { body: large.bytes(), etag: '"a"', fields: { 'cache-control': 'max-age=60' } }, '/small.bin': { body: small.bytes(), etag: '"a"', fields: { 'cache-control': 'max-age=60' } } })
  const source = sourceAt(t, origin, { keptBytes: 0 })
  for (const [name, range] of [['a.bin', { start: 2_000_000, end: 2_000_001 }], ['a.bin', undefined], ['small.bin', undefined]] as const) {
    const { representation } = await fileAt(t, source, name)
    await hashOf(representation.open())
    origin.files.set(`/${name}`, { body: kit.content(3_000_000, 1).bytes(), etag: '"b"', fields: { 'cache-control': 'max-age=60' } })
    t.equal(await codeOf(async () => await representation.open(range)), 'RepresentationChanged', name)
    t.match(await fileAt(t, source, name), { revision: '"b"' })
    origin.files.set(`/${name}`, { body: large.bytes(), etag: '"a"' })
    source.forget(key(name))
  }
  const { representation } = await fileAt(t, source, 'a.bin')
  await hashOf(representation.open())
  origin.files.delete('/a.bin')
  t.equal(await codeOf(async () => await representation.open()), 'RepresentationChanged')
  t.equal(await source.stat(key('a.bin')), undefined, 'also where it is gone')
  representation.outdated?.()
})

t.test('without conditions at the origin its answers are compared', async t => {
  const before = { 'etag': 'W/"a"', 'content-length': '3000000' }
  const cases: Array<[name: string, answer: Answer, code: string]> = [
    ['another tag', { headers: { 'etag': 'W/"b"', 'content-length': '3000000' }, body: large.bytes() }, 'RepresentationChanged'],
    ['another size', { headers: { 'etag': 'W/"a"', 'content-length': '10' }, body: Buffer.alloc(10) }, 'RepresentationChanged'],
    ['a coding', { headers: { ...before, 'content-encoding': 'gzip' }, body: gzipSync('a') }, 'RepresentationChanged'],
    ['another size of the whole', { status: 206, headers: { 'etag': 'W/"a"', 'content-range': 'bytes 2000000-2000009/4000000' }, body: Buffer.alloc(10) }, 'RepresentationChanged'],
    ['another tag of a part', { status: 206, headers: { 'etag': 'W/"b"', 'content-range': 'bytes 2000000-2000009/3000000' }, body: Buffer.alloc(10) }, 'RepresentationChanged'],
    ['another part', { status: 206, headers: { 'content-range': 'bytes 0-9/3000000' }, body: Buffer.alloc(10) }, 'upstream-content'],
    ['a longer part', { status: 206, headers: { 'content-range': 'bytes 2000000-2999999/3000000' }, body: Buffer.alloc(10) }, 'upstream-content'],
    ['a shorter part', { status: 206, headers: { 'content-range': 'bytes 2000000-2000005/3000000' }, body: Buffer.alloc(6) }, 'upstream-content'],
    ['a part of nothing', { status: 206, body: Buffer.alloc(10) }, 'upstream-content'],
    ['several parts', { status: 206, headers: { 'content-type': 'multipart/byteranges; boundary=x' }, body: Buffer.alloc(10) }, 'upstream-content'],
    ['a part in a coding', { status: 206, headers: { 'content-range': 'bytes 2000000-2000009/3000000', 'content-encoding': 'gzip' }, body: Buffer.alloc(10) }, 'upstream-content'],
    ['no such part', { status: 416 }, 'RepresentationChanged'],
    ['a fault', { status: 500 }, 'upstream-status'],
    ['too much to do', { status: 429 }, 'unavailable'],
    ['a short part', { status: 206, headers: { 'content-range': 'bytes 2000000-2000009/3000000' }, body: Buffer.alloc(9) }, 'upstream-reset'],
    ['a part, as it should be', { status: 206, headers: { 'content-range': 'bytes 2000000-2000009/3000000' }, body: Buffer.alloc(10) }, 'done'],
    ['of unknown size', { status: 206, headers: { 'content-range': 'bytes 2000000-2000009/*' }, body: Buffer.alloc(10) }, 'done'],
    ['the whole', { headers: before, body: large.bytes() }, 'done'],
    ['the whole, chunked', { headers: { etag: 'W/"a"' }, body: Readable.from([large.bytes()], { objectMode: false }) }, 'done'],
    ['a shorter whole, chunked', { headers: { etag: 'W/"a"' }, body: Readable.from([large.bytes(0, 1000)], { objectMode: false }) }, 'upstream-reset']
  ]
  for (const [name, answer, code] of cases) {
    let asked = 0
    const source = sourceOf(t, answering(() => asked++ === 0 ? { headers: before, body: large.bytes() } : answer), { smallBytes: 10 })
    const { representation } = await fileAt(t, source, 'a.bin')
    await representation.open()
    let part: Buffer = Buffer.alloc(0)
    t.equal(await codeOf(async () => { part = await bytesOf(await representation.open({ start: 2_000_000, end: 2_000_009 })) }), code, name)
    if (code === 'done') t.ok(part.equals(name.startsWith('the whole') ? large.bytes(2_000_000, 2_000_010) : Buffer.alloc(10)), name)
  }
})

t.test('where the origin knows no ranges, a part is taken from the whole', async t => {
  const origin = await kit.rawOrigin(t, kit.file(large, { etag: '"a"', ignoresRange: true }))
  const { representation } = await fileAt(t, sourceAt(t, origin), 'a.bin')
  t.ok((await bytesOf(await representation.open({ start: 2_000_000, end: 2_000_999 }))).equals(large.bytes(2_000_000, 2_001_000)))
  t.equal(origin.requests[1]?.headers.range, 'bytes=2000000-2000999')
})

t.test('a file has a revision, and a tag where there is one to have', async t => {
  const at = (seconds: number): string => new Date(Date.now() - seconds * 1000).toUTCString()
  const describe = async (headers: Record<string, string>, body: Buffer = Buffer.from('meow')): Promise<FoundFile> => await fileAt(t, sourceOf(t, answering(() => ({ headers, body })), { smallBytes: 1000 }), 'a.bin')
  const date = at(0)
  t.match(await describe({ etag: '"a"' }), { revision: '"a"', representation: { entityTag: '"a"' } })
  t.match(await describe({ 'etag': 'W/"a"', 'last-modified': at(60), date }), { revision: /^W\/"a" \d+ 4$/, representation: { entityTag: 'W/"a"' } })
  t.match(await describe({ 'etag': 'W/"a"', 'last-modified': date, date }), { revision: /^sha256:/, representation: { entityTag: 'W/"a"' } }, 'a weak tag of just now may be of two contents')
  t.match(await describe({ 'etag': 'W/"a"', 'last-modified': at(60), date }, large.bytes()), { revision: /^W\/"a" \d+ 3000000$/ })
  t.match(await describe({ 'last-modified': at(60), date }), { revision: /^sha256:/, representation: { entityTag: undefined, lastModified: Number } })
  t.match(await describe({ 'last-modified': at(60), date }, large.bytes()), { revision: /^ \d+ 3000000$/ })
  const bare = await describe({ etag: 'malformed' })
  t.match(bare, { revision: /^sha256:[\w-]{43}$/, representation: { entityTag: /^"[\w-]{43}"$/, lastModified: undefined } })
  t.not((await describe({}, large.bytes())).revision, (await describe({}, large.bytes())).revision, 'what nothing tells apart is another each time')
  t.not((await describe({ 'last-modified': date, date }, large.bytes())).revision, (await describe({ 'last-modified': date, date }, large.bytes())).revision, 'nor does a date of just now')
  for (const headers of [{ etag: '"a"' }, { 'last-modified': date }, {}]) t.ok((await describe(headers)).changed <= Date.now() - 2000, 'there is no doubt of a clock in it')
})

t.test('without a validator a file is asked for anew, and is the same while its bytes are', async t => {
  const origin = await originOf(t, { '/a.bin': { body: small.bytes() } })
  const source = sourceAt(t, origin)
  const one = await fileAt(t, source, 'a.bin')
  const two = await fileAt(t, source, 'a.bin')
  t.equal(two.representation, one.representation)
  t.strictSame(origin.requests.map(({ headers }) => [headers['if-none-match'], headers['if-modified-since']]), [[undefined, undefined], [undefined, undefined]])
  origin.files.set('/a.bin', { body: kit.content(small.size, 1).bytes() })
  const three = await fileAt(t, source, 'a.bin')
  t.not(three.revision, one.revision)
  const tight = sourceAt(t, origin, { keptBytes: 0 })
  const { representation } = await fileAt(t, tight, 'a.bin')
  origin.files.set('/a.bin', { body: small.bytes() })
  t.equal(await codeOf(async () => await representation.open()), 'RepresentationChanged', 'also where it is read again')
})

t.test('a body in a coding that nobody asked for is decoded, within the bound of what comes out', async t => {
  const codings: Array<[string, (bytes: Buffer) => Buffer]> = [['gzip', gzipSync], ['x-gzip', gzipSync], ['deflate', deflateSync], ['br', bytes => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })], ['identity', bytes => bytes], ['GZIP, identity', gzipSync]]
  for (const [coding, encode] of codings) {
    for (const file of [small, large]) {
      const body = encode(file.bytes())
      const origin = await originOf(t, { '/a.bin': { body, etag: '"a"', fields: { 'content-encoding': coding } } })
      const source = sourceAt(t, origin)
      const { representation } = await fileAt(t, source, 'a.bin')
      t.match(representation, { entityTag: coding === 'identity' ? '"a"' : 'W/"a"', encoding: undefined, size: file === small || coding === 'identity' ? file.size : undefined }, coding)
      t.ok((await bytesOf(await representation.open({ start: 10, end: 19 }))).equals(file.bytes(10, 20)))
      t.equal(await hashOf(representation.open()), file.hash, `${coding} of ${file.size}`)
      t.equal(origin.requests.length, 1)
      t.equal(await hashOf(representation.open()), file.hash, 'again')
      t.ok((await bytesOf(await representation.open({ start: 10, end: 19 }))).equals(file.bytes(10, 20)))
      if (coding !== 'identity') t.ok(origin.requests.every(({ headers }) => headers.range === undefined), 'no range of coded bytes')
    }
  }
})

t.test('codings that are unknown, on top of each other, or damaged are refused', async t => {
  const gz = gzipSync(large.bytes(0, 100_000))
  const cases: Array<[string, Buffer]> = [['compress', gz], ['gzip, gzip', gzipSync(gz)], ['gzip, br', gz], ['<script>', gz], ['gzip', gz.subarray(0, -5000)], ['gzip', Buffer.from('no gzip')], ['br', Buffer.from('no brotli')], ['zstd', Buffer.from('no Zstandard')], ['deflate', Buffer.from('no deflate')]]
  for (const [coding, body] of cases) {
    const origin = await originOf(t, { '/a.bin': { body, fields: { 'content-encoding': coding } } })
    t.equal(await codeOf(async () => await sourceAt(t, origin).stat(key('a.bin'))), 'upstream-content', coding)
    t.equal(await codeOf(async () => await sourceOf(t, answering(() => ({ headers: { 'content-encoding': coding }, body }))).stat(key('a.bin'))), 'upstream-content', coding)
  }
})

t.test('no more than the bound is read, whatever the origin says', async t => {
  const maxBytes = 2_000_000
  const tooLarge: Array<[string, kit.Script]> = [
    ['a length', kit.whole(large)],
    ['chunked', kit.whole(large, 'chunked')],
    ['until the end', kit.whole(large, 'close')],
    ['endless', kit.endless()],
    ['a bomb', kit.gzipBomb(64 * 1024 * 1024)],
    ['a bomb without end', kit.endlessGzip()],
    ['random bytes, coded', kit.whole(large, 'chunked', { 'Content-Encoding': 'gzip' })]
  ]
  for (const [name, script] of tooLarge) {
    const origin = await kit.rawOrigin(t, script)
    const source = sourceAt(t, origin, { maxBytes })
    const expected = name.startsWith('random') ? 'upstream-content' : 'upstream-too-large'
    t.equal(await codeOf(async () => await bytesOf(await (await fileAt(t, source, 'a.bin')).representation.open())), expected, name)
    if (name !== 'a bomb') t.ok(await eventually(() => origin.requests[0]?.closed === true), 'and what is on its way is given up')
  }
  const known = await kit.rawOrigin(t, kit.whole(large))
  t.equal(await codeOf(async () => await sourceAt(t, known, { maxBytes }).stat(key('a.bin'))), 'upstream-too-large', 'before the head where it is known')
  const just = await kit.rawOrigin(t, kit.whole(large, 'chunked'))
  t.equal(await hashOf((await fileAt(t, sourceAt(t, just, { maxBytes: large.size }), 'a.bin')).representation.open()), large.hash)
  const coded = await kit.rawOrigin(t, kit.whole(kit.content(5_000_000), 'chunked', { 'Content-Encoding': 'br' }))
  t.match(await codeOf(async () => await sourceAt(t, coded, { maxBytes: 1000 }).stat(key('a.bin'))), /upstream-(?:too-large|content)/)
})

t.test('a body that ends before its end is a fault, and never a short success', async t => {
  for (const file of [small, large]) {
    const after = file.size / 2
    for (const script of [kit.finMidBody(file, after), kit.resetMidBody(file, after), kit.finMidBody(file, after, 'chunked'), kit.resetMidBody(file, after, 'chunked')]) {
      const origin = await kit.rawOrigin(t, script)
      t.equal(await codeOf(async () => await bytesOf(await (await fileAt(t, sourceAt(t, origin), 'a.bin')).representation.open())), 'upstream-reset', `${file.size} bytes`)
    }
  }
  const lying = sourceOf(t, answering(() => ({ headers: { 'content-length': '10' }, body: Buffer.from('short') })))
  t.equal(await codeOf(async () => await lying.stat(key('a.bin'))), 'upstream-reset')
})

t.test('what comes slowly is passed on as it comes', async t => {
  let finish = (): void => {}
  const origin = await originOf(t, {
    '/slow.bin': (_request, response) => {
      response.writeHead(200, { 'content-length': small.size, 'etag': '"a"' })
      response.write(small.bytes(0, 1000))
      finish = () => { response.end(small.bytes(1000)) }
    }
  })
  const source = sourceAt(t, origin, { wholeMs: 100 })
  const { representation } = await fileAt(t, source, 'slow.bin')
  t.match(representation, { size: small.size, bytes: undefined })
  t.ok((await bytesOf(await representation.open({ start: 0, end: 99 }))).equals(small.bytes(0, 100)), 'what is there of it can be had')
  const body = await representation.open()
  finish()
  t.equal(await hashOf(body), small.hash)
  t.equal(origin.requests.length, 1)

  const again = await representation.open()
  t.ok(again instanceof Readable)
  finish()
  t.equal(await hashOf(again), small.hash, 'also when it is read again')
  t.equal(origin.requests.length, 2)
})

t.test('a body that failed while it waited is asked for again', async t => {
  let asked = 0
  const origin = await originOf(t, {
    '/a.bin': (_request, response) => {
      response.writeHead(200, { 'content-length': large.size, 'etag': '"a"' })
      if (asked++ > 0) response.end(large.bytes())
      else response.write(large.bytes(0, 70_000), () => response.destroy())
    }
  })
  let closed = 0
  origin.events.on('closed', () => { closed++ })
  const { representation } = await fileAt(t, sourceAt(t, origin), 'a.bin')
  await eventually(() => closed === 1)
  t.equal((await bytesOf(await representation.open({ start: 0, end: 999_999 }))).length, 1_000_000)
  t.equal(await hashOf(representation.open()), large.hash)
})

t.test('an answer that brings no file is told for what it is', async t => {
  const answer = async (status: number, headers: Record<string, string> = {}): Promise<unknown> => await Promise.resolve(sourceOf(t, answering(() => ({ status, headers }))).stat(key('a.bin'))).catch((error: unknown) => error)
  for (const status of [404, 410]) t.equal(await answer(status), undefined)
  for (const status of [401, 403]) t.match(await answer(status), { code: 'forbidden', statusCode: 403, context: { upstream: 'assets', status } })
  for (const status of [201, 204, 206, 400, 405, 414, 500, 502, 504, 599]) t.match(await answer(status), { code: 'upstream-status', statusCode: 502, context: { status } }, String(status))
  for (const status of [429, 503]) t.match(await answer(status), { code: 'unavailable', statusCode: 503, headers: undefined })
  const inAMinute = new Date(Date.now() + 60_000).toUTCString()
  for (const [after, seconds] of [['7', /^7$/], ['0', /^1$/], ['99999999', /^3600$/], [inAMinute, /^[56]\d$/], ['Sun, 06 Nov 1994 08:49:37 GMT', /^1$/]] as const) t.match(await answer(503, { 'retry-after': after }), { headers: { 'retry-after': seconds } }, after)
  for (const after of ['soon', '-1', '1.5', '']) t.match(await answer(503, { 'retry-after': after }), { headers: undefined }, after)
  t.match(await answer(203, { etag: '"a"' }), { kind: 'file' })
  const down = await originOf(t, {})
  await down.close()
  t.match(await Promise.resolve(sourceAt(t, down).stat(key('a.bin'))).catch((error: unknown) => error), { code: 'upstream-refused' })
})

t.test('a fault leaves what is known as it is: the next request is conditional again', async t => {
  let status = 200
  const sender = answering(({ headers }) => headers['if-none-match'] === undefined ? { headers: { etag: '"a"' }, body: Buffer.from('a') } : { status })
  const source = sourceOf(t, sender)
  const { representation } = await fileAt(t, source, 'a.txt')
  status = 500
  t.equal(await codeOf(async () => await source.stat(key('a.txt'))), 'upstream-status', 'nothing stale is given out')
  status = 304
  t.equal((await fileAt(t, source, 'a.txt')).representation, representation)
  status = 404
  t.equal(await source.stat(key('a.txt')), undefined)
})

t.test('redirects are followed below the base path, and nowhere else', async t => {
  const elsewhere = await originOf(t, { '/secret.txt': { body: Buffer.from('secret') } })
  const to = (location: string, status = 302): kit.Handler => (_request, response) => { response.writeHead(status, { location }).end('moved') }
  const origin = await originOf(t, {
    '/base/cat.txt': { body: small.bytes(), etag: '"cat"' },
    '/secret.txt': { body: Buffer.from('secret') },
    '/base/relative': to('cat.txt'),
    '/base/absolute': to('/base/relative', 307),
    '/base/out': to('/secret.txt'),
    '/base/up': to('../secret.txt'),
    '/base/other': to(`${elsewhere.url}/secret.txt`, 301),
    '/base/loop': to('loop'),
    '/base/nowhere': (_request, response) => { response.writeHead(302).end() },
    '/base/choice': (_request, response) => { response.writeHead(300, { location: 'cat.txt' }).end() },
    '/base/folder': to('/base/folder/', 301),
    '/base/large': to('large.bin', 308),
    '/base/large.bin': { body: large.bytes(), etag: '"large"' }
  })
  origin.files.set('/base/full', to(`${origin.url}/base/cat.txt`))
  const source = sourceOf(t, upstreamTo(t, `${origin.url}/base`), { bases: [`${origin.url}/base`] })
  for (const name of ['relative', 'absolute', 'full']) {
    t.match(await source.stat(key(name)), { kind: 'file', revision: '"cat"' }, name)
    await source.stat(key(name))
    t.match(origin.requests.at(-1), { url: '/base/cat.txt', headers: { 'if-none-match': '"cat"' } }, 'a condition goes the whole way')
  }
  for (const name of ['out', 'up', 'other', 'loop', 'nowhere', 'choice']) t.equal(await codeOf(async () => await source.stat(key(name))), 'upstream-redirects', name)
  t.equal(elsewhere.requests.length, 0)
  t.notOk(origin.requests.some(({ url }) => url === '/secret.txt'))
  t.ok(origin.requests.filter(({ url }) => url === '/base/loop').length <= 4)
  t.match(await source.stat(key('folder')), { kind: 'directory' })
  const { representation } = await fileAt(t, source, 'large')
  const before = origin.requests.length
  await bytesOf(await representation.open({ start: 2_000_000, end: 2_000_009 }))
  t.strictSame(origin.requests.slice(before).map(({ url }) => url), ['/base/large.bin'], 'its parts are asked for where it is')
})

t.test('no key leads out of the path that the source begins at', async t => {
  const sender = answering(() => ({ status: 404 }))
  const source = sourceOf(t, sender, { path: '/photos' })
  for (const hostile of ['..', '../secret', 'a/../../secret', './a', 'a/.', 'a//b', '/a', 'a/', '\uD800']) t.equal(await source.stat(key(hostile)), undefined, hostile)
  t.equal(sender.requests.length, 0)
  for (const [name, path] of [['a/b.jpg', '/photos/a/b.jpg'], ['..%2f..%2fsecret', '/photos/..%252f..%252fsecret'], ['..\\secret', undefined], ['a?b#c', '/photos/a%3Fb%23c'], ['a\r\nHost: evil', '/photos/a%0D%0AHost%3A%20evil'], ['..;/a', undefined], ['a/..;b=1', undefined], ['..name', '/photos/..name'], ['http://evil', undefined], ['ü', '/photos/%C3%BC'], ['...', '/photos/...']] as const) {
    await source.stat(key(name))
    t.equal(sender.requests.splice(0)[0]?.path, path, name)
  }
  t.match(await source.stat(key('')), { kind: 'directory' }, 'the root is one')
})

t.test('a type is the origin\'s, where it says one, else that of the name', async t => {
  const typeOf = async (name: string, type?: string | string[]): Promise<unknown> => (await fileAt(t, sourceOf(t, answering(() => ({ headers: type === undefined ? {} : { 'content-type': type } }))), name)).representation.type
  t.equal(await typeOf('a.txt', 'image/webp'), 'image/webp')
  t.equal(await typeOf('a.txt', 'text/html; charset=latin1'), 'text/html; charset=latin1')
  t.equal(await typeOf('deep/a.png'), 'image/png')
  t.equal(await typeOf('a'), 'application/octet-stream')
  for (const malformed of ['', 'png', 'image/', 'image/png\u0001', 'image/png, text/html', 'image/png; a=\u0080', `image/${'x'.repeat(200)}`]) t.equal(await typeOf('a.png', malformed), 'image/png', malformed)
  t.equal(await typeOf('a.png', ['text/html', 'image/gif']), 'image/png', 'two that differ are none')
})
