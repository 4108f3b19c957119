import { createHash } from 'node:crypto'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { Pool } from 'undici'
import { guardedConnect } from '../../../lib/upstream/guarded-connect.ts'
import type { Loan } from '../../../lib/upstream/loans.ts'
import { SocketBuffers } from '../../../lib/upstream/socket-buffers.ts'
import type { Test } from '../../helpers/app.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { answer, chunk, content, head, noLength, origin, rawOrigin, taken, tlsOrigin, write, type Content, type Script } from '../../helpers/origin.ts'
import { eventually, freePort } from '../../helpers/process.ts'

const KIB = 1024
const MIB = 1024 * KIB

function poolOf (t: Test, url: string, buffers: SocketBuffers, connections = 4): Pool {
  const pool = new Pool(url, { connect: buffers.connector({}), connections })
  t.teardown(async () => await pool.destroy())
  return pool
}

interface Watcher {
  onData (chunk: Buffer): boolean
  onHead? (flow: () => void): void
}

interface Asked {
  buffers: SocketBuffers
  path?: string
  abort?: (abort: () => void) => void
}

/** @returns when the body has ended: undefined, or what it failed with */
async function dispatched (pool: Pool, watcher: Watcher, { buffers, path = '/', abort }: Asked): Promise<Error | undefined> {
  let loan: Loan | undefined
  return await new Promise(resolve => {
    pool.dispatch({ method: 'GET', path }, {
      onConnect (stop: (reason?: Error) => void) { abort?.(stop) },
      onHeaders (_status: number, _headers: Buffer[], flow: () => void) {
        watcher.onHead?.(flow)
        return true
      },
      onData (chunk: Buffer) {
        loan = buffers.parsed(chunk, loan)
        return watcher.onData(chunk)
      },
      onComplete () {
        loan?.passRest()
        resolve(undefined)
      },
      onError (error: Error) { resolve(error) }
    })
  })
}

/** Hashes, gives back at once. */
async function hashed (pool: Pool, buffers: SocketBuffers, path = '/'): Promise<string> {
  const hash = createHash('sha256')
  const error = await dispatched(pool, {
    onData (chunk) {
      hash.update(chunk)
      buffers.release(chunk)
      return true
    }
  }, { buffers, path })
  if (error !== undefined) throw error
  return hash.digest('hex')
}

/** A body in pieces of some sizes, in turn. */
const inPieces = (file: Content, framing: 'length' | 'chunked', sizes: readonly number[]): Script => async ({ socket }) => {
  const fields = framing === 'length' ? { 'Content-Length': file.size } : { 'Transfer-Encoding': 'chunked' }
  if (!await write(socket, head(200, fields))) return
  const whole = file.bytes()
  for (let at = 0, turn = 0; at < file.size; turn++) {
    const piece = whole.subarray(at, at + (sizes[turn % sizes.length] as number))
    if (!await write(socket, framing === 'length' ? piece : chunk(piece))) return
    at += piece.length
  }
  if (framing === 'chunked') await write(socket, chunk(''))
}

t.test('bodies of every size are as they were sent, over one connection after the other', async t => {
  const sizes = [0, 1, 20 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, 320 * KIB, 5 * MIB + 7, 20 * MIB]
  const server = await origin(t, ({ url }, response) => { response.end(content(sizes[Number(url?.slice(1))] as number, 3).bytes()) })
  const buffers = new SocketBuffers()
  const pool = poolOf(t, server.url, buffers, 1)
  for (let round = 0; round < 3; round++) {
    for (const [place, size] of sizes.entries()) t.equal(await hashed(pool, buffers, `/${place}`), content(size, 3).hash, `${size} bytes, round ${round}`)
  }
  t.equal(server.opened, 1)
  t.ok(buffers.bytes.made > 0, 'large reads had buffers of their own')
})

