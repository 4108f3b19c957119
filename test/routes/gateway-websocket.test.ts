import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import { ask } from '../helpers/app.ts'
import { certificate, noOpenssl } from '../helpers/certificates.ts'
import { serveGateway, type GatewayChoices, type ServedGateway } from '../helpers/gateway.ts'
import { bytes, content, head as answerHead, origin, rawOrigin, reset, silent, tlsOrigin } from '../helpers/origin.ts'
import { eventually, freePort } from '../helpers/process.ts'
import { head, wire } from '../helpers/wire.ts'

type Test = Parameters<typeof rawOrigin>[0]

const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']

interface Backend {
  url: string
  /** As they came, the last one last. */
  requests: IncomingMessage[]
  sockets: WebSocket[]
}

/** An origin that speaks WebSocket, and says what was said to it. */
async function backendOf (t: Test, protocols?: (offered: Set<string>) => string | false): Promise<Backend> {
  const server = createServer((_request, response) => response.end('plain'))
  const sockets = new WebSocketServer({ server, ...(protocols === undefined ? {} : { handleProtocols: protocols }) })
  const backend: Backend = { url: '', requests: [], sockets: [] }
  sockets.on('connection', (socket, request) => {
    backend.requests.push(request)
    backend.sockets.push(socket)
    socket.on('error', () => {})
    socket.on('message', (text, isBinary) => socket.send(text, { binary: isBinary }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const client of sockets.clients) client.terminate()
    server.close()
  })
  backend.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  return backend
}

/** A client whose connection stands. */
async function dial (t: Test, served: { port: number }, path = '/api/', { protocols, ...options }: { protocols?: string[], headers?: Record<string, string> } = {}): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${served.port}${path}`, protocols, options)
  t.teardown(() => client.terminate())
  await once(client, 'open')
  return client
}

/** The status and text with which a handshake is refused. */
async function refusalOf (t: Test, served: { port: number }, path = '/api/', headers: Record<string, string> = {}): Promise<{ status: number | undefined, headers: IncomingMessage['headers'], text: string }> {
  const client = new WebSocket(`ws://127.0.0.1:${served.port}${path}`, { headers })
  t.teardown(() => client.terminate())
  client.on('error', () => {})
  const [, response] = await once(client, 'unexpected-response') as [unknown, IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, text }
}

async function serveTo (t: Test, backend: { url: string }, choices: GatewayChoices = {}): Promise<ServedGateway> {
  return await serveGateway(t, backend.url, choices)
}

t.test('text, bytes, pings and a megabyte go both ways', async t => {
  const backend = await backendOf(t)
  const client = await dial(t, await serveTo(t, backend))
  const back = async (sent: string | Buffer): Promise<[RawData, boolean]> => {
    client.send(sent)
    return await once(client, 'message') as [RawData, boolean]
  }
  t.same(await back('h\u00e9llo'), [Buffer.from('h\u00e9llo'), false])
  const large = content(1_048_576).bytes()
  const [echoed, isBinary] = await back(large)
  t.ok(large.equals(echoed as Buffer))
  t.ok(isBinary)
  client.ping('are you there')
  t.equal(String((await once(client, 'pong') as [Buffer])[0]), 'are you there')
  backend.sockets[0]?.ping('and you')
  t.equal(String((await once(backend.sockets[0] as WebSocket, 'pong') as [Buffer])[0]), 'and you')
})

t.test('target and fields are those of any other request', async t => {
  const backend = await backendOf(t)
  const served = await serveGateway(t, `${backend.url}/base`)
  await dial(t, served, '/api/chat%2Froom?x=1&y', { headers: { cookie: 'a=1', authorization: 'Basic x', origin: 'https://a.example', 'x-own': 'yes', 'x-forwarded-for': '6.6.6.6', 'proxy-authorization': 'secret', 'keep-alive': 'x' } })
  const [request] = backend.requests
  t.equal(request?.url, '/base/chat%2Froom?x=1&y')
  t.match(request?.headers, { cookie: 'a=1', authorization: 'Basic x', origin: 'https://a.example', 'x-own': 'yes', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', via: '1.1 fastify-media', host: new URL(backend.url).host, 'sec-websocket-version': '13' })
  t.equal(request?.headers['proxy-authorization'], undefined)
  t.equal(request?.headers['keep-alive'], undefined)
})

t.test('every subprotocol that is offered goes on, and the chosen one comes back', async t => {
  let offered: string[] = []
  const backend = await backendOf(t, names => {
    offered = [...names]
    return 'third'
  })
  const client = await dial(t, await serveTo(t, backend), '/api/', { protocols: ['first', 'second', 'third'] })
  t.same(offered, ['first', 'second', 'third'])
  t.equal(client.protocol, 'third')
})

t.test('extensions are between client and origin', async t => {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: true })
  sockets.on('connection', socket => { socket.on('message', text => socket.send(text)) })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const client = await dial(t, await serveGateway(t, `http://127.0.0.1:${(server.address() as { port: number }).port}`))
  t.match(client.extensions, /permessage-deflate/)
  client.send('x'.repeat(100_000))
  t.equal(String((await once(client, 'message') as [Buffer])[0]), 'x'.repeat(100_000))
  client.close()
  await once(client, 'close')
})

