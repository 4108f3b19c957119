import type { IncomingHttpHeaders } from 'node:http'
import { MediaError } from '../errors.ts'

/** Fields by which frameworks take a request for one of another method. */
export const methodOverrides = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const

/**
 * The method that an origin may take a request for, where a field says another than its own.
 *
 * @throws {MediaError} `bad-request` where fields say several: origins differ in which they read
 */
export function overriddenMethod (headers: IncomingHttpHeaders): string | undefined {
  let method: string | undefined
  for (const name of methodOverrides) {
    const value = headers[name]
    if (value === undefined) continue
    for (const one of String(value).toUpperCase().split(',')) {
      if (method !== undefined && method !== one.trim()) throw new MediaError('bad-request', { detail: 'More than one method is named' })
      method = one.trim()
    }
  }
  return method
}
