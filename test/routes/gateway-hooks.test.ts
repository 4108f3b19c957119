import { Readable } from 'node:stream'
import t from 'tap'
import { resolveConfig } from '../../lib/config/resolve.ts'
import type { MountConfig } from '../../lib/config/schema.ts'
import { MediaError } from '../../lib/errors.ts'
import type { Sender } from '../../lib/upstream/message.ts'
import { publicRewriters } from '../../lib/upstream/rewrite/public-rewriters.ts'
import { rewritingSender } from '../../lib/upstream/rewrite/rewriting-sender.ts'
import { ask } from '../helpers/app.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { chunk, head as answerHead, origin, rawOrigin, reset, trailers } from '../helpers/origin.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { head, wire } from '../helpers/wire.ts'

/** A sender of an app's own, which says its name. */
function saying (name: string): Sender {
  return { name, send: async () => ({ status: 200, headers: { 'x-by': name }, body: Buffer.from(name), trailers: () => undefined }) }
}

t.test('resolve gives the upstream: by name, as a sender, later, or not at all', async t => {
  const backend = await origin(t, (_request, response) => { response.end('mount') })
  const answers: Record<string, unknown> = { named: 'named', own: saying('own'), later: Promise.resolve('named'), none: undefined }
  const served = await serveGateway(t, backend.url, {
    mount: {
      named: name => name === 'named' ? saying('named') : undefined,
      hooks: { resolve: request => answers[request.url.slice(5)] as undefined }
    }
  })
  for (const [path, expected] of Object.entries({ named: 'named', own: 'own', later: 'named', none: 'mount' })) t.equal((await ask(served, `/api/${path}`)).text, expected)
})

t.test('an upstream that is none is a fault of the app', async t => {
  const served = await serveGateway(t, 'http://127.0.0.1:1', { mount: { hooks: { resolve: () => 'nobody' } } })
  t.match(await ask(served, '/api/'), { status: 500, text: /"code":"internal"/ })
  t.ok(await eventually(() => JSON.stringify(served.logs).includes('Expected resolve to name an upstream but received')))
})

t.test('rewriteRequest has the last word on what is asked', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(JSON.stringify([request.method, request.url, request.headers['x-token'], request.headers['x-forwarded-for'], body?.toString()])) }, { gather: true })
  const served = await serveGateway(t, backend.url, {
    mount: {
      hooks: {
        rewriteRequest ({ method, path, headers }, request) {
          const { 'x-forwarded-for': _gone, ...rest } = headers
          return { method: method === 'POST' ? 'PUT' : method, path: `/v2${path}`, headers: { ...rest, 'x-token': `for ${request.id}` } }
        }
      }
    }
  })
  t.same(JSON.parse((await ask(served, '/api/a?b', { method: 'POST', body: 'hello' })).text), ['PUT', '/v2/a?b', 'for req-1', null, 'hello'])
})

t.test('rewriteResponse changes the head, and the body still comes', async t => {
  const backend = await origin(t, (_request, response) => { response.writeHead(404, { 'x-inner': '1', 'content-type': 'text/plain' }).end('nothing') })
  const served = await serveGateway(t, backend.url, {
    mount: { hooks: { rewriteResponse: async ({ headers: { 'x-inner': _gone, ...headers } }, request) => ({ status: 410, headers: { ...headers, 'x-outer': request.method } }) } }
  })
  const answer = await ask(served, '/api/')
  t.match(answer, { status: 410, headers: { 'x-outer': 'GET', 'content-type': 'text/plain' }, text: 'nothing' })
  t.equal(answer.headers['x-inner'], undefined)
})

