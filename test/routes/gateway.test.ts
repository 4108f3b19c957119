import { METHODS } from 'node:http'
import t from 'tap'
import { ask } from '../helpers/app.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { origin, type Origin } from '../helpers/origin.ts'
import { head, wire } from '../helpers/wire.ts'

/** Answers what it was asked. */
async function echo (t: Parameters<typeof origin>[0]): Promise<Origin> {
  return await origin(t, (request, response, { body }) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: body?.toString('latin1') }))
  }, { gather: true })
}

function told ({ text }: { text: string }): { method: string, url: string, headers: Record<string, string>, body: string } {
  return JSON.parse(text) as ReturnType<typeof told>
}

t.test('every method that Node.js reads goes through', async t => {
  const backend = await echo(t)
  const served = await serveGateway(t, backend.url)
  for (const method of METHODS.filter(name => name !== 'CONNECT')) {
    const answer = await ask(served, '/api/things', { method })
    t.equal(answer.status, 200, method)
    t.equal(backend.requests.at(-1)?.method, method)
    if (method !== 'HEAD') t.equal(told(answer).method, method)
  }
  for (const method of ['PROPFIND', 'PURGE', 'M-SEARCH', 'TRACE']) t.ok(backend.requests.some(request => request.method === method), method)
})

t.test('the prefix is stripped, or replaced; the rest of the target stands as it was sent', async t => {
  const backend = await echo(t)
  const stripped = await serveGateway(t, backend.url)
  const replaced = await serveGateway(t, `${backend.url}/v2`, { mount: { upstreamPath: '/backend/assets/' } })
  const targets: Array<[string, string]> = [
    ['', '/'], ['/', '/'], ['/a', '/a'], ['/a/', '/a/'], ['/a?b=1&b=2&c', '/a?b=1&b=2&c'], ['/?', '/?'], ['/a?u=http://x/%zz%2F', '/a?u=http://x/%zz%2F'],
    ['/%2F', '/%2F'], ['/a%2Fb', '/a%2Fb'], ['/%61', '/%61'], ['/a//b', '/a//b'], ['//a', '//a'], ['///a', '///a'], ['/%5C', '/%5C'], ['/a\\b', '/a\\b'], ['/a;b=1', '/a;b=1'], ['/%252F', '/%252F'],
    ['/[x]', '/[x]'], ['/..name', '/..name'], ['/...', '/...'], ['/a%2f..x', '/a%2f..x'], ['/name..', '/name..'], ['/%E4', '/%E4'], ['/%E4/%C3%A4', '/%E4/%C3%A4'], ['/%', '/%'], ['/%zz', '/%zz'], ['/a/./b', '/a/./b'], ['/a/%2E/b', '/a/%2E/b'], ['/%ff%fe?x=%ff', '/%ff%fe?x=%ff'],
    ['/*', '/*'], ["/a'b(c)!", "/a'b(c)!"], [`/${'x'.repeat(8000)}`, `/${'x'.repeat(8000)}`]
  ]
  for (const [sent, expected] of targets) {
    const plain = await ask(stripped, `/api${sent}`)
    t.equal(plain.status, 200, sent.slice(0, 40))
    t.equal(told(plain).url, expected)
    t.equal(told(await ask(replaced, `/api${sent}`)).url, sent === '' || sent === '/' ? '/v2/backend/assets/' : sent === '/?' ? '/v2/backend/assets/?' : `/v2/backend/assets${expected}`)
  }
  t.equal(told(await ask(stripped, '/%61pi/x%2Fy')).url, '/x%2Fy', 'the prefix may be spelled in another way')
})

t.test('a gateway at the root, and none outside of its prefix', async t => {
  const backend = await echo(t)
  const root = await serveGateway(t, backend.url, { prefix: '' })
  for (const path of ['/', '/a', '//a', '//evil.example/x', '/%E4']) t.equal(told(await ask(root, path)).url, path)
  const below = await serveGateway(t, backend.url)
  for (const path of ['/', '/apis', '/api2/x', '/ap']) t.equal((await ask(below, path)).status, 404, path)
})

t.test('a target in absolute form is taken, and its host is the one that counts', async t => {
  const backend = await echo(t)
  const served = await serveGateway(t, backend.url, { mount: { host: 'client' } })
  const client = await wire(t, served)
  client.send(head('GET http://other.example:81/api/a%2Fb?c=1', ['Connection: close']))
  const { url, headers } = told({ text: (await client.end()).split('\r\n\r\n')[1] ?? '' })
  t.equal(url, '/a%2Fb?c=1')
  t.equal(headers['host'], 'other.example:81')
  t.equal(headers['x-forwarded-host'], 'other.example:81')
})

