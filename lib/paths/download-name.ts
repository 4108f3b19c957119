import { lastSegment } from './last-segment.ts'
import type { Key } from './request-path.ts'

/** `?download` saves under the file's own name, `?download=name` under another. */
export function downloadName (query: unknown, key: Key): string | undefined {
  const { download } = query as Record<string, string | string[] | undefined>
  if (download === undefined) return undefined
  const asked = typeof download === 'string' ? lastSegment(download.trim()) : ''
  return asked === '' ? lastSegment(key) : asked
}
