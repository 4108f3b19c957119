import { tagName } from './purge-tags.ts'
import type { VariantKey } from './store.ts'

/** Segments of an original's path that are told apart; what is deeper counts as one, and is looked at closer when it is purged. */
const MAX_DEPTH = 32

/** Characters of base64url that stand for a segment, 48 bits: what by chance has the same is looked at closer. */
const SEGMENT_CHARACTERS = 8

const keyShape = /\/([\w-]{43})$/

const ORIGINAL = 'original:'
const PREFIX = 'prefix:'

/**
 * The names of objects: `v/<key>` is a variant; an empty object for each of its tags leads to it,
 * `o/<segment>/<segment>/<key>` by the path of its original, `t/<tag>/<key>` by any other. Segments and tags are
 * hashed, so that none is too long, nor tells what originals there are. Below a directory all is found by one prefix.
 */
export class S3Layout {
  readonly #prefix: string

  /** @param prefix what begins all names; it ends in a slash */
  constructor (prefix: string) {
    this.#prefix = prefix
  }

  /** Where everything lies: variants, and what leads to them. */
  get roots (): readonly string[] {
    return ['v', 'o', 't'].map(root => `${this.#prefix}${root}/`)
  }

  variant (key: VariantKey): string {
    return `${this.#prefix}v/${key}`
  }

  /** The object that leads from a tag to a variant. */
  index (tag: string, key: VariantKey): string {
    return `${tag.startsWith(ORIGINAL) ? this.#below(tag.slice(ORIGINAL.length).split('/')) : this.#tagged(tag)}${key}`
  }

  /** What the names begin with that lead to what a tag covers. They may lead to more. */
  places (tag: string): string[] {
    if (tag.startsWith(ORIGINAL)) return [this.#below(tag.slice(ORIGINAL.length).split('/'))]
    if (tag.startsWith(PREFIX)) return [this.#tagged(tag), this.#below(tag.slice(PREFIX.length).split('/').slice(0, -1), true)]
    return [this.#tagged(tag)]
  }

  /** The variant that a name is of; undefined for what is not ours. */
  keyIn (name: string): VariantKey | undefined {
    return keyShape.exec(name)?.[1] as VariantKey | undefined
  }

  #tagged (tag: string): string {
    return `${this.#prefix}t/${tagName(tag)}/`
  }

  #below (segments: readonly string[], isDirectory = false): string {
    const known = segments.slice(0, MAX_DEPTH)
    const rest = segments.slice(MAX_DEPTH)
    const parts = rest.length === 0 || isDirectory ? known : [...known, rest.join('/')]
    return `${this.#prefix}o/${parts.map(part => `${tagName(part).slice(0, SEGMENT_CHARACTERS)}/`).join('')}`
  }
}
