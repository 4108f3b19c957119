import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { BLOCK_BYTES } from '../../../lib/http-cache/blocks.ts'
import { decodeRecord, encodeRecord } from '../../../lib/http-cache/disk-record.ts'
import { bytesOf, cacheOver, date, NOON, pieceOf, type Answering } from '../../helpers/http-cache.ts'
import { eventually, openBelow } from '../../helpers/process.ts'

const MEBIBYTE = 1024 * 1024
const disk = { diskBytes: 64 * MEBIBYTE }
const hash = (text: string | Buffer): string => createHash('sha256').update(typeof text === 'string' ? Buffer.from(text, 'latin1') : text).digest('hex')

/** Every file that is in its place, the largest first. */
function filesIn (directory: string): string[] {
  const root = join(directory, 'variants')
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).map(name => join(root, name)).filter(path => statSync(path).isFile()).toSorted((a, b) => statSync(b).size - statSync(a).size)
}

/** A large body, in chunks as they come over a wire. */
function large (bytes: Buffer): Readable {
  return Readable.from((function * () { for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000) })(), { objectMode: false })
}

const largeOf = (bytes: Buffer, fields = {}): Answering => ({ headers }) => headers['if-none-match'] === '"v1"'
  ? { status: 304, headers: { 'cache-control': 'max-age=1000', 'x-a': 'new' } }
  : { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"', 'content-length': String(bytes.length), ...fields }, body: large(bytes) }

t.test('what was kept is there after a restart, with its age', async t => {
  const first = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60', 'x-many': ['1', '2'], 'x-latin': 'ä', 'age': '5' }, body: `answer ${count}` }), disk)
  await first.get('/a?b=1')
  await first.get('/none', {}, { method: 'HEAD' })
  first.clock.pass(20)
  const { get, clock, requests } = await first.again()
  t.match(await get('/a?b=1'), { text: 'answer 0', cache: 'hit; ttl=35', headers: { 'age': '25', 'x-many': ['1', '2'], 'x-latin': 'ä', 'date': date(0) } })
  clock.pass(35)
  t.match(await get('/a?b=1'), { text: 'answer 0', cache: 'fwd=stale; fwd-status=200; ttl=55; stored' })
  t.equal(requests.length, 1)
})

t.test('what is stale after a restart is still asked for by its validators', async t => {
  const first = await cacheOver(t, ({ headers }) => headers['if-none-match'] === '"v1"' ? { status: 304 } : { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"' }, body: 'body' }, disk)
  await first.get('/a')
  first.clock.pass(100)
  const second = await first.again()
  t.match(await second.get('/a'), { text: 'body', cache: /fwd-status=304/ })
  const { get, requests } = await second.again()
  t.match(await get('/a'), { text: 'body', cache: 'hit; ttl=60' }, 'and what the 304 told is there after the next')
  t.equal(requests.length, 0)
})

t.test('answers that vary are found again, and so are their fields', async t => {
  const first = await cacheOver(t, ({ headers }, count) => ({ headers: { 'cache-control': 'max-age=60', 'vary': 'accept-language, x-b' }, body: `${String(headers['accept-language'])} ${count}` }), disk)
  for (const language of ['de', 'en']) await first.get('/a', { 'accept-language': language })
  const { get, requests } = await first.again()
  t.equal((await get('/a', { 'accept-language': 'EN' })).text, 'en 1')
  t.equal((await get('/a', { 'accept-language': 'de' })).text, 'de 0')
  t.equal((await get('/a', { 'accept-language': 'fr' })).text, 'fr 0')
  t.equal(requests.length, 1)
})

t.test('what was evicted from memory is found on disk, by one look for all who ask', async t => {
  const { get, cache, requests } = await cacheOver(t, ({ path }) => ({ headers: { 'cache-control': 'max-age=60' }, body: path.padEnd(50_000) }), { ...disk, memoryBytes: 300_000 })
  for (let n = 0; n < 30; n++) await get(`/${n}`)
  t.ok(cache.memoryBytes <= 300_000)
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, n) => await get(`/${n % 30}`)))
  for (const [n, { text, cache }] of answers.entries()) t.match({ text: text.trim(), cache }, { text: `/${n % 30}`, cache: 'hit; ttl=60' })
  t.equal(requests.length, 30)
})

