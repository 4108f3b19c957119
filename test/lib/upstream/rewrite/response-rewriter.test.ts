import { Readable } from 'node:stream'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import t from 'tap'
import type { Fields, UpstreamResponse } from '../../../../lib/upstream/message.ts'
import { responseRewriter, type RewriteOptions } from '../../../../lib/upstream/rewrite/response-rewriter.ts'

const origins = [new URL('http://origin:8080/base/')]
const types = ['text/html', 'text/css', 'application/json', 'application/vnd.apple.mpegurl']
const usual: RewriteOptions = { origins, mountPrefix: '/cdn', locations: true, cookies: 'adapt', types, urls: false, replace: [] }
const texts: RewriteOptions = { ...usual, urls: true }
const get = { method: 'GET', headers: {} }

function answer (headers: Fields, body: Buffer | Readable | string = '', rest: { status?: number, trailers?: Fields } = {}): UpstreamResponse {
  return { status: rest.status ?? 200, headers, body: typeof body === 'string' ? Buffer.from(body) : body, trailers: () => rest.trailers }
}

async function textOf ({ body }: UpstreamResponse): Promise<string> {
  return Buffer.isBuffer(body) ? body.toString() : Buffer.concat(await body.toArray()).toString()
}

const page = '<a href="http://origin:8080/base/x">'
const changedPage = '<a href="/cdn/x">'

t.test('fields that name the origin are changed in every answer, bodies in none unless asked for', async t => {
  const rewriter = responseRewriter(usual)
  const response = answer({ location: '/base/x', link: '</base/y>; rel=preload', 'set-cookie': ['a=1; Domain=origin', 'b=2; Path=/other'], 'content-type': 'text/html', 'content-length': '36', etag: '"e"' }, page, { status: 301, trailers: { a: 'b' } })
  const changed = rewriter.rewrite(get, response)
  t.same(changed.headers, { location: '/cdn/x', link: '</cdn/y>; rel=preload', 'set-cookie': ['a=1'], 'content-type': 'text/html', 'content-length': '36', etag: '"e"' })
  t.equal(changed.body, response.body)
  t.equal(changed.status, 301)
  t.same(changed.trailers(), { a: 'b' })
  const plain = answer({ 'content-type': 'text/html' }, page)
  t.equal(rewriter.rewrite(get, plain), plain, 'what holds nothing of it is the same')
  const headers = { 'accept-encoding': 'zstd', 'if-none-match': '"x"' }
  t.equal(rewriter.requestHeaders({ method: 'GET', headers }), headers)
  t.equal(rewriter.isPartOfText({ status: 206, headers: { 'content-type': 'text/html' } }), false)
})

t.test('cookies are kept, adapted or dropped, references kept where that is asked for', async t => {
  const fields = { location: '/base/x', 'set-cookie': 'a=1; Domain=origin; Path=/' }
  t.same(responseRewriter({ ...usual, cookies: 'keep' }).fields(fields), { location: '/cdn/x', 'set-cookie': 'a=1; Domain=origin; Path=/' })
  t.same(responseRewriter({ ...usual, cookies: 'adapt' }).fields(fields), { location: '/cdn/x', 'set-cookie': ['a=1; Path=/cdn'] })
  t.same(responseRewriter({ ...usual, cookies: 'drop', locations: false }).fields(fields), { location: '/base/x' })
  t.same(responseRewriter({ ...texts, cookies: 'drop', locations: false }).rewrite(get, answer(fields)).headers, { location: '/base/x' })
})

t.test('a body that came whole is changed whole, with its length and without what was true before', async t => {
  const before = { 'content-type': 'text/html; charset=utf-8', 'content-length': '36', 'accept-ranges': 'bytes', 'content-md5': 'x', digest: 'x', 'content-digest': 'x', 'repr-digest': 'x', 'last-modified': 'Wed, 21 Oct 2026 07:28:00 GMT', 'cache-control': 'max-age=5', vary: 'Accept' }
  const changed = responseRewriter(texts).rewrite(get, answer(before, page))
  t.same(changed.headers, { 'content-type': 'text/html; charset=utf-8', 'content-length': String(changedPage.length), 'last-modified': 'Wed, 21 Oct 2026 07:28:00 GMT', 'cache-control': 'max-age=5', vary: 'Accept' })
  t.ok(Buffer.isBuffer(changed.body))
  t.equal(await textOf(changed), changedPage)
  t.equal(before['content-length'], '36', 'the answer itself is left alone')
  const empty = responseRewriter(texts).rewrite(get, answer({ 'content-type': 'text/html', 'content-encoding': 'gzip' }))
  t.same([empty.headers['content-length'], empty.body], ['0', Buffer.alloc(0)], 'so is nothing')
})

