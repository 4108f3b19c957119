import { setTimeout as wait } from 'node:timers/promises'
import { aMoment, chunk, flush, head, reset, write, type RawRequest, type Script } from './raw.ts'

/* Origins whose answers are odd, hostile, or no HTTP. */

type HeadFields = Record<string, string | number | readonly string[]>

/** A small answer, as it should be. */
export const answer = (body = 'ok', fields: HeadFields = {}, status = 200): Script => ({ socket, method }) => {
  socket.write(head(status, { ...fields, 'Content-Length': Buffer.byteLength(body) }) + (method === 'HEAD' ? '' : body))
}

/** The bytes themselves, then the connection stays, ends, or is reset. */
export const bytes = (text: string | Buffer, after: 'stay' | 'end' | 'reset' = 'stay'): Script => async ({ socket }) => {
  await flush(socket, text)
  if (after === 'end') socket.end()
  if (after !== 'reset') return
  await aMoment()
  reset(socket)
}

/** An interim answer: 102, 103 with Link, a 100 that nobody asked for. */
export interface Interim { status: number, fields?: HeadFields }

/** Several interim answers (RFC 9110 §15.2), then a final one. */
export const interim = (answers: readonly Interim[], last: Script = answer()): Script => async request => {
  for (const { status, fields = {} } of answers) request.socket.write(head(status, fields))
  await last(request)
}

/** 103 without end, never a final answer. */
export const endlessInterim = (): Script => async ({ socket }) => {
  const many = head(103, { Link: '</a.css>; rel=preload' }).repeat(100)
  while (await write(socket, many));
}

/** An interim answer each `everyMs`, never a final one. */
export const slowInterim = (pace = { everyMs: 50 }): Script => async ({ socket }) => {
  while (socket.writable) {
    await flush(socket, head(102))
    await wait(pace.everyMs)
  }
}

/** 101 that nobody asked for, and bytes of another protocol. */
export const unaskedUpgrade = (): Script => bytes(`${head(101, { Connection: 'Upgrade', Upgrade: 'smuggle' })}bytes of another protocol`)

/** A chunked body with trailer fields (RFC 9110 §6.5). */
export const trailers = (body: string, fields: HeadFields): Script => ({ socket }) => {
  socket.write(head(200, { 'Transfer-Encoding': 'chunked', Trailer: Object.keys(fields).join(', ') }))
  socket.write(chunk(body))
  socket.write(`0\r\n${head(200, fields).split('\r\n').slice(1).join('\r\n')}`)
}

/** Redirects to itself for ever; with two targets, back and forth. */
export const redirectLoop = (status = 302, targets?: readonly [string, string]): Script => request => {
  const other = targets === undefined ? request.target : targets[request.target === targets[0] ? 1 : 0]
  redirectTo(other, status)(request)
}

/** Redirects to a URL, such as `http://169.254.169.254/latest/meta-data/`. */
export const redirectTo = (location: string, status = 302): (request: RawRequest) => void => ({ socket }) => {
  socket.write(head(status, { Location: location, 'Content-Length': 5 }) + 'moved')
}

/** HTTP/1.0: a body until the end of the connection, or with a length and `keep-alive`. */
export const http10 = (body: string, keepAlive = false): Script => ({ socket }) => {
  if (keepAlive) socket.write(head(200, { 'Content-Length': body.length, Connection: 'keep-alive' }, '1.0') + body)
  else socket.end(head(200, { 'Content-Type': 'text/plain' }, '1.0') + body)
}

/** Answers the first `answers` requests of a connection and keeps it open, but ends it when the next one comes. */
export const keepAliveRace = (answers = 1, end: 'fin' | 'reset' = 'fin', body = 'ok'): Script => request => {
  if (request.onConnection < answers) return answer(body)(request)
  if (end === 'fin') return request.socket.end()
  return reset(request.socket)
}

/** Answers once, then ends the idle connection by itself: the next request may already be on its way. */
export const closesIdle = (afterMs: number, body = 'ok'): Script => async request => {
  await answer(body)(request)
  setTimeout(() => { request.socket.end() }, afterMs)
}

