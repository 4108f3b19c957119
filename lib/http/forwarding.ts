import type { ClientView } from './forwarded.ts'

/** By which name `Via` knows this server (RFC 9110 §7.6.3): a pseudonym, since its host is nobody's business. */
const PSEUDONYM = 'fastify-media'

/** What is told of the one who asked. */
export interface Forwarding {
  /** The address at the other end of the connection. */
  readonly peer: string
  /** The client as trusted proxies tell it. */
  readonly client: ClientView
  /** The path that is taken off, without a trailing slash. */
  readonly prefix: string
}

type Fields = Record<string, string | string[]>

/** Fields by which others tell who asked, and clients pretend: what no trusted proxy said is dropped. */
const claims: ReadonlySet<string> = new Set(['forwarded', 'forwarded-for', 'true-client-ip', 'cf-connecting-ip', 'cf-connecting-ipv6', 'fastly-client-ip'].flatMap(spellings))

/** The same, of all that begin with `x`. */
const ownClaim = /^x[-_](?:forwarded(?:[-_]|$)|(?:(?:cluster[-_])?client|real)[-_]ip$|original[-_]forwarded[-_]for$|envoy[-_]external[-_]address$)/

/** What this server says itself, and nobody else's word on it goes on unread. */
const told: ReadonlySet<string> = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-prefix'])

/** CGI and its heirs (RFC 3875 §4.1.18) read `_` as they read `-`. */
function spellings (name: string): string[] {
  return name.split('-').reduce<string[]>((before, part) => before.length === 0 ? [part] : before.flatMap(start => [`${start}-${part}`, `${start}_${part}`]), [])
}

/** Whether a field tells who asked: what a client says of it never goes on as it is. */
export function isClaim (name: string): boolean {
  return name.charCodeAt(0) === 120 ? ownClaim.test(name) : claims.has(name)
}

/**
 * The fields by which this server tells who asked: `Forwarded` (RFC 7239) and `X-Forwarded-*`.
 *
 * @param before what a trusted proxy sent, by lower-case name: what it said of its own peers, to which
 *   this is appended, and of other `X-Forwarded-*`, which goes on; nothing of anybody else
 */
export function forwardingFields ({ peer, client, prefix }: Forwarding, before: Readonly<Record<string, string | string[] | undefined>> = {}): Fields {
  const fields: Fields = {
    'x-forwarded-for': appended(text(before['x-forwarded-for']), peer),
    'x-forwarded-proto': client.scheme,
    'x-forwarded-host': client.host,
    forwarded: appended(text(before.forwarded), `for=${nodeOf(peer)};host=${quoted(client.host)};proto=${client.scheme}`)
  }
  if (client.prefix !== '' || prefix !== '') fields['x-forwarded-prefix'] = client.prefix + prefix
  for (const name in before) {
    const value = before[name]
    if (name.startsWith('x-forwarded-') && !told.has(name) && value !== undefined) fields[name] = value
  }
  return fields
}

/**
 * Puts into request fields who asked, and `Via`, in place of what anybody said.
 *
 * @param fields end-to-end fields of the request, by lower-case name: they are changed
 * @param own as {@link forwardingFields} gives them
 * @param httpVersion that of the request: `1.1`
 */
export function addForwarding (fields: Fields, own: Readonly<Fields>, httpVersion: string): Fields {
  const via = text(fields.via)
  for (const name in fields) if (isClaim(name)) delete fields[name]
  Object.assign(fields, own)
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
