/**
 * Compiles allowed origins for an exact comparison: texts as they are, and
 * `https://*.example.com` as an anchored pattern for one or more labels in front. Nothing
 * else is a pattern, so that no dot or missing anchor lets a stranger in.
 *
 * @throws {TypeError} naming the origin that is none
 */
export function originMatchers (origins: readonly string[]): Array<string | RegExp> {
  return origins.map(origin => {
    if (origin === '*') return origin
    const { serialised, wildcard } = parseOrigin(origin)
    if (!wildcard) return serialised
    const [scheme, rest] = serialised.split('://wildcard.') as [string, string]
    return new RegExp(`^${scheme}://(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\\.)+${rest.replaceAll(/[.-]/g, '\\$&')}$`)
  })
}

/** Whether an `Origin` is one of those that were compiled. */
export function isOriginAllowed (origin: string, matchers: ReadonlyArray<string | RegExp>): boolean {
  return matchers.some(matcher => typeof matcher === 'string' ? matcher === '*' || matcher === origin : matcher.test(origin))
}

function parseOrigin (text: string): { serialised: string, wildcard: boolean } {
  const wildcard = /^https?:\/\/\*\.[^*]+$/.test(text)
  try {
    const url = new URL(wildcard ? text.replace('*', 'wildcard') : text)
    const bare = url.pathname === '/' && !text.endsWith('/') && url.search + url.hash + url.username + url.password === ''
    if (bare && /^https?:$/.test(url.protocol) && !text.slice(wildcard ? 9 : 0).includes('*')) return { serialised: url.origin, wildcard }
  } catch {
    // told below
  }
  throw new TypeError(`Expected an origin such as https://example.com or https://*.example.com but received ${text}`)
}
