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
  socket.push = function pushUnlessReset (chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk !== null || !wasReset(socket)) return push(chunk, encoding)
    socket.destroy(Object.assign(new Error('The connection was reset behind its last bytes'), { code: SOCKET_ERROR }))
    return false
  }
}

/** Connections that are ended from both sides have no peer any more either: theirs is no reset. */
function wasReset (socket: Socket): boolean {
  const { _handle: handle, writableEnded } = socket as Socket & { _handle?: { getpeername?: (into: object) => number } | null }
  const outcome = handle?.getpeername?.({}) ?? 0
  return outcome < 0 && !writableEnded && getSystemErrorName(outcome) === 'ENOTCONN'
}
