import ipaddr from 'ipaddr.js'
import { isAddress, plainAddress } from './ip-address.ts'

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
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? []
  const network = isAddress(address) ? ipaddr.parse(address) : undefined
  const widest = network?.kind() === 'ipv4' ? 32 : 128
  const prefix = bits === undefined ? widest : Number(bits)
  if (network === undefined || prefix > widest) throw new TypeError(`Expected a CIDR range such as 10.0.0.0/8 but received ${range}`)
  const inner = ipaddr.process(address)
  return inner.kind() === network.kind() || prefix < 96 ? [network, prefix] : [inner, prefix - 96]
}

/** What one proxy says of the peer it was asked by. */
interface Hop {
  for?: string | undefined
  proto?: string | undefined
  host?: string | undefined
}

/**
 * The client as a chain of trusted proxies tells it, by `X-Forwarded-For`, `-Proto` and
 * `-Host`, or, where none of them is there, by `Forwarded` (RFC 7239); and by
 * `X-Forwarded-Prefix`. Only what a trusted peer wrote counts: the chain is read from the
 * nearest hop and ends at the first that is not trusted.
 *
 * `X-Forwarded-*` goes first because common proxies set it and pass a client's `Forwarded` on
 * as it is. Not covered: a field that the nearest proxy neither sets nor removes is the client's.
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
  const { client, scheme, host } = farthestTrusted(direct.address, hopsOf(headers), isTrusted)
  const prefix = validPrefix(list(headers['x-forwarded-prefix']).at(-1))
  return {
    address: client,
    scheme: scheme ?? direct.scheme,
    host: host ?? direct.host,
    prefix: prefix ?? '',
    forwarded: (scheme ?? host ?? prefix) !== undefined
  }
}

interface Told {
  client: string
  scheme?: 'http' | 'https' | undefined
  host?: string | undefined
}

function farthestTrusted (peer: string, hops: Iterable<Hop>, isTrusted: Trust): Told {
  const told: Told = { client: peer }
  for (const hop of hops) {
    if (!isTrusted(told.client)) break
    told.scheme = validScheme(hop.proto) ?? told.scheme
    told.host = validHost(hop.host) ?? told.host
    const client = validAddress(hop.for)
    if (client === undefined) break
    told.client = client
  }
  return told
}

/**
 * Hops, the nearest first. Read one by one as they are asked for: of a field filled by the
 * client, only what is believed costs anything.
 */
function hopsOf (headers: Connection['headers']): Iterable<Hop> {
  const addresses = list(headers['x-forwarded-for'])
  const protos = list(headers['x-forwarded-proto'])
  const hosts = list(headers['x-forwarded-host'])
  if (addresses.length + protos.length + hosts.length === 0) return forwardedHops(list(headers.forwarded))
  return legacyHops(addresses, protos, hosts)
}

/**
 * `X-Forwarded-*`: where scheme or host have as many members as there are addresses, each
 * belongs to its hop; otherwise only the nearest proxy's word counts.
 */
function * legacyHops (addresses: string[], protos: string[], hosts: string[]): Generator<Hop> {
  const count = Math.max(1, addresses.length)
  for (let place = count - 1; place >= 0; place--) {
    yield { for: addresses[place], proto: ofHop(protos, place, count), host: ofHop(hosts, place, count) }
  }
}

function ofHop (values: string[], place: number, count: number): string | undefined {
  if (values.length === count) return values[place]
  return place === count - 1 ? values.at(-1) : undefined
}

/**
 * `Forwarded` (RFC 7239 §4), split at every comma: none stands within a value that is read
 * here, and so a quote that a client opened cannot swallow what a proxy appended.
 */
function * forwardedHops (elements: string[]): Generator<Hop> {
  for (const element of elements.toReversed()) yield parseElement(element)
}

// [ token "=" value ]: pairs may be empty. Sticky, so that an element is read in one linear pass.
const pair = /[ \t]*(?:([!#$%&'*+.^`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))[ \t]*)?(?:;|$)/y

/** One element of `Forwarded`; of a malformed one, nothing is believed. */
function parseElement (element: string): Hop {
  const hop: Hop = {}
  pair.lastIndex = 0
  while (pair.lastIndex < element.length) {
    const match = pair.exec(element)
    if (match === null) return {}
    const [, name = '', quoted, token = ''] = match
    const key = name.toLowerCase()
    if (key === 'for' || key === 'proto' || key === 'host') hop[key] = quoted?.replaceAll(/\\(.)/g, '$1') ?? token
  }
  return hop
}

const node = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/i

/** An address without brackets and port; `unknown` and obfuscated identifiers (RFC 7239 §6) are none. */
function validAddress (text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const match = node.exec(text)
  const bare = match?.[1] ?? match?.[2] ?? text
  return isAddress(bare) ? plainAddress(bare) : undefined
}

function validScheme (text: string | undefined): 'http' | 'https' | undefined {
  const scheme = text?.toLowerCase()
  return scheme === 'http' || scheme === 'https' ? scheme : undefined
}

/** Host and optional port (RFC 9110 §4.2), and nothing that could end a URL's authority early. */
/** Whether a text is a host and an optional port, as `Host` carries it (RFC 9110 §7.2). */
export function isHost (text: string): boolean {
  return validHost(text) !== undefined
}

function validHost (text: string | undefined): string | undefined {
  return text !== undefined && /^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(text) ? text : undefined
}

/** One or more plain segments: `//host` would be another authority. */
function validPrefix (text: string | undefined): string | undefined {
  if (text === undefined || !/^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)*\/?$/.test(text)) return undefined
  return text.endsWith('/') ? text.slice(0, -1) : text
}

function list (field: string | string[] | undefined): string[] {
  const text = Array.isArray(field) ? field.join(',') : field
  return text?.split(',').map(item => item.trim()).filter(Boolean) ?? []
}

function single (field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? undefined : field
}