t.test('a body that streams is changed as it streams, and has no length', async t => {
  const stream = Readable.from([Buffer.from(page.slice(0, 20)), Buffer.from(page.slice(20))])
  const changed = responseRewriter(texts).rewrite(get, answer({ 'content-type': 'text/html', 'content-length': '36' }, stream, { trailers: { 'repr-digest': 'x', 'content-md5': 'x', 'x-more': 'y' } }))
  t.equal(changed.headers['content-length'], undefined)
  t.equal(await textOf(changed), changedPage)
  t.same(changed.trailers(), { 'x-more': 'y' }, 'digests in trailers go too')
  t.equal(responseRewriter(texts).rewrite(get, answer({ 'content-type': 'text/html' }, page)).trailers(), undefined)
})

t.test('encoded bodies are decoded, and go out as they are', async t => {
  const rewriter = responseRewriter(texts)
  for (const [coding, bytes] of [['gzip', gzipSync(page)], ['br', brotliCompressSync(page)], ['gzip, br', brotliCompressSync(gzipSync(page))]] as const) {
    for (const body of [bytes, Readable.from([bytes])]) {
      const changed = rewriter.rewrite(get, answer({ 'content-type': 'text/html', 'content-encoding': coding, 'content-length': String(bytes.length) }, body))
      t.same(changed.headers, { 'content-type': 'text/html' })
      t.equal(await textOf(changed), changedPage)
    }
  }
})

t.test('each type is changed in its way', async t => {
  const rewriter = responseRewriter({ ...texts, replace: [{ from: 'secret', to: 'public' }] })
  const rows: Array<[string, string, string]> = [
    ['text/html', 'secret "/base/x" "http:\\/\\/origin:8080\\/base\\/x"', 'public "/cdn/x" "\\/cdn\\/x"'],
    ['application/json', '{"secret":"/base/x","b":"http:\\/\\/origin:8080\\/base\\/x"}', '{"public":"/base/x","b":"\\/cdn\\/x"}'],
    ['application/vnd.apple.mpegurl', '#EXTM3U\n#secret "/base/x"\n/base/secret.ts\n', '#EXTM3U\n#public "/base/x"\n/cdn/public.ts\n'],
    ['text/plain', 'secret http://origin:8080/base/x', 'secret http://origin:8080/base/x']
  ]
  for (const [type, before, after] of rows) t.equal(await textOf(rewriter.rewrite(get, answer({ 'content-type': type }, before))), after, type)
  const playlist = answer({ 'content-type': 'application/vnd.apple.mpegurl' }, '/base/secret.ts\n')
  t.equal(await textOf(responseRewriter({ ...usual, replace: [{ from: 'secret', to: 'public' }] }).rewrite(get, playlist)), '/base/public.ts\n', 'texts alone')
  t.equal(await textOf(responseRewriter(texts).rewrite(get, playlist)), '/cdn/secret.ts\n', 'URLs alone')
  const own = responseRewriter({ ...texts, replace: [{ from: 'http://origin:8080/base/', to: 'https://elsewhere/' }] })
  t.equal(await textOf(own.rewrite(get, answer({ 'content-type': 'text/html' }, page))), '<a href="https://elsewhere/x">', 'a text of the configuration goes before a URL that is equal to it')
})

t.test('what cannot be changed, or must not be, passes', async t => {
  const rewriter = responseRewriter(texts)
  const rows: Array<[string, Fields, number?]> = [
    ['another type', { 'content-type': 'video/mp4' }],
    ['no type', {}],
    ['another charset', { 'content-type': 'text/html; charset=utf-16' }],
    ['a coding that is not known', { 'content-type': 'text/html', 'content-encoding': 'zstd' }],
    ['no-transform', { 'content-type': 'text/html', 'cache-control': 'public, No-Transform, max-age=1' }],
    ['a part', { 'content-type': 'text/html', 'content-range': 'bytes 0-35/36' }, 206],
    ['nothing', { 'content-type': 'text/html' }, 204]
  ]
  for (const [name, fields, status = 200] of rows) {
    const response = answer({ ...fields, 'content-length': '36', etag: '"e"' }, page, { status })
    const changed = rewriter.rewrite(get, response)
    t.same([changed.headers, changed.body, changed.status], [response.headers, response.body, status], name)
  }
  t.match(rewriter.rewrite(get, answer({ 'content-type': 'text/html', 'cache-control': 'x-no-transform-2' }, page)).headers, { 'content-length': String(changedPage.length) })
  t.equal(await textOf(rewriter.rewrite(get, answer({ 'content-type': 'text/html' }, page, { status: 404 }))), changedPage, 'the page of an error is a page')
})

