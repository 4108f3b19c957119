import t from 'tap'
import { MediaError } from '../../lib/errors.ts'
import errors, { serverOptions } from '../../plugins/errors.ts'
import { ask, oneMount, raw, scratch, serve, serveMedia } from '../helpers/app.ts'

t.test('every failure is a problem document with a stable code and the request id', async t => {
  const served = await serve(t, async app => {
    await app.register(errors)
    app.get('/ours', async () => { throw new MediaError('conflict', { detail: 'Public words', context: { path: '/secret/path' }, headers: { 'x-more': '1' } }) })
    app.get('/crash', async (_request, reply) => { reply.headers({ etag: '"x"', 'content-encoding': 'gzip', 'content-range': 'bytes 0-1/2', 'cache-control': 'public' }); throw new Error('secret detail in /etc/passwd') })
    app.get('/client', async () => { throw Object.assign(new Error('secret'), { statusCode: 418 }) })
    app.get('/status', async () => { throw Object.assign(new Error('secret'), { statusCode: 413 }) })
    app.post('/', async () => 'ok')
  })
  const ours = await ask(served, '/ours')
  t.match(ours, { status: 409, headers: { 'content-type': /^application\/problem\+json/, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'x-more': '1' } })
  t.match(JSON.parse(ours.text), { status: 409, code: 'conflict', detail: 'Public words', title: /./, requestId: /./ })
  t.notMatch(ours.text, /secret/)
  const crash = await ask(served, '/crash')
  t.match(JSON.parse(crash.text), { status: 500, code: 'internal' })
  t.notMatch(crash.text, /secret/)
  for (const name of ['etag', 'content-encoding', 'content-range']) t.equal(crash.headers[name], undefined)
  t.match(JSON.parse((await ask(served, '/client')).text), { status: 418, code: 'client-error', title: "I'm a Teapot" }, 'a host\'s own status stays')
  t.ok(served.logs.some(line => line.reason === 'secret'), 'and why is in the log')
  t.match(JSON.parse((await ask(served, '/status')).text), { status: 413, code: 'body-too-large' })
  t.match(JSON.parse((await ask(served, '/none')).text), { status: 404, code: 'not-found' })
  t.match(await ask(served, '/', { method: 'POST', headers: { 'content-type': 'text/x' }, body: 'x' }), { status: 415 })
  t.match(await ask(served, '/', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }), { status: 400 })
  t.ok(served.logs.some(line => line.level === 50 && /secret detail/.test(JSON.stringify(line))), 'the cause is in the log')
  t.ok(served.logs.some(line => line.level === 40 && line.path === '/secret/path'))
})

t.test('what fails before a route is found is a problem too', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t)))
  t.match(JSON.parse((await ask(served, '/%E0%A4%A')).text), { status: 400, code: 'bad-path' })
  for (const [bytes, status, code] of [
    ['GARBAGE\r\n\r\n', 400, 'bad-request'],
    [`GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(65_536)}\r\n\r\n`, 431, 'headers-too-large'],
    ['GET / HTTP/1.1\r\n\r\n', 400, 'bad-request'],
    ['GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400, 'bad-path']
  ] as const) {
    const answer = await raw(served, bytes)
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `), bytes.slice(0, 30))
    if (!bytes.startsWith('GET / HTTP/1.1\r\n\r\n')) t.match(answer, `"code":"${code}"`)
  }
})

t.test('a body that breaks while it is being answered ends the connection, since its rest will never come', async t => {
  const served = await serve(t, async app => {
    await app.register(errors)
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', function leaveBody (_request, _payload, done) { done(null) })
    app.post('/', (_request, reply) => {
      reply.hijack()
      reply.raw.writeHead(200)
      reply.raw.write('begun')
    })
  }, serverOptions)
  const answered = await raw(served, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n', 15_000)
  t.match(answered, /^HTTP\/1\.1 200 OK[^]*begun\r\n$/)
  t.notMatch(answered, /400/)
})
