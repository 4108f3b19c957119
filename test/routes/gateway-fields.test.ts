import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { ask } from '../helpers/app.ts'
import { serveGateway, type GatewayChoices } from '../helpers/gateway.ts'
import { hopByHop, origin, rawOrigin, type Origin } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { head, wire } from '../helpers/wire.ts'

type Test = Parameters<typeof origin>[0]

async function ok (t: Test): Promise<Origin> {
  return await origin(t, (_request, response) => { response.end('ok') }, { gather: true })
}

/** What the origin gets of a request with these fields; the answer is a 200. */
async function passed (t: Test & { match: (found: string, pattern: RegExp) => unknown }, request: string, choices?: GatewayChoices): Promise<IncomingHttpHeaders> {
  const backend = await ok(t)
  const client = await wire(t, await serveGateway(t, backend.url, choices))
  client.send(request)
  t.match(await client.until(/\r\n\r\nok$/), /HTTP\/1\.1 200 OK/)
  return backend.requests[0]?.headers ?? {}
}

t.test('fields of the client\'s connection are no failure, and stay behind', async t => {
  const fields: string[] = ['Keep-Alive: timeout=5', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', 'Proxy-Authorization: Basic c2VjcmV0', 'Proxy-Connection: keep-alive', 'Proxy-Authenticate: x', 'TE: trailers, deflate', 'Trailer: X-Sum', 'Expect: 100-continue']
  for (const field of fields) {
    const headers = await passed(t, head('GET /api/', [field, 'X-Kept: yes']))
    const name = field.split(':')[0]?.toLowerCase() ?? ''
    t.equal(headers[name], undefined, name)
    t.equal(headers['x-kept'], 'yes')
  }
  const all = await passed(t, head('GET /api/', fields))
  t.same(Object.keys(all).filter(name => fields.some(field => field.toLowerCase().startsWith(`${name}:`))), [], 'all at once')
})

t.test('fields that the client\'s Connection names stay behind, but not what would change the message', async t => {
  const headers = await passed(t, head('GET /api/', ['Connection: keep-alive, X-Secret, Authorization, Host, X-Forwarded-For', 'X-Secret: 1', 'Authorization: Basic x', 'X-Kept: yes']))
  t.equal(headers['x-secret'], undefined)
  t.equal(headers['authorization'], undefined)
  t.equal(headers['x-kept'], 'yes')
  t.equal(headers['x-forwarded-for'], '127.0.0.1', 'what this server adds is not the client\'s to take away')
  t.ok(headers.host)
})

t.test('Expect: 100-continue is met here, and the body follows', async t => {
  const backend = await ok(t)
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('POST /api/', ['Expect: 100-continue', 'Content-Length: 5']))
  await client.until('HTTP/1.1 100 Continue\r\n\r\n')
  client.send('hello')
  t.match(await client.until(/\r\n\r\nok$/), /HTTP\/1\.1 200 OK/)
  t.equal(backend.requests[0]?.body?.toString(), 'hello')
  t.equal(backend.requests[0]?.headers.expect, undefined)
})

t.test('another expectation is refused with 417, not with a failure of ours', async t => {
  const backend = await ok(t)
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('GET /api/', ['Expect: miracles', 'Connection: close']))
  t.match(await client.end(), /^HTTP\/1\.1 417 /)
})

t.test('fields of the origin\'s connection stay behind, nominated ones too', async t => {
  const backend = await rawOrigin(t, hopByHop())
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('GET /api/'))
  const answer = await client.until(/\r\n\r\nok$/)
  for (const gone of ['X-Nominated', 'ETag2', 'Proxy-Authenticate', 'Proxy-Authentication-Info', 'Proxy-Connection', '\\nTE', 'Upgrade', 'Connection: close']) t.notMatch(answer, new RegExp(gone, 'i'), gone)
  t.match(answer, /x-end-to-end: stays/i)
  client.send(head('GET /api/'))
  await client.until(/ok[^]*ok$/)
  t.notOk(client.ended, 'the origin closed its connection, and the client\'s is still there')
})

t.test('an origin that keeps its connection does not keep the client\'s', async t => {
  const backend = await rawOrigin(t, ({ socket }) => { socket.write('HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=500\r\nContent-Length: 2\r\n\r\nok') })
  const served = await serveGateway(t, backend.url)
  for (const request of [head('GET /api/', ['Connection: close']), head('GET /api/ HTTP/1.0'), head('GET /api/ HTTP/1.0', ['Connection: close'])]) {
    const client = await wire(t, served)
    client.send(request)
    t.match(await client.end(), /connection: close\r\n[^]*ok$/i)
  }
  const client = await wire(t, served)
  client.send(head('GET /api/ HTTP/1.0', ['Connection: keep-alive']))
  t.match(await client.until(/\r\n\r\nok$/), /connection: keep-alive/i, 'a length makes HTTP/1.0 connections stay, where they want to')
})

