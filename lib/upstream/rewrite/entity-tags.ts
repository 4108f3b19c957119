import { isWeak, parseEntityTags, type EntityTag } from '../../http/entity-tag.ts'

/** The tags of bodies that were changed, from those of the origin and back. */
export interface EntityTagMapping {
  /** The tag of what becomes of a body: weak, and another for other changes. */
  map (tag: EntityTag): EntityTag
  /** The tag of the origin, or undefined for one that was never mapped, or with other changes. */
  unmap (tag: EntityTag): EntityTag | undefined
  /** `If-None-Match` or `If-Match` as the origin is to see it. */
  unmapField (field: string): string
  /** Whether the field holds the mapped form of a tag of the origin. */
  isKnownAs (field: string, tag: EntityTag): boolean
}

/**
 * @param changes what tells one set of changes from another, of the characters that a tag may hold
 */
export function entityTagMapping (changes: string): EntityTagMapping {
  // Whether it was weak is kept: origins that compare texts would not know it in the other form.
  const endings = { weak: `~${changes}w"`, strong: `~${changes}s"` }
  const unmap = (tag: EntityTag): EntityTag | undefined => {
    const text = isWeak(tag) ? tag.slice(2) : tag
    if (text.endsWith(endings.strong)) return `${text.slice(0, -endings.strong.length)}"`
    return text.endsWith(endings.weak) ? `W/${text.slice(0, -endings.weak.length)}"` : undefined
  }
  return {
    unmap,
    map: tag => isWeak(tag) ? tag.slice(0, -1) + endings.weak : `W/${tag.slice(0, -1)}${endings.strong}`,
    unmapField: field => {
      const tags = tagsOf(field)
      return tags.some(tag => unmap(tag) !== undefined) ? tags.map(tag => unmap(tag) ?? tag).join(', ') : field
    },
    isKnownAs: (field, tag) => tagsOf(field).some(known => {
      const own = unmap(known)
      return own !== undefined && bare(own) === bare(tag)
    })
  }
}

function tagsOf (field: string): EntityTag[] {
  const tags = parseEntityTags(field)
  return Array.isArray(tags) ? tags : []
}

/** For the comparison of a conditional GET, which is weak. */
function bare (tag: EntityTag): string {
  return isWeak(tag) ? tag.slice(2) : tag
}
