import { MediaError } from '../errors.ts'
import type { Key } from '../paths/request-path.ts'
import type { Found, FoundFile, Source } from './source.ts'
import type { Condition, Draft, DraftOptions, Writable, Written } from './writing.ts'

/** A branch that a key may lie in. */
export interface Candidate {
  readonly source: Source
  /** What the branch calls it. */
  readonly key: Key
  /** Where the branch hangs. */
  readonly at: Key
}

/** What a tree is written by. */
export interface TreeParts {
  /** The branches that a key may lie in, in the order in which they are asked. */
  readonly candidates: (key: Key) => Candidate[]
  /** As the tree's own. */
  readonly stat: (key: Key) => Promise<Found | undefined>
  readonly sources: readonly Source[]
}

/** A candidate that can be written. */
interface Chosen extends Candidate {
  readonly writing: Writable
  /** Whether it has the key. */
  readonly isHeld: boolean
}

/**
 * A tree is written in the branch that has the key; what is new, in the deepest that can be written. What a
 * branch has that cannot be written is refused, also if one above it can: it would not be seen. For the same
 * reason a file that is removed may give way to one of that name in a branch above. No file is moved from
 * one source to another.
 */
export class TreeWriting implements Writable {
  readonly #parts: TreeParts

  constructor (parts: TreeParts) {
    this.#parts = parts
  }

  async begin (key: Key, options?: DraftOptions): Promise<Draft> {
    const chosen = await this.#chosen(key)
    await this.#checkAbove(key, chosen.at)
    const draft = await chosen.writing.begin(chosen.key, options)
    return {
      get bytes () { return draft.bytes },
      write: async chunk => await draft.write(chunk),
      rest: async () => await draft.rest(),
      commit: async condition => written(await draft.commit(asked(condition, chosen.at)), chosen.at),
      discard: async () => await draft.discard()
    }
  }

  async remove (key: Key, condition?: Condition): Promise<FoundFile | undefined> {
    const { writing, key: below, at } = await this.#chosen(key)
    const removed = await writing.remove(below, asked(condition, at))
    return removed === undefined ? undefined : inTree(removed, at)
  }

  async move (from: Key, to: Key, conditions: { readonly from?: Condition | undefined, readonly to?: Condition | undefined } = {}): Promise<Written> {
    const source = await this.#chosen(from)
    const below = { from: asked(conditions.from, source.at), to: asked(conditions.to, source.at) }
    // The branch itself says why it does not have it.
    if (!source.isHeld) return await source.writing.move(source.key, source.key, below)
    const place = await this.#chosen(to)
    if (place.writing !== source.writing) throw new MediaError('conflict', { detail: 'The file would have to move to another source' })
    await this.#checkAbove(to, place.at)
    return written(await source.writing.move(source.key, place.key, { ...below, to: asked(conditions.to, place.at) }), place.at)
  }

  async sweep (olderThanMs: number): Promise<number> {
    const all = new Set(this.#parts.sources.map(({ writing }) => writing))
    const counts = await Promise.all([...all].map(async writing => await writing?.sweep(olderThanMs) ?? 0))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** @throws {MediaError} `conflict` for a directory; `forbidden` where the branch that has the key cannot be written, or none can */
  async #chosen (key: Key): Promise<Chosen> {
    const candidates = this.#parts.candidates(key)
    for (const candidate of candidates) {
      const found = await candidate.source.stat(candidate.key)
      if (found?.kind === 'directory') throw new MediaError('conflict', { detail: 'A directory has this name' })
      if (found !== undefined) return firstWritable([candidate], true)
    }
    if (await this.#parts.stat(key) !== undefined) throw new MediaError('conflict', { detail: 'A directory has this name' })
    return firstWritable(candidates, false)
  }

  /** Another branch may have a file where this one would make a directory. @throws {MediaError} `conflict` */
  async #checkAbove (key: Key, at: Key): Promise<void> {
    for (let end = key.lastIndexOf('/'); end > at.length; end = key.lastIndexOf('/', end - 1)) {
      const above = await this.#parts.stat(key.slice(0, end) as Key)
      if (above?.kind === 'file') throw new MediaError('conflict', { detail: 'A file is where a directory would have to be' })
    }
  }
}

function firstWritable (candidates: readonly Candidate[], isHeld: boolean): Chosen {
  for (const candidate of candidates) {
    const { writing } = candidate.source
    if (writing !== undefined) return { ...candidate, writing, isHeld }
  }
  throw new MediaError('forbidden', { detail: 'No file may be written here' })
}

/** The same, by the name that it has in the tree. */
export function inTree<F extends Found> (found: F, at: Key): F {
  return found.kind === 'directory' || found.canonical === undefined || at === '' ? found : { ...found, canonical: `${at}/${found.canonical}` }
}

function asked (condition: Condition | undefined, at: Key): Condition | undefined {
  return condition && (current => condition(current && inTree(current, at)))
}

function written ({ found, replaced }: Written, at: Key): Written {
  return { found: inTree(found, at), replaced: replaced && inTree(replaced, at) }
}
