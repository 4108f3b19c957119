import { Readable } from 'node:stream'
import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import { cacheOver, date, type Answering } from '../../helpers/http-cache.ts'
import { eventually } from '../../helpers/process.ts'

const fresh: Answering = (_request, count) => ({ headers: { 'cache-control': 'max-age=60', 'content-type': 'text/plain' }, body: `answer ${count}` })

t.test('a fresh answer is given in the same turn, with its age and what is left of it', async t => {
  const { cached, get, clock, requests } = await cacheOver(t, fresh)
  t.match(await get('/a'), { status: 200, text: 'answer 0', cache: 'fwd=uri-miss; fwd-status=200; ttl=60; stored' })
  clock.pass(5)
  const answer = cached.answer({ method: 'GET', path: '/a', headers: {} })
  t.notOk(answer instanceof Promise)
  t.match(answer, { status: 200, outcome: 'hit', headers: { 'age': '5', 'cache-status': 'fastify-media; hit; ttl=55', 'date': date(0) } })
  t.equal(cached.answer({ method: 'GET', path: '/a', headers: {} }), answer, 'the same object within one second')
  clock.pass(1)
  t.match(cached.answer({ method: 'GET', path: '/a', headers: {} }), { headers: { age: '6' } })
  t.match(await get('/a'), { text: 'answer 0', headers: { 'content-type': 'text/plain', 'content-length': '8' } })
  t.equal(requests.length, 1)
  t.equal(cached.name, 'assets')
})

t.test('paths and queries are told apart, byte by byte', async t => {
  const { get, requests } = await cacheOver(t, fresh)
  for (const path of ['/a', '/a?', '/a?b=1', '/a?b=2', '/%61', '/A', '/a/', '//a']) await get(path)
  t.equal(requests.length, 8)
  t.equal((await get('/a?b=1')).text, 'answer 2')
  t.same(requests.map(({ path }) => path), ['/a', '/a?', '/a?b=1', '/a?b=2', '/%61', '/A', '/a/', '//a'])
})

t.test('what was stored already old is so much less fresh', async t => {
  const { get, clock } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=60', 'age': '50' }, body: 'x' }))
  t.equal((await get('/a')).headers.age, '50')
  clock.pass(9)
  t.match(await get('/a'), { cache: 'hit; ttl=1', headers: { age: '59' } })
  clock.pass(1)
  t.match(await get('/a'), { cache: 'fwd=stale; fwd-status=200; ttl=10; stored' })
})

