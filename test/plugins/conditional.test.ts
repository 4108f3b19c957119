import { Readable } from 'node:stream'
import t from 'tap'
import conditional from '../../plugins/conditional.ts'
import errors from '../../plugins/errors.ts'
import type { Representation } from '../../lib/representation.ts'
import { eventually } from '../helpers/process.ts'
import { ask, serve, type Answer, type Served, type Test } from '../helpers/app.ts'

const content = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz')
const lastModified = Date.UTC(2024, 0, 2, 3, 4, 5, 678)
const date = 'Tue, 02 Jan 2024 03:04:05 GMT'
const later = 'Tue, 02 Jan 2024 03:04:06 GMT'
const earlier = 'Tue, 02 Jan 2024 03:04:04 GMT'

interface Opens { count: number }

/** A server that delivers one representation at `/`, counting how often it is opened. */
async function delivering (t: Test, overrides: Partial<Representation> = {}, inMemory = false): Promise<Served & { opens: Opens }> {
  const opens = { count: 0 }
  const representation: Representation = {
    type: 'text/plain; charset=utf-8',
    size: content.length,
    entityTag: '"tag"',
    lastModified,
    bytes: inMemory ? content : undefined,
    open: range => {
      opens.count++
      return Readable.from([range === undefined ? content : content.subarray(range.start, range.end + 1)], { objectMode: false })
    },
    ...overrides
  }
  const served = await serve(t, async app => {
    await app.register(errors)
    await app.register(conditional)
    app.route({ method: ['GET', 'HEAD', 'POST', 'PUT'], url: '/', handler: async (_request, reply) => await reply.deliver(representation) })
    app.get('/save', async (_request, reply) => await reply.deliver(representation, { downloadName: 'Grüße "1".txt' }))
  })
  return { ...served, opens }
}

interface Case { name: string, method?: string, headers: Record<string, string>, status: number, body?: string, range?: string }

