/** A prefix in its one spelling. */
export function withoutTrailingSlash (prefix: string): string {
  return prefix.length > 1 && prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
}
