// Bodies of every size and framing, byte for byte.
import { Readable } from 'node:stream'
import t from 'tap'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { get, open } from './open-upstream.ts'

const KiB = 1024
const sizes = [0, 1, 64 * KiB - 1, 64 * KiB, 64 * KiB + 1, 1_000_003]

t.test('bodies arrive byte for byte, whatever their size and framing', async t => {
  for (const framing of ['length', 'chunked', 'close'] as const) {
    for (const size of sizes) {
      const file = kit.content(size)
      const origin = await kit.rawOrigin(t, kit.whole(file, framing))
      const { upstream } = await open(t, origin.url)
      const { status, headers, body } = await get(upstream)
      const { bytes, hash, error } = await kit.taken(body)
      t.same({ status, bytes, hash, error }, { status: 200, bytes: size, hash: file.hash, error: undefined }, `${size} bytes, ${framing}`)
      t.equal(headers['content-length'], framing === 'length' ? String(size) : undefined)
    }
  }
})

t.test('bodies of 200 MB arrive byte for byte, and each connection is kept where it can be', { timeout: 300_000 }, async t => {
  const file = kit.content(200 * KiB * KiB)
  for (const framing of ['length', 'chunked', 'close'] as const) {
    const origin = await kit.rawOrigin(t, kit.whole(file, framing))
    const { upstream } = await open(t, origin.url)
    const { body } = await get(upstream)
    const { bytes, hash, error } = await kit.taken(body)
    t.same({ bytes, hash, error }, { bytes: file.size, hash: file.hash, error: undefined }, framing)
    t.ok(await eventually(() => origin.connections === (framing === 'close' ? 0 : 1)))
  }
})

t.test('a body that comes in single bytes is whole', async t => {
  const file = kit.content(300)
  const origin = await kit.rawOrigin(t, async ({ socket }) => {
    socket.write(kit.head(200, { 'Transfer-Encoding': 'chunked' }))
    for (const byte of file.bytes()) await kit.drip(socket, kit.chunk(Buffer.from([byte])), { everyMs: 0, pieceBytes: 3 })
    socket.write(kit.chunk(''))
  })
  const { upstream } = await open(t, origin.url)
  t.equal((await kit.taken((await get(upstream)).body)).hash, file.hash)
})

t.test('HEAD, 204 and 304 have no body; 304 may tell a length', async t => {
  const cases: Array<[string, kit.Script, number, string | undefined]> = [
    ['HEAD', kit.whole(kit.content(5000)), 200, '5000'],
    ['GET', kit.bytes(kit.head(204)), 204, undefined],
    ['GET', kit.notModified(5000, { ETag: '"a"' }), 304, '5000'],
    ['GET', kit.notModified(0, { ETag: '"a"' }), 304, '0'],
    ['GET', kit.bytes(kit.head(304, { ETag: '"a"' })), 304, undefined],
    ['HEAD', kit.notModified(5000, { ETag: '"a"' }), 304, '5000']
  ]
  for (const [method, script, expected, length] of cases) {
    const origin = await kit.rawOrigin(t, script)
    const { upstream } = await open(t, origin.url, { retries: 0 })
    for (let time = 0; time < 3; time++) {
      const { status, headers, body } = await get(upstream, '/a', { method })
      const { bytes, error } = await kit.taken(body)
      t.same([status, bytes, error, headers['content-length']], [expected, 0, undefined, length], `${method} ${expected}`)
    }
    t.same(upstream.origins.state().map(({ state, failures }) => [state, failures]), [['up', 0]])
  }
})

t.test('a range of the origin passes, with its fields', async t => {
  const file = kit.content(100_000)
  const origin = await kit.rawOrigin(t, kit.file(file, { etag: '"a"' }))
  const { upstream } = await open(t, origin.url)
  const { status, headers, body } = await get(upstream, '/', { headers: { range: 'bytes=10-99', 'if-range': '"a"' } })
  t.equal(status, 206)
  t.equal(headers['content-range'], 'bytes 10-99/100000')
  t.same(Buffer.concat(Buffer.isBuffer(body) ? [body] : await body.toArray() as Buffer[]), file.bytes(10, 100))
  t.equal((await get(upstream, '/', { headers: { range: 'bytes=200000-' } })).status, 416)
})

t.test('what is compressed stays so: a bomb is passed on as the small file that it is', async t => {
  const origin = await kit.rawOrigin(t, kit.gzipBomb(512 * KiB * KiB))
  const { upstream } = await open(t, origin.url)
  const { headers, body } = await get(upstream)
  t.equal(headers['content-encoding'], 'gzip')
  t.equal((await kit.taken(body)).bytes, kit.gzipBombOf(512 * KiB * KiB).length)
})

t.test('HTTP/1.0: a body to the end of the connection, and one with a length over a kept connection', async t => {
  for (const keepAlive of [false, true]) {
    const origin = await kit.rawOrigin(t, kit.http10('the body', keepAlive))
    const { upstream } = await open(t, origin.url)
    for (let time = 0; time < 3; time++) t.equal((await kit.taken((await get(upstream)).body)).hash, (await kit.taken(Buffer.from('the body'))).hash)
    t.equal(origin.requests.length, 3)
  }
})

t.test('a request body goes to the origin as it is: buffered, streamed with a length, and chunked', async t => {
  const origin = await kit.origin(t, (_request, response, { body, headers }) => { response.end(JSON.stringify([body?.toString('hex'), headers['content-length'], headers['transfer-encoding']])) }, { gather: true })
  const { upstream } = await open(t, origin.url)
  const bytes = Buffer.from([0xff, 0xfe, 0x80, 0, 10])
  const post = async (body: Buffer | 'stream', headers = {}): Promise<unknown> => {
    const answer = await get(upstream, '/', { method: 'POST', headers: { 'content-type': 'text/plain', ...headers }, body: body === 'stream' ? Readable.from([bytes]) : body })
    return JSON.parse(Buffer.concat(Buffer.isBuffer(answer.body) ? [answer.body] : await answer.body.toArray() as Buffer[]).toString())
  }
  t.same(await post(bytes), ['fffe80000a', '5', null])
  t.same(await post('stream', { 'content-length': '5' }), ['fffe80000a', '5', null])
  t.same(await post('stream'), ['fffe80000a', null, 'chunked'])
})
