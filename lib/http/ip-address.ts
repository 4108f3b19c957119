import ipaddr from 'ipaddr.js'

/** The spellings of an IP address that every reader reads alike: `10.1`, `0x7f.0.0.1` and `010.0.0.1` are none. */
export function isAddress (text: string): boolean {
  return text.includes(':') ? ipaddr.IPv6.isValid(text) : ipaddr.IPv4.isValidFourPartDecimal(text)
}

/** An address in its shortest spelling, IPv4 inside IPv6 as IPv4; other text as it is. */
export function plainAddress (text: string): string {
  return isAddress(text) ? ipaddr.process(text).toString() : text
}