t.test('however a body is cut on its way, it is as it was sent', async t => {
  const cuts: number[][] = [[1, 100, 17], [4096], [64 * KIB], [64 * KIB + 1], [300 * KIB], [2 * MIB, 1, 2 * MIB, 70 * KIB]]
  for (const framing of ['length', 'chunked'] as const) {
    for (const [place, sizes] of cuts.entries()) {
      const file = content(sizes[0] === 1 ? 40 * KIB : 5 * MIB + 3, place)
      const buffers = new SocketBuffers()
      const server = await rawOrigin(t, inPieces(file, framing, sizes))
      t.equal(await hashed(poolOf(t, server.url, buffers), buffers), file.hash, `${framing}, pieces of ${sizes.join(', ')}`)
    }
  }
})

t.test('a body without a length is as it was sent', async t => {
  const file = content(3 * MIB)
  const buffers = new SocketBuffers()
  const server = await rawOrigin(t, noLength(file))
  t.equal(await hashed(poolOf(t, server.url, buffers), buffers), file.hash)
})

t.test('bytes that were not given back stay as they are, whatever comes after them', async t => {
  const files = Array.from({ length: 6 }, (_, seed) => content(3 * MIB, seed * 1000))
  const server = await origin(t, ({ url }, response) => { response.end(files[Number(url?.slice(1))]?.bytes()) })
  const buffers = new SocketBuffers()
  const pool = poolOf(t, server.url, buffers, 2)
  const kept = files.map((): Buffer[] => [])
  await Promise.all(files.map(async (_, place) => await dispatched(pool, { onData: chunk => (kept[place] as Buffer[]).push(chunk) > 0 }, { buffers, path: `/${place}` })))
  await Promise.all(files.map(async (_, place) => await hashed(pool, buffers, `/${place}`)))
  for (const [place, file] of files.entries()) t.ok(Buffer.concat(kept[place] as Buffer[]).equals(file.bytes()), `body ${place}`)
})

t.test('what was given back is read into again, however bodies are framed', async t => {
  const file = content(20 * MIB)
  for (const framing of ['length', 'chunked'] as const) {
    const server = await rawOrigin(t, inPieces(file, framing, [100 * KIB]))
    const buffers = new SocketBuffers()
    const pool = poolOf(t, server.url, buffers, 1)
    for (let round = 0; round < 3; round++) {
      t.equal(await hashed(pool, buffers), file.hash)
      t.ok(buffers.bytes.made > 0 && buffers.bytes.made <= MIB, `${framing}: ${buffers.bytes.made} bytes are enough`)
    }
    await pool.destroy()
    t.ok(await eventually(() => buffers.bytes.free === buffers.bytes.made), `${framing}: all came back`)
  }
})

t.test('framing that two reads share is not waited for', async t => {
  const file = content(100 * KIB)
  let received = 0
  const server = await rawOrigin(t, async ({ socket }) => {
    const whole = chunk(file.bytes())
    await write(socket, head(200, { 'Transfer-Encoding': 'chunked' }))
    await write(socket, whole.subarray(0, -1))
    await eventually(() => received === file.size)
    await write(socket, Buffer.concat([whole.subarray(-1), chunk(file.bytes()), chunk('')]))
  })
  const buffers = new SocketBuffers()
  const pool = poolOf(t, server.url, buffers, 1)
  t.equal(await dispatched(pool, {
    onData (piece) {
      received += piece.length
      buffers.release(piece)
      return true
    }
  }, { buffers }), undefined)
  await pool.destroy()
  t.equal(received, 2 * file.size)
  t.ok(await eventually(() => buffers.bytes.free === buffers.bytes.made), 'all came back')
})

