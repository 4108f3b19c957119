/**
 * A `Vary` value with one more field name in it (RFC 9110 §12.5.5); `*` stays `*`.
 *
 * @param present the value so far, if any
 */
export function addVary (present: string | undefined, name: string): string {
  if (present === undefined || present === '') return name
  const names = new Set(present.toLowerCase().split(',').map(item => item.trim()))
  return names.has('*') || names.has(name.toLowerCase()) ? present : `${present}, ${name}`
}
