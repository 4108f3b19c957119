import { isAssetName } from '../http/media-type.ts'
import { childKey, rootKey, type Key, type RequestPath } from './request-path.ts'

/** What answers a missing page of a single-page app. */
export interface Fallback {
  /** A key of the mount's source. */
  readonly file: string
  /** Paths below which a missing file stays missing. */
  readonly except: readonly string[]
}

/**
 * The key that answers a missing path, or undefined where it stays missing: below an
 * excepted path, seen from the host's root and from the mount's, for dot names, and where the
 * path ends like a file (a missing script must not turn into a page).
 *
 * @param prefix the mount's prefix, without a trailing slash
 */
export function fallbackKey (fallback: Fallback, path: RequestPath, prefix: string): Key | undefined {
  const within = `/${path.key}`
  const excepted = fallback.except.some(except => isBelow(within, except) || isBelow(prefix + within, except))
  const isDotPath = within.includes('/.') // hidden, or not there: in both cases missing
  const endsLikeFile = !path.directory && isAssetName(path.key.slice(path.key.lastIndexOf('/') + 1))
  return excepted || isDotPath || endsLikeFile ? undefined : childKey(rootKey, fallback.file)
}

function isBelow (path: string, except: string): boolean {
  const bare = except.endsWith('/') ? except.slice(0, -1) : except
  return path === bare || path.startsWith(`${bare}/`)
}
