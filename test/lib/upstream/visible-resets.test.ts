import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import t from 'tap'
import { buildConnector, Client } from 'undici'
import { showResets } from '../../../lib/upstream/visible-resets.ts'
import type { Test } from '../../helpers/app.ts'
import { answer, bytes, content, head, noLength, rawOrigin, reset, resetMidBody, taken, tlsOrigin, type RawOrigin, type Script } from '../../helpers/origin.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { eventually } from '../../helpers/process.ts'

const file = content(5000)

function client (t: Test, url: string, tls: { ca?: string } = {}): Client {
  const base = buildConnector(tls)
  const made = new Client(url, { connect: (options, done) => base(options, (error, socket) => {
    if (error !== null) return done(error, null)
    showResets(socket)
    done(null, socket)
  }) })
  t.teardown(async () => await made.destroy())
  return made
}

async function outcome (t: Test, origin: RawOrigin): Promise<{ bytes: number, hash: string, code: string | undefined }> {
  const { body } = await client(t, origin.url).request({ method: 'GET', path: '/' })
  const { bytes, hash, error } = await taken(body)
  const { code }: NodeJS.ErrnoException = error ?? new Error('none')
  return { bytes, hash, code }
}

const readBody: Array<[string, () => Promise<unknown>]> = [
  ['before it is read: bytes and reset are found together', async () => {}],
  ['a moment after its last byte', async () => { await new Promise(resolve => setTimeout(resolve, 50)) }]
]

for (const [when, pause] of readBody) {
  t.test(`a body without a length that is reset ${when} fails`, async t => {
    for (let round = 0; round < 10; round++) {
      const { code } = await outcome(t, await rawOrigin(t, noLength(file, 'reset', pause)))
      t.equal(code, 'UND_ERR_SOCKET', `round ${round}`)
    }
  })

  t.test(`bodies that tell their length fail as well where they are reset ${when}`, async t => {
    for (const framing of ['length', 'chunked', 'close'] as const) {
      const { code } = await outcome(t, await rawOrigin(t, resetMidBody(file, 3000, framing, pause)))
      t.ok(code, framing)
    }
  })
}

t.test('a body without a length that ends is whole', async t => {
  for (const size of [0, 1, 5000, 1_000_000]) {
    const whole = content(size)
    const { bytes, hash, code } = await outcome(t, await rawOrigin(t, noLength(whole)))
    t.strictSame({ bytes, hash, code }, { bytes: size, hash: whole.hash, code: undefined }, `${size} bytes`)
  }
})

t.test('a reader that pauses does not hide a reset', async t => {
  const origin = await rawOrigin(t, noLength(content(200_000), 'reset', async () => {}))
  const { body } = await client(t, origin.url).request({ method: 'GET', path: '/' })
  await eventually(() => origin.connections === 0)
  t.ok((await taken(body)).error)
})

t.test('over TLS it shows as well', { skip: noOpenssl ?? false }, async t => {
  for (const [when, pause] of readBody) {
    let toReset: Socket | undefined
    const origin = await tlsOrigin(t, async (_request, response) => {
      response.useChunkedEncodingByDefault = false // HTTP/1.0: the end of the connection is that of the body
      response.socket?.write(`${head(200)}hello`, () => { void pause().then(() => toReset?.resetAndDestroy()) })
    })
    origin.events.on('opened', (socket: Socket) => { toReset = socket })
    const { body } = await client(t, origin.url, { ca: certificate('ca').cert }).request({ method: 'GET', path: '/' })
    t.ok((await taken(body)).error, when)
  }
})

t.test('a request that was not sent yet goes over the next connection', async t => {
  let first: Socket | undefined
  const script: Script = request => {
    first ??= request.socket
    return answer(`request ${request.index}`)(request)
  }
  const origin = await rawOrigin(t, script)
  const one = client(t, origin.url)
  t.equal(await (await one.request({ method: 'GET', path: '/' })).body.text(), 'request 0')
  // Of the next turn of the loop: undici looks at the idle connection before it sends.
  await new Promise(resolve => setImmediate(resolve))
  reset(first as Socket)
  const second = await one.request({ method: 'POST', path: '/', body: 'once' })
  t.equal(await second.body.text(), 'request 1')
  t.equal(origin.opened, 2)
})

t.test('a connection that this side has ended first is not taken for one that was reset', async t => {
  const origin = await rawOrigin(t, () => {})
  origin.events.on('opened', (socket: Socket) => { socket.on('end', () => socket.end('bye')) })
  const socket = connect({ port: origin.port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  showResets(socket)
  const said: Buffer[] = []
  socket.on('data', chunk => said.push(chunk))
  socket.end()
  await once(socket, 'end')
  t.equal(Buffer.concat(said).toString(), 'bye')
})

t.test('other errors of a connection keep their code', async t => {
  const origin = await rawOrigin(t, bytes(head(200)))
  const socket = connect(origin.port, '127.0.0.1')
  await once(socket, 'connect')
  showResets(socket)
  const heard = once(socket, 'error')
  socket.destroy(Object.assign(new Error('another'), { code: 'ETIMEDOUT' }))
  t.match(await heard, [{ code: 'ETIMEDOUT' }])
})

t.test('a socket without a handle of the kernel ends as ever', async t => {
  const socket = new Socket()
  t.teardown(() => socket.destroy())
  showResets(socket)
  socket.push('x')
  socket.push(null)
  t.equal((await taken(socket)).bytes, 1)
})