t.test('a stale answer is asked for by its validators; a 304 makes it fresh, with newer fields', async t => {
  const { get, clock, requests } = await cacheOver(t, ({ headers }) => headers['if-none-match'] === '"v1"'
    ? { status: 304, headers: { 'cache-control': 'max-age=100', 'x-a': 'new', 'etag': '"v1"' } }
    : { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"', 'last-modified': date(-1000), 'x-a': 'old', 'x-b': 'kept', 'content-type': 'text/plain' }, body: 'body' })
  await get('/a')
  clock.pass(61)
  t.match(await get('/a', { 'if-none-match': '"mine"', 'x-mine': '1' }), { status: 200, text: 'body', cache: 'fwd=stale; fwd-status=304; ttl=100; stored', headers: { 'x-a': 'new', 'x-b': 'kept', 'content-length': '4', 'date': date(61) } })
  t.match(requests[1]?.headers, { 'if-none-match': '"v1"', 'if-modified-since': date(-1000), 'x-mine': '1' })
  clock.pass(99)
  t.match(await get('/a'), { text: 'body', cache: 'hit; ttl=1', headers: { age: '99' } })
  t.match(await get('/a', { 'if-none-match': '"v1"' }), { status: 304, text: '', headers: { 'etag': '"v1"', 'content-length': undefined } })
})

t.test('a stale answer that changed is replaced; without a validator it is asked for anew', async t => {
  const { get, clock, requests } = await cacheOver(t, ({ path }, count) => ({ headers: { 'cache-control': 'max-age=60', ...(path === '/a' ? { etag: `"v${count}"` } : {}) }, body: `answer ${count}` }))
  await get('/a')
  await get('/b')
  clock.pass(61)
  t.equal((await get('/a')).text, 'answer 2')
  t.equal((await get('/b')).text, 'answer 3')
  t.equal(requests[2]?.headers['if-none-match'], '"v0"')
  t.equal(requests[3]?.headers['if-none-match'], undefined)
  t.match(await get('/a'), { cache: 'hit; ttl=60', text: 'answer 2' })
})

t.test('a 304 about something else is not believed: the whole is asked for', async t => {
  for (const [own, other] of [[{ etag: '"v1"' }, { etag: '"v2"' }], [{ etag: 'W/"v1"' }, { etag: 'W/"v2"' }], [{ 'last-modified': date(-50) }, { 'last-modified': date(-40) }]] as const) {
    const { get, clock, requests } = await cacheOver(t, ({ headers }, count) => headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined
      ? { status: 304, headers: other }
      : { headers: { 'cache-control': 'max-age=60', ...own }, body: `answer ${count}` })
    await get('/a')
    clock.pass(61)
    t.match(await get('/a'), { status: 200, text: 'answer 2' }, JSON.stringify(other))
    t.equal(requests.length, 3)
  }
})

t.test('a 304 that forbids keeping serves who asked, and is the end of what was kept', async t => {
  for (const [name, forbids] of [['cache-control', 'no-store'], ['set-cookie', 'a=b'], ['vary', '*']] as const) {
    const { get, clock, requests } = await cacheOver(t, ({ headers }, count) => headers['if-none-match'] === undefined
      ? { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"' }, body: `answer ${count}` }
      : { status: 304, headers: { [name]: forbids } })
    await get('/a')
    clock.pass(61)
    t.match(await get('/a'), { status: 200, text: 'answer 0', cache: /^fwd=stale; fwd-status=304/ }, name)
    t.match(await get('/a'), { text: 'answer 2' })
    t.equal(requests[2]?.headers['if-none-match'], undefined)
  }
})

t.test('no-cache is kept, and asked for each time', async t => {
  const { get, requests } = await cacheOver(t, ({ headers }) => headers['if-none-match'] === '"v1"' ? { status: 304 } : { headers: { 'cache-control': 'no-cache, max-age=60', 'etag': '"v1"' }, body: 'body' })
  for (let n = 0; n < 3; n++) t.equal((await get('/a')).text, 'body')
  t.same(requests.map(({ headers }) => headers['if-none-match']), [undefined, '"v1"', '"v1"'])
})

t.test('fields that no-cache names go to the one who caused the request alone', async t => {
  const { get } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=60, no-cache="x-mine"', 'x-mine': 'secret', 'x-all': '1' } }))
  t.match((await get('/a')).headers, { 'x-mine': 'secret', 'x-all': '1' })
  t.match((await get('/a')).headers, { 'x-mine': undefined, 'x-all': '1' })
})

t.test('what may not be kept is not', async t => {
  for (const headers of [{ 'cache-control': 'no-store' }, { 'cache-control': 'private, max-age=60' }, { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }, { 'cache-control': 'max-age=60', 'vary': '*' }, { 'cache-control': 'max-age=60', 'vary': Array.from({ length: 40 }, (_, n) => `x${n}`).join() }, {}]) {
    const { get, requests, cache } = await cacheOver(t, (_request, count) => ({ headers, body: `answer ${count}` }))
    t.match(await get('/a'), { text: 'answer 0', cache: 'fwd=uri-miss; fwd-status=200' })
    t.match(await get('/a'), { text: 'answer 1' })
    t.equal(requests.length, 2, JSON.stringify(headers))
    t.equal(cache.memoryBytes, 0)
  }
})

t.test('requests with credentials or a body pass by the cache, both ways', async t => {
  const { get, cached, requests } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'public, max-age=60, s-maxage=60, must-revalidate' }, body: `answer ${count}` }))
  t.match(await get('/a', { authorization: 'Bearer x' }), { cache: 'fwd=bypass; fwd-status=200' })
  t.match(await get('/a'), { text: 'answer 1', cache: 'fwd=uri-miss; fwd-status=200; ttl=60; stored' })
  t.match(await get('/a', { authorization: 'Bearer x' }), { text: 'answer 2' })
  t.match(await get('/a', {}, { body: Buffer.from('x') }), { text: 'answer 3', cache: 'fwd=bypass; fwd-status=200' })
  t.equal(cached.peek({ method: 'GET', path: '/a', field: name => name === 'authorization' ? 'Bearer x' : undefined }), undefined)
  t.match(cached.peek({ method: 'GET', path: '/a', field: () => undefined }), { outcome: 'hit' })
  t.equal(requests.length, 4)
})

