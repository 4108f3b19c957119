/** An entity tag as it stands on the wire, quotes and `W/` included (RFC 9110 §8.8.3). */
export type EntityTag = string

// etagc = %x21 / %x23-7E / obs-text. Sticky, so that the list is read in one linear pass.
const member = /[ \t]*(?:((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|$)/y

/**
 * The tags of an `If-Match` or `If-None-Match` field: `'*'`, the list, or undefined
 * where the field is malformed. Empty list members are legal (RFC 9110 §5.6.1).
 */
export function parseEntityTags (field: string): '*' | EntityTag[] | undefined {
  const text = field.trim()
  if (text === '*') return '*'
  const tags: EntityTag[] = []
  member.lastIndex = 0
  while (member.lastIndex < text.length) {
    const match = member.exec(text)
    if (match === null) return undefined
    if (match[1] !== undefined) tags.push(match[1])
  }
  return tags
}

/** Whether a tag is weak. */
export function isWeak (tag: EntityTag): boolean {
  return tag.startsWith('W/')
}

/** Strong comparison: equal and neither weak (RFC 9110 §8.8.3.2). */
export function strongEqual (a: EntityTag, b: EntityTag): boolean {
  return a === b && !isWeak(a)
}

/** Weak comparison: the opaque parts are equal (RFC 9110 §8.8.3.2). */
export function weakEqual (a: EntityTag, b: EntityTag): boolean {
  return opaque(a) === opaque(b)
}

function opaque (tag: EntityTag): string {
  return isWeak(tag) ? tag.slice(2) : tag
}
