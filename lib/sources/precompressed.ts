import { codings } from '../http/accept-encoding.ts'
import { isCompressible } from '../http/media-type.ts'
import type { Key } from '../paths/request-path.ts'
import type { ContentCoding, Representation } from '../representation.ts'
import type { FoundFile, Source } from './source.ts'

const endings: Record<ContentCoding, string> = { br: '.br', zstd: '.zst', gzip: '.gz' }

const VARY = 'Accept-Encoding'

/**
 * A source that offers `app.css.br`, `.zst` and `.gz` as codings of `app.css`. Only types
 * that compress are looked at, and only siblings that are smaller are taken.
 */
export function precompressed (source: Source): Source {
  async function sibling (key: Key, coding: ContentCoding): Promise<FoundFile | undefined> {
    try {
      const found = await source.stat(key + endings[coding] as Key)
      return found?.kind === 'file' ? found : undefined
    } catch {
      return undefined // what cannot be read is not offered: the file itself can be
    }
  }

  async function withSiblings (key: Key, found: FoundFile): Promise<FoundFile> {
    const { representation } = found
    const siblings = await Promise.all(codings.map(coding => sibling(key, coding)))
    const encoded: Partial<Record<ContentCoding, Representation>> = {}
    let { revision, changed } = found
    siblings.forEach((file, place) => {
      if (file === undefined || isLarger(file.representation, representation)) return
      const coding = codings[place] as ContentCoding
      encoded[coding] = encodedAs(coding, file.representation, representation.type)
      revision += `+${coding}${file.revision}`
      changed = Math.max(changed, file.changed)
    })
    if (Object.keys(encoded).length === 0) return found
    return { ...found, representation: { ...representation, vary: VARY }, encoded, revision, changed }
  }

  return {
    ...source,
    async stat (key) {
      const found = await source.stat(key)
      if (found?.kind !== 'file' || found.representation.encoding !== undefined) return found
      return isCompressible(found.representation.type) ? await withSiblings(key, found) : found
    }
  }
}

function isLarger (one: Representation, other: Representation): boolean {
  return (one.size ?? 0) >= (other.size ?? Infinity)
}

/** The tag names the coding, so that it differs from that of the sibling asked for by its own name. */
function encodedAs (coding: ContentCoding, sibling: Representation, type: string): Representation {
  return {
    ...sibling,
    type,
    encoding: coding,
    vary: VARY,
    entityTag: sibling.entityTag === undefined ? undefined : `${sibling.entityTag.slice(0, -1)}-${coding}"`
  }
}
