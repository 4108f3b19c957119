// The misbehaving origins misbehave as they say: what is tested with them is worth no more than they are.
import { gunzipSync } from 'node:zlib'
import { request as ask } from 'node:https'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { certificate, noOpenssl, type CertificateName } from './certificates.ts'
import * as kit from './origin.ts'
import { eventually } from './process.ts'

interface Heard { text: () => string, bytes: () => Buffer, socket: Socket, end: () => 'open' | 'fin' | 'reset' }

/** Sends a request as plain bytes and keeps all that comes. */
function hear (t: { teardown (action: () => unknown): void }, port: number, request = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n'): Heard {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  let end: 'open' | 'fin' | 'reset' = 'open'
  socket.on('data', chunk => chunks.push(chunk))
  socket.on('end', () => { end = 'fin' })
  socket.on('error', () => { end = 'reset' })
  socket.write(request)
  t.teardown(() => socket.destroy())
  const bytes = (): Buffer => Buffer.concat(chunks)
  return { text: () => bytes().toString('latin1'), bytes, socket, end: () => end }
}

t.test('contents are the same from run to run, and every part of them differs', t => {
  const file = kit.content(3_000_000)
  t.equal(file.hash, '0a63e30b59cb07fd7ec9cc01b7d83dc530914bafc7d39201ebd611935b1b4e85')
  t.same(file.bytes(1_500_000, 1_500_100), file.bytes().subarray(1_500_000, 1_500_100))
  t.notSame(file.bytes(0, 65_536), file.bytes(65_536, 131_072))
  t.not(kit.content(1000, 1).hash, kit.content(1000).hash)
  t.end()
})

t.test('deaths: by FIN and by RST, before the head, within it, within the body', async t => {
  const file = kit.content(10_000)
  const cases: Array<[kit.Script, 'fin' | 'reset', RegExp, number?]> = [
    [kit.resetBeforeHead(), 'reset', /^$/],
    [kit.finBeforeHead(), 'fin', /^$/],
    [kit.resetMidHead(), 'reset', /^HTTP\/1\.1 200 OK\r\nContent-Type: te$/],
    [kit.resetMidBody(file, 4000), 'reset', /Content-Length: 10000\r\n/, 4000],
    [kit.finMidBody(file, 4000), 'fin', /Content-Length: 10000\r\n/, 4000],
    [kit.resetMidBody(file, 4000, 'chunked'), 'reset', /chunked\r\n/, 4007],
    [kit.finMidBody(file, 4000, 'chunked'), 'fin', /chunked\r\n/, 4007],
    [kit.resetMidBody(file, 0), 'reset', /Content-Length: 10000\r\n/, 0],
    [kit.noLength(file), 'fin', /octet-stream\r\n\r\n/, 10_000],
    [kit.noLength(file, 'reset'), 'reset', /octet-stream\r\n\r\n/, 10_000],
    [kit.wrongLength(5, 10), 'fin', /Content-Length: 5\r\n/, 10],
    [kit.wrongLength(10, 5), 'fin', /Content-Length: 10\r\n/, 5]
  ]
  for (const [script, end, begin, bodyBytes] of cases) {
    const origin = await kit.rawOrigin(t, script)
    const heard = hear(t, origin.port)
    await eventually(() => heard.end() !== 'open')
    t.equal(heard.end(), end, begin.source)
    t.match(heard.text(), begin)
    if (bodyBytes !== undefined) t.equal(heard.text().split('\r\n\r\n').slice(1).join('\r\n\r\n').length, bodyBytes)
    t.ok(await eventually(() => origin.connections === 0))
    t.equal(origin.opened, 1)
  }
})

t.test('slowness: a head and a body that come by pieces, and an answer that never comes', async t => {
  const slow = hear(t, (await kit.rawOrigin(t, kit.slowHeader({ everyMs: 5 }))).port)
  const body = hear(t, (await kit.rawOrigin(t, kit.slowBody(kit.content(20), { everyMs: 5 }))).port)
  const stalled = hear(t, (await kit.rawOrigin(t, kit.stall(kit.content(20), 7))).port)
  const mute = await kit.rawOrigin(t, kit.silent())
  const nothing = hear(t, mute.port)
  t.ok(await eventually(() => slow.text().length > 20))
  t.notMatch(slow.text(), /\r\n\r\n/)
  t.ok(await eventually(() => body.text().endsWith(kit.content(20).bytes().toString('latin1'))))
  t.ok(await eventually(() => stalled.text().endsWith(kit.content(7).bytes().toString('latin1'))))
  t.ok(await eventually(() => mute.requests.length === 1))
  t.equal(nothing.text() + slow.end() + stalled.end(), 'openopen')
})

