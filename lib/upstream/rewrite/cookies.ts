import { basesOf, isPathBelow, type Places } from './references.ts'

/** What becomes of `Set-Cookie`: the fields that are left. */
export type CookiePolicy = (fields: readonly string[]) => string[]

/**
 * Makes cookies of the origin cookies of the mount: without a domain, so that they are those of
 * the host that the client knows, and with a path below the mount. All other attributes stay.
 * Left out is what can have no such path: a cookie for another part of the origin, which is
 * never sent to what the mount shows, and one named `__Host-`, whose path has to be the root.
 */
export function cookieAdapter ({ origins, mountPrefix }: Places): CookiePolicy {
  const paths = [...new Set(basesOf(origins).map(({ path }) => path))]
  const toMount = (path: string): string | undefined => {
    const base = paths.find(each => isPathBelow(path, each))
    if (base !== undefined) return withSlash(mountPrefix + path.slice(base.length))
    const bare = path.endsWith('/') ? path.slice(0, -1) : path
    return paths.some(each => isPathBelow(each, bare)) ? withSlash(mountPrefix) : undefined
  }
  return fields => fields.flatMap(field => adapted(field, toMount) ?? [])
}

function withSlash (path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

function adapted (field: string, toMount: (path: string) => string | undefined): string | undefined {
  const [pair = '', ...attributes] = field.split(';')
  const kept = [pair]
  for (const attribute of attributes) {
    const mark = attribute.indexOf('=')
    const name = (mark === -1 ? attribute : attribute.slice(0, mark)).trim().toLowerCase()
    const value = mark === -1 ? '' : attribute.slice(mark + 1).trim()
    if (name === 'domain') continue
    if (name !== 'path' || !value.startsWith('/')) { // another path means that of the request (RFC 6265 §5.2.4)
      kept.push(attribute)
      continue
    }
    const path = toMount(value)
    if (path === undefined || (path !== '/' && isBoundToRoot(pair))) return undefined
    kept.push(` Path=${path}`)
  }
  return kept.join(';')
}

function isBoundToRoot (pair: string): boolean {
  return /^[ \t]*__Host-/i.test(pair)
}
