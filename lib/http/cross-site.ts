import type { IncomingHttpHeaders } from 'node:http'
import { isOriginAllowed } from './origin.ts'

/**
 * Whether a page of another site had a browser send a request that it may send unasked, as it may a form: what lets the
 * browser's user in by address, certificate or cookie would let that page in. Browsers tell by `Sec-Fetch-Site`
 * (https://www.w3.org/TR/fetch-metadata/), older ones by `Origin` alone; nobody else sends either.
 *
 * @param own the origin by which clients reach this server
 * @param allowed origins whose pages may, compiled by `originMatchers`
 */
export function isCrossSite ({ 'sec-fetch-site': site, origin }: IncomingHttpHeaders, own: string, allowed: ReadonlyArray<string | RegExp>): boolean {
  if (site === 'same-origin' || site === 'none') return false
  if (site === undefined && origin === undefined) return false
  return origin === undefined || (origin !== own && !isOriginAllowed(origin, allowed))
}
