import { createHash } from 'node:crypto'
import { MediaError } from '../errors.ts'
import { MAX_TAG_BYTES } from './record.ts'

/** The tag that covers everything. */
export const EVERYTHING = '*'

/**
 * What is purged when files were written: nothing has this tag, since variants are named by what their original was.
 * But every instance takes note, and looks at files anew. One for all, so that no number of writes fills the marks.
 */
export const WRITTEN = 'files:written'

const ORIGINAL = 'original:'
const PREFIX = 'prefix:'

/** The tag of an original, by its path with a leading slash. */
export function originalTag (path: string): string {
  return `${ORIGINAL}${path}`
}

/**
 * A tag as someone who purges spells it, in its one spelling: `*`, `original:/photos/cat.jpg`,
 * `prefix:/photos/` (whole segments: the last slash may be left out), or any other tag.
 *
 * @throws {MediaError} `bad-request` for what no variant can be tagged with
 */
export function purgeTag (text: string): string {
  if (text === '' || Buffer.byteLength(text) >= MAX_TAG_BYTES) {
    throw new MediaError('bad-request', { detail: `A tag to purge has 1 to ${MAX_TAG_BYTES - 1} bytes` })
  }
  return text.startsWith(PREFIX) && !text.endsWith('/') ? `${text}/` : text
}

/** Whether who purges `purged` means what is tagged `tag`. */
export function covers (purged: string, tag: string): boolean {
  if (purged === tag || purged === EVERYTHING) return true
  return purged.startsWith(PREFIX) && tag.startsWith(ORIGINAL) && tag.startsWith(purged.slice(PREFIX.length), ORIGINAL.length)
}

/** Every tag that covers one of `tags`. */
export function tagsCovering (tags: readonly string[]): Set<string> {
  const covering = new Set([EVERYTHING, ...tags])
  for (const tag of tags) {
    if (!tag.startsWith(ORIGINAL)) continue
    for (let slash = tag.indexOf('/', ORIGINAL.length); slash >= 0; slash = tag.indexOf('/', slash + 1)) {
      covering.add(`${PREFIX}${tag.slice(ORIGINAL.length, slash + 1)}`)
    }
  }
  return covering
}

/** A short name for a tag that is fit for a file: 22 characters of base64url, 128 bits of SHA-256. */
export function tagName (tag: string): string {
  return createHash('sha256').update(tag).digest('base64url').slice(0, 22)
}
