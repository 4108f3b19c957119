import { connect } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { ask, oneMount, scratch, serve, serveMedia, type Served } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import telemetry from '../../plugins/telemetry.ts'

async function lineOf (served: Served, path: string): Promise<Record<string, unknown> | undefined> {
  const find = (): Record<string, unknown> | undefined => served.logs.findLast(line => line.msg === 'request' && line.path === path)
  await eventually(() => find() !== undefined)
  return find()
}

t.test('one line a request: method, path without its query, status, bytes, time, mount, cache', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'meow', 'large.bin': Buffer.alloc(600_000) }), { prefix: '/f' }))
  await ask(served, '/f/a.txt?signature=secret')
  t.match(await lineOf(served, '/f/a.txt'), { level: 30, method: 'GET', status: 200, bytes: 4, client: '127.0.0.1', mount: '/f', cache: 'load', reqId: /./, ms: Number })
  await ask(served, '/f/a.txt')
  t.ok(await eventually(() => served.logs.some(line => line.cache === 'hot')))
  await ask(served, '/f/a.txt', { method: 'HEAD' })
  t.ok(await eventually(() => served.logs.some(line => line.method === 'HEAD' && line.bytes === 0)))
  await ask(served, '/f/large.bin')
  t.match(await lineOf(served, '/f/large.bin'), { bytes: 600_000, cache: 'disk' })
  await ask(served, '/f/none')
  t.match(await lineOf(served, '/f/none'), { status: 404 })
  await ask(served, '/elsewhere')
  t.match(await lineOf(served, '/elsewhere'), { status: 404, mount: '' })
  t.equal(served.logs.filter(line => line.msg === 'request').length, 6)
  t.notMatch(JSON.stringify(served.logs), /secret/)
})

t.test('a signature that came into the path of a broken link is not written down', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t)))
  for (const path of ['/a.txt%3Fsig=a.e1.MAC', '/a.txt&sig=a.e1.MAC', '/a.txt%3fsig%3Da.e1.MAC/x', '/sig=a.e1.MAC/design=x']) await ask(served, path)
  t.ok(await lineOf(served, '/sig=redacted/design=x'))
  t.ok(await lineOf(served, '/a.txt%3fsig%3Dredacted/x'))
  t.notMatch(JSON.stringify(served.logs), /MAC/)
})

t.test('a download that broke off is in the log, with what was sent', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'large.bin': Buffer.alloc(40_000_000) })))
  const socket = connect(served.port, '127.0.0.1')
  socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  const line = await lineOf(served, '/large.bin')
  t.match(line, { aborted: true, status: 200 })
  t.ok(Number(line?.bytes) < 40_000_000)
})

t.test('the client is the one that trusted proxies name', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'a' }), {}, {}, { trustedProxies: ['127.0.0.0/8'] }))
  await ask(served, '/a.txt', { headers: { 'x-forwarded-for': '203.0.113.9' } })
  t.match(await lineOf(served, '/a.txt'), { client: '203.0.113.9' })
})

t.test('an answer of unknown length has none in the log', async t => {
  const served = await serve(t, async app => {
    await app.register(telemetry, {})
    app.get('/', (_request, reply) => { reply.hijack(); reply.raw.write('a'); reply.raw.end('b') })
  })
  await ask(served, '/')
  t.equal((await lineOf(served, '/'))?.bytes, undefined)
})

t.test('Server-Timing where it was asked for', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const served = await serveMedia(t, oneMount(root, {}, {}, { log: { serverTiming: true, requests: false } }))
  t.match((await ask(served, '/a.txt')).headers['server-timing'], /^total;dur=\d+\.\d, cache;desc=load$/)
  t.match((await ask(served, '/none')).headers['server-timing'], /^total;dur=\d+\.\d$/)
  t.equal(served.logs.filter(line => line.msg === 'request').length, 0)
  const without = await serveMedia(t, oneMount(root))
  t.equal((await ask(without, '/a.txt')).headers['server-timing'], undefined)
})
