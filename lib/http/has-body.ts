import type { IncomingMessage } from 'node:http'

/** Whether a body follows the head (RFC 9112 §6.3, RFC 9113 §8.1): of any method, GET too. */
export function hasBody (request: IncomingMessage): boolean {
  const { headers, httpVersionMajor } = request
  if (httpVersionMajor === 2) return (request as unknown as { stream: { endAfterHeaders?: boolean } }).stream.endAfterHeaders === false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
