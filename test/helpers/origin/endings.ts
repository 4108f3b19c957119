import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { content, type Content } from './content.ts'
import { aMoment, chunk, drip, flush, head, reset, write, type RawRequest, type Script } from './raw.ts'

/* Origins that are slow, that die, and that are wrong about how much they send. */

/** How the end of a body is told: by Content-Length, by the chunked coding, or by the end of the connection. */
export type Framing = 'length' | 'chunked' | 'close'

function framing (kind: Framing, size: number): Record<string, string | number> {
  if (kind === 'length') return { 'Content-Length': size }
  return kind === 'chunked' ? { 'Transfer-Encoding': 'chunked' } : { Connection: 'close' }
}

/** Accepts the request and never answers. */
export const silent = (): Script => () => {}

/** Answers so slowly that its head does not end: a byte each `everyMs`. */
export const slowHeader = (pace = { everyMs: 50 }): Script => async ({ socket }) => {
  await drip(socket, head(200, { 'X-Slow': 'x'.repeat(10_000), 'Content-Length': 0 }), pace)
}

/** Answers with a head at once, then a piece of the body each `everyMs`, in the end all of it. */
export const slowBody = (file: Content, pace: { everyMs: number, pieceBytes?: number }): Script => async ({ socket }) => {
  await flush(socket, head(200, { 'Content-Length': file.size }))
  await drip(socket, file.bytes(), pace)
}

/** Sends a part of the body, then nothing more, and stays. */
export const stall = (file: Content, after: number, kind: Framing = 'length'): Script => async ({ socket }) => {
  await partOf(socket, file, after, kind)
}

/** Ends the connection with RST instead of an answer. */
export const resetBeforeHead = (): Script => ({ socket }) => { reset(socket) }

/** Ends the connection with FIN instead of an answer. */
export const finBeforeHead = (): Script => ({ socket }) => { socket.end() }

/** Dies within the head. */
export const resetMidHead = (): Script => async ({ socket }) => {
  await flush(socket, 'HTTP/1.1 200 OK\r\nContent-Type: te')
  await aMoment()
  reset(socket)
}

async function partOf (socket: Socket, file: Content, after: number, kind: Framing): Promise<void> {
  await flush(socket, head(200, framing(kind, file.size)))
  for (const piece of file.pieces(0, after)) await flush(socket, kind === 'chunked' ? chunk(piece) : piece)
}

/** Sends `after` bytes of the body (none: the head alone), then RST: a moment later, or when it is told. */
export const resetMidBody = (file: Content, after: number, kind: Framing = 'length', when: () => Promise<unknown> = aMoment): Script => async ({ socket }) => {
  await partOf(socket, file, after, kind)
  await when()
  reset(socket)
}

/** Sends `after` bytes of the body, then FIN. */
export const finMidBody = (file: Content, after: number, kind: Framing = 'length'): Script => async ({ socket }) => {
  await partOf(socket, file, after, kind)
  socket.end()
}

/** Says that it sends `declared` bytes, sends `sent`, and ends the connection. */
export const wrongLength = (declared: number, sent: number): Script => async ({ socket }) => {
  await write(socket, head(200, { 'Content-Length': declared }))
  await flush(socket, content(sent).bytes())
  socket.end()
}

/** Tells one size to HEAD, and sends another, chunked, to GET. */
export const lyingLength = (declared: number, sent: number): Script => async ({ socket, method }) => {
  if (method === 'HEAD') { socket.write(head(200, { 'Content-Length': declared })); return }
  socket.write(head(200, { 'Transfer-Encoding': 'chunked' }))
  for (const piece of content(sent).pieces()) if (!await write(socket, chunk(piece))) return
  socket.write(chunk(''))
}

/** A body without any length: its end is that of the connection, by FIN, or by RST where it is cut, a moment later or when it is told. */
export const noLength = (file: Content, end: 'fin' | 'reset' = 'fin', when: () => Promise<unknown> = aMoment): Script => async ({ socket }) => {
  await flush(socket, head(200, { 'Content-Type': 'application/octet-stream' }))
  for (const piece of file.pieces()) await flush(socket, piece)
  if (end === 'fin') { socket.end(); return }
  await when()
  reset(socket)
}

/** A chunked body without an end, as fast as it is read, or a piece each `everyMs`. */
export const endless = (pace?: { everyMs: number, pieceBytes?: number }): Script => async ({ socket }) => {
  socket.write(head(200, { 'Content-Type': 'video/x-flv', 'Transfer-Encoding': 'chunked' }))
  const piece = chunk(content(pace?.pieceBytes ?? 65_536).bytes())
  if (pace === undefined) while (await write(socket, piece));
  else while (socket.writable) await drip(socket, piece, { everyMs: pace.everyMs, pieceBytes: piece.length })
}

/** A whole body of any size in any framing. */
export const whole = (file: Content, kind: Framing = 'length', fields: Record<string, string> = {}): Script => async ({ socket, method }: RawRequest) => {
  socket.write(head(200, { ...fields, ...framing(kind, file.size) }))
  if (method !== 'HEAD') for (const piece of file.pieces()) if (!await write(socket, kind === 'chunked' ? chunk(piece) : piece)) return
  if (kind === 'chunked' && method !== 'HEAD') socket.write(chunk(''))
  if (kind === 'close') socket.end()
}

/** About a thousandth of `bytes` that unpack to as many zeros: gzip members in a row (RFC 1952 §2.2). */
export function gzipBombOf (bytes: number): Buffer {
  const member = 8 * 1024 * 1024
  const full = gzipSync(Buffer.alloc(Math.min(member, bytes)))
  return Buffer.concat([...Array.from({ length: Math.floor(bytes / member) }, () => full), gzipSync(Buffer.alloc(bytes % member))])
}

/** A small body that says it is gzip, and unpacks to `bytes`. */
export const gzipBomb = (bytes = 512 * 1024 * 1024, fields: Record<string, string> = {}): Script => async ({ socket }) => {
  const bomb = gzipBombOf(bytes)
  await write(socket, head(200, { 'Content-Type': 'text/html', ...fields, 'Content-Encoding': 'gzip', 'Content-Length': bomb.length }))
  await write(socket, bomb)
}

/** The same without end: chunked, and a thousandfold as much once it is unpacked, for as long as it is read. */
export const endlessGzip = (): Script => async ({ socket }) => {
  socket.write(head(200, { 'Content-Type': 'text/html', 'Content-Encoding': 'gzip', 'Transfer-Encoding': 'chunked' }))
  const members = chunk(gzipBombOf(64 * 1024 * 1024))
  while (await write(socket, members));
}