const cases: Case[] = [
  { name: 'no condition', headers: {}, status: 200, body: content.toString() },
  // If-Match, strong comparison (RFC 9110 §13.1.1)
  { name: 'If-Match with the tag', headers: { 'if-match': '"tag"' }, status: 200 },
  { name: 'If-Match with a list', headers: { 'if-match': '"x", "tag"' }, status: 200 },
  { name: 'If-Match with *', headers: { 'if-match': '*' }, status: 200 },
  { name: 'If-Match with another tag', headers: { 'if-match': '"x"' }, status: 412 },
  { name: 'If-Match with the tag made weak', headers: { 'if-match': 'W/"tag"' }, status: 412 },
  // If-Unmodified-Since counts only without If-Match
  { name: 'If-Unmodified-Since with the date', headers: { 'if-unmodified-since': date }, status: 200 },
  { name: 'If-Unmodified-Since before it', headers: { 'if-unmodified-since': earlier }, status: 412 },
  { name: 'If-Unmodified-Since that is no date', headers: { 'if-unmodified-since': 'yesterday' }, status: 200 },
  { name: 'If-Match over If-Unmodified-Since', headers: { 'if-match': '"tag"', 'if-unmodified-since': earlier }, status: 200 },
  // If-None-Match, weak comparison
  { name: 'If-None-Match with the tag', headers: { 'if-none-match': '"tag"' }, status: 304 },
  { name: 'If-None-Match with the tag made weak', headers: { 'if-none-match': 'W/"tag"' }, status: 304 },
  { name: 'If-None-Match with a list', headers: { 'if-none-match': 'W/"a" , "tag",' }, status: 304 },
  { name: 'If-None-Match with *', headers: { 'if-none-match': '*' }, status: 304 },
  { name: 'If-None-Match with another tag', headers: { 'if-none-match': '"x"' }, status: 200 },
  { name: 'If-None-Match that is malformed', headers: { 'if-none-match': 'tag' }, status: 200 },
  { name: 'If-None-Match on HEAD', method: 'HEAD', headers: { 'if-none-match': '"tag"' }, status: 304 },
  { name: 'If-None-Match on a writing method', method: 'PUT', headers: { 'if-none-match': '*' }, status: 412 },
  // If-Modified-Since counts only without If-None-Match, and only for GET and HEAD
  { name: 'If-Modified-Since with the date', headers: { 'if-modified-since': date }, status: 304 },
  { name: 'If-Modified-Since after it', headers: { 'if-modified-since': later }, status: 304 },
  { name: 'If-Modified-Since before it', headers: { 'if-modified-since': earlier }, status: 200 },
  { name: 'If-None-Match over If-Modified-Since', headers: { 'if-none-match': '"x"', 'if-modified-since': date }, status: 200 },
  { name: 'If-Modified-Since on POST', method: 'POST', headers: { 'if-modified-since': date }, status: 200 },
  { name: 'If-Match before If-None-Match', headers: { 'if-match': '"x"', 'if-none-match': '"tag"' }, status: 412 },
  // ranges (RFC 9110 §14)
  { name: 'a range', headers: { range: 'bytes=2-4' }, status: 206, body: '234', range: 'bytes 2-4/36' },
  { name: 'an open range', headers: { range: 'bytes=33-' }, status: 206, body: 'xyz', range: 'bytes 33-35/36' },
  { name: 'a suffix', headers: { range: 'bytes=-2' }, status: 206, body: 'yz', range: 'bytes 34-35/36' },
  { name: 'a suffix longer than the file', headers: { range: 'bytes=-999' }, status: 206, body: content.toString(), range: 'bytes 0-35/36' },
  { name: 'a range beyond the end', headers: { range: 'bytes=30-999' }, status: 206, body: 'uvwxyz', range: 'bytes 30-35/36' },
  { name: 'a range outside', headers: { range: 'bytes=36-' }, status: 416, range: 'bytes */36' },
  { name: 'an empty suffix', headers: { range: 'bytes=-0' }, status: 416, range: 'bytes */36' },
  { name: 'another unit', headers: { range: 'lines=1-2' }, status: 200 },
  { name: 'a malformed range', headers: { range: 'bytes=abc' }, status: 200 },
  { name: 'a range turned around', headers: { range: 'bytes=4-2' }, status: 200 },
  { name: 'overlapping ranges that make one', headers: { range: 'bytes=2-5,4-7' }, status: 206, body: '234567', range: 'bytes 2-7/36' },
  { name: 'a range on HEAD', method: 'HEAD', headers: { range: 'bytes=2-4' }, status: 200, body: '' },
  { name: 'a range on POST', method: 'POST', headers: { range: 'bytes=2-4' }, status: 200 },
  { name: 'a range under a false condition', headers: { range: 'bytes=2-4', 'if-match': '"x"' }, status: 412 },
  { name: 'a range of what is not modified', headers: { range: 'bytes=2-4', 'if-none-match': '"tag"' }, status: 304 },
  // If-Range
  { name: 'If-Range with the tag', headers: { range: 'bytes=2-4', 'if-range': '"tag"' }, status: 206, body: '234' },
  { name: 'If-Range with another tag', headers: { range: 'bytes=2-4', 'if-range': '"x"' }, status: 200 },
  { name: 'If-Range with the tag made weak', headers: { range: 'bytes=2-4', 'if-range': 'W/"tag"' }, status: 200 },
  { name: 'If-Range with the date', headers: { range: 'bytes=2-4', 'if-range': date }, status: 206 },
  { name: 'If-Range with a later date', headers: { range: 'bytes=2-4', 'if-range': later }, status: 200 },
  { name: 'If-Range that is not fulfilled, on a range outside', headers: { range: 'bytes=99-', 'if-range': '"x"' }, status: 200 }
]

for (const inMemory of [false, true]) {
  t.test(`conditions and ranges of RFC 9110, bytes ${inMemory ? 'in memory' : 'to be opened'}`, async t => {
    const served = await delivering(t, {}, inMemory)
    for (const { name, method = 'GET', headers, status, body, range } of cases) {
      const before = served.opens.count
      const answer = await ask(served, '/', { method, headers })
      t.equal(answer.status, status, name)
      if (body !== undefined) t.equal(answer.text, body, name)
      if (range !== undefined) t.equal(answer.headers['content-range'], range, name)
      const opens = inMemory || method === 'HEAD' || ![200, 206].includes(status) ? 0 : 1
      t.equal(served.opens.count - before, opens, `${name}: opened ${opens} times`)
    }
  })
}

