import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { Agent, buildConnector, request, type Dispatcher } from 'undici'
import { ForbiddenAddress, guardedConnect, type ConnectorBuilder, type GuardedConnectOptions, type Resolver } from '../../../lib/upstream/guarded-connect.ts'
import type { Test } from '../../helpers/app.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { answer, bytes, content, noLength, origin, rawOrigin, taken, tlsOrigin } from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'

const skip = noOpenssl ?? false

function agent (t: Test, options: Partial<GuardedConnectOptions> = {}, { base, allowH2 = false }: { base?: ConnectorBuilder, allowH2?: boolean } = {}): Dispatcher {
  const made = new Agent({ connect: guardedConnect({ addresses: 'any', connectTimeoutMs: 20_000, allowH2, ...options }, base), allowH2, connections: 1 })
  t.teardown(async () => await made.destroy())
  return made
}

/** A resolver that knows nothing but what it is told, and counts. */
function resolver (...addresses: string[]): Resolver & { asked: Array<{ hostname: string, all: unknown }> } {
  const asked: Array<{ hostname: string, all: unknown }> = []
  return Object.assign<Resolver, { asked: typeof asked }>((hostname, options, done) => {
    asked.push({ hostname, all: options.all })
    queueMicrotask(() => done(null, addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }))))
  }, { asked })
}

async function get (dispatcher: Dispatcher, url: string, headers: Record<string, string> = {}): Promise<string> {
  const { body } = await request(url, { dispatcher, headers })
  return await body.text()
}

/** What a request fails with. */
async function failure (dispatcher: Dispatcher, url: string, headers: Record<string, string> = {}): Promise<NodeJS.ErrnoException> {
  return await get(dispatcher, url, headers).then(() => { throw new Error('Expected a failure') }, (error: unknown) => error as NodeJS.ErrnoException)
}

t.test('a literal that is not public is refused before anything is connected', async t => {
  const server = await rawOrigin(t, answer())
  const guarded = agent(t, { addresses: 'public' })
  const error = await failure(guarded, server.url)
  t.type(error, ForbiddenAddress)
  t.match(error, { name: 'ForbiddenAddress', code: 'UPSTREAM_FORBIDDEN_ADDRESS', host: '127.0.0.1', address: '127.0.0.1', message: 'Expected 127.0.0.1 to be at a public address but it is at 127.0.0.1' })
  for (const host of ['[::1]', '[::ffff:127.0.0.1]', '[::]', '0.0.0.0', '169.254.169.254']) t.type(await failure(guarded, `http://${host}:${server.port}`), ForbiddenAddress, host)
  t.equal(server.opened, 0)
})

t.test('with any, every address is asked', async t => {
  const server = await rawOrigin(t, answer('here'))
  t.equal(await get(agent(t), server.url), 'here')
  t.equal(await get(agent(t, { lookup: resolver('127.0.0.1') }), `http://some.example:${server.port}`), 'here')
  t.equal(await get(agent(t), `http://localhost:${server.port}`), 'here', 'the system\'s resolver')
})

t.test('a name is refused where one of its addresses is not public, wherever it stands', async t => {
  const server = await rawOrigin(t, answer())
  for (const addresses of [['127.0.0.1'], ['::1'], ['8.8.8.8', '127.0.0.1'], ['127.0.0.1', '8.8.8.8'], ['2606:4700::1', '8.8.8.8', '10.0.0.1'], ['::ffff:127.0.0.1'], ['not an address']]) {
    for (const autoSelectFamily of [true, false]) {
      const lookup = resolver(...addresses)
      const guarded = agent(t, { addresses: 'public', lookup }, { base: options => buildConnector({ ...options, autoSelectFamily }) })
      const error = await failure(guarded, `http://some.example:${server.port}`)
      t.match(error, { code: 'UPSTREAM_FORBIDDEN_ADDRESS', host: 'some.example' }, addresses.join(' '))
      t.strictSame(lookup.asked, [{ hostname: 'some.example', all: true }], 'asked once, for all of them')
    }
  }
  t.equal(server.opened, 0)
})

t.test('what was looked at is what is connected to', async t => {
  for (const autoSelectFamily of [true, false]) {
    const connected: unknown[] = []
    // Stands in for a way to the world: tells what it was given, and calls its socket public.
    const server = await rawOrigin(t, answer('from far away'))
    const base: ConnectorBuilder = options => {
      const connect = buildConnector({})
      return (target, done) => {
        const { lookup } = options as { lookup: (hostname: string, options: { all: boolean }, done: (...values: unknown[]) => void) => void }
        lookup(target.hostname, { all: autoSelectFamily }, (_error, ...found) => {
          connected.push(found)
          connect({ ...target, hostname: '127.0.0.1' }, (error, socket) => {
            if (error === null) done(null, Object.defineProperty(socket, 'remoteAddress', { value: '8.8.4.4' }))
            else done(error, null)
          })
        })
      }
    }
    const lookup = resolver('8.8.4.4', '2606:4700::1')
    t.equal(await get(agent(t, { addresses: 'public', lookup }, { base }), `http://some.example:${server.port}`), 'from far away')
    t.strictSame(connected, autoSelectFamily ? [[[{ address: '8.8.4.4', family: 4 }, { address: '2606:4700::1', family: 6 }]]] : [['8.8.4.4', 4]])
    t.equal(lookup.asked.length, 1)
  }
})