/** What is no HTTP, each by its name. */
export const nonsense: Readonly<Record<string, string | Buffer>> = {
  'random bytes': Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 167 + 13) % 256)),
  'another protocol': 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n',
  'a status that is no number': 'HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n',
  'a status of five digits': 'HTTP/1.1 20000 OK\r\nContent-Length: 0\r\n\r\n',
  'a version that is none': 'HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n',
  'a length that is no number': 'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n',
  'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'two lengths that differ': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhello',
  'a length beside the chunked coding': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'a space before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n',
  'a field without a name': 'HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n',
  'a control byte in a field': 'HTTP/1.1 200 OK\r\nX-A: a\u0001b\r\nContent-Length: 0\r\n\r\n',
  'NUL in a field': 'HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n',
  'a bare CR in a field': 'HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\nContent-Length: 0\r\n\r\n',
  'a folded field': 'HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n'
}

/** Chunked bodies that are no chunked bodies, each by its name: the head is fine. */
export const nonsenseChunks: Readonly<Record<string, string>> = Object.fromEntries(Object.entries({
  'a size that is no number': 'xyz\r\nhello\r\n0\r\n\r\n',
  'a size beyond 64 bits': 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
  'a chunk longer than its size': '3\r\nhello\r\n0\r\n\r\n',
  'a negative size': '-5\r\nhello\r\n0\r\n\r\n'
}).map(([name, body]) => [name, head(200, { 'Transfer-Encoding': 'chunked' }) + body]))

/** 304 with the length of the body that it does not have (RFC 9110 §8.6 allows it). */
export const notModified = (length: number, fields: HeadFields = {}): Script => ({ socket }) => {
  socket.write(head(304, { ...fields, 'Content-Length': length }))
}

/** A field of so many bytes. */
export const largeHeader = (size: number): Script => answer('ok', { 'X-Large': 'x'.repeat(size) })

/** So many fields. */
export const manyHeaders = (count: number): Script => answer('ok', Object.fromEntries(Array.from({ length: count }, (_, at) => [`X-${at}`, 'y'])))

/** Fields that belong to the one connection alone (RFC 9110 §7.6.1), one of them named by `Connection`. */
export const hopByHop = (body = 'ok'): Script => ({ socket }) => {
  socket.end(head(200, {
    Connection: 'close, X-Nominated, ETag2',
    'X-Nominated': 'secret',
    ETag2: 'nominated too',
    'Keep-Alive': 'timeout=5',
    'Proxy-Authenticate': 'Basic realm="inside"',
    'Proxy-Authentication-Info': 'x',
    'Proxy-Connection': 'keep-alive',
    TE: 'trailers',
    Upgrade: 'h2c',
    'X-End-To-End': 'stays',
    'Content-Length': body.length
  }) + body)
}

/** Refuses a body before it is there, then ends the connection, or resets it. */
export const earlyRefusal = (status = 413, after: 'stay' | 'end' | 'reset' = 'end'): Script => bytes(`${head(status, { 'Content-Length': 9, Connection: 'close' })}too large`, after)

/** A body where there can be none: to HEAD, with 204, with 304. On a kept connection it would be the next answer. */
export const unaskedBody = (status: number): Script => ({ socket }) => {
  socket.write(`${head(status, { 'Content-Length': 25 })}HTTP/1.1 200 STOLEN\r\n\r\nx=1`)
}

/** A second answer that nobody asked for: on a kept connection the next request must not get it. */
export const extraAnswer = (body = 'first', extra = 'stolen'): Script => ({ socket }) => {
  socket.write(head(200, { 'Content-Length': body.length }) + body + head(200, { 'Content-Length': extra.length }) + extra)
}

/** Each request of the origin gets the next script; the last one stays. */
export const inTurn = (...scripts: readonly Script[]): Script => request => scripts[Math.min(request.index, scripts.length - 1)]?.(request)
