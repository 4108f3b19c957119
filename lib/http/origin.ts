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
    const { scheme, host, wildcard } = parseOrigin(origin)
    if (!wildcard) return `${scheme}//${host}`
    return new RegExp(`^${scheme}//(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\\.)+${host.replaceAll(/[^a-z0-9]/g, '\\$&')}$`)
  })
}

/** Whether an `Origin` is one of those that were compiled. */
export function isOriginAllowed (origin: string, matchers: ReadonlyArray<string | RegExp>): boolean {
  return matchers.some(matcher => typeof matcher === 'string' ? matcher === '*' || matcher === origin : matcher.test(origin))
}

const shape = /^(https?:)\/\/(\*\.)?([^\s*/?#@\\]+)$/i

/** Scheme and host in their serialised form: lower case, Punycode, without the default port. */
function parseOrigin (text: string): { scheme: string, host: string, wildcard: boolean } {
  const [, scheme = '', wildcard, host = ''] = shape.exec(text) ?? []
  const url = `${scheme}//${host}`
  // An IP address has no subdomains: with a label in front it does not parse.
  if (!URL.canParse(wildcard === undefined ? url : url.replace('//', '//label.'))) throw new TypeError(`Expected an origin such as https://example.com or https://*.example.com but received ${text}`)
  const parsed = new URL(url)
  return { scheme: parsed.protocol, host: parsed.host, wildcard: wildcard !== undefined }
}