t.test('another address is tried where the first refuses', async t => {
  const server = await rawOrigin(t, answer('the second'))
  t.equal(await get(agent(t, { lookup: resolver('127.0.0.2', '127.0.0.1') }), `http://some.example:${server.port}`), 'the second')
})

t.test('the peer is looked at once more: a connection to somebody else carries no request', async t => {
  const server = await rawOrigin(t, answer())
  const withoutLookup: ConnectorBuilder = ({ ...options }) => buildConnector({ ...options, lookup: (_hostname, { all }, done) => { if (all === true) done(null, [{ address: '127.0.0.1', family: 4 }]); else done(null, '127.0.0.1', 4) } })
  const error = await failure(agent(t, { addresses: 'public', lookup: resolver('8.8.8.8') }, { base: withoutLookup }), `http://some.example:${server.port}`)
  t.match(error, { code: 'UPSTREAM_FORBIDDEN_ADDRESS', host: 'some.example', address: '127.0.0.1' })
  t.equal(server.opened, 1)
  t.equal(server.requests.length, 0)
  t.ok(await eventually(() => server.connections === 0), 'and it is closed')
})

t.test('a peer that has left already is a reset, and undici does not try for ever', async t => {
  const server = await rawOrigin(t, answer())
  const leaving: ConnectorBuilder = options => (target, done) => buildConnector(options)(target, (error, socket) => {
    if (error === null) done(null, Object.defineProperty(socket, 'remoteAddress', { value: undefined }))
    else done(error, null)
  })
  for (const addresses of ['public', 'any'] as const) {
    const lookup = resolver(addresses === 'any' ? '127.0.0.1' : '8.8.8.8')
    const base = addresses === 'any' ? leaving : (options => leaving({ ...options, lookup: (_hostname, { all }, done) => { if (all === true) done(null, [{ address: '127.0.0.1', family: 4 }]); else done(null, '127.0.0.1', 4) } })) satisfies ConnectorBuilder
    t.match(await failure(agent(t, { addresses, lookup }, { base }), `http://some.example:${server.port}`), { code: 'ECONNRESET' })
  }
})

t.test('a name without addresses, and a resolver that fails', async t => {
  for (const addresses of ['public', 'any'] as const) {
    t.match(await failure(agent(t, { addresses, lookup: resolver() }), 'http://some.example:81'), { code: 'ENOTFOUND' })
    const broken: Resolver = (_hostname, _options, done) => { done(Object.assign(new Error('try again'), { code: 'EAI_AGAIN' }), []) }
    t.match(await failure(agent(t, { addresses, lookup: broken }), 'http://some.example:81'), { code: 'EAI_AGAIN' })
  }
})

t.test('a resolver that answers at once is looked at as any other', async t => {
  const server = await rawOrigin(t, answer())
  const prompt: Resolver = (_hostname, _options, done) => { done(null, [{ address: '127.0.0.1', family: 4 }]) }
  t.type(await failure(agent(t, { addresses: 'public', lookup: prompt }), `http://some.example:${server.port}`), ForbiddenAddress)
  t.equal(server.opened, 0)
})

t.test('the time to connect includes the resolver\'s, and an answer that comes later connects nothing', async t => {
  const server = await rawOrigin(t, answer())
  let late: (() => void) | undefined
  const slow: Resolver = (_hostname, _options, done) => { late = () => done(null, [{ address: '127.0.0.1', family: 4 }]) }
  t.match(await failure(agent(t, { connectTimeoutMs: 50, lookup: slow }), `http://some.example:${server.port}`), { name: 'ConnectTimeoutError', code: 'UND_ERR_CONNECT_TIMEOUT', message: /timeout: 50ms/ })
  late?.()
  await new Promise(resolve => setImmediate(resolve))
  t.equal(server.opened, 0)
})

t.test('a host in brackets is a literal too', async t => {
  const connect = guardedConnect({ addresses: 'public', connectTimeoutMs: 1000 })
  const [error] = await new Promise<unknown[]>(resolve => connect({ hostname: '[::1]', protocol: 'http:', port: '80' }, (...values) => resolve(values)))
  t.match(error, { code: 'UPSTREAM_FORBIDDEN_ADDRESS', host: '::1' })
})

t.test('what refuses the connection is told as it is', async t => {
  const server = await rawOrigin(t, answer())
  await server.close()
  t.match(await failure(agent(t), server.url), { code: 'ECONNREFUSED' })
})

