import t from 'tap'
import { as, json, post, serveApi, url } from '../helpers/api.ts'
import { ask } from '../helpers/app.ts'

/*
 * Bodies and queries that are more, less or something else than an operation takes: with names that every object has,
 * deep, large, twice, of another type. All are the client's fault, and none has an effect.
 */

const move = { from: '/photos/note.txt', to: '/photos/other.txt' }

t.test('names that every object has are refused, and change nothing for whoever comes next', async t => {
  const served = await serveApi(t)
  for (const body of ['{"from":"/photos/note.txt","to":"/photos/other.txt","__proto__":{"overwrite":true}}', '{"from":"/photos/note.txt","to":"/photos/other.txt","constructor":{"prototype":{"overwrite":true}}}', '{"__proto__":{"from":"/photos/note.txt","to":"/photos/other.txt"}}', '{"from":"/photos/note.txt","to":{"__proto__":{"a":1}}}', '{"from":"/photos/note.txt","to":"/photos/other.txt","toString":"x"}']) {
    t.match(await post(served, '/move', body, as('editor')), { status: 400, text: /"bad-request"/ }, body)
  }
  for (const query of ['__proto__=1', '__proto__[limit]=1', 'constructor=1', 'hasOwnProperty=1']) t.equal((await ask(served, `/api/v1/list?path=/photos/&${query}`, as('editor'))).status, 400, query)
  t.equal(({} as { overwrite?: unknown }).overwrite, undefined)
  t.match(json(await ask(served, url('list', { path: '/photos/' }), as('editor'))), { path: '/photos/' })
})

t.test('what is no JSON, or not what is taken, is refused by the name of the field', async t => {
  const served = await serveApi(t)
  const refused: Array<[body: unknown, detail: RegExp]> = [
    [{}, /^from: Expected a text, but it is missing/],
    [{ from: move.from }, /^to: Expected a text, but it is missing/],
    [{ ...move, from: 1 }, /^from: Expected a text but received 1/],
    [{ ...move, to: null }, /^to: Expected a text but received null/],
    [{ ...move, to: [move.to] }, /^to: Expected a text/],
    [{ ...move, overwrite: 'yes' }, /^overwrite: Expected true or false/],
    [{ ...move, Overwrite: true }, /^Overwrite: Unknown key. Did you mean overwrite\?/],
    [{ ...move, to: 'other.txt' }, /^to: Expected something like/],
    [{ ...move, to: `/${'x'.repeat(5000)}` }, /^to: Expected at most 4096 characters/],
    [[], /^The request body: Expected an object/],
    ['"text"', /^The request body: Expected an object/],
    ['null', /^The request body: Expected an object but received null/]
  ]
  for (const [body, detail] of refused) t.match(json(await post(served, '/move', body, as('editor'))), { status: 400, code: 'bad-request', detail }, JSON.stringify(body).slice(0, 100))
  for (const body of ['', '{', '{"from":', '{"from":"/photos/note.txt"}}', '\u0000', '['.repeat(60_000)]) t.match(await post(served, '/move', body, as('editor')), { status: 400 }, body.slice(0, 20))
  t.match(await ask(served, '/api/v1/move', { method: 'POST', ...as('editor') }), { status: 400, text: /The request body: Expected an object/ })
  t.match(await ask(served, url('stat', { path: '/photos/other.txt' }), as('editor')), { status: 404 }, 'nothing was moved')
})

t.test('other media types than JSON are not read, and large bodies not kept', async t => {
  const served = await serveApi(t)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', 'text/json', 'application/xml', 'nothing']) {
    t.match(await post(served, '/move', move, as('editor', { 'content-type': type })), { status: 415, text: /"unsupported-media-type"/ }, type)
  }
  t.equal((await post(served, '/move', { ...move, to: '/photos/utf.txt' }, as('editor', { 'content-type': 'application/json; charset=utf-8' }))).status, 201)
  t.match(await post(served, '/purge', `{"what":"${'x'.repeat(65_536)}"}`, as('editor')), { status: 413, text: /"body-too-large"/ })
})

t.test('queries are taken as they are told, once', async t => {
  const served = await serveApi(t)
  const list = async (query: string) => await ask(served, `/api/v1/list?${query}`, as('editor'))
  for (const query of ['', 'path=', 'path=photos', 'path=/photos/&path=/vault/', 'path[]=/photos/', 'path=/photos/&limit=0', 'path=/photos/&limit=1001', 'path=/photos/&limit=ten', 'path=/photos/&limit=1e1e1', 'path=/photos/&limit=', 'path=/photos/&limit=1&limit=2', 'path=/photos/&cursor=', 'path=/photos/&cursor=%00', 'path=/photos/&Path=/x', 'path=/photos/&x']) t.match(await list(query), { status: 400, text: /"bad-request"/ }, query)
  for (const cursor of ['====', 'YQ', 'MS8', '!', Buffer.from('1/a/b').toString('base64url'), Buffer.from('-1/a').toString('base64url'), Buffer.from('9999999/a').toString('base64url'), `${Buffer.from('1/a').toString('base64url')}A`, 'x'.repeat(5000)]) t.match(await list(`path=/photos/&cursor=${cursor}`), { status: 400, text: /cursor: / }, cursor.slice(0, 20))
  t.match(await list('path=/photos/&limit=1000'), { status: 200 })
})

t.test('a body that is said to be what it is not is refused by an upload, too', async t => {
  const served = await serveApi(t)
  const put = async (headers: Record<string, string>, body = 'text') => await ask(served, url('file', { path: '/photos/up.txt' }), { method: 'PUT', body, ...as('editor', headers) })
  t.match(await put({ 'content-range': 'bytes 0-3/8' }), { status: 400 })
  t.match(await put({ 'content-encoding': 'gzip' }), { status: 415 })
  t.match(await put({ 'content-digest': 'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:' }), { status: 400, text: /"bad-digest"/ })
  t.match(await put({ 'content-type': 'image/png' }), { status: 415 })
  t.match(await put({ 'if-match': '*' }), { status: 412 })
  t.equal((await ask(served, url('stat', { path: '/photos/up.txt' }), as('editor'))).status, 404)
  t.equal((await put({ 'content-type': 'application/json' }, '{"broken')).status, 415, 'the type is that of the name')
  t.equal((await ask(served, url('file', { path: '/photos/data.json' }), { method: 'PUT', body: '{"a":1}', ...as('editor', { 'content-type': 'application/json' }) })).status, 201, 'JSON is a file like any other')
})
