import { lstat } from 'node:fs/promises'
import { MediaError } from '../errors.ts'

const missing = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE'])
const refused = new Set(['EACCES', 'EPERM', 'EROFS'])
const exhausted = new Set(['EMFILE', 'ENFILE'])
const full = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Whether a file system error means that nothing is there. */
export function isMissing (error: unknown): boolean {
  return missing.has(codeOf(error))
}

/**
 * A file system error as a failure of ours. A permission fault carries, for the log, the
 * owner and mode of the path, or of the nearest parent that can be looked at.
 *
 * @param path the path of the machine; it stays in the failure's `context`
 */
export async function fileFault (error: unknown, path: string): Promise<MediaError> {
  const code = codeOf(error)
  if (refused.has(code)) {
    return new MediaError('forbidden', { detail: 'The server may not read this file', cause: error, context: { fault: 'permission', errno: code, ...await ownership(path) } })
  }
  if (exhausted.has(code)) return new MediaError('out-of-descriptors', { cause: error, headers: { 'retry-after': '1' } })
  if (full.has(code)) return new MediaError('insufficient-storage', { cause: error, context: { errno: code, path } })
  if (missing.has(code)) return new MediaError('not-found', { cause: error })
  return new MediaError('internal', { cause: error, context: { errno: code, path } })
}

async function ownership (path: string): Promise<Record<string, unknown>> {
  let current = path
  for (;;) {
    try {
      const stats = await lstat(current)
      return { path: current, uid: stats.uid, gid: stats.gid, mode: (stats.mode & 0o7777).toString(8).padStart(4, '0') }
    } catch {
      const parent = current.slice(0, Math.max(1, current.lastIndexOf('/')))
      if (parent === current) return { path }
      current = parent
    }
  }
}

function codeOf (error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? 'unknown'
}