/** A server that passes on what an origin sends, giving each chunk back when the client's socket took it. */
async function passOn (t: Test, pool: Pool, buffers: SocketBuffers): Promise<string> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    let flow: () => void = () => {}
    response.on('drain', () => flow())
    void dispatched(pool, {
      onHead (resume) { flow = resume },
      onData: chunk => response.write(chunk, () => buffers.release(chunk))
    }, {
      buffers,
      path: request.url ?? '/',
      abort (stop) { response.once('close', () => { if (!response.writableFinished) stop() }) }
    }).then(error => error === undefined ? response.end() : response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('many clients at once, fast and slow, leaving and staying, each get their own bytes', async t => {
  const clients = 24
  const files = Array.from({ length: clients }, (_, seed) => content(4 * MIB + seed, seed * 5003))
  const server = await origin(t, ({ url }, response) => {
    const file = files[Number(url?.slice(1))] as Content
    response.writeHead(200, { 'content-length': file.size })
    response.end(file.bytes())
  })
  const buffers = new SocketBuffers({ poolBytes: 4 * MIB })
  const url = await passOn(t, poolOf(t, server.url, buffers, clients), buffers)
  const read = async (place: number): Promise<string | undefined> => await new Promise((resolve, reject) => {
    get(`${url}/${place}`, response => {
      const hash = createHash('sha256')
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        hash.update(chunk)
        bytes += chunk.length
        if (place % 4 === 3 && bytes > 2 * MIB) response.destroy()
        if (place % 4 === 1) {
          response.pause()
          setTimeout(() => response.resume(), 1 + place % 7)
        }
      })
      response.on('close', () => resolve(bytes === files[place]?.size ? hash.digest('hex') : undefined))
      response.on('error', () => {})
    }).on('error', reject)
  })
  for (let round = 0; round < 3; round++) {
    const hashes = await Promise.all(files.map(async (_, place) => await read(place)))
    for (const [place, hash] of hashes.entries()) t.equal(hash, place % 4 === 3 ? undefined : files[place]?.hash, `client ${place}, round ${round}`)
  }
  t.ok(buffers.bytes.made <= 4 * MIB)
})

t.test('a reader that pauses stops the origin, and gets the rest when it goes on', async t => {
  const file = content(48 * MIB)
  let sent = 0
  const server = await rawOrigin(t, async ({ socket }) => {
    await write(socket, head(200, { 'Content-Length': file.size }))
    for (const piece of file.pieces()) {
      if (!await write(socket, piece)) return
      sent += piece.length
    }
  })
  const buffers = new SocketBuffers()
  const hash = createHash('sha256')
  let flow: () => void = () => {}
  let taken = 0
  const ended = dispatched(poolOf(t, server.url, buffers, 1), {
    onHead (resume) { flow = resume },
    onData (chunk) {
      hash.update(chunk)
      taken += chunk.length
      buffers.release(chunk)
      return taken > 47 * MIB
    }
  }, { buffers })
  let before = -1
  await eventually(async () => {
    const isStill = taken > 0 && sent === before
    before = sent
    await new Promise(resolve => setTimeout(resolve, 100))
    return isStill
  })
  t.ok(taken <= 256 * KIB, `${taken} bytes were taken`)
  t.ok(sent < file.size, `${sent} bytes were sent`)
  const timer = setInterval(() => flow(), 1)
  t.equal(await ended, undefined)
  clearInterval(timer)
  t.equal(hash.digest('hex'), file.hash)
})

t.test('a connection that ends gives back the buffer for its next read', async t => {
  // The first read is filled, so that the next one has a buffer of its own: and nothing comes.
  const start = head(200, { 'Content-Length': 10 * MIB })
  const server = await rawOrigin(t, async ({ socket }) => { await write(socket, Buffer.concat([Buffer.from(start), content(64 * KIB - start.length).bytes()])) })
  const buffers = new SocketBuffers()
  const pool = poolOf(t, server.url, buffers)
  for (let round = 0; round < 3; round++) {
    let stop: () => void = () => {}
    const ended = dispatched(pool, {
      onData (chunk) {
        buffers.release(chunk)
        return true
      }
    }, { buffers, abort (given) { stop = given } })
    await eventually(() => buffers.bytes.made - buffers.bytes.free === 256 * KIB)
    stop()
    t.ok(await ended, 'it was given up')
    await eventually(() => buffers.bytes.free === buffers.bytes.made)
    t.equal(buffers.bytes.made, 320 * KIB, 'the same each time, and the one that the first read was copied into')
  }
})