t.test('a body that is cut does not look whole', async t => {
  for (const pause of [async () => {}, async () => { await new Promise(resolve => setTimeout(resolve, 50)) }]) {
    const server = await rawOrigin(t, noLength(content(3000), 'reset', pause))
    const { body } = await request(server.url, { dispatcher: agent(t) })
    t.ok((await taken(body)).error)
  }
  const server = await rawOrigin(t, bytes('HTTP/1.1 200 OK\r\n\r\nall of it', 'end'))
  t.equal(await get(agent(t), server.url), 'all of it')
})

t.test('certificates are verified', { skip }, async t => {
  const ca = certificate('ca').cert
  const handler: Parameters<typeof tlsOrigin>[1] = (_request, response) => response.end('trusted')
  const good = await tlsOrigin(t, handler)
  t.equal(await get(agent(t, { tls: { ca } }), good.url), 'trusted')
  t.match(await failure(agent(t), good.url), { code: /UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/ })
  t.match(await failure(agent(t, { tls: { ca } }), (await tlsOrigin(t, handler, { certificate: 'self-signed' })).url), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  t.match(await failure(agent(t, { tls: { ca } }), (await tlsOrigin(t, handler, { certificate: 'wrong-name' })).url), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  t.equal(good.requests.length, 1)
})

t.test('no option turns that off', { skip }, async t => {
  const server = await tlsOrigin(t, (_request, response) => response.end(), { certificate: 'self-signed' })
  const off = { rejectUnauthorized: false, checkServerIdentity: () => undefined }
  t.match(await failure(agent(t, { ...off, tls: off } as Partial<GuardedConnectOptions>), server.url), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  t.equal(server.requests.length, 0)
})

t.test('the certificate is for the host of the URL, or the name that is configured, and never for what Host says', { skip }, async t => {
  const ca = certificate('ca').cert
  const names: unknown[] = []
  const handler: Parameters<typeof tlsOrigin>[1] = ({ socket }, response) => { names.push((socket as TLSSocket).servername); response.end('trusted') }
  const [good, wrong] = [await tlsOrigin(t, handler), await tlsOrigin(t, handler, { certificate: 'wrong-name' })]
  const lookup = resolver('127.0.0.1')
  t.equal(await get(agent(t, { tls: { ca } }), good.url, { host: 'elsewhere.example' }), 'trusted')
  t.match(await failure(agent(t, { tls: { ca } }), wrong.url, { host: 'elsewhere.example' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  t.equal(await get(agent(t, { tls: { ca, servername: 'elsewhere.example' } }), wrong.url), 'trusted')
  t.equal(await get(agent(t, { tls: { ca }, lookup }), `https://elsewhere.example.:${wrong.port}`), 'trusted')
  t.strictSame(names, [false, 'elsewhere.example', 'elsewhere.example'], 'no name for an address, no dot at the end of one')
})

t.test('this side proves who it is where it is asked to', { skip }, async t => {
  const [{ cert: ca }, { cert, key }, foreign] = [certificate('ca'), certificate('client'), certificate('foreign-client')]
  const server = await tlsOrigin(t, (_request, response) => response.end('known'), { clientCertificate: true })
  t.equal(await get(agent(t, { tls: { ca, cert, key } }), server.url), 'known')
  t.ok(await failure(agent(t, { tls: { ca } }), server.url))
  t.ok(await failure(agent(t, { tls: { ca, cert: foreign.cert, key: foreign.key } }), server.url))
  t.equal(server.requests.length, 1)
})

t.test('HTTP/2 is spoken where it is allowed', { skip }, async t => {
  const ca = certificate('ca').cert
  const server = await tlsOrigin(t, (request, response) => response.end(request.httpVersion), { http2: true })
  t.equal(await get(agent(t, { tls: { ca } }, { allowH2: true }), server.url), '2.0')
  t.equal(await get(agent(t, { tls: { ca } }), server.url), '1.1')
})

t.test('over TLS addresses are looked at as well', { skip }, async t => {
  const server = await tlsOrigin(t, (_request, response) => response.end())
  const guarded = agent(t, { addresses: 'public', tls: { ca: certificate('ca').cert }, lookup: resolver('127.0.0.1') })
  for (const url of [server.url, `https://localhost:${server.port}`]) t.type(await failure(guarded, url), ForbiddenAddress)
  t.equal(server.opened, 0)
})

t.test('connections are kept, and each is looked at when it is made', async t => {
  const server = await origin(t, (_request, response) => response.end('ok'))
  const lookup = resolver('127.0.0.1')
  const guarded = agent(t, { lookup })
  const url = `http://some.example:${server.port}`
  await get(guarded, url)
  await get(guarded, url)
  t.equal(lookup.asked.length, 1)
  const closed = once(server.events, 'closed')
  await get(guarded, url, { connection: 'close' })
  await closed
  await get(guarded, url)
  t.equal(lookup.asked.length, 2)
})