t.test('a refusal of the origin is the answer to the handshake', async t => {
  const backend = await rawOrigin(t, ({ socket, target }) => {
    const status = Number(target.slice(1))
    socket.write(`${answerHead(status, { 'WWW-Authenticate': 'Bearer realm="x"', 'Content-Type': 'text/plain', 'Content-Length': 300_000, 'Sec-WebSocket-Version': '13', Connection: 'close' })}${'x'.repeat(300_000)}`)
  })
  const served = await serveTo(t, backend)
  for (const status of [401, 403, 404, 426, 503, 200]) {
    const refusal = await refusalOf(t, served, `/api/${status}`)
    t.equal(refusal.status, status)
    t.match(refusal.headers, { 'www-authenticate': 'Bearer realm="x"', connection: 'close', 'content-type': 'text/plain' })
    t.equal(refusal.text.length, 300_000)
  }
  t.ok(await eventually(() => served.connections.open === 0))
})

t.test('an origin that fails before it answers is told as a problem', async t => {
  const codes = async (url: string, choices?: GatewayChoices): Promise<[number | undefined, unknown]> => {
    const served = await serveGateway(t, url, choices)
    const refusal = await refusalOf(t, served)
    t.ok(await eventually(() => served.connections.open === 0))
    return [refusal.status, (JSON.parse(refusal.text) as { code: string }).code]
  }
  t.same(await codes(`http://127.0.0.1:${await freePort()}`), [502, 'upstream-refused'])
  t.same(await codes((await rawOrigin(t, ({ socket }) => reset(socket))).url), [502, 'upstream-reset'])
  t.same(await codes((await rawOrigin(t, ({ socket }) => { socket.end() })).url), [502, 'upstream-reset'])
  t.same(await codes((await rawOrigin(t, bytes('SSH-2.0-x\r\n'))).url), [502, 'upstream-malformed'])
  t.same(await codes((await rawOrigin(t, bytes(answerHead(101, { Connection: 'Upgrade', Upgrade: 'other' })))).url), [502, 'upstream-malformed'])
  t.same(await codes((await rawOrigin(t, silent())).url, { config: { firstByteTimeoutMs: 300 } }), [504, 'upstream-timeout'])
  t.same(await codes('http://slow.example', { config: { connectTimeoutMs: 300 }, lookup: () => {} }), [504, 'upstream-connect-timeout'])
  const own = { name: 'own', send: async () => await Promise.reject(new Error('is not asked')) }
  t.same(await codes('http://127.0.0.1:1', { mount: { upstream: own } }), [501, 'not-implemented'])
})

t.test('close codes go both ways', async t => {
  const backend = await backendOf(t)
  const served = await serveTo(t, backend)
  const leaving = await dial(t, served)
  leaving.close(4001, 'enough')
  t.same((await once(backend.sockets[0] as WebSocket, 'close')).map(String), ['4001', 'enough'])
  t.same((await once(leaving, 'close')).map(String), ['4001', 'enough'], 'and the answer comes back')
  const left = await dial(t, served)
  backend.sockets[1]?.close(1012, 'restart')
  t.same((await once(left, 'close')).map(String), ['1012', 'restart'])
  t.ok(await eventually(() => served.connections.open === 0))
})

