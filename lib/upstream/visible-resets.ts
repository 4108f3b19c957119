import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/**
 * What undici calls an error of a connection that spares requests which were not yet sent over it:
 * they go over the next one.
 */
const SOCKET_ERROR = 'UND_ERR_SOCKET'

/**
 * Makes sure that a connection that was reset never looks as if it had ended: a body without a length
 * ends with its connection (RFC 9112 §6.3), and one that was cut would pass for whole. Two things hide it:
 *
 * - undici takes `ECONNRESET` for the end of such a body. Here it has another code by the time undici
 *   hears of it;
 * - Node.js tells bytes and the reset behind them, found together, as bytes and an end. The kernel knows:
 *   it names a peer for a connection that was ended from there, and none for one that was reset.
 *
 * Not covered: a body over TLS that somebody in between ends by FIN. Node.js does not tell whether the
 * peer had said that it closes.
 *
 * @param socket with its connection made, and before undici listens to it
 */
export function showResets (socket: Socket): void {
  socket.prependListener('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') error.code = SOCKET_ERROR
  })
  const push = socket.push.bind(socket)
  socket.push = function pushVisibly (chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk !== null) return push(chunk, encoding)
    if (wasReset(socket)) socket.destroy(Object.assign(new Error('The connection was reset behind its last bytes'), { code: SOCKET_ERROR }))
    else if (isHalted(socket)) endOnceParsed(socket, () => push(null))
    else return push(null)
    return false
  }
}

/**
 * Holds the end of a connection back until undici has parsed all that came before it. While a slow
 * reader halts its parser, undici asserts that no end comes, and the process would be lost
 * (nodejs/undici#5360). A parser that goes on reads until nothing is left.
 */
function endOnceParsed (socket: Socket, pushEnd: () => void): void {
  if (Object.hasOwn(socket, 'read')) return
  const read = socket.read.bind(socket)
  const end = (): void => {
    if (socket.destroyed || !Object.hasOwn(socket, 'read') || isHalted(socket)) return
    delete (socket as Partial<Socket>).read
    pushEnd()
    socket.read(0) // as Node.js does behind an end
  }
  socket.read = size => {
    const chunk: unknown = read(size)
    if (chunk === null) process.nextTick(end) // the parser may halt again at what it has read
    return chunk
  }
}

/** Whether undici has yet to parse what came. Connections that it does not parse have no such thing. */
function isHalted (socket: Socket): boolean {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser')
  const parser = key === undefined ? undefined : (socket as unknown as Record<symbol, { readonly paused: boolean } | null>)[key]
  return parser !== undefined && parser !== null && (parser.paused || socket.readableLength > 0)
}

/** Connections that are ended from both sides have no peer any more either: theirs is no reset. */
function wasReset (socket: Socket): boolean {
  const { _handle: handle, writableEnded } = socket as Socket & { _handle?: { getpeername?: (into: object) => number } | null }
  const outcome = handle?.getpeername?.({}) ?? 0
  return outcome < 0 && !writableEnded && getSystemErrorName(outcome) === 'ENOTCONN'
}
