// Downloads whose origin dies: with a strong validator the rest is fetched, otherwise the body fails. Never garbage.
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { drop, get, open, type UpstreamInput } from './open-upstream.ts'

const file = kit.content(300_000)
const etag = '"v1"'
const date = 'Mon, 02 Nov 2026 10:00:00 GMT'

interface Outcome extends kit.Taken { code: string | undefined, requests: readonly kit.RawRequest[], told: string[] }

/** Asks once for an origin's file, and reads what comes. */
async function download (t: { teardown (action: () => unknown): void }, answers: kit.FileAnswers, { content = file, headers = {}, ...options }: UpstreamInput & { content?: kit.Content, headers?: Record<string, string> } = {}): Promise<Outcome> {
  const origin = await kit.rawOrigin(t, kit.file(content, answers))
  const { upstream, told } = await open(t, origin.url, options)
  const { body } = await get(upstream, '/film.mp4?a=1', { headers })
  const taken = await kit.taken(body)
  return { ...taken, code: taken.error?.code, requests: origin.requests, told: told.map(({ message }) => message) }
}

t.test('a body whose origin dies in the middle is one unbroken body', async t => {
  for (const by of ['reset', 'fin'] as const) {
    for (const framing of ['length', 'chunked'] as const) {
      for (const after of [0, 1, 65_536, 299_999]) {
        const { hash, error, requests, told } = await download(t, { etag, by, framing, dies: [after] }, { headers: { 'x-a': '1', 'accept-encoding': 'identity' } })
        t.same([hash, error], [file.hash, undefined], `${by} ${framing} after ${after}`)
        t.same(requests.map(({ target, headers }) => [target, headers['if-range'], headers['x-a'], headers['accept-encoding']]), [
          ['/film.mp4?a=1', undefined, '1', 'identity'],
          ['/film.mp4?a=1', etag, '1', 'identity']
        ])
        const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(requests[1]?.headers['range'] ?? '') ?? []
        t.ok(by === 'fin' ? Number(from) === after : Number(from) <= after, 'a reset may overtake what was sent')
        t.equal(to, framing === 'length' ? '299999' : '')
        t.same(told, ['The rest of a download is fetched'])
      }
    }
  }
})

t.test('several deaths, as many as are allowed', async t => {
  const dies = [50_000, 0, 100_000]
  const by = 'fin'
  const whole = await download(t, { etag, dies, by }, { resumes: 3 })
  t.same([whole.hash, whole.error, whole.requests.length], [file.hash, undefined, 4])
  t.same(whole.requests.map(({ headers }) => headers['range']), [undefined, 'bytes=50000-299999', 'bytes=50000-299999', 'bytes=150000-299999'])
  const broken = await download(t, { etag, dies: [...dies, 1000], by }, { resumes: 3 })
  t.same([broken.bytes, broken.code, broken.requests.length], [151_000, 'upstream-reset', 4])
  t.equal(broken.hash, (await kit.taken(file.bytes(0, 151_000))).hash)
  const never = await download(t, { etag, dies, by }, { resumes: 0 })
  t.same([never.bytes, never.code, never.requests.length], [50_000, 'upstream-reset', 1])
})

t.test('a large body over several deaths, byte for byte', async t => {
  const large = kit.content(40_000_000)
  const { hash, error } = await download(t, { etag, dies: [10_000_000, 10_000_001, 5] }, { content: large })
  t.same([hash, error], [large.hash, undefined])
})

t.test('all had come: nothing is asked for', async t => {
  const origin = await kit.rawOrigin(t, async ({ socket }) => {
    await kit.flush(socket, kit.head(200, { 'Content-Length': 1000, ETag: etag }))
    await kit.flush(socket, kit.content(1000).bytes())
    kit.reset(socket)
  })
  const { upstream } = await open(t, origin.url)
  t.equal((await kit.taken((await get(upstream)).body)).hash, kit.content(1000).hash)
  t.equal(origin.requests.length, 1)
})

t.test('all had come but the last chunk: nothing more is asked for', async t => {
  const { hash, error, requests } = await download(t, { etag, dies: [70_000, 230_000], by: 'fin', framing: 'chunked' })
  t.same([hash, error, requests.length], [file.hash, undefined, 2], 'the first rest told where the end is')
})

t.test('the part that a client asked for is resumed within itself', async t => {
  const { hash, error, requests } = await download(t, { etag, dies: [20_000], by: 'fin' }, { headers: { range: 'bytes=100000-199999' } })
  t.same([hash, error], [(await kit.taken(file.bytes(100_000, 200_000))).hash, undefined])
  t.equal(requests[1]?.headers['range'], 'bytes=120000-199999')
})