t.test('a lifetime is not guessed for who sent cookies; one that is told counts for all', async t => {
  const { get } = await cacheOver(t, ({ path }, count) => ({ headers: path === '/guessed' ? { 'last-modified': date(-100_000) } : { 'cache-control': 'max-age=60' }, body: `answer ${count}` }))
  await get('/guessed', { cookie: 'a=b' })
  t.match(await get('/guessed'), { text: 'answer 1' })
  t.match(await get('/guessed', { cookie: 'a=b' }), { text: 'answer 1', cache: /^hit/ })
  await get('/told', { cookie: 'a=b' })
  t.match(await get('/told'), { text: 'answer 2', cache: /^hit/ })
})

t.test('what a client asks of the cache: what would only make the origin work is not heard', async t => {
  const { get, clock, requests } = await cacheOver(t, fresh)
  await get('/a')
  for (const wish of ['no-cache', 'max-age=0', 'min-fresh=1000', 'no-store']) t.match(await get('/a', { 'cache-control': wish, 'pragma': 'no-cache' }), { cache: 'hit; ttl=60' }, wish)
  t.equal(requests.length, 1)
  clock.pass(70)
  t.match(await get('/a', { 'cache-control': 'max-stale=11' }), { cache: 'hit; ttl=-10', text: 'answer 0', headers: { age: '70' } })
  t.match(await get('/a', { 'cache-control': 'max-stale' }), { text: 'answer 0' })
  t.match(await get('/a', { 'cache-control': 'max-stale=5' }), { text: 'answer 1' })
})

t.test('max-stale does not reach what must be revalidated', async t => {
  const { get, clock } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60, must-revalidate' }, body: `answer ${count}` }))
  await get('/a')
  clock.pass(61)
  t.match(await get('/a', { 'cache-control': 'max-stale=1000' }), { text: 'answer 1' })
})

t.test('only-if-cached is 504 where nothing is kept, no-store keeps nothing', async t => {
  const { get, requests } = await cacheOver(t, fresh)
  await t.rejects(get('/a', { 'cache-control': 'only-if-cached' }), { code: 'gateway-timeout', statusCode: 504, headers: { 'cache-status': 'fastify-media; fwd=uri-miss' } })
  t.equal(requests.length, 0)
  t.match(await get('/a', { 'cache-control': 'no-store' }), { cache: 'fwd=request; fwd-status=200', text: 'answer 0' })
  t.match(await get('/a'), { text: 'answer 1' })
  t.match(await get('/a', { 'cache-control': 'only-if-cached' }), { text: 'answer 1' })
})

t.test('answers that vary are kept side by side, and selected by the fields they vary by', async t => {
  const { get, requests } = await cacheOver(t, ({ headers }, count) => ({ headers: { 'cache-control': 'max-age=60', 'vary': 'Accept-Language', 'content-language': String(headers['accept-language']) }, body: `answer ${count}` }))
  t.match(await get('/a', { 'accept-language': 'de' }), { text: 'answer 0' })
  t.match(await get('/a', { 'accept-language': 'en' }), { text: 'answer 1', cache: 'fwd=vary-miss; fwd-status=200; ttl=60; stored' })
  t.match(await get('/a'), { text: 'answer 2' })
  t.match(await get('/a', { 'accept-language': 'DE ' }), { text: 'answer 0', cache: 'hit; ttl=60' })
  t.match(await get('/a', { 'accept-language': 'en' }), { text: 'answer 1' })
  t.match(await get('/a', { 'x-other': '1' }), { text: 'answer 2' })
  t.equal(requests.length, 3)
})

t.test('an origin that names more fields in Vary later is believed from then on', async t => {
  const { get } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60', 'vary': count === 0 ? 'x-a' : 'x-b' }, body: `answer ${count}` }))
  t.equal((await get('/a', { 'x-a': '1', 'x-b': '1' })).text, 'answer 0')
  t.equal((await get('/a', { 'x-a': '2', 'x-b': '1' })).text, 'answer 1')
  t.equal((await get('/a', { 'x-a': '2', 'x-b': '1' })).text, 'answer 1')
  t.equal((await get('/a', { 'x-a': '1', 'x-b': '1' })).text, 'answer 2', 'what was selected by too little is gone')
  t.equal((await get('/a', { 'x-a': '2', 'x-b': '2' })).text, 'answer 3')
})

t.test('an origin that never stops naming new fields is asked each time, in the end', async t => {
  const { get, requests } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60', 'vary': `x-${count}` }, body: 'x' }))
  for (let n = 0; n < 30; n++) await get('/a', { 'x-mine': String(n), [`x-${n - 1}`]: 'other' })
  t.equal(requests.length, 30)
})

