import t from 'tap'
import { ask } from '../helpers/app.ts'
import { serveGateway } from '../helpers/gateway.ts'
import { content, endless, head as answerHead, origin, rawOrigin, silent } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'
import { head, wire } from '../helpers/wire.ts'

t.test('a client that leaves ends its request to the origin, before the head too', async t => {
  const stages = {
    'before the head': { script: silent(), request: head('GET /api/'), until: undefined },
    'before the head, after its body': { script: silent(), request: `${head('POST /api/', ['Content-Length: 5'])}hello`, until: undefined },
    'within its own body': { script: silent(), request: `${head('POST /api/', ['Content-Length: 50000000'])}hello`, until: undefined },
    'within its own chunked body': { script: silent(), request: `${head('POST /api/', ['Transfer-Encoding: chunked'])}5\r\nhello\r\n`, until: undefined },
    'within its own body with trailer fields': { script: silent(), request: `${head('POST /api/', ['Trailer: X', 'Transfer-Encoding: chunked'])}5\r\nhello\r\n`, until: undefined },
    'within the body': { script: endless(), request: head('GET /api/'), until: 'video/x-flv' },
    'within the handshake of a WebSocket': { script: silent(), request: head('GET /api/', ['Connection: Upgrade', 'Upgrade: websocket']), until: undefined }
  }
  for (const [name, { script, request, until }] of Object.entries(stages)) {
    for (const leave of ['destroy', 'end', 'resetAndDestroy'] as const) {
      const backend = await rawOrigin(t, script)
      const served = await serveGateway(t, backend.url)
      const client = await wire(t, served)
      client.send(request)
      await eventually(() => backend.requests.length === 1)
      if (until !== undefined) await client.until(until)
      client.socket[leave]()
      const left = performance.now()
      await eventually(() => backend.requests[0]?.closed === true)
      t.ok(performance.now() - left < 5000, `${name}, ${leave}: ${Math.round(performance.now() - left)} ms`)
      t.ok(await eventually(() => served.logs.some(line => line['msg'] === 'request')), 'and is in the log')
      t.equal(served.connections.open, 0)
      t.same(served.logs.filter(line => Number(line['level']) > 40), [], 'nobody is at fault')
    }
  }
})

t.test('two hundred clients that left do not starve the next', async t => {
  const backend = await origin(t, (request, response) => { if (request.url === '/now') response.end('ok') })
  const served = await serveGateway(t, backend.url, { config: { connections: 16 } })
  const clients = await Promise.all(Array.from({ length: 200 }, async () => await wire(t, served)))
  for (const client of clients) client.send(head('GET /api/never'))
  await eventually(() => backend.requests.length >= 16)
  for (const client of clients) client.socket.destroy()
  t.equal((await ask(served, '/api/now')).text, 'ok')
  t.ok(await eventually(() => backend.aborted >= 16), 'and who was asked knows')
})

t.test('live streams on a pool of their own leave files alone', async t => {
  const live = await rawOrigin(t, async request => {
    if (request.target === '/file') request.socket.write(`${answerHead(200, { 'Content-Length': 2 })}ok`)
    else await endless({ everyMs: 20, pieceBytes: 10 })(request)
  })
  const choices = { config: { connections: 8, liveConnections: 200 } }
  const files = await serveGateway(t, live.url, choices)
  const streams = await serveGateway(t, live.url, { ...choices, mount: { get upstream () { return files.upstream.live } } })
  const viewers = await Promise.all(Array.from({ length: 140 }, async () => await wire(t, streams)))
  for (const viewer of viewers) viewer.send(head('GET /api/live.flv'))
  for (const viewer of viewers) await viewer.until('video/x-flv')
  t.equal((await ask(files, '/api/file')).text, 'ok')
  t.ok(viewers.every(viewer => !viewer.ended), 'each of 140 viewers is served')
})

t.test('an upload of which the origin has heard enough goes no further', async t => {
  const backend = await rawOrigin(t, ({ socket }) => { socket.end(`${answerHead(200, { 'Content-Length': 2, Connection: 'close' })}ok`) })
  const served = await serveGateway(t, backend.url)
  const client = await wire(t, served)
  client.send(head('POST /api/', ['Content-Length: 1000000']))
  client.send(content(1000).bytes())
  await client.until(/\r\n\r\nok$/)
  t.ok(await eventually(() => backend.requests[0]?.closed === true))
})