t.test('a part that is not as long as it says is not resumed', async t => {
  const { error, requests } = await download(t, { etag, dies: [20_000], partial: fields => ({ ...fields, 'Content-Range': 'bytes 100000-149999/300000' }) }, { headers: { range: 'bytes=100000-199999' } })
  t.ok(error)
  t.equal(requests.length, 1)
})

t.test('conditions of the client are not those of the rest', async t => {
  const { hash, requests } = await download(t, { etag, dies: [20_000] }, { headers: { 'if-none-match': '"other"', 'if-modified-since': date, 'if-range': '"old"' } })
  t.equal(hash, file.hash)
  const { headers } = requests[1] as kit.RawRequest
  t.same([headers['if-none-match'], headers['if-modified-since'], headers['if-range']], [undefined, undefined, etag])
})

t.test('without a strong validator the body fails, and nothing more is asked', async t => {
  for (const answers of [{ etag: 'W/"v1"' }, {}, { lastModified: date }, { etag: 'v1' }, { etag: '"v1", "v2"' }, { etag: 'w/"v1"' }, { etag: '""v1""' }]) {
    const { bytes, code, requests } = await download(t, { ...answers, dies: [70_000], by: 'fin' })
    t.same([bytes, code, requests.length], [70_000, 'upstream-reset', 1], JSON.stringify(answers))
  }
})

t.test('what is not the rest of the same file ends in a failure after what had come', async t => {
  const other = kit.content(300_000, 7)
  const change = (changes: Record<string, string>, without: string[] = []): kit.FileAnswers['partial'] => fields => Object.fromEntries(Object.entries({ ...fields, ...changes }).filter(([name]) => !without.includes(name)))
  const cases: Array<[string, kit.FileAnswers]> = [
    ['another file, whole', { later: { file: other, etag: '"v2"' } }],
    ['another file, a part of it', { later: { file: other, etag: '"v2"' }, ignoresIfRange: true }],
    ['another file that says it is the same, but is shorter', { later: { file: kit.content(299_000, 7), etag }, ignoresIfRange: true }],
    ['all of it from the beginning', { ignoresRange: true }],
    ['a part that begins later', { partial: change({ 'Content-Range': 'bytes 70001-299999/300000' }) }],
    ['a part that begins earlier', { partial: change({ 'Content-Range': 'bytes 69999-299999/300000' }) }],
    ['a part that ends earlier', { partial: change({ 'Content-Range': 'bytes 70000-299998/300000' }) }],
    ['a part of nobody knows how much', { partial: change({ 'Content-Range': 'bytes 70000-99999/*', 'Content-Length': '30000' }) }],
    ['a part of a file of another size', { partial: change({ 'Content-Range': 'bytes 70000-299999/300001' }) }],
    ['a part of nobody knows what', { partial: change({}, ['Content-Range']) }],
    ['a part that ends before it begins', { partial: change({ 'Content-Range': 'bytes 70000-69999/300000' }) }],
    ['a part without its validator', { partial: change({}, ['ETag']) }],
    ['a part with a weak validator', { partial: change({ ETag: 'W/"v1"' }) }],
    ['several parts', { partial: change({ 'Content-Type': 'multipart/byteranges; boundary=x' }, ['Content-Range']) }],
    ['another unit', { partial: change({ 'Content-Range': 'lines 70000-299999/300000' }) }],
    ['a part in another encoding', { partial: change({ 'Content-Encoding': 'gzip' }) }]
  ]
  for (const framing of ['length', 'chunked'] as const) {
    for (const [name, answers] of cases) {
      const { bytes, hash, code, requests } = await download(t, { etag, dies: [70_000], by: 'fin', framing, ...answers })
      // Without a length, nothing but its validator tells one whole from another.
      if (framing === 'chunked' && /shorter/.test(name)) continue
      t.same([bytes, hash], [70_000, (await kit.taken(file.bytes(0, 70_000))).hash], `${name}, ${framing}`)
      t.match(code, /^upstream-/)
      t.ok(requests.length <= 4, 'bounded')
    }
  }
})