t.test('a large body is kept in a file of its own: whole, in parts, after a restart, with newer fields', async t => {
  const bytes = randomBytes(3 * MEBIBYTE + 17)
  const first = await cacheOver(t, largeOf(bytes), disk)
  t.equal(hash((await first.get('/a')).text), hash(bytes))
  await eventually(() => filesIn(first.directory).length === 2)
  const check = async ({ get }: Pick<typeof first, 'get'>): Promise<void> => {
    t.equal(hash((await get('/a')).text), hash(bytes))
    for (const [start, end] of [[0, 0], [BLOCK_BYTES - 1, BLOCK_BYTES], [5, 2 * MEBIBYTE], [bytes.length - 3, bytes.length - 1]] as const) {
      t.match(await get('/a', { range: `bytes=${start}-${end}` }), { status: 206, text: bytes.subarray(start, end + 1).toString('latin1') }, `${start} to ${end}`)
    }
  }
  await check(first)
  t.equal(first.requests.length, 1)
  first.clock.pass(61)
  const before = filesIn(first.directory)
  t.match(await first.get('/a', { range: 'bytes=1-2' }), { status: 206, headers: { 'x-a': 'new' } })
  t.same(filesIn(first.directory).slice(0, 1), before.slice(0, 1), 'the bytes stay where they are')
  const second = await first.again()
  await check(second)
  await check(second)
  t.equal(second.requests.length, 0)
  t.match(await second.get('/a'), { headers: { 'x-a': 'new' } })
})

t.test('a large body that changed takes the place of the old one, on disk too', async t => {
  const bodies = [randomBytes(MEBIBYTE), randomBytes(2 * MEBIBYTE)]
  const { get, clock, directory } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60' }, body: large(bodies[count] ?? Buffer.alloc(0)) }), disk)
  await get('/a')
  clock.pass(61)
  t.equal(hash((await get('/a')).text), hash(bodies[1] ?? ''))
  await eventually(() => filesIn(directory).length === 2 && filesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0) < 2.5 * MEBIBYTE)
  t.equal(hash((await get('/a')).text), hash(bodies[1] ?? ''))
})

t.test('a large error is streamed from disk as well', async t => {
  const bytes = randomBytes(MEBIBYTE)
  const first = await cacheOver(t, () => ({ status: 404, headers: { 'cache-control': 'max-age=60' }, body: large(bytes) }), disk)
  await first.get('/a')
  const { get, requests } = await first.again()
  for (let n = 0; n < 2; n++) t.match({ ...await get('/a'), text: '' }, { status: 404, cache: /^hit/ })
  t.equal(hash((await get('/a')).text), hash(bytes))
  t.equal(requests.length, 0)
})

t.test('a flipped bit anywhere is a miss, never a wrong byte', async t => {
  const small = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60' }, body: `answer ${count} `.repeat(1000) }), disk)
  await small.get('/a')
  await small.cache.close()
  const [path = ''] = filesIn(small.directory)
  const sound = await readFile(path)
  let current = small
  for (const place of [0, 5, 21, 100, 400, sound.length >> 1, sound.length - 1]) {
    const damaged = Buffer.from(sound)
    damaged[place] = (damaged[place] ?? 0) ^ 4
    await current.cache.close()
    await writeFile(path, damaged)
    current = await current.again()
    t.match(await current.get('/a'), { status: 200, text: 'answer 0 '.repeat(1000) }, `byte ${place}`)
    t.equal(current.requests.length, 1, `byte ${place}`)
  }
  for (const wrong of [sound.subarray(0, 50), sound.subarray(0, sound.length - 1), Buffer.alloc(0), Buffer.alloc(sound.length)]) {
    await current.cache.close()
    await writeFile(path, wrong)
    current = await current.again()
    t.match(await current.get('/a'), { text: /^answer 0/ })
    t.equal(current.requests.length, 1)
  }
})

