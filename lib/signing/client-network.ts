/** What may stand in an IPv6 address (RFC 4291 §2.2): nothing by which a URL would read it as something else. */
const looksLikeIpv6 = /^[0-9a-f:.]{2,45}$/i

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/**
 * What of an address a signature is bound to: of IPv4 the whole, of IPv6 its network of 64
 * bits, within which clients change their address as they like (RFC 8981). IPv4 inside IPv6 is
 * IPv4; a zone (`%eth0`) does not count. Needs nothing, so that it runs wherever URLs are written.
 *
 * @returns `192.0.2.7`, or `2001:db8:0:1::/64` with all four groups; undefined where it is no address
 */
export function networkOf (address: string): string | undefined {
  if (ipv4.test(address)) return address
  const [bare = ''] = address.split('%', 1)
  if (!bare.includes(':') || !looksLikeIpv6.test(bare)) return undefined
  const groups = groupsOf(bare)
  if (groups === undefined) return undefined
  const isIpv4 = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff'
  return isIpv4 ? groups.slice(6).flatMap(bytesOf).join('.') : `${groups.slice(0, 4).join(':')}::/64`
}

/** All eight, each in its shortest spelling: URLs know all others (WHATWG URL, the IPv6 parser and serializer). */
function groupsOf (address: string): string[] | undefined {
  const shortest = shortestOf(address)
  if (shortest === undefined) return undefined
  const [head = [], tail = []] = shortest.split('::').map(half => half === '' ? [] : half.split(':'))
  return [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
}

function shortestOf (address: string): string | undefined {
  try {
    return new URL(`http://[${address}]`).hostname.slice(1, -1)
  } catch {
    return undefined
  }
}

function bytesOf (group: string): number[] {
  const number = Number.parseInt(group, 16)
  return [number >> 8, number & 0xff]
}