t.test('a rest that is longer or shorter than it says is never passed on beyond the end', async t => {
  const rest = (length: number, framing: 'length' | 'chunked'): kit.Script => async ({ socket }) => {
    const body = kit.content(length, 70_000).bytes()
    await kit.flush(socket, kit.head(206, { ETag: etag, 'Content-Range': 'bytes 70000-299999/300000', ...(framing === 'length' ? { 'Content-Length': length } : { 'Transfer-Encoding': 'chunked' }) }))
    await kit.flush(socket, framing === 'length' ? body : Buffer.concat([kit.chunk(body), kit.chunk('')]))
  }
  for (const first of ['length', 'chunked'] as const) {
    for (const second of ['length', 'chunked'] as const) {
      for (const length of [230_000 - 1, 230_000 + 1, 900_000, 0]) {
        const origin = await kit.rawOrigin(t, kit.inTurn(kit.file(file, { etag, dies: [70_000], framing: first }), rest(length, second)))
        const { upstream } = await open(t, origin.url)
        const { bytes, error } = await kit.taken((await get(upstream)).body)
        t.ok(bytes <= file.size, `${bytes} bytes of ${file.size}: first ${first}, then ${length} ${second}`)
        t.ok(error, `a failure: first ${first}, then ${length} ${second}`)
      }
    }
  }
})

t.test('an error instead of the rest is asked for again, a bounded number of times', async t => {
  const origin = await kit.rawOrigin(t, kit.inTurn(kit.file(file, { etag, dies: [70_000] }), kit.resetBeforeHead(), kit.finBeforeHead(), kit.file(file, { etag })))
  const { upstream } = await open(t, origin.url, { ejectAfter: 100 })
  t.equal((await kit.taken((await get(upstream)).body)).hash, file.hash)
  t.equal(origin.requests.length, 4)
})

t.test('another origin has the rest, if it has the same file', async t => {
  const dying = await kit.rawOrigin(t, kit.file(file, { etag, dies: [70_000, 0, 0, 0, 0], by: 'fin' }))
  const twin = await kit.rawOrigin(t, kit.file(file, { etag }))
  const { upstream } = await open(t, [dying.url, twin.url])
  t.equal((await kit.taken((await get(upstream)).body)).hash, file.hash)
  t.equal(twin.requests[0]?.headers['range'], 'bytes=70000-299999')
})

t.test('other methods and answers are not resumed', async t => {
  for (const [method, status] of [['POST', 200], ['GET', 404], ['GET', 500], ['GET', 203]] as const) {
    const origin = await kit.rawOrigin(t, async ({ socket }) => {
      await kit.flush(socket, kit.head(status, { ETag: etag, 'Content-Length': 300_000 }) + file.bytes(0, 70_000).toString('latin1'))
      socket.end()
    })
    const { upstream } = await open(t, origin.url)
    const { bytes, error } = await kit.taken((await get(upstream, '/', { method })).body)
    t.same([bytes, error?.code, origin.requests.length], [70_000, 'upstream-reset', 1], `${method} ${status}`)
  }
})

t.test('a body that pauses for too long is resumed as well', async t => {
  const origin = await kit.rawOrigin(t, kit.inTurn(async ({ socket }) => {
    await kit.flush(socket, kit.head(200, { ETag: etag, 'Content-Length': file.size }) + file.bytes(0, 70_000).toString('latin1'))
  }, kit.file(file, { etag })))
  const { upstream } = await open(t, origin.url, { idleTimeoutMs: 200 })
  const { hash, error } = await kit.taken((await get(upstream)).body)
  t.same([hash, error, origin.requests[1]?.headers['range']], [file.hash, undefined, 'bytes=70000-299999'])
  t.ok(await eventually(() => origin.requests[0]?.closed === true))
})

t.test('a reader that holds back holds the rest back, too', async t => {
  const large = kit.content(60_000_000)
  const origin = await kit.rawOrigin(t, kit.file(large, { etag, dies: [1_000_000] }))
  const { upstream } = await open(t, origin.url)
  const answer = await get(upstream)
  const body = answer.body as Readable
  body.pause()
  let read = 0
  while (origin.requests.length < 2 && read < 1_000_000) {
    read += (body.read() as Buffer | null)?.length ?? 0
    await wait(1)
  }
  await eventually(() => origin.requests.length === 2)
  let before = -1
  while (before !== origin.written) {
    before = origin.written
    await wait(300)
  }
  t.ok(origin.written - read < 16_000_000, `${origin.written} bytes are written to a reader of ${read}`)
  drop(answer)
  t.ok(await eventually(() => origin.requests.every(({ closed }) => closed)))
})

t.test('who leaves while the rest is waited for is not asked for', async t => {
  const origin = await kit.rawOrigin(t, kit.inTurn(kit.file(file, { etag, dies: [70_000] }), kit.resetBeforeHead()))
  const { upstream } = await open(t, origin.url, { ejectAfter: 100, resumes: 10 })
  const answer = await get(upstream)
  const reader = kit.taken(answer.body)
  await eventually(() => origin.requests.length === 5) // the sixth would come 800 ms later
  await kit.aMoment()
  drop(answer)
  await reader
  t.ok(await eventually(() => upstream.origins.state()[0]?.pending === 0))
  await wait(2000)
  t.equal(origin.requests.length, 5)
})