t.test('who asked is told by this server: what clients claim is replaced', async t => {
  const claims = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 1', 'X-Forwarded-Prefix: /evil', 'X-Real-IP: 6.6.6.6', 'Forwarded: for=6.6.6.6']
  const spoofed = await passed(t, head('GET /api/', claims))
  t.match(spoofed, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'media.example', 'x-forwarded-proto': 'http', 'x-forwarded-prefix': '/api', forwarded: 'for=127.0.0.1;host=media.example;proto=http', via: '1.1 fastify-media' })
  t.equal(spoofed['x-real-ip'], undefined)
  t.equal(spoofed['x-forwarded-port'], undefined)

  const trusted = await passed(t, head('GET /api/', [...claims, 'Via: 1.0 front']), { trustedProxies: ['127.0.0.1'] })
  t.match(trusted, { 'x-forwarded-for': '6.6.6.6, 127.0.0.1', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', via: '1.0 front, 1.1 fastify-media' }, 'a trusted proxy is believed')
})

t.test('Via tells of this server in answers too', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(200, { via: '1.1 inner' }).end('ok') })
  t.equal((await ask(await serveGateway(t, backend.url), '/api/')).headers.via, '1.1 inner, 1.1 fastify-media')
})

t.test('Vary of the origin joins that of this server', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(200, { vary: 'Accept, origin' }).end('ok') })
  const served = await serveGateway(t, backend.url, { cors: { origins: ['https://a.example'] } })
  t.equal((await ask(served, '/api/')).headers.vary, 'Origin, Accept')
})

t.test('a mount with CORS rules has no others', async t => {
  const backend = await origin(t, (request, response) => {
    response.writeHead(200, { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true', 'timing-allow-origin': '*', 'x-method': request.method }).end('ok')
  })
  const own = await serveGateway(t, backend.url, { cors: { origins: ['https://a.example'] } })
  const allowed = await ask(own, '/api/', { headers: { origin: 'https://a.example' } })
  t.match(allowed.headers, { 'access-control-allow-origin': 'https://a.example' })
  t.equal(allowed.headers['access-control-allow-credentials'], undefined)
  for (const headers of [{ origin: 'https://evil.example' }, {}]) {
    const other = await ask(own, '/api/', { headers })
    t.equal(other.status, 200)
    t.same(Object.keys(other.headers).filter(name => name.includes('allow')), [])
  }
  const preflight = await ask(own, '/api/', { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'PUT' } })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers['x-method'], undefined, 'preflights are answered here')

  const none = await serveGateway(t, backend.url)
  t.match((await ask(none, '/api/', { method: 'OPTIONS', headers: { origin: 'https://b.example', 'access-control-request-method': 'PUT' } })).headers, { 'access-control-allow-origin': '*', 'x-method': 'OPTIONS' }, 'without rules of its own they are the origin\'s')
})

t.test('fields of 60 kB come back', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(200, { 'x-large': 'x'.repeat(60_000) }).end('ok') })
  const client = await wire(t, await serveGateway(t, backend.url))
  client.send(head('GET /api/'))
  t.ok((await client.until(/\r\n\r\nok$/)).includes(`x-large: ${'x'.repeat(60_000)}\r\n`))
})

t.test('what an app\'s hooks put on an answer stays, unless the origin says otherwise', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(200, { 'x-both': 'origin', 'set-cookie': 'origin=1' }).end('ok') })
  const served = await serveGateway(t, backend.url, {
    scope: scope => scope.addHook('onRequest', function mark (_request, reply, done) {
      reply.headers({ 'x-both': 'app', 'x-app': 'app', 'set-cookie': 'app=1' })
      done()
    })
  })
  t.match((await ask(served, '/api/')).headers, { 'x-both': 'origin', 'x-app': 'app', 'set-cookie': ['app=1', 'origin=1'] })
})

t.test('the log tells of a request once, with its mount', async t => {
  const backend = await ok(t)
  const served = await serveGateway(t, backend.url)
  await ask(served, '/api/a?token=secret')
  await eventually(() => served.logs.some(line => line['msg'] === 'request'))
  const lines = served.logs.filter(line => !String(line['msg']).startsWith('Server listening'))
  t.match(lines, [{ method: 'GET', path: '/api/a', status: 200, mount: '/api', cache: 'gateway' }])
  t.equal(lines.length, 1)
})
