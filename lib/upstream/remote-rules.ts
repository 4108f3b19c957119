import { isIP } from 'node:net'
import { MediaError } from '../errors.ts'
import { isPublicAddress } from './public-address.ts'

/** What clients may name. */
export interface RemoteRules {
  /**
   * Whether a URL may be asked for: the one a client named, and each that it redirects to.
   *
   * @throws {MediaError} `remote-forbidden`
   */
  readonly check: (url: URL) => void
}

/**
 * Compiles an allow-list. A rule is a scheme, a host and, where it is not the scheme's own, a port:
 * `https://img.example.com`, `http://img.example.com:8080`; `https://*.example.com` is every name
 * below `example.com`, at any depth, and not `example.com` itself. Hosts are compared as the WHATWG
 * URL standard folds them: case, IDN, decimal and octal addresses. An address is allowed by its
 * own rule alone.
 *
 * With `addresses: 'public'` names that networks give to their own machines, and addresses that
 * are not public, are refused whatever the list says. Where a name leads is not known here: that is
 * what {@link guardedConnect} looks at.
 *
 * @throws {TypeError} naming the rule that is none, or that could never allow anything
 */
export function remoteRules (allow: readonly string[], { addresses = 'public' }: { addresses?: 'public' | 'any' } = {}): RemoteRules {
  const exact = new Set<string>()
  const below = new Set<string>()
  for (const rule of allow) {
    const { url, host, wildcard } = parseRule(rule)
    if (addresses === 'public' && isPrivateHost(wildcard ? `label.${host}` : host)) throw new TypeError(`Expected a public host in ${rule}: with addresses 'public' nothing private is asked for`)
    ;(wildcard ? below : exact).add(place(url, host))
  }

  function isAllowed (url: URL): boolean {
    if (url.username !== '' || url.password !== '') return false
    const host = hostOf(url)
    if (host === undefined || (addresses === 'public' && isPrivateHost(host))) return false
    if (exact.has(place(url, host))) return true
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      if (below.has(place(url, host.slice(dot + 1)))) return true
    }
    return false
  }

  return {
    check (url) {
      if (!isAllowed(url)) throw new MediaError('remote-forbidden', { context: { origin: `${url.protocol}//${url.host}` } })
    }
  }
}

/** Scheme, host and port as one text: the port of `https://a:443` is as empty as that of `https://a`. */
function place ({ protocol, port }: URL, host: string): string {
  return `${protocol}//${host}:${port}`
}

const shape = /^(https?:\/\/)(\*\.)?([^\s*/?#@\\]+)$/i

function parseRule (rule: string): { url: URL, host: string, wildcard: boolean } {
  const [, scheme = '', wildcard, authority = ''] = shape.exec(rule) ?? []
  // A label in front makes an address one that does not parse: it has no names below it.
  const text = scheme + (wildcard === undefined ? '' : 'label.') + authority
  const url = URL.canParse(text) ? new URL(text) : undefined
  const host = url === undefined ? undefined : hostOf(url)
  if (url === undefined || host === undefined || url.port === '0') throw new TypeError(`Expected a rule such as https://img.example.com or https://*.example.com:8443 but received ${rule}`)
  return { url, host: wildcard === undefined ? host : host.slice('label.'.length), wildcard: wildcard !== undefined }
}

/** Characters of a name (RFC 1035 §3.1). The URL standard has no limit: whoever names a URL pushes against it. */
const MAX_NAME = 253

/** The host without brackets and without the dot at its end; undefined where it is no name that could be resolved. */
function hostOf ({ hostname }: URL): string | undefined {
  if (hostname.startsWith('[')) return hostname.slice(1, -1)
  const host = hostname.endsWith('.') ? hostname.slice(0, -1) : hostname
  return host.length > MAX_NAME || host.split('.').includes('') ? undefined : host
}

/** Ends of names that no public resolver knows: RFC 6761, 6762 (appendix G), 8375, and ICANN's `internal`. */
const privateEnds = /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa)$/

/** Addresses that are not public, and names of a network's own: among them every one without a dot, such as `metadata`. */
function isPrivateHost (host: string): boolean {
  if (isIP(host) !== 0) return !isPublicAddress(host)
  return !host.includes('.') || privateEnds.test(host)
}
