import { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

/**
 * Shows that a body broke off where nothing else would: over HTTP/1.0 and without a length its
 * end is told by that of the connection (RFC 9112 §8), so that only a reset is none.
 */
export function showTruncation (body: Readable, response: ServerResponse): void {
  body.prependOnceListener('error', function resetUnframed () { // before whoever closes the connection in the usual way
    if (!(response instanceof ServerResponse) || !response.headersSent || response.chunkedEncoding || response.hasHeader('content-length')) return
    response.socket?.resetAndDestroy()
  })
}
