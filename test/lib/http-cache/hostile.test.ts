// What clients and origins may try against a cache that all share.
import { Readable } from 'node:stream'
import t from 'tap'
import { keyedFields } from '../../../lib/http-cache/selection.ts'
import type { Fields } from '../../../lib/upstream/message.ts'
import { cacheOver, type Answering } from '../../helpers/http-cache.ts'
import { eventually } from '../../helpers/process.ts'

const reflecting: Answering = ({ headers, path }) => ({ headers: { 'cache-control': 'max-age=600' }, body: `${path} ${keyedFields.map(name => `${name}=${String(headers[name])}`).join(' ')}` })

t.test('an origin that takes fields into its answer poisons nobody: each of the usual ones is part of the key', async t => {
  const { get } = await cacheOver(t, reflecting)
  const own = { 'x-forwarded-host': 'media.example', 'x-forwarded-proto': 'https', 'forwarded': 'for=10.0.0.1;host=media.example;proto=https' }
  for (const name of keyedFields) await get('/a', { ...own, [name]: name === 'forwarded' ? 'for=10.0.0.1;host=evil.example' : 'evil.example' })
  const { text } = await get('/a', own)
  t.notMatch(text, /evil/)
  t.match((await get('/a', { ...own, forwarded: 'for=10.9.9.9;host=media.example;proto=https' })).cache, /^hit/, 'another client of the same URL')
})

t.test('no path and no field can be spelled so that it is taken for another', async t => {
  const { get, requests } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=600', 'vary': 'x-a, x-b' }, body: `answer ${count}` }))
  const asked: Array<[string, Fields]> = [
    ['/a', {}], ['/a ', {}], ['/a?', {}], ['/a?x', {}], ['/a%3Fx', {}], ['/a#x', {}], ['/a;x', {}], ['/a\\', {}], ['/./a', {}], ['/__proto__', {}], ['/constructor', {}],
    ['/a', { 'x-a': '1', 'x-b': '2' }], ['/a', { 'x-a': '1, 2' }], ['/a', { 'x-b': '1', 'x-a': '2' }], ['/a', { 'x-a': '1\nx-b 1 2' }], ['/a', { 'x-a': 'x-b 1 2' }], ['/a', { 'x-a': '' }], ['/a', { 'x-a': '', 'x-b': '' }]
  ]
  for (const [path, headers] of asked) await get(path, headers)
  t.equal(requests.length, asked.length)
  for (const [n, [path, headers]] of asked.entries()) t.equal((await get(path, headers)).text, `answer ${n}`, `${path} ${JSON.stringify(headers)}`)
})

t.test('a field named like a property of objects is a field', async t => {
  const { get, requests } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=600, __proto__=1, constructor', 'vary': '__proto__, constructor', 'to-string': 'x' }, body: 'x' }))
  await get('/a')
  t.match(await get('/a'), { cache: /^hit/ })
  t.equal(requests.length, 1)
})

t.test('an error that a client provoked is kept for nobody else', async t => {
  const { get } = await cacheOver(t, ({ headers }) => headers['x-broken'] !== undefined ? { status: 400, headers: { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }, body: 'bad' } : headers['x-http-method-override'] !== undefined ? { status: 405, headers: { 'cache-control': 'max-age=600' } } : { headers: { 'cache-control': 'max-age=600' }, body: 'good' })
  await get('/a', { 'x-broken': '1' })
  await get('/a', { 'x-http-method-override': 'DELETE' })
  t.match(await get('/a'), { status: 200, text: 'good' })
})

t.test('partial, conditional and HEAD requests leave nothing behind that a plain one would get', async t => {
  const { get, requests } = await cacheOver(t, ({ method, headers }) => headers.range !== undefined
    ? { status: headers.range === 'bytes=9-9' ? 200 : 206, headers: { 'cache-control': 'max-age=600', 'content-range': 'bytes 0-0/10' }, body: 'p' }
    : { headers: { 'cache-control': 'max-age=600' }, body: method === 'HEAD' ? '' : 'whole' })
  await get('/a', { range: 'bytes=0-0' })
  await get('/a', { range: 'bytes=9-9' })
  await get('/a', { 'range': 'bytes=0-0', 'if-range': '"x"' })
  await get('/a', {}, { method: 'HEAD' })
  t.match(await get('/a'), { text: 'whole', cache: /^fwd=uri-miss/ })
  t.equal(requests.length, 5)
})