t.test('a flipped bit in a large body: nothing of the block it is in is sent', async t => {
  const bytes = randomBytes(3 * BLOCK_BYTES)
  const first = await cacheOver(t, largeOf(bytes), disk)
  await first.get('/a')
  await first.cache.close()
  const [path = ''] = filesIn(first.directory)
  const sound = await readFile(path)
  const flip = async (place: number): Promise<void> => {
    const damaged = Buffer.from(sound)
    damaged[sound.length - bytes.length + place] = (damaged[sound.length - bytes.length + place] ?? 0) ^ 1
    await writeFile(path, damaged)
  }
  await flip(5)
  const second = await first.again()
  t.equal(hash((await second.get('/a')).text), hash(bytes), 'in the first block: a miss')
  t.equal(second.requests.length, 1)

  await second.cache.close()
  const [again = ''] = filesIn(first.directory)
  const rewritten = await readFile(again)
  rewritten[rewritten.length - 7] = (rewritten[rewritten.length - 7] ?? 0) ^ 1
  await writeFile(again, rewritten)
  const third = await first.again()
  t.equal(hash((await third.get('/a', { range: `bytes=0-${BLOCK_BYTES - 1}` })).text), hash(bytes.subarray(0, BLOCK_BYTES)), 'other blocks are sound')
  const answer = await third.cached.send({ method: 'GET', path: '/a', headers: {} })
  const got: Buffer[] = []
  await t.rejects(async () => { for await (const chunk of answer.body as AsyncIterable<Buffer>) got.push(chunk) }, { name: 'DamagedBody' })
  t.equal(hash(Buffer.concat(got)), hash(bytes.subarray(0, 2 * BLOCK_BYTES)), 'in a later one: the body breaks off before it')
  t.equal(third.requests.length, 0)
  t.equal(hash((await third.get('/a')).text), hash(bytes), 'and is fetched anew by the next who asks')
  t.equal(third.requests.length, 1)
})

t.test('a large body whose file is gone is fetched anew', async t => {
  const bytes = randomBytes(MEBIBYTE)
  const { get, directory, again } = await cacheOver(t, largeOf(bytes), disk)
  await get('/a')
  const second = await again()
  await rm(filesIn(directory)[0] ?? '')
  t.equal(hash((await second.get('/a')).text), hash(bytes))
  t.equal(second.requests.length, 1)
})

t.test('the disk stays within its bound, whatever is asked for', async t => {
  const { get, directory, faults } = await cacheOver(t, ({ path }) => ({ headers: { 'cache-control': 'max-age=6000' }, body: path.startsWith('/large') ? large(Buffer.alloc(700_000, path)) : path.padEnd(20_000) }), { diskBytes: 4 * MEBIBYTE, memoryBytes: 100_000 })
  for (let n = 0; n < 100; n++) {
    await get(`/small${n}`)
    if (n % 10 === 0) t.equal((await get(`/large${n}`)).text.length, 700_000)
  }
  await eventually(() => readdirSync(join(directory, 'tmp')).length === 0)
  const blocks = filesIn(directory).reduce((sum, path) => sum + Math.ceil(statSync(path).size / 4096) * 4096, 0)
  t.ok(blocks <= 4 * MEBIBYTE, `${blocks} bytes`)
  t.same(faults, [])
  t.match((await get('/small99')).text, /^\/small99/)
})

t.test('a directory that cannot be used is told of, and nothing else fails', async t => {
  const { get, directory, faults, requests } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60' }, body: count === 0 ? large(randomBytes(MEBIBYTE)) : 'small' }), disk)
  await rm(join(directory, 'tmp'), { recursive: true })
  await writeFile(join(directory, 'tmp'), 'in the way')
  t.equal((await get('/large')).text.length, MEBIBYTE)
  t.equal((await get('/small')).text, 'small')
  t.match(await get('/small'), { cache: /^hit/ })
  await eventually(() => faults.length > 0)
  t.equal(requests.length, 2)
})

t.test('what is of use for a moment only is not written', async t => {
  const { get, clock, directory, again } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': count === 0 ? 'max-age=100' : 'max-age=1' }, body: `answer ${count}` }), disk)
  await get('/a')
  await eventually(() => filesIn(directory).length === 1)
  clock.pass(101)
  t.match(await get('/a'), { text: 'answer 1' })
  await eventually(() => filesIn(directory).length === 0)
  t.match(await (await again()).get('/a'), { text: 'answer 0' }, 'of the next cache')
})

t.test('URLs that are longer than a tag can be are kept in memory alone', async t => {
  const { get, directory, faults, requests, cached } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=60' }, body: 'x' }), disk)
  const path = `/${'a'.repeat(4000)}`
  await get(path)
  t.match(await get(path), { cache: /^hit/ })
  t.equal((await get(`${path}2`, {}, {})).text, 'x')
  await cached.invalidate({ path, headers: {} })
  await get(path)
  t.equal(requests.length, 3)
  t.same(filesIn(directory), [])
  t.same(faults, [])
})