t.test('onUpstreamError is told of each failure, and may answer', async t => {
  const codes: string[] = []
  const served = await serveGateway(t, `http://127.0.0.1:${await freePort()}`, {
    mount: {
      hooks: {
        onUpstreamError (error, request) {
          codes.push(error.code)
          if (request.url.endsWith('quiet')) return undefined
          if (request.url.endsWith('worse')) throw new MediaError('unavailable', { detail: 'Not today' })
          return { status: 200, headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' }, body: 'instead' }
        }
      }
    }
  })
  t.match(await ask(served, '/api/'), { status: 200, headers: { 'content-type': 'text/plain' }, text: 'instead' })
  t.match(await ask(served, '/api/quiet'), { status: 502, text: /upstream-refused/ })
  t.match(await ask(served, '/api/worse'), { status: 503, text: /Not today/ })
  t.same(codes, ['upstream-refused', 'upstream-refused', 'upstream-refused'])
  t.ok(await eventually(() => served.logs.some(line => line['msg'] === 'The app answers in place of the upstream')))
})

t.test('a hook that throws, or gives no answer, is a fault of the app', async t => {
  const backend = await origin(t, (_request, response) => { response.end('ok') })
  for (const hooks of [
    { resolve: () => { throw new Error('mine') } },
    { rewriteRequest: async () => await Promise.reject(new Error('mine')) },
    { rewriteRequest: () => ({ method: 'GET', path: '/', headers: { 'x-bad': 'a\r\nb: c' } }) },
    { rewriteResponse: () => { throw new Error('mine') } },
    { rewriteResponse: () => ({ status: 99, headers: {} }) },
    { rewriteResponse: () => { throw 'no error' } } // oxlint-disable-line no-throw-literal
  ]) {
    const { status, text } = await ask(await serveGateway(t, backend.url, { mount: { hooks } }), '/api/')
    t.ok(status >= 400, text)
    t.notMatch(text, /mine|no error/)
  }
})

t.test('answers are rewritten, those to requests with trailer fields and to handshakes too', async t => {
  const backend = await origin(t, (request, response) => { response.writeHead(302, { location: `http://${request.headers.host}/v2/there`, 'set-cookie': 'a=1; Domain=inside.example; Path=/v2', 'content-type': 'text/html' }).end(`<a href="http://${request.headers.host}/v2/there">`) }, { gather: true })
  const { config } = await resolveConfig({ mounts: [{ prefix: '/api', delivery: 'gateway', upstream: 'backend', rewrite: { urls: true } }], upstreams: { backend: { origins: [{ url: backend.url }] } } }, { base: process.cwd() })
  const { rewrite } = config.mounts[0] as MountConfig
  const rewriterFor = publicRewriters({ ...rewrite, origins: [new URL(`${backend.url}/v2`)], mountPrefix: '/api' })
  const served = await serveGateway(t, `${backend.url}/v2`, { mount: { around: (sender, request) => rewritingSender(sender, rewriterFor(request.publicBase)) } })
  const requests = {
    plain: head('GET /api/', ['Connection: close']),
    'with trailer fields': head('POST /api/', ['Trailer: X-Sum', 'Transfer-Encoding: chunked', 'Connection: close']) + '0\r\nX-Sum: 1\r\n\r\n',
    handshake: head('GET /api/', ['Connection: Upgrade', 'Upgrade: websocket'])
  }
  for (const [name, request] of Object.entries(requests)) {
    const client = await wire(t, served)
    client.send(request)
    const text = await client.end()
    t.match(text, /location: \/api\/there\r\n/i, name)
    t.match(text, /set-cookie: a=1; path=\/api/i)
    t.match(text, /<a href="\/api\/there">/)
    t.notMatch(text, new RegExp(String(backend.port)))
  }
})

t.test('without connections of its own a request loses its trailer fields, and nothing else', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(`${String(body)} ${request.headers.trailer} ${JSON.stringify(request.trailers)}.`) }, { gather: true })
  const client = await wire(t, await serveGateway(t, backend.url, { mount: { connectionsOf: () => undefined } }))
  client.send(head('POST /api/', ['Trailer: X-Sum', 'Transfer-Encoding: chunked']) + `${chunk('hi').toString()}0\r\nX-Sum: 1\r\n\r\n`)
  t.ok(await client.until('hi undefined {}.'))
})

