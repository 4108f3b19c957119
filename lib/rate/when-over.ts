import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Calls back once, when a request is over: answered, failed or left by its client; at once where that has
 * happened already. Two kinds of responses do not always tell, so their connection is listened to as well: those
 * that wait behind others on it (pipelined), and those of connections that become something else (WebSocket).
 */
export function whenOver (request: IncomingMessage, response: ServerResponse, action: () => void): void {
  const place = response.socket as Socket | null | undefined // none at all: an HTTP/2 stream that is closed
  if (response.destroyed || place === undefined || request.socket.destroyed) {
    action()
  } else if (place !== null && request.headers.upgrade === undefined) {
    response.once('close', action)
  } else {
    const ends = endsOf(request.socket)
    const end = (): void => { if (ends.delete(end)) action() }
    ends.add(end)
    response.once('close', end)
  }
}

const endsBySocket = new WeakMap<Socket, Set<() => void>>()

/** One listener for all that wait on a connection. */
function endsOf (socket: Socket): Set<() => void> {
  let ends = endsBySocket.get(socket)
  if (ends === undefined) {
    const waiting = ends = new Set()
    endsBySocket.set(socket, ends)
    socket.once('close', function endAll () {
      for (const end of waiting) end()
    })
  }
  return ends
}
