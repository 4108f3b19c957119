import type { AccessRequest } from './access.ts'
import { isRepeated } from './field-lines.ts'

/** What `Authorization` holds of a bearer token. */
export type Bearer =
  { readonly kind: 'absent' } |
  { readonly kind: 'malformed' } |
  { readonly kind: 'token', readonly token: string }

/** The longest token, in characters: larger ones are made to be read, which costs whoever checks them. */
export const MAX_TOKEN_CHARACTERS = 8192

const absent: Bearer = Object.freeze({ kind: 'absent' })
const malformed: Bearer = Object.freeze({ kind: 'malformed' })

/** The scheme's name counts in any case (RFC 9110 §11.1). */
const scheme = /^bearer(?: +|$)/i
// token68, RFC 9110 §11.2: what RFC 6750 §2.1 calls b64token.
const token68 = /^[A-Za-z0-9._~+/-]+=*$/

/**
 * The token of `Authorization: Bearer` (RFC 6750 §2.1). Other schemes are none. Two lines are malformed,
 * whatever they hold: Node.js keeps the first and says nothing, another reader may keep the last.
 */
export function bearerOf ({ headers: { authorization }, rawHeaders }: Pick<AccessRequest, 'headers' | 'rawHeaders'>): Bearer {
  if (authorization === undefined) return absent
  if (isRepeated(rawHeaders, 'authorization')) return malformed
  const start = scheme.exec(authorization)
  if (start === null) return absent
  if (authorization.length - start[0].length > MAX_TOKEN_CHARACTERS) return malformed
  const token = authorization.slice(start[0].length)
  return token68.test(token) ? { kind: 'token', token } : malformed
}
