import ipaddr from 'ipaddr.js'

/** Who asks, and by which public address the client knows this server. */
export interface ClientView {
  /** The client's IP address. */
  readonly address: string
  readonly scheme: 'http' | 'https'
  /** Host and port as the client wrote them. */
  readonly host: string
  /** The path that a proxy in front removes, without a trailing slash. */
  readonly prefix: string
  /** Whether a trusted proxy told any of scheme, host or prefix. */
  readonly forwarded: boolean
}

/** What the connection itself shows. */
export interface Connection {
  readonly address: string
  readonly encrypted: boolean
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Whether an address belongs to a trusted proxy. */
export type Trust = (address: string) => boolean

/**
 * Compiles CIDR ranges, or single addresses, into a test. IPv4 inside IPv6 is read as IPv4.
 *
 * @throws {TypeError} naming the range that is none
 */
export function trustRanges (ranges: readonly string[]): Trust {
  const parsed = ranges.map(parseRange)
  return function isTrusted (address) {
    if (!ipaddr.isValid(address)) return false
    const ip = ipaddr.process(address)
    return parsed.some(([network, bits]) => network.kind() === ip.kind() && ip.match(network, bits))
  }
}

function parseRange (range: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  try {
    if (range.includes('/')) return ipaddr.parseCIDR(range)
    const address = ipaddr.process(range)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  } catch {
    throw new TypeError(`Expected a CIDR range such as 10.0.0.0/8 but received ${range}`)
  }
}

interface Hop { for?: string, proto?: string, host?: string }

/**
 * The client as a chain of trusted proxies tells it, by `Forwarded` (RFC 7239) or, without
 * it, `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`. Only what a trusted peer wrote
 * counts: the chain is read from the nearest hop and ends at the first that is not trusted.
 */
export function clientView (connection: Connection, isTrusted: Trust): ClientView {
  const { address, encrypted, headers } = connection
  const direct: ClientView = {
    address: plainAddress(address),
    scheme: encrypted ? 'https' : 'http',
    host: validHost(single(headers.host)) ?? 'localhost',
    prefix: '',
    forwarded: false
  }
  if (!isTrusted(address)) return direct
  const hops = headers.forwarded === undefined ? legacyHops(headers) : forwardedHops(joined(headers.forwarded))
  const { client, hop } = farthestTrusted(direct.address, hops, isTrusted)
  const scheme = hop.proto === 'https' || hop.proto === 'http' ? hop.proto : undefined
  const host = validHost(hop.host)
  const prefix = validPrefix(last(headers['x-forwarded-prefix']))
  return {
    address: client,
    scheme: scheme ?? direct.scheme,
    host: host ?? direct.host,
    prefix: prefix ?? '',
    forwarded: (scheme ?? host ?? prefix) !== undefined
  }
}

/** Hops are in the order they were added: the last one was written by the nearest proxy. */
function farthestTrusted (peer: string, hops: Hop[], isTrusted: Trust): { client: string, hop: Hop } {
  let client = peer
  let known: Hop = {}
  for (const hop of hops.toReversed()) {
    if (!isTrusted(client)) break
    known = { ...known, ...hop }
    if (hop.for === undefined) break
    client = hop.for
  }
  return { client, hop: known }
}

/**
 * `X-Forwarded-*`: where scheme or host have as many members as there are addresses, each
 * belongs to its hop; otherwise only the nearest proxy's word counts.
 */
function legacyHops (headers: Connection['headers']): Hop[] {
  const addresses = list(joined(headers['x-forwarded-for']))
  const protos = list(joined(headers['x-forwarded-proto']))
  const hosts = list(joined(headers['x-forwarded-host']))
  const count = Math.max(1, addresses.length)
  return Array.from({ length: count }, (_, place) => {
    const proto = ofHop(protos, place, count)
    const host = ofHop(hosts, place, count)
    return {
      ...member('for', addresses[place] ?? ''),
      ...(proto === undefined ? {} : member('proto', proto)),
      ...(host === undefined ? {} : member('host', host))
    }
  })
}

function ofHop (values: string[], place: number, count: number): string | undefined {
  if (values.length === count) return values[place]
  return place === count - 1 ? values.at(-1) : undefined
}

const pair = /[ \t]*([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))[ \t]*(;|,|$)/iy

/** Reads `Forwarded` (RFC 7239 §4); from a malformed place on, nothing more is believed. */
function forwardedHops (field: string): Hop[] {
  const hops: Hop[] = [{}]
  pair.lastIndex = 0
  while (pair.lastIndex < field.length) {
    const match = pair.exec(field)
    if (match === null) return [{}]
    const [, name = '', quoted, token = '', separator] = match
    const value = quoted === undefined ? token : quoted.replaceAll(/\\(.)/g, '$1')
    Object.assign(hops.at(-1) as Hop, member(name.toLowerCase(), value))
    if (separator === ',') hops.push({})
    if (separator === '') break
  }
  return hops
}

function member (name: string, value: string): Hop {
  if (name === 'host') return { host: value }
  if (name === 'proto') return { proto: value.toLowerCase() }
  const address = name === 'for' ? validAddress(value) : undefined
  return address === undefined ? {} : { for: address }
}

/** An address without brackets and port; obfuscated identifiers (RFC 7239 §6.3) are none. */
function validAddress (text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.split(':', 1)[0] as string : text)
  return ipaddr.isValid(bare) ? plainAddress(bare) : undefined
}

function plainAddress (address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address
}

/** Host and optional port (RFC 9110 §4.2), and nothing that could end a URL's authority early. */
function validHost (text: string | undefined): string | undefined {
  return text !== undefined && /^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(text) ? text : undefined
}

/** One or more plain segments: `//host` would be another authority. */
function validPrefix (text: string | undefined): string | undefined {
  if (text === undefined || !/^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)*\/?$/.test(text)) return undefined
  return text.endsWith('/') ? text.slice(0, -1) : text
}

function joined (field: string | string[] | undefined): string {
  return Array.isArray(field) ? field.join(',') : field ?? ''
}

function list (field: string): string[] {
  return field.split(',').map(item => item.trim()).filter(Boolean)
}

function last (field: string | string[] | undefined): string | undefined {
  return list(joined(field)).at(-1)
}

function single (field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? undefined : field
}
