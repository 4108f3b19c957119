import type { IncomingMessage, ServerResponse } from 'node:http'

/** Milliseconds for which a body that nobody wants any more is still read, so that its client reads the answer instead of a reset. */
export const LINGER_MS = 10_000

/**
 * After an answer that came before its request was whole: what the client still sends is thrown
 * away for a while. A connection that is closed at once is reset by the kernel, and the answer
 * may be lost with it (RFC 9112 §9.6). Clients that go on sending lose the connection.
 */
export function readOn (request: IncomingMessage, response: ServerResponse, forMs = LINGER_MS): void {
  response.once('finish', function lingerOn () {
    const { socket } = request
    if (request.complete) return
    const timer = setTimeout(() => { socket.destroy() }, forMs)
    const stop = (): void => clearTimeout(timer)
    request.once('end', stop)
    socket.once('close', stop)
    request.resume()
  })
}