t.test('Host is that of the origin, or the client\'s', async t => {
  const backend = await echo(t)
  const headers = { host: 'media.example:8080' }
  const rewritten = told(await ask(await serveGateway(t, backend.url), '/api/', { headers }))
  t.equal(rewritten.headers['host'], `127.0.0.1:${backend.port}`)
  const kept = told(await ask(await serveGateway(t, backend.url, { mount: { host: 'client' } }), '/api/', { headers }))
  t.equal(kept.headers['host'], 'media.example:8080')
})

t.test('Range, conditionals and HEAD are the origin\'s to answer', async t => {
  const backend = await origin(t, (request, response) => {
    const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers
    if (ifNoneMatch !== undefined) response.writeHead(304, { etag: ifNoneMatch, 'content-length': '4711' }).end()
    else if (range !== undefined) response.writeHead(206, { 'content-range': 'bytes 1-2/4', 'content-length': '2', 'x-if-range': ifRange ?? '' }).end('ab')
    else response.writeHead(200, { 'content-length': '123456', etag: '"v"' }).end(request.method === 'HEAD' ? undefined : 'x'.repeat(123_456))
  })
  const served = await serveGateway(t, backend.url)
  t.match(await ask(served, '/api/', { method: 'HEAD' }), { status: 200, headers: { 'content-length': '123456', etag: '"v"' }, text: /^$/ })
  t.match(await ask(served, '/api/', { headers: { range: 'bytes=1-2', 'if-range': '"v"' } }), { status: 206, headers: { 'content-range': 'bytes 1-2/4', 'content-length': '2', 'x-if-range': '"v"' }, text: /^ab$/ })
  t.match(await ask(served, '/api/', { headers: { 'if-none-match': '"v"' } }), { status: 304, headers: { etag: '"v"', 'content-length': '4711' } })
})

t.test('answers without a body stay such, whatever their status', async t => {
  const backend = await origin(t, (request, response) => { response.writeHead(Number(request.url?.slice(1)), { 'x-seen': 'yes' }).end() })
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  for (const status of [204, 205, 304, 404, 200, 500, 302]) {
    client.send(head(`GET /api/${status}`))
    await client.until(new RegExp(`HTTP/1\\.1 ${status} [^]*\r\n\r\n`))
  }
  t.same([...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => Number(match[1])), [204, 205, 304, 404, 200, 500, 302], 'over one connection')
  t.notOk(client.ended)
  t.notMatch(/HTTP\/1\.1 204 [^]*?\r\n\r\n/.exec(client.text)?.[0] ?? '', /content-length|transfer-encoding/i, '204 has neither length nor coding')
})

t.test('the status and fields of an answer come as they are, several of one name apart', async t => {
  const backend = await origin(t, (_request, response) => {
    response.writeHead(418, [['Set-Cookie', 'a=1; Path=/'], ['Set-Cookie', 'b=2'], ['Link', '</a>; rel=x'], ['Link', '</b>; rel=y'], ['X-Latin', 'caf\u00e9'], ['Cache-Control', 'max-age=60'], ['Content-Type', 'text/x-own'], ['Date', 'Mon, 01 Jan 2024 00:00:00 GMT']].flat())
    response.end('short and stout')
  })
  const answer = await ask(await serveGateway(t, backend.url), '/api/')
  t.equal(answer.status, 418)
  t.same(answer.headers['set-cookie'], ['a=1; Path=/', 'b=2'])
  t.match(answer.headers, { link: '</a>; rel=x, </b>; rel=y', 'x-latin': 'caf\u00e9', 'content-type': 'text/x-own', date: 'Mon, 01 Jan 2024 00:00:00 GMT', 'content-length': '15' })
  t.equal(answer.text, 'short and stout')
})

t.test('bytes without a media type stay without one', async t => {
  const backend = await origin(t, (_request, response) => { response.end('{"a":1}') })
  const answer = await ask(await serveGateway(t, backend.url), '/api/')
  t.equal(answer.headers['content-type'], undefined)
  t.equal(answer.text, '{"a":1}')
})

t.test('a prefix that is a pattern is refused', async t => {
  await t.rejects(serveGateway(t, 'http://127.0.0.1:1', { prefix: '/:tenant' }), { message: 'Expected a prefix without parameters but received /:tenant' })
})
