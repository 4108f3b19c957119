/** What fast-jwt's codes mean, in few fixed words: its own messages may quote a token. */
const words: ReadonlyMap<unknown, string> = new Map(Object.entries({
  FAST_JWT_MALFORMED: 'malformed',
  FAST_JWT_INVALID_PAYLOAD: 'malformed',
  FAST_JWT_INVALID_ALGORITHM: 'algorithm not allowed',
  FAST_JWT_INVALID_SIGNATURE: 'signature does not match',
  FAST_JWT_VERIFY_ERROR: 'signature does not match',
  FAST_JWT_MISSING_SIGNATURE: 'not signed',
  FAST_JWT_INVALID_TYPE: 'wrong type',
  FAST_JWT_INVALID_CLAIM_TYPE: 'claims of the wrong kind',
  FAST_JWT_MISSING_REQUIRED_CLAIM: 'a required claim is missing',
  FAST_JWT_INACTIVE: 'not valid yet',
  FAST_JWT_EXPIRED: 'expired'
}))

/** Why a token does not hold, for the log. What has no words of its own is no less invalid. */
export function tokenFault (error: unknown): string {
  const { code, message = '' } = error as { code?: unknown, message?: string }
  if (code !== 'FAST_JWT_INVALID_CLAIM_VALUE') return words.get(code) ?? 'does not hold'
  // One code for all claims; the name is the library's own word.
  const [, claim = ''] = / (aud|iss) claim/.exec(message) ?? []
  return claim === '' ? 'claims of the wrong kind' : claim === 'aud' ? 'wrong audience' : 'wrong issuer'
}