t.test('a side that dies takes the other along', async t => {
  const backend = await backendOf(t)
  const served = await serveTo(t, backend)
  for (const die of ['destroy', 'resetAndDestroy'] as const) {
    const client = await dial(t, served)
    const [socket] = backend.sockets.slice(-1) as [WebSocket & { _socket: Socket }]
    const { _socket: inner } = socket
    inner[die]()
    t.equal((await once(client, 'close'))[0], 1006, `origin: ${die}`)
    const other = await dial(t, served)
    const { _socket: outer } = other as WebSocket & { _socket: Socket }
    outer.on('error', () => {})
    const closed = once(backend.sockets.at(-1) as WebSocket, 'close')
    outer[die]()
    t.equal((await closed)[0], 1006, `client: ${die}`)
  }
  t.ok(await eventually(() => served.connections.open === 0))
})

t.test('each side goes no faster than the other reads', async t => {
  const server = createServer()
  const reads: Socket[] = []
  server.on('upgrade', (_request, socket: Socket) => {
    socket.pause()
    reads.push(socket)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { for (const socket of reads) socket.destroy(); server.close() })
  const served = await serveGateway(t, `http://127.0.0.1:${(server.address() as { port: number }).port}`)
  const client = await wire(t, served)
  client.send(head('GET /api/', handshake))
  await client.until('101 ')
  const piece = content(65_536).bytes()
  let written = 0
  let before = -1
  const pump = (): void => {
    while (client.socket.write(piece)) written += piece.length
    written += piece.length
  }
  client.socket.on('drain', pump)
  pump()
  await eventually(async () => {
    const isStill = written === before
    before = written
    await new Promise(resolve => setTimeout(resolve, 300))
    return isStill
  })
  client.socket.off('drain', pump)
  t.ok(before < 32_000_000, `${before} bytes are on their way`)
  let arrived = 0
  reads[0]?.on('data', chunk => { arrived += chunk.length }).resume()
  t.ok(await eventually(() => arrived === written), 'and all of them arrive')
})

t.test('what a client sends ahead of the answer arrives after it', async t => {
  let accept = (): void => {}
  const server = createServer()
  server.on('upgrade', (_request, socket: Socket, early: Buffer) => {
    accept = () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfrom the origin')
      socket.write(early)
      socket.pipe(socket)
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const served = await serveGateway(t, `http://127.0.0.1:${(server.address() as { port: number }).port}`)
  const client = await wire(t, served)
  client.send(`${head('GET /api/', handshake)}one `)
  await eventually(() => served.connections.open === 1)
  client.send('two ')
  await new Promise(resolve => setTimeout(resolve, 100))
  accept()
  client.send('three')
  t.ok(await client.until('from the originone two three'))
  const flood = await wire(t, served)
  flood.send(head('GET /api/', handshake))
  flood.send(Buffer.alloc(200_000))
  t.equal(await flood.end(), '', 'but not any amount')
})

t.test('hooks of the scope run for handshakes too', async t => {
  const backend = await backendOf(t)
  const seen: string[] = []
  const served = await serveTo(t, backend, {
    scope (scope) {
      scope.addHook('onRequest', function askWho (request, reply, done) {
        seen.push(String(request.headers.upgrade))
        if (request.headers.authorization === undefined) reply.code(401).header('www-authenticate', 'Basic').send('who are you?')
        else {
          reply.header('set-cookie', 'seen=1')
          done()
        }
      })
    }
  })
  t.match(await refusalOf(t, served), { status: 401, text: 'who are you?', headers: { 'www-authenticate': 'Basic' } })
  t.equal(backend.requests.length, 0, 'the origin was not asked')
  const client = new WebSocket(`ws://127.0.0.1:${served.port}/api/`, { headers: { authorization: 'Basic x' } })
  const [response] = await once(client, 'upgrade') as [IncomingMessage]
  t.same(response.headers['set-cookie'], ['seen=1'], 'and what they put on the answer is there')
  client.on('error', () => {}).terminate()
  t.same(seen, ['websocket', 'websocket'])
})

t.test('hooks of the app too', async t => {
  const backend = await backendOf(t)
  const other = await serveGateway(t, `http://127.0.0.1:${await freePort()}`)
  const served = await serveGateway(t, backend.url, {
    mount: {
      named: name => name === 'other' ? other.upstream : undefined,
      hooks: {
        resolve: request => request.url.includes('own') ? other.upstream : request.url.includes('named') ? 'other' : undefined,
        rewriteRequest: outgoing => ({ ...outgoing, path: `${outgoing.path}?added=1`, headers: { ...outgoing.headers, 'x-added': '1' } }),
        rewriteResponse: ({ headers }) => ({ status: 418, headers: { ...headers, 'x-changed': '1' } }),
        onUpstreamError: ({ code }) => code === 'upstream-refused' ? { status: 503, headers: { 'content-type': 'text/plain' }, body: 'later' } : undefined
      }
    }
  })
  await dial(t, served, '/api/chat')
  t.equal(backend.requests[0]?.url, '/chat?added=1')
  t.equal(backend.requests[0]?.headers['x-added'], '1')
  t.match(await refusalOf(t, served, '/api/own'), { status: 501 }, 'a sender of the app has no connection that could change hands')
  t.match(await refusalOf(t, served, '/api/named'), { status: 501 }, 'nor has a name that nobody has connections for')
  const refusing = await origin(t, (_request, response) => { response.writeHead(403).end() })
  const refused = await serveGateway(t, refusing.url, { mount: { hooks: { rewriteResponse: ({ headers }) => ({ status: 418, headers: { ...headers, 'x-changed': '1' } }) } } })
  t.match(await refusalOf(t, refused), { status: 418, headers: { 'x-changed': '1' } })
  const down = await serveGateway(t, `http://127.0.0.1:${await freePort()}`, { mount: { hooks: { onUpstreamError: () => ({ status: 503, headers: {}, body: 'later' }) } } })
  t.match(await refusalOf(t, down), { status: 503, text: 'later' })
  const broken = await serveGateway(t, refusing.url, { mount: { hooks: { rewriteResponse: () => ({ status: 200, headers: { 'bad name': 'x' } }) } } })
  t.match(await refusalOf(t, broken), { status: 500 })
})

t.test('so many at once, and no more', async t => {
  const backend = await backendOf(t)
  const served = await serveTo(t, backend, { config: { liveConnections: 2 } })
  const first = await dial(t, served)
  await dial(t, served)
  t.match(await refusalOf(t, served), { status: 503, headers: { 'retry-after': '1' }, text: /upstream-busy/ })
  first.terminate()
  await eventually(() => served.connections.open === 1)
  await dial(t, served)
  t.equal((await ask(served, '/api/')).text, 'plain', 'other requests have connections of their own')
})

t.test('of several origins the next is asked where one refuses', async t => {
  const backend = await backendOf(t)
  const served = await serveGateway(t, [`http://127.0.0.1:${await freePort()}`, backend.url, `http://127.0.0.1:${await freePort()}`])
  for (let n = 0; n < 6; n++) await dial(t, served)
  t.equal(backend.requests.length, 6)
})

t.test('over TLS to the origin, and verified', { skip: noOpenssl ?? false }, async t => {
  const backend = await tlsOrigin(t, (_request, response) => response.end())
  const refused = await serveGateway(t, backend.url)
  t.match(await refusalOf(t, refused), { status: 502, text: /upstream-tls/ })
  const trusted = await serveGateway(t, backend.url, { tls: { ca: certificate('ca').cert } })
  t.match(await refusalOf(t, trusted), { status: 200 }, 'this origin speaks no WebSocket, and says so')
})

t.test('over TLS from the client', { skip: noOpenssl ?? false }, async t => {
  const backend = await backendOf(t)
  const { cert, key } = certificate('good')
  const served = await serveTo(t, backend, { server: { https: { cert, key } } })
  const client = new WebSocket(`wss://127.0.0.1:${served.port}/api/`, { ca: certificate('ca').cert })
  t.teardown(() => client.terminate())
  await once(client, 'open')
  client.send('x')
  t.equal(String((await once(client, 'message') as [Buffer])[0]), 'x')
  t.equal(backend.requests[0]?.headers['x-forwarded-proto'], 'https')
})

t.test('a server that closes ends its WebSockets', async t => {
  const backend = await backendOf(t)
  const served = await serveTo(t, backend)
  const client = await dial(t, served)
  const closed = once(client, 'close')
  await served.app.close()
  t.equal((await closed)[0], 1006)
  t.ok(await eventually(() => served.logs.some(line => line['status'] === 101 && line['path'] === '/api/')), 'and the log tells of them')
})

t.test('a WebSocket that is silent for long stays', async t => {
  const backend = await backendOf(t)
  const served = await serveTo(t, backend, { config: { idleTimeoutMs: 200, firstByteTimeoutMs: 200 }, server: { connectionTimeout: 300, keepAliveTimeout: 200 } })
  const client = await dial(t, served)
  await new Promise(resolve => setTimeout(resolve, 1500))
  client.send('still here')
  t.equal(String((await once(client, 'message') as [Buffer])[0]), 'still here')
})
