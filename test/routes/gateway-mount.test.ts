import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { ask, scratch, serveMedia } from '../helpers/app.ts'
import { origin } from '../helpers/origin.ts'
import { eventually, freePort } from '../helpers/process.ts'

t.test('a mount with delivery "gateway" is a whole API', async t => {
  const backend = await origin(t, (request, response, { body }) => {
    response.writeHead(request.url === '/v2/none' ? 404 : 200, { 'content-type': 'application/json', 'cache-control': 'max-age=5', 'access-control-allow-origin': '*', location: `${backend.url}/v2/next` })
    response.end(JSON.stringify([request.method, request.url, body?.toString()]))
  }, { gather: true })
  const root = await scratch(t, { 'a.txt': 'a file' })
  const served = await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    upstreams: { backend: { origins: [{ url: `${backend.url}/v2` }] } },
    mounts: [{ prefix: '/', source: 'files' }, { prefix: '/api', delivery: 'gateway', upstream: 'backend', cors: { origins: ['https://a.example'] } }]
  })
  for (const method of ['GET', 'POST', 'DELETE', 'PROPFIND']) {
    const answer = await ask(served, '/api/things%2F1?x', { method, body: 'hello' })
    t.same(JSON.parse(answer.text), [method, '/v2/things%2F1?x', 'hello'])
    t.match(answer.headers, { location: '/api/next', 'cache-control': 'max-age=5', vary: /Origin/ })
  }
  t.equal((await ask(served, '/api/none', { headers: { origin: 'https://evil.example' } })).headers['access-control-allow-origin'], undefined, 'who may read is the mount\'s to say')
  t.equal((await ask(served, '/api/none')).status, 404)
  t.equal((await ask(served, '/a.txt')).text, 'a file', 'files lie beside it')
  t.equal((await ask(served, '/a.txt', { headers: { connection: 'Upgrade', upgrade: 'h2c' } })).text, 'a file')
  t.match((await ask(served, '/api/', { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'PUT' } })).headers, { 'access-control-allow-origin': 'https://a.example' })
})

t.test('WebSockets too, and the log and hooks tell of them', async t => {
  const server = createServer()
  new WebSocketServer({ server }).on('connection', socket => { socket.on('message', text => socket.send(text)) })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const served = await serveMedia(t, {
    upstreams: { chat: { origins: [{ url: `http://127.0.0.1:${port}` }] }, down: { origins: [{ url: `http://127.0.0.1:${await freePort()}` }] } },
    mounts: [{ prefix: '/chat', delivery: 'gateway', upstream: 'chat' }],
    upstreamHooks: { '/chat': { resolve: request => request.url.endsWith('down') ? 'down' : undefined } }
  })
  const client = new WebSocket(`ws://127.0.0.1:${served.port}/chat/room`)
  await once(client, 'open')
  client.send('hello')
  t.equal(String((await once(client, 'message') as [Buffer])[0]), 'hello')
  client.close()
  t.ok(await eventually(() => served.logs.some(line => line['path'] === '/chat/room' && line['status'] === 101 && line['mount'] === '/chat')))
  const refused = new WebSocket(`ws://127.0.0.1:${served.port}/chat/down`)
  refused.on('error', () => {})
  const [, response] = await once(refused, 'unexpected-response') as [unknown, { statusCode: number, resume: () => void }]
  t.equal(response.statusCode, 502)
  response.resume()
})