t.test('stale-while-revalidate: the old answer at once, one request behind it', async t => {
  const { get, clock, requests } = await cacheOver(t, (_request, count) => ({ headers: { 'cache-control': 'max-age=60, stale-while-revalidate=30' }, body: `answer ${count}` }))
  await get('/a')
  clock.pass(70)
  for (let n = 0; n < 5; n++) t.match(await get('/a'), { text: n === 0 ? 'answer 0' : /answer/, cache: /^hit/ })
  await eventually(() => requests.length === 2)
  t.match(await get('/a'), { text: 'answer 1', cache: 'hit; ttl=60' })
  clock.pass(91)
  t.match(await get('/a'), { text: 'answer 2', cache: 'fwd=stale; fwd-status=200; ttl=60; stored' }, 'not after the window')
  t.equal(requests.length, 3)
})

t.test('stale-while-revalidate with an origin that fails: the old answer, and a try each second', async t => {
  const { get, clock, requests } = await cacheOver(t, (_request, count) => {
    if (count > 0) throw new MediaError('upstream-reset')
    return { headers: { 'cache-control': 'max-age=60' }, body: 'old' }
  }, { staleWhileRevalidateSeconds: 30 })
  await get('/a')
  clock.pass(70)
  for (let n = 0; n < 10; n++) t.equal((await get('/a')).text, 'old')
  t.equal(requests.length, 2)
  clock.pass(2)
  t.equal((await get('/a')).text, 'old')
  await eventually(() => requests.length === 3)
})

t.test('a fresh answer that came behind the client\'s back and is not for keeping is let go', async t => {
  const body = new Readable({ read () { /* nothing ever comes */ } })
  const { get, clock, requests } = await cacheOver(t, (_request, count) => count === 0 ? { headers: { 'cache-control': 'max-age=60, stale-while-revalidate=30' }, body: 'old' } : { headers: { 'cache-control': 'no-store' }, body })
  await get('/a')
  clock.pass(70)
  t.equal((await get('/a')).text, 'old')
  await eventually(() => requests.length === 2 && body.destroyed)
})

t.test('stale-if-error: failures and 5xx are made up for by what is kept, for as long as is allowed', async t => {
  for (const [how, fail] of [['a reset', () => { throw new MediaError('upstream-reset') }], ['a 503', () => ({ status: 503, body: 'down' })]] as const) {
    const { get, clock, requests } = await cacheOver(t, (_request, count) => count === 0 ? { headers: { 'cache-control': 'max-age=60, stale-if-error=100' }, body: 'kept' } : fail())
    await get('/a')
    clock.pass(61)
    t.match(await get('/a'), { status: 200, text: 'kept', cache: how === 'a 503' ? 'fwd=stale; fwd-status=503; ttl=-1' : 'fwd=stale; ttl=-1' }, how)
    t.match(await get('/a'), { text: 'kept', cache: 'hit; ttl=-1' }, 'within a second the origin is not asked again')
    t.equal(requests.length, 2)
    clock.pass(1)
    t.match(await get('/a', {}, { method: 'HEAD' }), { status: 200, text: '' }, 'for HEAD as well')
    t.equal(requests.length, 3)
    clock.pass(100)
    if (how === 'a 503') t.match(await get('/a'), { status: 503, text: 'down' })
    else await t.rejects(get('/a'), { code: 'upstream-reset' })
    if (how === 'a 503') t.match(await get('/a', {}, { method: 'HEAD' }), { status: 503 })
    else await t.rejects(get('/a', {}, { method: 'HEAD' }), { code: 'upstream-reset' })
  }
})

t.test('a 404 is no failure, and must-revalidate forbids making up for one', async t => {
  const { get, clock } = await cacheOver(t, ({ path }, count) => count < 2 ? { headers: { 'cache-control': path === '/b' ? 'max-age=60, must-revalidate' : 'max-age=60' }, body: 'kept' } : path === '/b' ? { status: 503 } : { status: 404 }, { staleIfErrorSeconds: 1000 })
  await get('/a')
  await get('/b')
  clock.pass(61)
  t.equal((await get('/a')).status, 404)
  t.equal((await get('/b')).status, 503)
})

