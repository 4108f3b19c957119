import type { IncomingMessage } from 'node:http'
import { finished, PassThrough, type Readable } from 'node:stream'

/** Whether a body follows the head (RFC 9112 §6.3, RFC 9113 §8.1): of any method, GET too. */
export function hasBody (request: IncomingMessage): boolean {
  const { headers, httpVersionMajor } = request
  if (httpVersionMajor === 2) return (request as unknown as { stream: { endAfterHeaders?: boolean } }).stream.endAfterHeaders === false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * A request's body to give away: whoever takes it may destroy it, as undici does when an answer
 * comes early or none comes, and the client's connection stays, so that it gets its answer. It
 * fails where the client leaves before its end.
 */
export function lent (source: Readable): Readable {
  const body = new PassThrough()
  body.on('error', () => {}) // it may be destroyed before anybody listens
  finished(source, { writable: false }, error => {
    if (error !== undefined && error !== null) body.destroy(error)
  })
  return source.pipe(body)
}
