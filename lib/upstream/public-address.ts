import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * What the library counts as ordinary and no public server has: the address by which a machine
 * in Azure reaches the one it runs on.
 */
const azurePlatform = '168.63.129.16'

/** The only part of IPv6 that public addresses have been given out of (RFC 4291 §2.4, IANA). */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Whether an address is one that anybody may own: in none of the blocks of IANA's registries of
 * special-purpose addresses, no multicast, not unspecified, no platform service of a cloud.
 *
 * An IPv6 address that carries an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64, ISATAP)
 * is none, whatever it carries: no file lives only there. Nor is one with a zone.
 *
 * Not covered, because nothing tells it: a NAT64 prefix that a network chose for itself out
 * of its public addresses (RFC 6052 §2.2).
 *
 * @param address as a resolver or a socket gives it; other spellings, such as `127.1`, are not public
 */
export function isPublicAddress (address: string): boolean {
  if (isIP(address) === 0 || address.includes('%')) return false
  const ip = ipaddr.parse(address)
  if (ip.range() !== 'unicast') return false
  return ip instanceof ipaddr.IPv6 ? ip.match(globalUnicast) && !isIsatap(ip) : address !== azurePlatform
}

/** ISATAP (RFC 5214 §6.1): `::5efe:a.b.c.d` below any prefix, whatever the bits that tell universal and group. */
function isIsatap ({ parts }: ipaddr.IPv6): boolean {
  return ((parts[4] ?? 0) & ~0x0300) === 0 && parts[5] === 0x5efe
}