t.test('errors with a lifetime are kept as they are', async t => {
  const { get, requests } = await cacheOver(t, () => ({ status: 404, headers: { 'cache-control': 'max-age=60', 'content-length': '4', 'etag': '"x"' }, body: 'none' }))
  await get('/a')
  t.match(await get('/a', { 'if-none-match': '"x"', 'range': 'bytes=0-1' }), { status: 404, text: 'none', cache: 'hit; ttl=60', headers: { 'content-length': '4' } }, 'preconditions are for 200 alone')
  t.match(await get('/a', {}, { method: 'HEAD' }), { status: 404, text: '', headers: { 'content-length': '4' } })
  t.equal(requests.length, 1)
})

t.test('HEAD is answered from what is kept; else it goes to the origin, and nothing is kept of it', async t => {
  const { get, requests } = await cacheOver(t, ({ method }) => ({ headers: { 'cache-control': 'max-age=60', 'content-length': '4' }, body: method === 'HEAD' ? '' : 'body' }))
  t.match(await get('/a', {}, { method: 'HEAD' }), { status: 200, text: '', cache: 'fwd=uri-miss; fwd-status=200' })
  await get('/a')
  t.match(await get('/a', {}, { method: 'HEAD' }), { status: 200, text: '', cache: 'hit; ttl=60', headers: { 'content-length': '4' } })
  t.same(requests.map(({ method }) => method), ['HEAD', 'GET'])
})

