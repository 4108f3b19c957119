import { rawPath } from './request-path.ts'

/**
 * A path as lenient readers take it, for comparing with prefixes only: decoded, without letter case, backslashes as
 * slashes, without empty and dot segments, parameters (`;v=1`), and dots and spaces at the end of a segment. Whatever
 * file system or origin reads a spelling as a protected path, this does too.
 *
 * @param climbs whether a segment is a way up. Default: `..` alone
 * @returns with a slash in front and none at the end
 */
export function foldedPath (target: string, climbs: (segment: string) => boolean = segment => segment === '..'): string {
  const segments: string[] = []
  for (const segment of decoded(rawPath(target)).split(/[/\\]/)) {
    const bare = withoutEnd(segment.split(';', 1)[0] as string)
    if (climbs(segment)) segments.pop()
    else if (bare !== '') segments.push(bare)
  }
  return `/${folded(segments.join('/'))}`
}

/** What is a way up to some: with a parameter (Java's servers), with dots or spaces behind it (Windows). */
function mayClimb (segment: string): boolean {
  return segment.startsWith('..') && withoutEnd(segment.split(';', 1)[0] as string) === ''
}

/** Without dots and spaces at the end. By hand: an expression would begin anew at each of them. */
function withoutEnd (segment: string): string {
  let end = segment.length
  while (end > 0 && (segment[end - 1] === '.' || segment[end - 1] === ' ')) end--
  return segment.slice(0, end)
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

/** A path that every reader reads alike, but for its letter case: most are. */
const plain = /^(?:\/[\w~-]+(?:\.[\w~-]+)*)+$/

/** Whether a path lies at or below one of the prefixes, however it is spelled. @param prefixes without trailing slashes */
export function isBelowAny (prefixes: readonly string[]): (target: string) => boolean {
  const known = prefixes.map(prefix => folded(prefix))
  const isBelow = (path: string): boolean => known.some(prefix => path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 47))
  return target => {
    const raw = rawPath(target)
    return plain.test(raw) ? isBelow(raw.toLowerCase()) : isBelow(foldedPath(raw)) || isBelow(foldedPath(raw, mayClimb))
  }
}
