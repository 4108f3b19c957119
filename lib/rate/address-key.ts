import ipaddr from 'ipaddr.js'
import { isAddress } from '../http/ip-address.ts'

/** Bytes of an IPv6 address that tell the network: one subscriber has at least the 2^64 addresses behind them (RFC 6177, RIPE-690). */
const NETWORK_BYTES = 8

/**
 * What is counted as one address: IPv4 as it is, also inside IPv6 (RFC 4291 §2.5.5.2); of IPv6 the network of 64 bits.
 *
 * @param address as `request.clientAddress` tells it: `''`, whose connection is gone, is `gone`, and text that is no address is itself
 */
export function addressKey (address: string): string {
  if (address === '') return 'gone'
  if (!isAddress(address)) return address
  const ip = ipaddr.process(address)
  if (ip instanceof ipaddr.IPv4) return ip.toString()
  const network = ip.toByteArray().fill(0, NETWORK_BYTES)
  return `${ipaddr.fromByteArray(network).toString()}/64`
}
