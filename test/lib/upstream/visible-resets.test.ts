import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import t from 'tap'
import { buildConnector, Client } from 'undici'
import { guardedConnect, type ConnectorBuilder } from '../../../lib/upstream/guarded-connect.ts'
import { SocketBuffers } from '../../../lib/upstream/socket-buffers.ts'
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

// While undici's parser is halted by a slow reader, it asserts that no connection ends (nodejs/undici#5360).
const connectors: Array<[string, ConnectorBuilder]> = [['as undici makes them', buildConnector], ['that read into pooled buffers', new SocketBuffers().connector]]

/** Halts at each piece, and at the head; goes on when told to. */
function haltingRequest (made: Client): { body: Buffer[], started: Promise<void>, ended: Promise<Error | undefined>, goOn: () => void } {
  const body: Buffer[] = []
  let flow = (): void => {}
  let begin = (): void => {}
  const started = new Promise<void>(resolve => { begin = resolve })
  const ended = new Promise<Error | undefined>(resolve => {
    made.dispatch({ method: 'GET', path: '/' }, {
      onConnect () {},
      onHeaders (_status: number, _headers: Buffer[], resume: () => void) {
        flow = resume
        begin()
        return false
      },
      onData (piece: Buffer) {
        body.push(Buffer.from(piece))
        return piece.length === 0 // going on begins with an empty piece
      },
      onComplete () { resolve(undefined) },
      onError: resolve
    })
  })
  return { body, started, ended, goOn: () => flow() }
}

for (const [name, builder] of connectors) {
  const halting = (t: Test, url: string): Client => {
    const made = new Client(url, { connect: guardedConnect({ addresses: 'any', connectTimeoutMs: 5000 }, builder) })
    t.teardown(async () => await made.destroy())
    return made
  }

  t.test(`a body whose reader is late is whole though its connection has ended, on connections ${name}`, async t => {
    for (const size of [0, 1, 5000, 65_536, 66_000, 70_000, 100_000, 130_000, 400_000]) {
      for (const fields of [{}, { 'Content-Length': size, Connection: 'close' }]) {
        const whole = content(size)
        let hasEnded = false
        const origin = await rawOrigin(t, ({ socket }) => {
          socket.write(head(200, fields))
          socket.end(whole.bytes(), () => { hasEnded = true })
        })
        const { body, started, ended, goOn } = haltingRequest(halting(t, origin.url))
        await started
        await eventually(() => {
          if (size > 200_000 && !hasEnded) goOn() // more than the kernel holds: the end comes when some was read
          return hasEnded
        })
        const timer = setInterval(goOn, 15) // the end comes while it is halted
        t.equal(await ended, undefined, `${size} bytes, ${Object.keys(fields).join(' ')}`)
        clearInterval(timer)
        t.ok(Buffer.concat(body).equals(whole.bytes()))
      }
    }
  })

  t.test(`a body that is cut while its reader halts fails, on connections ${name}`, async t => {
    for (const fields of [{ 'Content-Length': 90_000 }, { 'Content-Length': 90_000, Connection: 'close' }, { 'Transfer-Encoding': 'chunked' }]) {
      const origin = await rawOrigin(t, ({ socket }) => { socket.end(`${head(200, fields)}${'Content-Length' in fields ? '' : '1000\r\n'}x`) })
      const { started, ended, goOn } = haltingRequest(halting(t, origin.url))
      await started
      const timer = setInterval(goOn, 15)
      t.ok(await ended, Object.keys(fields).join(' '))
      clearInterval(timer)
    }
  })

  t.test(`a halted connection whose end is held back can be destroyed, on connections ${name}`, async t => {
    const origin = await rawOrigin(t, ({ socket }) => { socket.end(`${head(200)}${'x'.repeat(70_000)}`) })
    const made = halting(t, origin.url)
    const { started, ended, goOn } = haltingRequest(made)
    await started
    await new Promise(resolve => setTimeout(resolve, 30))
    await made.destroy()
    t.ok(await ended)
    goOn()
  })
}