t.test('what was invalidated stays so after a restart, also what varies', async t => {
  const first = await cacheOver(t, ({ method, headers, path }, count) => method === 'GET' ? { headers: { 'cache-control': 'max-age=600', ...(path === '/vary' ? { vary: 'x-a' } : {}) }, body: `${String(headers['x-a'])} ${count}` } : { status: 204 }, disk)
  for (const path of ['/vary', '/plain', '/other']) for (const value of ['1', '2']) await first.get(path, { 'x-a': value })
  const second = await first.again()
  await second.get('/vary', { 'x-a': '1' })
  for (const path of ['/vary', '/plain', '/other']) await second.get(path, {}, { method: path === '/other' ? 'GET' : 'POST' })
  const { get, requests } = await second.again()
  for (const path of ['/vary', '/plain', '/other']) for (const value of ['1', '2']) await get(path, { 'x-a': value })
  t.same(requests.map(({ path, headers }) => [path, headers['x-a']]), [['/vary', '1'], ['/vary', '2'], ['/plain', '1']])
})

t.test('two caches over one directory find what the other kept, and what it varies by', async t => {
  const answering: Answering = ({ headers }, count) => ({ headers: { 'cache-control': 'max-age=600', 'vary': 'x-a' }, body: `${String(headers['x-a'])} ${count}` })
  const one = await cacheOver(t, answering, disk)
  const two = await cacheOver(t, answering, { ...disk, directory: one.directory })
  t.equal((await one.get('/a', { 'x-a': '1' })).text, '1 0')
  await eventually(async () => (await two.get('/a', { 'x-a': '1' })).cache.startsWith('hit'))
  t.equal((await two.get('/a', { 'x-a': '2' })).text, `2 ${two.requests.length - 1}`)
})

t.test('closing ends what is arriving, keeps what is whole, and leaves nothing open', async t => {
  const { get, cached, cache, directory } = await cacheOver(t, ({ path }) => path === '/endless'
    ? { headers: { 'cache-control': 'max-age=60' }, body: Readable.from((async function * () { for (;;) { await new Promise(resolve => setTimeout(resolve, 1)); yield Buffer.alloc(50_000) } })(), { objectMode: false }) }
    : { headers: { 'cache-control': 'max-age=60' }, body: large(randomBytes(MEBIBYTE)) }, disk)
  await get('/large')
  const { body } = await cached.send({ method: 'GET', path: '/endless', headers: {} })
  let read = 0
  const reading = (async () => { for await (const chunk of body as AsyncIterable<Buffer>) read += chunk.length })()
  reading.catch(() => undefined)
  await eventually(() => read > 2 * MEBIBYTE)
  await cache.close()
  await t.rejects(reading, { code: 'unavailable' })
  await eventually(() => openBelow(directory) === 0)
  t.same(readdirSync(join(directory, 'tmp')), [])
  t.equal(filesIn(directory).length, 2)
})

t.test('records: what is none of this version is none', t => {
  const head = { status: 200, fields: { a: ['1', '2'], b: '3' }, askedAt: NOON, receivedAt: NOON, hadCookies: false }
  const answer = { path: '/a', selection: '', head }
  t.match(decodeRecord(encodeRecord({ answer }, Buffer.from('body'))), { answer, body: Buffer.from('body') })
  t.match(decodeRecord(encodeRecord({ mark: { varying: ['a'], salt: 's' } })), { mark: { varying: ['a'], salt: 's' } })
  const reference = { key: 'k', size: 5, sums: [1] }
  t.match(decodeRecord(encodeRecord({ answer: { ...answer, reference } })), { answer: { reference } })
  for (const wrong of [{}, { answer: null }, { answer: {} }, { mark: {} }, { mark: null }, { mark: { varying: [1], salt: '' } }, { answer: { ...answer, head: { ...head, status: '200' } } }, { answer: { ...answer, head: { ...head, fields: { a: 1 } } } }, { answer: { ...answer, reference: { ...reference, sums: ['1'] } } }, { answer: { ...answer, path: 1 } }]) {
    t.equal(decodeRecord(encodeRecord(wrong as never)), undefined, JSON.stringify(wrong))
  }
  for (const wrong of [Buffer.alloc(0), Buffer.alloc(3), Buffer.from([0, 0, 0, 9, 1]), Buffer.from('\0\0\0\x01{'), Buffer.from('\0\0\0\x041234'), Buffer.from('\0\0\0\x04null')]) t.equal(decodeRecord(wrong), undefined)
  t.end()
})

