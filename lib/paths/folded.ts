import { rawPath } from './request-path.ts'

/**
 * A path as the most lenient reader would take it, for comparing with prefixes only: decoded, without letter
 * case, backslashes as slashes, without empty and dot segments, parameters (`;v=1`), and dots and spaces at
 * the end of a segment. Whatever file system or origin reads a spelling as a protected path, this does too.
 *
 * @returns with a slash in front and none at the end
 */
export function foldedPath (target: string): string {
  const segments: string[] = []
  for (const segment of decoded(rawPath(target)).split(/[/\\]/)) {
    const bare = segment.replace(/;.*$/s, '').replace(/[. ]+$/, '')
    if (segment === '..' || /^\.\.[;. ]/.test(segment)) segments.pop()
    else if (bare !== '') segments.push(bare)
  }
  return `/${folded(segments.join('/'))}`
}

/** Both ways: there are letters, as the Kelvin sign, that are another's capital only one way. */
function folded (text: string): string {
  return text.normalize('NFKC').toUpperCase().toLowerCase()
}

function decoded (raw: string): string {
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw.replaceAll(/%([\da-f]{2})/gi, (_escape, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  }
}

/** Whether a path lies at or below one of the prefixes, however it is spelled. @param prefixes without trailing slashes */
export function isBelowAny (prefixes: readonly string[]): (target: string) => boolean {
  const known = prefixes.map(prefix => folded(prefix))
  return target => {
    const path = foldedPath(target)
    return known.some(prefix => path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 47))
  }
}
