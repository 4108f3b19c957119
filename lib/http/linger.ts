import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Milliseconds for which a body that nobody wants any more is still read, so that its client reads the answer instead of a reset. */
const LINGER_MS = 10_000

/**
 * After an answer that came before its request was whole: what the client still sends is thrown
 * away for a while. A connection that is closed at once is reset by the kernel, and the answer
 * may be lost with it (RFC 9112 §9.6). Clients that go on sending lose the connection.
 */
export function readOn (request: IncomingMessage, response: ServerResponse, forMs = LINGER_MS): void {
  // Of a stream of HTTP/2 the end is not sent before what it brings is read.
  if (request.httpVersionMajor === 2) lingerOn()
  else response.once('finish', lingerOn)

  function lingerOn (): void {
    if (request.complete) return
    const timer = setTimeout(() => { ((request as { stream?: Duplex }).stream ?? request).destroy() }, forMs).unref()
    const stop = (): void => clearTimeout(timer)
    request.once('end', stop)
    request.once('close', stop)
    request.unpipe() // whoever it was given to takes no more
    request.resume()
  }
}
