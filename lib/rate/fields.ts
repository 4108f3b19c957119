/* The RateLimit fields of draft-ietf-httpapi-ratelimit-headers-10: lists of structured fields (RFC 9651), one member for each limit. */

/** A member of `RateLimit-Policy`: what may be used (`q`) within how many seconds (`w`). */
export function policyMember (name: string, { max, windowMs }: { readonly max: number, readonly windowMs: number }): string {
  return `"${name}";q=${max};w=${Math.ceil(windowMs / 1000)}`
}

/** A member of `RateLimit`: what may still be used (`r`), and the seconds until it is all there again (`t`). */
export function limitMember (name: string, remaining: number, seconds: number): string {
  return `"${name}";r=${remaining};t=${seconds}`
}
