/** What `.` is for who decodes once, and for who also takes its overlong forms (RFC 3629 §10). */
const dot = '(?:\\.|%2e|%(?:c0|e0%80|f0%80%80)%ae)'

/** What separates segments: `/`, also `\` for who reads as a browser does, and the overlong forms of both. */
const separator = '[/\\\\]|%2f|%5c|%(?:c0|e0%80|f0%80%80)%af|%(?:c1|e0%81|f0%80%81)%9c'

/** A parameter (RFC 3986 §3.3) hides nothing: some servers cut it off before they look for dots. */
const parameter = ';|%3b|%(?:c0|e0%80|f0%80%80)%bb'

const climb = new RegExp(`(?:^|${separator})${dot}{2}(?:${separator}|${parameter}|$)`, 'i')

/** Whether any reader of a path could take one of its segments for a way up. `..name` and `...` are names. */
export function climbs (path: string): boolean {
  return (path.includes('.') || path.includes('%')) && climb.test(path)
}