t.test('endless ones write as fast as they are read, and end with their reader', async t => {
  for (const script of [kit.endless(), kit.endlessInterim(), kit.endlessGzip()]) {
    const origin = await kit.rawOrigin(t, script)
    const heard = hear(t, origin.port)
    await eventually(() => heard.bytes().length > 100_000)
    heard.socket.destroy()
    t.ok(await eventually(() => origin.connections === 0))
    t.equal(origin.requests[0]?.closed, true)
  }
})

t.test('a bomb is small and unpacks to what it says', async t => {
  const bomb = kit.gzipBombOf(20 * 1024 * 1024 + 5)
  t.ok(bomb.length < 40_000)
  t.equal(gunzipSync(bomb).length, 20 * 1024 * 1024 + 5)
})

t.test('requests are told as they came, bodies counted, several of a connection told apart', async t => {
  const origin = await kit.rawOrigin(t, kit.keepAliveRace(2))
  const heard = hear(t, origin.port, 'POST /a%2Fb?c HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhel')
  await eventually(() => heard.text().includes('ok'))
  heard.socket.write('loGET /2 HTTP/1.1\r\n\r\n')
  await eventually(() => heard.text().split('HTTP/1.1 200').length === 3)
  heard.socket.write('GET /3 HTTP/1.1\r\n\r\n')
  t.ok(await eventually(() => heard.end() === 'fin'))
  t.same(origin.requests.map(({ method, target, bodyBytes, index, onConnection }) => [method, target, bodyBytes, index, onConnection]), [['POST', '/a%2Fb?c', 5, 0, 0], ['GET', '/2', 0, 1, 1], ['GET', '/3', 0, 2, 2]])
  t.equal(origin.requests[0]?.headers['x-a'], '1')
})

t.test('files answer ranges and conditions, and die where they are told to', async t => {
  const file = kit.content(1000)
  const origin = await kit.rawOrigin(t, kit.file(file, { etag: '"a"', dies: [100], by: 'fin' }))
  const ask = async (fields: string): Promise<string> => {
    const heard = hear(t, origin.port, `GET / HTTP/1.1\r\n${fields}\r\n`)
    await eventually(() => heard.end() !== 'open' || /\r\n\r\n[^]+$/.test(heard.text()))
    return heard.text()
  }
  t.match(await ask(''), /^HTTP\/1\.1 200 [^]+ETag: "a"\r\n[^]*Content-Length: 1000\r\n\r\n[^]{100}$/)
  const part = await ask('Range: bytes=100-\r\nIf-Range: "a"\r\n')
  t.match(part, /^HTTP\/1\.1 206 [^]+Content-Length: 900\r\nContent-Range: bytes 100-999\/1000\r\n/)
  t.ok(part.endsWith(file.bytes(100).toString('latin1')))
  t.match(await ask('Range: bytes=100-\r\nIf-Range: "b"\r\n'), /^HTTP\/1\.1 200 /)
  t.match(await ask('Range: bytes=10-19\r\n'), /Content-Range: bytes 10-19\/1000\r\n\r\n[^]{10}$/)
})

t.test('certificates: each is trusted or not as its name says', { skip: noOpenssl ?? false }, async t => {
  const tell = async (port: number, trust: CertificateName, client?: CertificateName): Promise<string> => await new Promise(resolve => {
    const own = client === undefined ? {} : { cert: certificate(client).cert, key: certificate(client).key }
    ask({ host: '127.0.0.1', port, agent: false, ca: certificate(trust).cert, ...own }, response => { response.resume(); resolve(String(response.statusCode)) })
      .on('error', (error: NodeJS.ErrnoException) => { resolve(error.code ?? '') }).end()
  })
  const of = async (name: kit.TlsChoices): Promise<number> => (await kit.tlsOrigin(t, (_request, response) => { response.end('ok') }, name)).port
  t.equal(await tell(await of({}), 'ca'), '200')
  t.equal(await tell(await of({}), 'foreign-ca'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  t.equal(await tell(await of({ certificate: 'wrong-name' }), 'ca'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.equal(await tell(await of({ certificate: 'expired' }), 'ca'), 'CERT_HAS_EXPIRED')
  t.equal(await tell(await of({ certificate: 'self-signed' }), 'self-signed'), '200')
  t.equal(await tell(await of({ certificate: 'self-signed' }), 'ca'), 'DEPTH_ZERO_SELF_SIGNED_CERT')
  const strict = await of({ clientCertificate: true })
  t.equal(await tell(strict, 'ca', 'client'), '200')
  for (const client of [undefined, 'foreign-client'] as const) t.not(await tell(strict, 'ca', client), '200')
  t.equal(await tell(await of({ http2: true }), 'ca'), '200', 'HTTP/1.1 beside HTTP/2')
})

t.test('a deaf origin accepts no further connection, and refuses none', async t => {
  const { port } = await kit.deafOrigin(t)
  const heard = hear(t, port)
  let isConnected = false
  heard.socket.on('connect', () => { isConnected = true })
  await kit.aMoment()
  t.equal(`${isConnected} ${heard.end()}`, 'false open')
})