t.test('idle connections and small answers hold nothing', async t => {
  const file = content(20 * KIB)
  const server = await origin(t, (_request, response) => { response.end(file.bytes()) })
  const buffers = new SocketBuffers()
  const pool = poolOf(t, server.url, buffers, 50)
  const hashes = await Promise.all(Array.from({ length: 200 }, async () => await hashed(pool, buffers)))
  t.ok(hashes.every(hash => hash === file.hash))
  t.equal(buffers.bytes.free, buffers.bytes.made)
  t.ok(buffers.bytes.made <= 50 * 64 * KIB)
})

t.test('where buffers have run out, bodies still come, in smaller reads', async t => {
  const file = content(5 * MIB)
  const server = await origin(t, (_request, response) => { response.end(file.bytes()) })
  for (const poolBytes of [0, 64 * KIB, 300 * KIB]) {
    const buffers = new SocketBuffers({ poolBytes })
    const pool = poolOf(t, server.url, buffers, 8)
    const hashes = await Promise.all(Array.from({ length: 8 }, async () => await hashed(pool, buffers)))
    t.ok(hashes.every(hash => hash === file.hash))
    t.ok(buffers.bytes.made <= poolBytes, `${buffers.bytes.made} of ${poolBytes}`)
  }
})

t.test('buffers that nobody gives back are made anew once they are collected', async t => {
  const file = content(10 * MIB)
  const server = await origin(t, (_request, response) => { response.end(file.bytes()) })
  const buffers = new SocketBuffers({ poolBytes: 2 * MIB })
  const pool = poolOf(t, server.url, buffers, 1)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let round = 0; round < 3; round++) {
    const { body } = await pool.request({ method: 'GET', path: '/' })
    t.equal((await taken(body)).hash, file.hash)
    await eventually(() => {
      collect()
      return buffers.bytes.made <= 320 * KIB // the connection may have some
    })
  }
})

t.test('bytes that came from elsewhere are let be', t => {
  const buffers = new SocketBuffers()
  t.equal(buffers.parsed(Buffer.alloc(1000)), undefined)
  buffers.release(Buffer.alloc(1000))
  t.strictSame(buffers.bytes, { free: 0, made: 0 })
  t.end()
})

t.test('over TLS nothing changes', { skip: noOpenssl ?? false }, async t => {
  const file = content(5 * MIB)
  const server = await tlsOrigin(t, (_request, response) => { response.end(file.bytes()) })
  const buffers = new SocketBuffers()
  const pool = new Pool(server.url, { connect: buffers.connector({ ca: certificate('ca').cert }) })
  t.teardown(async () => await pool.destroy())
  t.equal(await hashed(pool, buffers), file.hash)
  t.strictSame(buffers.bytes, { free: 0, made: 0 })
})

t.test('beneath the guard, addresses are looked at and resets show as ever', async t => {
  const file = content(5 * MIB)
  const buffers = new SocketBuffers()
  const guarded = (addresses: 'any' | 'public'): Pool => {
    const pool = new Pool(server.url, { connect: guardedConnect({ addresses, connectTimeoutMs: 20_000 }, buffers.connector) })
    t.teardown(async () => await pool.destroy())
    return pool
  }
  const server = await rawOrigin(t, ({ target, ...rest }) => target === '/cut' ? noLength(file, 'reset')({ target, ...rest }) : noLength(file)({ target, ...rest }))
  t.equal(await hashed(guarded('any'), buffers), file.hash)
  await t.rejects(hashed(guarded('any'), buffers, '/cut'), { code: 'UND_ERR_SOCKET' })
  const opened = server.opened
  await t.rejects(hashed(guarded('public'), buffers), { code: 'UPSTREAM_FORBIDDEN_ADDRESS' })
  t.equal(server.opened, opened)
})

t.test('a connection that cannot be made fails as ever', async t => {
  const pool = poolOf(t, `http://127.0.0.1:${await freePort()}`, new SocketBuffers())
  await t.rejects(pool.request({ method: 'GET', path: '/' }), { code: 'ECONNREFUSED' })
  const server = await rawOrigin(t, answer('here'))
  const buffers = new SocketBuffers()
  const { body } = await poolOf(t, server.url, buffers).request({ method: 'GET', path: '/' })
  t.equal(await body.text(), 'here')
})
