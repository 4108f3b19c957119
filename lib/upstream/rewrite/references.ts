/** Where the mount of an upstream is, and where its origins are. */
export interface Places {
  /** The URLs of the origins with the path that the mount begins at, with or without a slash at the end. */
  readonly origins: readonly URL[]
  /** The mount's prefix as it stands in URLs, without a slash at the end: `''` at the root. */
  readonly mountPrefix: string
  /** The URL by which clients reach the root of the server, without a slash at the end; without it references are paths. */
  readonly publicBase?: string | undefined
}

/** One place that the mount shows. */
export interface Base {
  readonly protocol: string
  /** With the port, where it is not the usual one. */
  readonly host: string
  /** Without a slash at the end: `''` for all of the origin. */
  readonly path: string
}

/** Each place once, the longest paths first, so that the nearest is found. */
export function basesOf (origins: readonly URL[]): Base[] {
  const bases = new Map<string, Base>()
  for (const { protocol, host, pathname } of origins) bases.set(`${protocol}//${host}${withoutSlash(pathname)}`, { protocol, host, path: withoutSlash(pathname) })
  return [...bases.values()].toSorted((a, b) => b.path.length - a.path.length)
}

function withoutSlash (path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}

/** The reference by which a client reaches what one of the origins names, or undefined where it is to stay as it is. */
export type ReferenceMapper = (reference: string) => string | undefined

/**
 * Maps references that lead below the base of an origin: absolute ones, those without a scheme
 * and paths from the root. What leads elsewhere stays, on the same origin too, since the mount
 * cannot show it, but never with the user and password of an origin. References relative to the
 * document stay: below the mount they lead to the same.
 */
export function referenceMapper ({ origins, mountPrefix, publicBase = '' }: Places): ReferenceMapper {
  const bases = basesOf(origins)
  return function mapReference (reference) {
    const text = reference.replaceAll(/[\t\n\r]/g, '').trim() // as URL reads it
    const target = targetOf(text, bases)
    if (target === undefined) return undefined
    const { url, isPath } = target
    const base = bases.find(each => (isPath || isAt(each, url)) && isBelow(url, each.path))
    if (base === undefined) return isPath || !bases.some(each => isAt(each, url)) ? undefined : withoutUser(url)
    // An origin that was told of the mount, by X-Forwarded-Prefix, may name it itself.
    if (isPath && base.path === '' && mountPrefix !== '' && isPathBelow(url.pathname, mountPrefix)) return undefined
    const mapped = publicBase + asPath(mountPrefix + tailOf(text, url, base))
    return mapped === reference ? undefined : mapped
  }
}

interface Target {
  readonly url: URL
  /** Whether it says nothing of the host. */
  readonly isPath: boolean
}

/** Browsers take a backslash for a slash here, and so does URL. */
const beginsLikeHost = /^[/\\]{2}/
const beginsLikePath = /^[/\\](?![/\\])/

function targetOf (text: string, bases: readonly Base[]): Target | undefined {
  const isPath = beginsLikePath.test(text)
  if (!isPath && !beginsLikeHost.test(text)) return URL.canParse(text) ? { url: new URL(text), isPath } : undefined
  for (const { protocol, host } of bases) {
    const within = `${protocol}//${host}/`
    if (!URL.canParse(text, within)) return undefined
    const url = new URL(text, within)
    if (isPath || bases.some(base => isAt(base, url))) return { url, isPath }
  }
  return undefined
}

function isAt (base: Base, url: URL): boolean {
  return base.protocol === url.protocol && base.host === url.host
}

function isBelow ({ pathname }: URL, path: string): boolean {
  return isPathBelow(pathname, path) || isPathBelow(plain(pathname), plain(path))
}

/** Whether a path is another, or below it; `''` is above all. */
export function isPathBelow (path: string, base: string): boolean {
  return path.startsWith(base) && (path.length === base.length || path[base.length] === '/')
}

/** A path in which nothing is percent-encoded that need not be (RFC 3986 §6.2.2.2). */
function plain (path: string): string {
  return path.replaceAll(/%[0-9a-f]{2}/gi, code => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : code.toUpperCase()
  })
}

/** The path and what follows, behind a host or without one. */
const spelled = /^(?:(?:https?:)?\/\/[^/?#\\]*(\/[^\\]*)|(\/(?!\/)[^\\]*))$/i
const climbs = /\/(?:\.|%2e){1,2}(?:[/?#]|$)/i

/** What comes after the base path: as it was spelled, where that means the same. */
function tailOf (text: string, { pathname, search, hash }: URL, { path }: Base): string {
  const [, behindHost, written = behindHost] = spelled.exec(text) ?? []
  if (written !== undefined && isPathBelow(written.replace(/[?#].*$/, ''), path) && !climbs.test(written)) return written.slice(path.length)
  const rest = pathname.startsWith(path) ? pathname.slice(path.length) : plain(pathname).slice(plain(path).length)
  return rest + search + hash
}

/** Two slashes at the beginning would name a host (RFC 3986 §3.3). */
function asPath (path: string): string {
  if (path.startsWith('//') || path.startsWith('/\\')) return `/.${path}`
  return path.startsWith('/') ? path : `/${path}`
}

function withoutUser (url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined
  url.username = ''
  url.password = ''
  return url.href
}
