import { createHash } from 'node:crypto'

/** Up to 100 characters that are visible and mean nothing in a key. */
const readable = /^[!"$-9;-~]{0,100}$/

/**
 * The key by which something is counted, readable in Redis and bounded, whatever text is in it:
 * different parts make different keys, because no part as it is has a colon or begins like a hash.
 */
export function rateKey (...parts: readonly string[]): string {
  return parts.map(part => readable.test(part) ? part : `#${createHash('sha256').update(part).digest('hex')}`).join(':')
}
