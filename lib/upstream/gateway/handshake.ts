import type { IncomingMessage } from 'node:http'
import { hasBody } from '../../http/has-body.ts'

/** Fields that ask for another protocol (RFC 9110 §7.8; RFC 7540 §3.2.1). */
const switching = new Set(['upgrade', 'http2-settings'])

/** Whether a request is the handshake of a WebSocket (RFC 6455 §4.1). A body has no place in it. */
export function isHandshake (request: IncomingMessage): boolean {
  const { method, headers: { upgrade = '' } } = request
  return method === 'GET' && items(upgrade).includes('websocket') && !hasBody(request)
}

/**
 * The head of a request again, without the wish for another protocol, which a server may leave
 * unheard.
 *
 * @returns undefined where Node.js may have left fields out, because there were too many
 */
export function plainHead ({ method, url, httpVersion, rawHeaders }: IncomingMessage, maxFields: number): string | undefined {
  if (maxFields > 0 && rawHeaders.length / 2 >= maxFields) return undefined
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let place = 0; place < rawHeaders.length; place += 2) {
    const name = rawHeaders[place] as string
    const value = plainValue(name.toLowerCase(), rawHeaders[place + 1] as string)
    if (value !== undefined) lines.push(`${name}: ${value}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

function plainValue (name: string, value: string): string | undefined {
  if (switching.has(name)) return undefined
  if (name !== 'connection') return value
  const kept = items(value).filter(item => !switching.has(item))
  return kept.length === 0 ? undefined : kept.join(', ')
}

function items (field: string): string[] {
  return field.toLowerCase().split(',').map(item => item.trim())
}
