import { createServer, type Socket } from 'node:net'
import t from 'tap'
import { exchangeAlone } from '../../../../lib/upstream/gateway/lone-exchange.ts'
import { upstreamTo } from '../../../helpers/gateway.ts'
import { answer, origin, rawOrigin, silent } from '../../../helpers/origin.ts'
import { eventually, freePort } from '../../../helpers/process.ts'

const get = { method: 'GET', path: '/', headers: {} }

t.test('a signal that is aborted already connects to nothing', async t => {
  const backend = await rawOrigin(t, silent())
  const { connections } = await upstreamTo(t, [backend.url])
  await t.rejects(exchangeAlone(connections, { ...get, signal: AbortSignal.abort(new Error('left')) }), { message: 'left' })
  t.equal(backend.opened, 0)
})

t.test('who leaves while a connection is made leaves none behind', async t => {
  let resolve = (): void => {}
  const backend = await rawOrigin(t, silent())
  const { connections, upstream } = await upstreamTo(t, [`http://slow.example:${backend.port}`], { lookup: (_host, _options, answered) => { resolve = () => answered(null, [{ address: '127.0.0.1', family: 4 }]) } })
  const left = new AbortController()
  const sent = exchangeAlone(connections, { ...get, signal: left.signal })
  await eventually(() => connections.open === 1)
  left.abort(new Error('left'))
  resolve()
  await t.rejects(sent, { message: 'left' })
  t.equal(connections.open, 0)
  t.equal(backend.requests.length, 0)
  t.match(upstream.origins.state(), [{ pending: 0, failures: 0 }], 'the origin is not at fault')
})

t.test('an origin that fails is told to those who share requests out', async t => {
  const { connections, upstream } = await upstreamTo(t, [`http://127.0.0.1:${await freePort()}`], { config: { ejectAfter: 2 } })
  for (const code of ['upstream-refused', 'upstream-refused', 'upstream-unavailable']) await t.rejects(exchangeAlone(connections, get), { code })
  t.match(upstream.origins.state(), [{ state: 'ejected' }])
  t.equal(connections.open, 0)
})

t.test('answers are whole, and their connections closed', async t => {
  const backend = await origin(t, (request, response) => { response.writeHead(200, { 'x-method': request.method, 'keep-alive': 'x' }).end('ok') })
  const { connections, upstream } = await upstreamTo(t, [backend.url])
  const answer = await exchangeAlone(connections, { ...get, method: 'POST', body: Buffer.from('hello'), headers: { 'content-length': '5' } })
  t.notOk('socket' in answer)
  if ('socket' in answer) return
  t.match(answer, { status: 200, headers: { 'x-method': 'POST' } })
  t.equal(answer.headers['keep-alive'], undefined)
  const chunks: Buffer[] = []
  for await (const chunk of answer.body) chunks.push(chunk as Buffer)
  t.equal(Buffer.concat(chunks).toString(), 'ok')
  t.equal(answer.trailers(), undefined)
  t.ok(await eventually(() => connections.open === 0 && backend.connections === 0))
  t.match(upstream.origins.state(), [{ pending: 0, failures: 0 }])
})

t.test('a request that cannot be written is a failure, and leaves no connection behind', async t => {
  const { connections, upstream } = await upstreamTo(t, [(await rawOrigin(t, answer())).url])
  for (const bad of [{ headers: { 'x-bad': 'a\r\nb' } }, { headers: { 'bad name': 'x' } }, { path: '/a b' }]) await t.rejects(exchangeAlone(connections, { ...get, ...bad }), { code: 'bad-request' })
  t.equal(connections.open, 0)
  t.match(upstream.origins.state(), [{ failures: 0 }], 'the origin is not at fault')
})

t.test('no more than the limit', async t => {
  const sockets: Socket[] = []
  const server = createServer(socket => { sockets.push(socket.on('error', () => {})) })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { connections } = await upstreamTo(t, [`http://127.0.0.1:${(server.address() as { port: number }).port}`], { config: { liveConnections: 1 } })
  const first = await connections.connect()
  await t.rejects(connections.connect(), { code: 'upstream-busy', headers: { 'retry-after': '1' } })
  first.end('good')
  first.end('bad')
  t.equal(connections.open, 0, 'what ends twice is counted once')
  const second = await connections.connect()
  second.end('neutral')
})
