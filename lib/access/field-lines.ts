/**
 * Whether a field came in more than one line. Node.js joins the lines of some fields and
 * drops all but the first of others: of two credentials, another reader may take the other.
 *
 * @param rawHeaders names and values in turn, as they were sent
 * @param name in lower case
 */
export function isRepeated (rawHeaders: readonly string[], name: string): boolean {
  let seen = false
  for (let place = 0; place < rawHeaders.length; place += 2) {
    const given = rawHeaders[place] as string
    if (given.length !== name.length || given.toLowerCase() !== name) continue
    if (seen) return true
    seen = true
  }
  return false
}
