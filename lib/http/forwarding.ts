import type { ClientView } from './forwarded.ts'

/** By which name `Via` knows this server (RFC 9110 §7.6.3): a pseudonym, since its host is nobody's business. */
const PSEUDONYM = 'fastify-media'

/** What is told of the one who asked. */
export interface Forwarding {
  /** The address at the other end of the connection. */
  readonly peer: string
  /** The client as trusted proxies tell it. */
  readonly client: ClientView
  /** The HTTP version of the request: `1.1`. */
  readonly httpVersion: string
  /** The path that is taken off, without a trailing slash. */
  readonly prefix: string
  /** Whether the peer is a trusted proxy: then what it says of its own peers stands. */
  readonly isTrusted: boolean
}

type Fields = Record<string, string | string[]>

/** Fields by which others tell who asked, and clients pretend: what no trusted proxy said is dropped. */
const claimed = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-server', 'x-real-ip', 'x-client-ip', 'true-client-ip', 'forwarded'] as const

/**
 * Puts into request fields who asked, and by which way: `Via`, `Forwarded` (RFC 7239) and
 * `X-Forwarded-*`, appended to what a trusted proxy said, in place of what anybody else did.
 *
 * @param fields end-to-end fields of the request, by lower-case name: they are changed
 */
export function addForwarding (fields: Fields, { peer, client, httpVersion, prefix, isTrusted }: Forwarding): Fields {
  const before = isTrusted ? text(fields['x-forwarded-for']) : undefined
  const hops = isTrusted ? text(fields.forwarded) : undefined
  const via = text(fields.via)
  for (const name of claimed) if (name in fields) delete fields[name]
  fields['x-forwarded-for'] = appended(before, peer)
  fields['x-forwarded-proto'] = client.scheme
  fields['x-forwarded-host'] = client.host
  if (client.prefix !== '' || prefix !== '') fields['x-forwarded-prefix'] = client.prefix + prefix
  fields.forwarded = appended(hops, `for=${nodeOf(peer)};host=${quoted(client.host)};proto=${client.scheme}`)
  fields.via = appended(via, `${httpVersion} ${PSEUDONYM}`)
  return fields
}

/** Adds this server to the `Via` of an answer. */
export function addVia (fields: Fields): void {
  fields.via = appended(text(fields.via), `1.1 ${PSEUDONYM}`)
}

function appended (before: string | undefined, item: string): string {
  return before === undefined || before === '' ? item : `${before}, ${item}`
}

function text (field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? field.join(', ') : field
}

/** RFC 7239 §6: an IPv6 address stands in brackets and quotes. */
function nodeOf (address: string): string {
  if (address === '') return 'unknown'
  return address.includes(':') ? `"[${address}]"` : address
}

function quoted (host: string): string {
  return /^[A-Za-z0-9._-]+$/.test(host) ? host : `"${host}"`
}