t.test('a reader of what is being written need not wait for its end', async t => {
  const bytes = randomBytes(8 * MEBIBYTE)
  let finish: () => void = () => undefined
  const body = Readable.from((async function * () {
    yield bytes.subarray(0, 4 * MEBIBYTE)
    await new Promise<void>(resolve => { finish = resolve })
    yield bytes.subarray(4 * MEBIBYTE)
  })(), { objectMode: false })
  const { get, cached, requests } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=60', 'content-length': String(bytes.length), 'etag': '"v1"' }, body }), disk)
  const first = await cached.send({ method: 'GET', path: '/a', headers: {} })
  if (!Buffer.isBuffer(first.body)) await new Promise(resolve => (first.body as Readable).once('readable', resolve))
  const read = bytesOf(first.body)
  t.equal((await get('/a', { range: 'bytes=3000000-3000009' })).text, bytes.subarray(3_000_000, 3_000_010).toString('latin1'))
  t.match(await get('/a', { 'if-none-match': '"v1"' }), { status: 304 })
  t.equal(requests.length, 1)
  finish()
  t.equal(hash(await read), hash(bytes))
})

t.test('a range far behind what has arrived is asked for by itself', async t => {
  const body = new Readable({ read () { /* it never comes */ } })
  body.push(Buffer.alloc(1000))
  const { get, cached, requests } = await cacheOver(t, ({ headers }) => headers.range === undefined
    ? { headers: { 'cache-control': 'max-age=60', 'content-length': '50000000', 'etag': '"v1"' }, body }
    : { status: 206, headers: { 'content-range': 'bytes 40000000-40000001/50000000' }, body: 'xy' }, disk)
  const { body: begun } = await cached.send({ method: 'GET', path: '/a', headers: {} })
  t.match(await get('/a', { range: 'bytes=40000000-40000001' }), { status: 206, text: 'xy' })
  t.equal((await get('/a', { range: 'bytes=10-19' })).text.length, 10)
  t.same(requests.map(({ headers }) => headers.range), [undefined, 'bytes=40000000-40000001'])
  if (!Buffer.isBuffer(begun)) begun.destroy()
})

t.test('kill -9 in the midst of writing leaves what is whole, and no wrong byte', { timeout: 60_000 }, async t => {
  const { directory } = await cacheOver(t, () => ({}), disk)
  const written: string[] = []
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, ['--import=./test/loader/ts.mjs', 'test/helpers/http-cache-child.ts', directory, String(round)], { env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString() })
    await eventually(() => said.split('\n').length > 12)
    child.kill('SIGKILL')
    await new Promise(resolve => child.once('exit', resolve))
    for (let reader = 0; reader < 8; reader++) for (let n = 0; n < 40; n++) written.push(`/${round}-${reader}-${n}`)
  }
  const { cached, requests, faults } = await cacheOver(t, ({ path }) => ({ headers: { 'cache-control': 'max-age=1' }, body: Readable.from(pieceOf(path).chunks(), { objectMode: false }) }), { ...disk, diskBytes: 512 * MEBIBYTE, directory, now: Date.now })
  for (const path of written) {
    const { body } = await cached.send({ method: 'GET', path, headers: {} })
    const bytes = await bytesOf(body)
    if (!bytes.equals(Buffer.concat([...pieceOf(path).chunks()]))) t.fail(`${path} is wrong`)
  }
  t.ok(written.length - requests.length > 100, `${written.length - requests.length} of ${written.length} were kept`)
  t.same(faults, [])
})

t.test('who looked on disk while the answer came from the origin gets that', async t => {
  let answer: () => void = () => undefined
  const { cached, requests } = await cacheOver(t, async () => {
    await new Promise<void>(resolve => { answer = resolve })
    return { headers: { 'cache-control': 'max-age=600' }, body: 'body' }
  }, disk)
  const first = cached.answer({ method: 'GET', path: '/a', headers: {} })
  await eventually(() => requests.length === 1)
  const late = Array.from({ length: 20 }, async () => {
    const answered = cached.answer({ method: 'GET', path: '/a', headers: {} })
    answer()
    return (await answered).outcome
  })
  t.equal((await first).outcome, 'miss')
  for (const outcome of await Promise.all(late)) t.not(outcome, 'miss')
  t.equal(requests.length, 1)
})