t.test('HEAD tells what GET would, without a length', async t => {
  const rewriter = responseRewriter(texts)
  const fields = { 'content-type': 'text/html', 'content-length': '36', etag: '"e"' }
  const head = rewriter.rewrite({ method: 'HEAD', headers: {} }, answer(fields))
  const { 'content-length': _length, ...described } = rewriter.rewrite(get, answer(fields, page)).headers
  t.same(head.headers, described)
  t.same(head.body, Buffer.alloc(0))
})

t.test('the entity tag is weak, tells of the changes, and works in conditionals', async t => {
  const rewriter = responseRewriter(texts)
  const tag = rewriter.rewrite(get, answer({ 'content-type': 'text/html', etag: '"e"' }, page)).headers.etag as string
  t.match(tag, /^W\/"e~[\w-]{11}s"$/)
  const asked = { method: 'GET', headers: { 'if-none-match': tag } }
  t.equal(rewriter.requestHeaders(asked)['if-none-match'], '"e"')
  const notModified = rewriter.rewrite(asked, answer({ etag: '"e"', 'content-length': '36', 'content-location': '/base/x' }, '', { status: 304 }))
  t.same(notModified.headers, { etag: tag, 'content-location': '/cdn/x' })
  for (const bad of [['"a"', '"b"'], 'unquoted', '']) t.equal(rewriter.rewrite(get, answer({ 'content-type': 'text/html', etag: bad }, page)).headers.etag, undefined)

  const others: RewriteOptions[] = [{ ...texts, replace: [{ from: 'a', to: 'b' }] }, { ...texts, mountPrefix: '/other' }, { ...texts, origins: [new URL('http://origin/')] }, { ...texts, publicBase: 'https://media.example' }]
  for (const options of others) {
    const other = responseRewriter(options)
    t.not(other.rewrite(get, answer({ 'content-type': 'text/html', etag: '"e"' }, page)).headers.etag, tag)
    t.equal(other.requestHeaders(asked)['if-none-match'], tag, 'a tag of other changes matches nothing at the origin')
  }
  const again = responseRewriter({ ...texts, types: [...types, 'text/plain'], origins: [...origins, ...origins] })
  t.not(again, rewriter)
})

t.test('a 304 to who has what was not changed keeps its tag', async t => {
  const rewriter = responseRewriter(texts)
  const fields = { etag: '"e"', 'last-modified': 'Wed, 21 Oct 2026 07:28:00 GMT' }
  t.same(rewriter.rewrite({ method: 'GET', headers: { 'if-none-match': '"e"' } }, answer(fields, '', { status: 304 })).headers, fields)
  t.same(rewriter.rewrite({ method: 'GET', headers: { 'if-modified-since': 'x' } }, answer(fields, '', { status: 304 })).headers, { 'last-modified': fields['last-modified'] }, 'by a date: nobody knows what it has, so it keeps the tag that it has')
})

t.test('the origin is asked in its own words', async t => {
  const rewriter = responseRewriter(texts)
  const tag = rewriter.rewrite(get, answer({ 'content-type': 'text/html', etag: '"e"' }, page)).headers.etag as string
  const sent = (method: string, headers: Fields): Fields => rewriter.requestHeaders({ method, headers })
  t.same(sent('GET', { 'accept-encoding': 'zstd, gzip', accept: '*/*' }), { 'accept-encoding': 'gzip', accept: '*/*' })
  t.same(sent('GET', {}), {})
  t.same(sent('GET', { range: 'bytes=0-1', 'if-range': tag }), {}, 'a part of what was changed')
  t.same(sent('GET', { range: 'bytes=0-1', 'if-range': '"e"' }), { range: 'bytes=0-1', 'if-range': '"e"' })
  t.same(sent('GET', { 'if-match': tag }), { 'if-match': tag }, 'weak: it matches nothing')
  t.same(sent('PUT', { 'if-match': tag }), { 'if-match': '"e"' }, 'who writes back what was read means what was read')
  t.same(sent('GET', { 'if-none-match': ['"a"', tag] }), { 'if-none-match': '"a", "e"' })
})

t.test('parts of what is to be changed are known', async t => {
  const rewriter = responseRewriter(texts)
  const isPart = (status: number, type?: string): boolean => rewriter.isPartOfText({ status, headers: type === undefined ? {} : { 'content-type': type } })
  t.same([isPart(206, 'text/html'), isPart(206, 'multipart/byteranges; boundary=x'), isPart(206, 'video/mp4'), isPart(206), isPart(200, 'text/html')], [true, true, false, false, false])
})

t.test('more than can be looked for is refused when it is configured', async t => {
  t.throws(() => responseRewriter({ ...texts, replace: Array.from({ length: 10_000 }, (_, n) => ({ from: `${n}${'x'.repeat(2000)}`, to: '' })) }), { name: 'RangeError' })
})
