import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from '../app.ts'
import { watched, type Watched } from './watch.ts'

/** A request as its bytes stood on the wire, and the socket that waits for an answer. */
export interface RawRequest {
  readonly socket: Socket
  /** Request line and fields, without the empty line. */
  readonly head: string
  readonly method: string
  readonly target: string
  /** By lower-case names; of several the last. */
  readonly headers: Readonly<Record<string, string>>
  /** Which one it is at this origin, from 0. */
  readonly index: number
  /** Which one it is on its connection, from 0. */
  readonly onConnection: number
  /** How many bytes came after the head so far. */
  bodyBytes: number
  /** Whether the connection is gone. */
  closed: boolean
}

/** Answers a request with whatever bytes it likes; it may be called again for the next one of the connection. */
export type Script = (request: RawRequest) => unknown

/** An origin that answers bytes. `events` also tells `request`. */
export interface RawOrigin extends Watched {
  readonly requests: readonly RawRequest[]
}

function parsed (head: string): Pick<RawRequest, 'head' | 'method' | 'target' | 'headers'> {
  const [line = '', ...fields] = head.split('\r\n')
  const [method = '', target = ''] = line.split(' ')
  const headers: Record<string, string> = {}
  for (const field of fields) {
    const colon = field.indexOf(':')
    headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim()
  }
  return { head, method, target, headers }
}

interface Reading {
  /** What is not yet part of a request. */
  rest: Buffer
  /** Bytes of the body that are still to come: without end where it is chunked. */
  body: number
  last: RawRequest | undefined
  count: number
}

/** Takes what came: body first, then as many heads as are whole. */
function take (reading: Reading, chunk: Buffer, begin: (head: string) => RawRequest): void {
  reading.rest = Buffer.concat([reading.rest, chunk])
  for (;;) {
    if (reading.body > 0 && reading.last !== undefined) {
      const taken = Math.min(reading.body, reading.rest.length)
      reading.last.bodyBytes += taken
      reading.body -= taken
      reading.rest = reading.rest.subarray(taken)
    }
    const end = reading.rest.indexOf('\r\n\r\n')
    if (reading.body > 0 || end === -1) return
    const head = reading.rest.subarray(0, end).toString('latin1')
    reading.rest = reading.rest.subarray(end + 4)
    reading.last = begin(head)
    const { headers } = reading.last
    reading.body = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Infinity
  }
}

/**
 * An origin of plain TCP on loopback, closed after the test: a script answers each request head
 * with any bytes. A script that throws or rejects ends the connection with RST.
 */
export async function rawOrigin (t: Test, script: Script): Promise<RawOrigin> {
  const requests: RawRequest[] = []
  const server = createServer({ noDelay: true })
  const origin = await watched(t, server)
  server.on('connection', (socket: Socket) => {
    const own: RawRequest[] = []
    socket.once('close', () => { for (const request of own) request.closed = true })
    const reading: Reading = { rest: Buffer.alloc(0), body: 0, last: undefined, count: 0 }
    const begin = (head: string): RawRequest => {
      const request: RawRequest = { socket, ...parsed(head), index: requests.length, onConnection: reading.count++, bodyBytes: 0, closed: false }
      requests.push(request)
      own.push(request)
      origin.events.emit('request', request)
      Promise.resolve().then(() => script(request)).catch(() => reset(socket))
      return request
    }
    socket.on('data', chunk => { take(reading, chunk, begin) })
  })
  return Object.defineProperties(origin, { requests: { value: requests } }) as RawOrigin
}

/** Ends a connection with RST at once: what the kernel has not sent by now is lost. */
export function reset (socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy()
}

/**
 * A moment in which a reader takes what was sent. Bytes and an RST that are found together are told
 * to a reader in Node as bytes and FIN (libuv takes POLLHUP after a short read for the end).
 */
export const aMoment = async (): Promise<void> => { await wait(30) }

/** Writes bytes and waits until the kernel has them. */
export async function flush (socket: Socket, bytes: string | Buffer): Promise<void> {
  await new Promise<void>(resolve => {
    if (socket.writable) socket.write(Buffer.from(bytes as string, 'latin1'), () => { resolve() })
    else resolve()
  })
}

/** Writes bytes, and waits while the reader is slow. False when the connection is gone. */
export async function write (socket: Socket, bytes: string | Buffer): Promise<boolean> {
  if (!socket.writable) return false
  if (socket.write(bytes, 'latin1')) return true
  const gone = new AbortController()
  const closed = (): void => { gone.abort() }
  socket.once('close', closed)
  await once(socket, 'drain', { signal: gone.signal }).catch(() => {})
  socket.off('close', closed)
  return socket.writable
}

/** Writes bytes one by one (or in pieces), with a pause after each, as long as the connection is there. */
export async function drip (socket: Socket, bytes: string | Buffer, pace: { everyMs: number, pieceBytes?: number }): Promise<void> {
  const all = Buffer.from(bytes as string, 'latin1')
  const piece = pace.pieceBytes ?? 1
  for (let at = 0; at < all.length && socket.writable; at += piece) {
    socket.write(all.subarray(at, at + piece))
    await wait(pace.everyMs)
  }
}

/** A response head from its fields, with the empty line. */
export function head (status: number | string, fields: Record<string, string | number | readonly string[]> = {}, version = '1.1'): string {
  const lines = Object.entries(fields).flatMap(([name, value]) => [value].flat().map(one => `${name}: ${one}\r\n`))
  return `HTTP/${version} ${typeof status === 'number' ? `${status} Whatever` : status}\r\n${lines.join('')}\r\n`
}

/** Bytes as one chunk of the chunked coding (RFC 9112 §7.1); none is the last chunk. */
export function chunk (bytes: string | Buffer): Buffer {
  const body = Buffer.from(bytes as string, 'latin1')
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')])
}