t.test('a body that a hook of the app has read is sent as it is then', async t => {
  const backend = await origin(t, (request, response, { body }) => { response.end(`${String(body)} ${request.headers['content-length']}`) }, { gather: true })
  for (const make of [(text: string) => text, (text: string) => Buffer.from(text)]) {
    const served = await serveGateway(t, backend.url, {
      scope: scope => scope.addHook('preHandler', async function readBody (request) {
        const chunks: Buffer[] = []
        for await (const each of request.raw) chunks.push(each as Buffer)
        request.body = make(Buffer.concat(chunks).toString().toUpperCase() + '!')
      })
    })
    t.equal((await ask(served, '/api/', { method: 'POST', body: 'hello' })).text, 'HELLO! 6')
  }
  const stream = await serveGateway(t, backend.url, {
    scope: scope => scope.addHook('preHandler', async function changeBody (request) { request.body = Readable.from([Buffer.from('12345')], { objectMode: false }) })
  })
  t.equal((await ask(stream, '/api/', { method: 'POST', body: 'hello' })).text, '12345 5')
})

t.test('trailer fields of any sender\'s body go on', async t => {
  const body = (): Readable => Readable.from([Buffer.from('bo'), Buffer.from('dy')], { objectMode: false })
  const own: Sender = { name: 'own', send: async () => ({ status: 200, headers: { trailer: 'X-Sum' }, body: body(), trailers: () => ({ 'x-sum': ['1', '2'], 'set-cookie': 'a=1' }) }) }
  const client = await wire(t, await serveGateway(t, 'http://127.0.0.1:1', { mount: { upstream: own } }))
  client.send(head('GET /api/'))
  const text = await client.until('x-sum: 2\r\n\r\n')
  t.match(text, /dy\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n$/)
  const lengthy: Sender = { ...own, send: async () => ({ status: 200, headers: { 'content-length': '4' }, body: body(), trailers: () => ({ 'x-sum': '1' }) }) }
  t.equal((await ask(await serveGateway(t, 'http://127.0.0.1:1', { mount: { upstream: lengthy } }), '/api/')).text, 'body')
})

t.test('a body of any sender that had failed before it is sent is a failure', async t => {
  for (const error of [new MediaError('upstream-reset'), new Error('of its own')]) {
    const own: Sender = {
      name: 'own',
      async send () {
        const body = new Readable({ read () {} })
        body.on('error', () => {})
        body.destroy(error)
        return { status: 200, headers: { 'set-cookie': 'a=1' }, body, trailers: () => undefined }
      }
    }
    const { status, headers } = await ask(await serveGateway(t, 'http://127.0.0.1:1', { mount: { upstream: own } }), '/api/')
    t.equal(status, error instanceof MediaError ? 502 : 500)
    t.equal(headers['set-cookie'], undefined)
  }
})

t.test('an answer on a connection of its own that dies, pauses or is abandoned', async t => {
  const posted = head('POST /api/', ['Trailer: X', 'Transfer-Encoding: chunked']) + '0\r\n\r\n'
  const dying = await rawOrigin(t, async ({ socket }) => {
    socket.write(`${answerHead(200, { 'Content-Length': 100 })}half`)
    await new Promise(resolve => setTimeout(resolve, 50))
    reset(socket)
  })
  const served = await serveGateway(t, dying.url)
  const cut = await wire(t, served)
  cut.send(posted)
  t.match(await cut.end(), /200 OK[^]*half$/)
  const pausing = await rawOrigin(t, ({ socket }) => { socket.write(`${answerHead(200, { 'Content-Length': 100 })}half`) })
  const limited = await serveGateway(t, pausing.url, { config: { idleTimeoutMs: 300 } })
  const paused = await wire(t, limited)
  paused.send(posted)
  t.match(await paused.end(), /200 OK[^]*half$/)
  const patient = await serveGateway(t, pausing.url, { config: { idleTimeoutMs: 0 } })
  const leaving = await wire(t, patient)
  leaving.send(posted)
  await leaving.until('half')
  leaving.socket.destroy()
  const trailing = await serveGateway(t, (await rawOrigin(t, trailers('body', { 'X-Sum': 'abc' }))).url)
  const whole = await wire(t, trailing)
  whole.send(posted)
  t.ok(await whole.until('x-sum: abc\r\n\r\n'))
  for (const { connections } of [served, limited, patient, trailing]) t.ok(await eventually(() => connections.open === 0))
})