t.test('a GET with a body, or with credentials, neither fills nor reads the cache', async t => {
  const { get } = await cacheOver(t, ({ body, headers }) => ({ headers: { 'cache-control': 'public, max-age=600' }, body: body !== undefined || headers.authorization !== undefined ? 'evil' : 'good' }))
  t.equal((await get('/a', {}, { body: Readable.from(['x']) })).text, 'evil')
  t.equal((await get('/a', { authorization: 'Basic x' })).text, 'evil')
  t.equal((await get('/a')).text, 'good')
  t.equal((await get('/a', {}, { body: Buffer.from('x') })).text, 'evil')
})

t.test('a body that is not what its length says is kept for nobody', async t => {
  for (const [length, code] of [['3', 'upstream-malformed'], ['5', 'upstream-reset']] as const) {
    const { get, requests } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=600', 'content-length': length }, body: Readable.from([Buffer.from('abcd')]) }))
    await t.rejects(get('/a'), { code })
    await t.rejects(get('/a'), { code })
    t.equal(requests.length, 2)
  }
})

t.test('ever new fields and URLs end in bounded memory', async t => {
  const { get, cache } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=600', 'vary': 'cookie, user-agent', 'x-long': 'y'.repeat(20_000) }, body: 'x' }), { memoryBytes: 2_000_000 })
  for (let n = 0; n < 500; n++) await get(n % 2 === 0 ? '/same' : `/${n}?${'q'.repeat(5000)}`, { 'cookie': `${n}${'c'.repeat(8000)}`, 'user-agent': `${n}` })
  t.ok(cache.memoryBytes <= 2_000_000)
})

t.test('many who begin and leave, each another URL, leave nothing open', async t => {
  const bodies: Readable[] = []
  const { cached, cache } = await cacheOver(t, () => {
    const body = new Readable({ read () { /* it never comes */ } })
    bodies.push(body)
    return { headers: { 'cache-control': 'max-age=600', 'content-length': '100000000' }, body }
  }, { diskBytes: 1024 * 1024 * 1024 })
  for (let n = 0; n < 50; n++) {
    const { body } = await cached.send({ method: 'GET', path: `/${n}`, headers: {} })
    if (!Buffer.isBuffer(body)) body.destroy()
  }
  const alive = setInterval(() => undefined, 1000)
  t.ok(await eventually(() => bodies.every(({ destroyed }) => destroyed)))
  clearInterval(alive)
  t.equal(cache.memoryBytes, 0)
})

t.test('bodies that arrive take a bounded part of the memory: further ones go to disk, or are not kept', async t => {
  for (const diskBytes of [0, 1024 * 1024 * 1024]) {
    const waiting: Array<() => void> = []
    const { cached, cache } = await cacheOver(t, () => ({
      headers: { 'cache-control': 'max-age=600' },
      body: Readable.from((async function * () {
        yield Buffer.alloc(100_000)
        await new Promise<void>(resolve => waiting.push(resolve))
        yield Buffer.alloc(10)
      })(), { objectMode: false })
    }), { diskBytes, memoryBytes: 4_000_000 })
    const bodies: Readable[] = []
    for (let n = 0; n < 60; n++) {
      const { body } = await cached.send({ method: 'GET', path: `/${n}`, headers: {} })
      if (!Buffer.isBuffer(body)) bodies.push(body.resume())
    }
    t.ok(cache.memoryBytes <= 4_000_000, `${cache.memoryBytes} bytes`)
    await eventually(() => waiting.length === 60)
    const ended = Promise.all(bodies.map(async body => await new Promise(resolve => body.once('end', resolve))))
    for (const go of waiting) go()
    await ended
    t.ok(cache.memoryBytes <= 4_000_000)
  }
})