t.test('what HEAD tells of a stale answer holds for it, or ends it', async t => {
  for (const [isSame, told] of [[true, { etag: '"v1"' }], [true, {}], [true, { 'content-length': '4' }], [false, { etag: '"v2"' }], [false, { 'content-length': '5' }], [false, { 'last-modified': date(-5) }]] as const) {
    const { get, clock, requests } = await cacheOver(t, ({ method }) => method === 'HEAD'
      ? { headers: { 'cache-control': 'max-age=1000', 'x-a': 'new', ...told } }
      : { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"', 'last-modified': date(-10), 'x-b': 'kept' }, body: 'body' })
    await get('/a')
    clock.pass(61)
    t.match(await get('/a', {}, { method: 'HEAD' }), { status: 200, text: '', headers: { 'x-a': 'new', 'x-b': isSame ? 'kept' : undefined } }, JSON.stringify(told))
    t.match(await get('/a'), { text: 'body', headers: { 'x-a': isSame ? 'new' : undefined } })
    t.equal(requests.length, isSame ? 2 : 3)
  }
})

t.test('HEAD that forbids keeping, or is conditional, changes nothing but what it must', async t => {
  const { get, clock } = await cacheOver(t, ({ method, headers }) => method === 'HEAD'
    ? headers['if-none-match'] === undefined ? { headers: { 'cache-control': 'no-store', 'etag': '"v1"' } } : { status: 304 }
    : { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"' }, body: 'body' })
  await get('/a')
  clock.pass(61)
  t.match(await get('/a', { 'if-none-match': '"v1"' }, { method: 'HEAD' }), { status: 304 })
  t.match(await get('/a', {}, { method: 'HEAD' }), { status: 200, cache: 'fwd=stale; fwd-status=200' })
})

t.test('ranges are cut from what is kept whole; for others the origin is asked as it is', async t => {
  const { get, requests } = await cacheOver(t, ({ headers }) => headers.range === undefined
    ? { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"' }, body: '0123456789' }
    : { status: 206, headers: { 'content-range': 'bytes 2-3/10', 'cache-control': 'max-age=60' }, body: '23' })
  t.match(await get('/a', { range: 'bytes=2-3', 'if-range': '"v1"' }), { status: 206, text: '23', cache: 'fwd=uri-miss; fwd-status=206' })
  t.match(requests[0]?.headers, { range: 'bytes=2-3', 'if-range': '"v1"' })
  await get('/a')
  for (const [range, status, text, content] of [['bytes=0-1', 206, '01', 'bytes 0-1/10'], ['bytes=8-', 206, '89', 'bytes 8-9/10'], ['bytes=-3', 206, '789', 'bytes 7-9/10'], ['bytes=0-', 206, '0123456789', 'bytes 0-9/10'], ['bytes=0-0,5-6', 200, '0123456789', undefined], ['bytes=x', 200, '0123456789', undefined], ['bytes=10-', 416, '', 'bytes */10']] as const) {
    t.match(await get('/a', { range }), { status, text, headers: { 'content-range': content } }, range)
  }
  t.match(await get('/a', { 'range': 'bytes=0-1', 'if-range': '"v0"' }), { status: 200, text: '0123456789' })
  t.match(await get('/a', { 'range': 'bytes=0-1', 'if-range': '"v1"' }), { status: 206 })
  t.equal(requests.length, 2)
})

t.test('a player\'s first request, for all from the first byte on, fetches the whole', async t => {
  const { get, requests } = await cacheOver(t, () => ({ headers: { 'cache-control': 'max-age=60', 'content-length': '10' }, body: Readable.from([Buffer.from('0123456789')]) }))
  t.match(await get('/a', { range: 'bytes=0-' }), { status: 206, text: '0123456789', headers: { 'content-range': 'bytes 0-9/10', 'content-length': '10' } })
  t.equal(requests[0]?.headers.range, undefined)
  t.match(await get('/a', { range: 'bytes=5-6' }), { status: 206, text: '56' })
  t.equal(requests.length, 1)
})

t.test('a client\'s preconditions are decided here, also where the answer turns out not to be for keeping', async t => {
  const body = Readable.from([Buffer.from('0123456789')])
  const given = { 'cache-control': 'no-store', 'etag': '"v1"', 'last-modified': date(-60), 'content-length': '10', 'x-a': '1' }
  const { get, requests } = await cacheOver(t, (_request, count) => ({ headers: given, body: count === 0 ? body : '0123456789' }))
  t.match(await get('/a', { 'if-none-match': '"v1"', 'if-range': '"v1"' }), { status: 304, text: '', headers: { 'etag': '"v1"', 'x-a': '1', 'content-length': undefined } })
  t.ok(body.destroyed)
  t.match(requests[0]?.headers, { 'if-none-match': undefined, 'if-range': undefined })
  t.match(await get('/b', { 'if-match': '"v2"' }), { status: 412, text: '' })
  t.match(await get('/c', { 'range': 'bytes=0-', 'if-range': '"v1"' }), { status: 206, text: '0123456789', headers: { 'content-range': 'bytes 0-9/10' } })
  t.match(await get('/d', { 'range': 'bytes=0-', 'if-range': '"v2"' }), { status: 200, text: '0123456789' })
  t.match(await get('/e', { 'if-modified-since': date(-70) }), { status: 200, text: '0123456789' })
  t.match(await get('/e', { 'if-none-match': '"v1"' }), { status: 304 })
  t.match(requests.at(-1)?.headers, { 'if-none-match': undefined }, 'known not to be kept, and still asked so: the next answer may be')
})

t.test('500 who ask for the same at once make one request', async t => {
  const { cached, requests } = await cacheOver(t, async (_request, count) => {
    await new Promise(resolve => setTimeout(resolve, 20))
    return { headers: { 'cache-control': 'max-age=60' }, body: `answer ${count}` }
  })
  const answers = await Promise.all(Array.from({ length: 500 }, async () => await cached.answer({ method: 'GET', path: '/a', headers: {} })))
  t.equal(requests.length, 1)
  const outcomes = new Map<string, number>()
  for (const { outcome } of answers) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  t.same(Object.fromEntries(outcomes), { collapsed: 499, miss: 1 })
  t.ok(answers.every(({ representation }) => String(representation?.bytes) === 'answer 0'))
  t.match(answers[1]?.headers['cache-status'], 'fastify-media; fwd=uri-miss; fwd-status=200; ttl=60; stored; collapsed')
})

t.test('those who waited for what is not for all ask for themselves, side by side', async t => {
  let open = 0
  let most = 0
  let answers = 0
  const { get, requests } = await cacheOver(t, async (_request, count) => {
    most = Math.max(most, ++open)
    await new Promise(resolve => setTimeout(resolve, count === 0 ? 50 : 20))
    open--
    return { headers: { 'cache-control': 'private' }, body: `answer ${answers++}` }
  })
  for (const path of ['/a', `/${'long'.repeat(1000)}`]) {
    most = 0
    requests.length = 0
    const given = await Promise.all(Array.from({ length: 40 }, async () => await get(path)))
    t.equal(requests.length, 40)
    t.equal(new Set(given.map(({ text }) => text)).size, 40, 'nobody gets what is another\'s')
    t.equal(most, 39)
  }
  requests.length = 0
  await Promise.all(Array.from({ length: 10 }, async () => await get('/a')))
  t.equal(requests.length, 10, 'and for a while nobody waits for another')
})

t.test('those who waited for what varies get what is meant for them', async t => {
  const { get, requests } = await cacheOver(t, async ({ headers }) => {
    await new Promise(resolve => setTimeout(resolve, 20))
    return { headers: { 'cache-control': 'max-age=60', 'vary': 'accept-language' }, body: String(headers['accept-language']) }
  })
  const languages = ['de', 'en', 'fr']
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, n) => [languages[n % 3], (await get('/a', { 'accept-language': languages[n % 3] ?? '' })).text]))
  for (const [asked, got] of answers) t.equal(got, asked)
  t.equal(requests.length, 3)
})

t.test('a failure is everyone\'s who waited, and not remembered', async t => {
  const { get, requests } = await cacheOver(t, async (_request, count) => {
    await new Promise(resolve => setTimeout(resolve, 20))
    if (count === 0) throw new MediaError('upstream-timeout')
    return { headers: { 'cache-control': 'max-age=60' }, body: 'well' }
  })
  for (const result of await Promise.allSettled(Array.from({ length: 20 }, async () => await get('/a')))) t.match(result, { status: 'rejected', reason: { code: 'upstream-timeout' } })
  t.equal(requests.length, 1)
  t.equal((await get('/a')).text, 'well')
})

t.test('many who wait for one stale answer share what is done about it', async t => {
  const { get, clock, requests } = await cacheOver(t, async ({ headers }, count) => {
    await new Promise(resolve => setTimeout(resolve, 10))
    if (count > 1) return { status: 502 }
    return headers['if-none-match'] === undefined ? { headers: { 'cache-control': 'max-age=60', 'etag': '"v1"' }, body: 'body' } : { status: 304 }
  }, { staleIfErrorSeconds: 1000 })
  await get('/a')
  clock.pass(61)
  for (const { text } of await Promise.all(Array.from({ length: 20 }, async () => await get('/a')))) t.equal(text, 'body')
  t.equal(requests.length, 2)
  clock.pass(61)
  for (const { text } of await Promise.all(Array.from({ length: 20 }, async () => await get('/a')))) t.equal(text, 'body')
  t.equal(requests.length, 3)
})

t.test('who leaves does not end it for others; when all have left the request ends', async t => {
  let signal: AbortSignal | undefined
  let answer: () => void = () => undefined
  const { get, requests } = await cacheOver(t, async request => {
    signal = request.signal
    await new Promise<void>((resolve, reject) => {
      answer = resolve
      signal?.addEventListener('abort', () => reject(signal?.reason as Error))
    })
    return { headers: { 'cache-control': 'max-age=60' }, body: 'body' }
  })
  const [one, two] = [new AbortController(), new AbortController()]
  const first = get('/a', {}, { signal: one.signal })
  const second = get('/a', {}, { signal: two.signal })
  await eventually(() => requests.length === 1)
  one.abort(new Error('gone'))
  await t.rejects(first, { message: 'gone' })
  t.notOk(signal?.aborted)
  answer()
  t.equal((await second).text, 'body')

  const third = get('/b', {}, { signal: two.signal })
  await eventually(() => requests.length === 2)
  two.abort(new Error('gone too'))
  await t.rejects(third, { message: 'gone too' })
  t.ok(signal?.aborted)
  await t.rejects(get('/c', {}, { signal: two.signal }), { message: 'gone too' })
  t.equal(requests.length, 2)
})

t.test('an answer for one who has left, and for nobody else, is let go', async t => {
  const body = new Readable({ read () { /* nothing ever comes */ } })
  let answer: () => void = () => undefined
  const { get, requests } = await cacheOver(t, async (_request, count) => {
    if (count > 0) return { headers: { 'cache-control': 'no-store' }, body: 'mine' }
    await new Promise<void>(resolve => { answer = resolve })
    return { headers: { 'cache-control': 'no-store' }, body }
  })
  const leaver = new AbortController()
  const leaves = get('/a', {}, { signal: leaver.signal })
  await eventually(() => requests.length === 1)
  const stays = get('/a')
  await new Promise(resolve => setImmediate(resolve))
  leaver.abort(new Error('gone'))
  await t.rejects(leaves)
  answer()
  t.equal((await stays).text, 'mine')
  t.ok(body.destroyed)
})

t.test('interim answers reach the one who caused the request', async t => {
  const { get } = await cacheOver(t, ({ onInformation }) => {
    onInformation?.(103, { link: '</a.css>' })
    return { headers: { 'cache-control': 'max-age=60' }, body: 'body' }
  })
  const told: unknown[] = []
  await get('/a', {}, { onInformation: (...information) => told.push(information) })
  await get('/a', {}, { onInformation: (...information) => told.push(information) })
  t.same(told, [[103, { link: '</a.css>' }]])
})

t.test('unsafe methods go through, and what they may have changed is forgotten', async t => {
  const { get, requests } = await cacheOver(t, ({ method, path }, count) => method === 'GET'
    ? { headers: { 'cache-control': 'max-age=600' }, body: `answer ${count}` }
    : path === '/fails' ? { status: 500 } : { status: method === 'PUT' ? 303 : 201, headers: { 'location': '/b?x=1', 'content-location': 'http://127.0.0.1/base/c' } }, { origins: ['http://10.0.0.1', 'http://127.0.0.1/base/'] })
  const paths = ['/a', '/b?x=1', '/b', '/c', '/fails']
  const stamps = async (): Promise<string[]> => await Promise.all(paths.map(async path => (await get(path)).text))
  const before = await stamps()
  t.match(await get('/a', {}, { method: 'POST', body: Buffer.from('x') }), { status: 201, cache: 'fwd=method; fwd-status=201' })
  const after = await stamps()
  t.same(paths.filter((_, n) => before[n] !== after[n]), ['/a', '/b?x=1', '/c'])
  await get('/fails', {}, { method: 'DELETE' })
  await get('/a', {}, { method: 'OPTIONS' })
  t.same(await stamps(), after, 'a failure or a safe method changes nothing')
  for (const method of ['PUT', 'PATCH', 'DELETE', 'M-SEARCH', 'UNKNOWN']) {
    const [old] = await stamps()
    await get('/a', {}, { method })
    t.not((await stamps())[0], old, method)
  }
  t.equal(requests.filter(({ method }) => method === 'POST').length, 1)
})

t.test('another origin\'s URL in Location is none of ours', async t => {
  const locations = ['http://other.example/b', '//other.example/b', 'http://127.0.0.1:81/base/b', 'http://127.0.0.1/b', '/b', 'javascript:b', 'http://[', '/base/../b']
  for (const location of locations) {
    const { get } = await cacheOver(t, ({ method }, count) => method === 'GET' ? { headers: { 'cache-control': 'max-age=600' }, body: `answer ${count}` } : { status: 201, headers: { location } }, { origins: ['http://127.0.0.1/base'] })
    await get('/b')
    await get('/a', {}, { method: 'POST' })
    t.equal((await get('/b')).text, 'answer 0', location)
  }
})

t.test('what was on its way when something changed is not kept', async t => {
  let answer: () => void = () => undefined
  const { get, requests } = await cacheOver(t, async ({ method }, count) => {
    if (count === 0) await new Promise<void>(resolve => { answer = resolve })
    return { ...(method === 'GET' ? { headers: { 'cache-control': 'max-age=600' } } : {}), body: `answer ${count}` }
  })
  const early = get('/a')
  await eventually(() => requests.length === 1)
  const waits = get('/a')
  await get('/a', {}, { method: 'POST' })
  answer()
  t.equal((await early).text, 'answer 0', 'who asked first gets it')
  t.not((await waits).text, 'answer 0', 'nobody else')
  t.match(await get('/a'), { cache: /^hit/, text: 'answer 2' })
})

t.test('an answer that passes is not the end of what is kept; any other is', async t => {
  for (const [status, isKept] of [[408, true], [429, true], [500, true], [503, true], [401, false], [404, false], [200, false]] as const) {
    const { get, clock } = await cacheOver(t, (_request, count) => {
      if (count === 0) return { headers: { 'cache-control': 'max-age=60, stale-if-error=1000' }, body: 'kept' }
      if (count === 1) return { status, headers: { 'cache-control': 'no-store' }, body: 'other' }
      throw new MediaError('upstream-reset')
    })
    await get('/a')
    clock.pass(61)
    await get('/a')
    clock.pass(11)
    if (isKept) t.match(await get('/a'), { text: 'kept' }, String(status))
    else await t.rejects(get('/a'), { code: 'upstream-reset' }, String(status))
  }
})

t.test('what is not kept is remembered for a while, and for a moment where it only passed', async t => {
  for (const [status, seconds] of [[200, 10], [503, 1]] as const) {
    let open = 0
    let most = 0
    const { get, clock } = await cacheOver(t, async () => {
      most = Math.max(most, ++open)
      await new Promise(resolve => setTimeout(resolve, 10))
      open--
      return { status }
    })
    await get(`/${'a'.repeat(600)}`)
    await get('/a')
    const crowd = async (): Promise<number> => {
      most = 0
      await Promise.all(Array.from({ length: 5 }, async () => await get('/a')))
      return most
    }
    t.equal(await crowd(), 5, 'nobody waits')
    clock.pass(seconds)
    t.equal(await crowd(), 4, 'then four wait for the one who tries')
  }
})