t.test('HEAD has every header that GET has', async t => {
  for (const inMemory of [false, true]) {
    const served = await delivering(t, { vary: 'Accept-Encoding', encoding: 'gzip' }, inMemory)
    const [get, head] = [await ask(served, '/'), await ask(served, '/', { method: 'HEAD' })]
    t.same({ ...head.headers, date: '' }, { ...get.headers, date: '' })
    t.equal(head.body.length, 0)
    t.match(get.headers, { 'content-length': '36', 'last-modified': date, 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
  }
})

t.test('a GET route alone has a HEAD that agrees with it', async t => {
  const served = await serve(t, async app => {
    await app.register(errors)
    await app.register(conditional)
    app.get('/', async (_request, reply) => await reply.deliver({ type: 'text/plain', size: 36, entityTag: '"tag"', open: () => content }))
    app.get('/other', async () => 'twelve bytes')
  })
  for (const path of ['/', '/other']) {
    const [get, head] = [await ask(served, path), await ask(served, path, { method: 'HEAD' })]
    t.same({ ...head.headers, date: '' }, { ...get.headers, date: '' }, path)
  }
  t.match(await ask(served, '/', { method: 'HEAD', headers: { 'if-none-match': '"tag"' } }), { status: 304, headers: { 'content-length': undefined } })
})

t.test('an open that gives the whole for a range is cut, one that gives less is an error', async t => {
  const whole = await delivering(t, { open: () => content })
  t.match(await ask(whole, '/', { headers: { range: 'bytes=2-4' } }), { status: 206, text: '234' })
  const less = await delivering(t, { open: () => content.subarray(0, 2) })
  t.equal((await ask(less, '/', { headers: { range: 'bytes=2-4' } })).status, 500)
})

t.test('a 304 carries the tag and Vary, and nothing that describes a body', async t => {
  const answer = await ask(await delivering(t, { vary: 'Accept' }), '/', { headers: { 'if-none-match': '"tag"' } })
  t.match(answer.headers, { etag: '"tag"', vary: 'Accept' })
  for (const name of ['content-length', 'content-type', 'last-modified', 'content-encoding', 'transfer-encoding']) t.equal(answer.headers[name], undefined, name)
})

t.test('a 304 without a tag carries the date', async t => {
  const served = await delivering(t, { entityTag: undefined })
  t.match(await ask(served, '/', { headers: { 'if-modified-since': date } }), { status: 304, headers: { 'last-modified': date } })
})

t.test('errors do not carry the headers of the file', async t => {
  const served = await delivering(t)
  for (const headers of [{ 'if-match': '"x"' }, { range: 'bytes=99-' }]) {
    const answer = await ask(served, '/', { headers })
    t.match(answer.headers, { 'content-type': /^application\/problem\+json/, 'cache-control': 'no-store' })
    for (const name of ['etag', 'last-modified', 'content-disposition']) t.equal(answer.headers[name], undefined, name)
  }
})

function partsOf (answer: Answer): string[] {
  const boundary = /boundary=(\w+)/.exec(answer.headers['content-type'] ?? '')?.[1] ?? 'none'
  return answer.body.toString('latin1').split(`--${boundary}`)
}

t.test('several ranges come as multipart/byteranges, with the length announced', async t => {
  for (const inMemory of [false, true]) {
    const served = await delivering(t, {}, inMemory)
    const answer = await ask(served, '/', { headers: { range: 'bytes=0-1, 4-5, -2' } })
    t.equal(answer.status, 206)
    t.match(answer.headers['content-type'], /^multipart\/byteranges; boundary=\w+$/)
    t.equal(Number(answer.headers['content-length']), answer.body.length)
    t.equal(answer.headers['content-range'], undefined)
    const [preamble, ...parts] = partsOf(answer)
    t.equal(preamble, '')
    t.match(parts[0], /\r\nContent-Type: text\/plain; charset=utf-8\r\nContent-Range: bytes 0-1\/36\r\n\r\n01\r\n$/)
    t.match(parts[1], /Content-Range: bytes 4-5\/36\r\n\r\n45\r\n$/)
    t.match(parts[2], /Content-Range: bytes 34-35\/36\r\n\r\nyz\r\n$/)
    t.equal(parts[3], '--\r\n')
  }
})

t.test('many parts that are streams raise no warning', async t => {
  const warnings: string[] = []
  const listen = (warning: Error): void => { warnings.push(warning.message) }
  process.on('warning', listen)
  const served = await delivering(t)
  const answer = await ask(served, '/', { headers: { range: Array.from({ length: 17 }, (_, n) => `${n * 2}-${n * 2}`).join(',').replace(/^/, 'bytes=') } })
  t.equal(answer.status, 206)
  await new Promise(resolve => setImmediate(resolve))
  process.off('warning', listen)
  t.same(warnings, [])
})

t.test('several ranges of a coded representation are the whole of it', async t => {
  t.match(await ask(await delivering(t, { encoding: 'gzip' }), '/', { headers: { range: 'bytes=0-1,4-5' } }), { status: 200, headers: { 'content-encoding': 'gzip', 'content-length': '36' } })
})

t.test('a second part that cannot be opened breaks the connection', async t => {
  let opened = 0
  const served = await delivering(t, { open: range => { if (++opened > 1) throw new Error('gone'); return content.subarray(range?.start, (range?.end ?? 0) + 1) } })
  await t.rejects(ask(served, '/', { headers: { range: 'bytes=0-1,4-5' } }), { code: 'ECONNRESET' })
})

t.test('a first part that cannot be opened is an error', async t => {
  const served = await delivering(t, { open: () => { throw new Error('gone') } })
  t.match(await ask(served, '/', { headers: { range: 'bytes=0-1,4-5' } }), { status: 500, headers: { 'content-range': undefined } })
})

t.test('without a known size there are no ranges', async t => {
  const served = await delivering(t, { size: undefined })
  const answer = await ask(served, '/', { headers: { range: 'bytes=0-1' } })
  t.equal(answer.status, 200)
  t.equal(answer.headers['accept-ranges'], undefined)
  t.equal(answer.text, content.toString())
})

t.test('a representation that knows nothing of itself is sent', async t => {
  const served = await delivering(t, { size: undefined, entityTag: undefined, lastModified: undefined })
  t.equal((await ask(served, '/', { headers: { 'if-none-match': '"x"', 'if-modified-since': date } })).status, 200)
  t.equal((await ask(served, '/', { headers: { 'if-none-match': '*' } })).status, 304)
})

t.test('Last-Modified is never later than the answer, and a wrong clock is not remembered', async t => {
  const served = await delivering(t, { lastModified: Date.now() + 86_400_000 })
  for (let n = 0; n < 2; n++) {
    const { headers } = await ask(served, '/')
    t.ok(Date.parse(headers['last-modified'] ?? '') <= Date.parse(headers.date ?? ''))
  }
})

t.test('a download is saved under its name, whatever is in it', async t => {
  const answer = await ask(await delivering(t), '/save')
  t.match(answer.headers['content-disposition'], /^attachment; filename="Gr.*e \\"1\\"\.txt"; filename\*=UTF-8''Gr%C3%BC%C3%9Fe%20%221%22\.txt$/)
})

t.test('nothing is opened for a client that has gone, and what was opened meanwhile is closed', async t => {
  let stream: Readable | undefined
  let opens = 0
  const served = await serve(t, async app => {
    await app.register(conditional)
    app.get('/', async (_request, reply) => {
      reply.raw.destroy()
      await new Promise(resolve => setImmediate(resolve))
      return await reply.deliver({ type: 'text/plain', open: () => { opens++; return content } })
    })
    app.get('/meanwhile', async (_request, reply) => await reply.deliver({
      type: 'text/plain',
      open: async () => {
        reply.raw.destroy()
        await new Promise(resolve => setImmediate(resolve))
        stream = new Readable({ read () {} })
        return stream
      }
    }))
  })
  await t.rejects(ask(served, '/'))
  t.equal(opens, 0)
  await t.rejects(ask(served, '/meanwhile'))
  t.ok(await eventually(() => stream?.destroyed === true))
})
