import { pathBelow, type Key } from '../paths/request-path.ts'
import type { Entry, Found, Listing, Source } from './source.ts'
import { inTree, TreeWriting, type Candidate } from './tree-writing.ts'

/** One source's place in a tree. */
export interface Branch {
  /** Where in the tree it hangs: `/` or `/photos/2024`. */
  readonly path: string
  readonly source: Source
}

const directory: Found = Object.freeze({ kind: 'directory' })

/**
 * Several sources joined into one virtual tree. A key is looked for in the branch that
 * hangs deepest on its path, then in those above it, and among branches at one place in
 * their given order; the first that has it wins. Listings show the members of all. It is
 * written where {@link TreeWriting} says.
 */
export function treeSource (branches: readonly Branch[]): Source {
  const ordered = branches
    .map(branch => ({ source: branch.source, at: branch.path.replace(/^\/+|\/+$/g, '') as Key }))
    .toSorted((a, b) => b.at.length - a.at.length)

  /** The branches a key may be found in, with the key each knows it by. */
  function candidates (key: Key): Candidate[] {
    return ordered.flatMap(({ source, at }) => {
      const below = at === '' ? { key } : pathBelow(`/${key}`, `/${at}`)
      return below === undefined ? [] : [{ source, key: below.key, at }]
    })
  }

  /** Names of branches that hang below a key: directories, even if no source holds them. */
  function branchNames (key: Key): string[] {
    const prefix = key === '' ? '' : `${key}/`
    return ordered.flatMap(({ at }) => at.startsWith(prefix) && at.length > prefix.length ? [at.slice(prefix.length).split('/', 1)[0] as string] : [])
  }

  async function stat (key: Key): Promise<Found | undefined> {
    for (const candidate of candidates(key)) {
      const found = await candidate.source.stat(candidate.key)
      if (found !== undefined) return inTree(found, candidate.at)
    }
    return key === '' || branchNames(key).length > 0 ? directory : undefined
  }

  const sources = branches.map(({ source }) => source)

  return {
    stat,

    async list (key, limit) {
      const listings = await Promise.all(candidates(key).map(async candidate => await candidate.source.list(candidate.key, limit)))
      const found = listings.filter(listing => listing !== undefined)
      const branchEntries = branchNames(key).map(name => ({ name, kind: 'directory' as const }))
      if (found.length === 0 && branchEntries.length === 0) return undefined
      return merge(found, branchEntries, limit)
    },

    writing: sources.some(({ writing }) => writing !== undefined) ? new TreeWriting({ candidates, stat, sources }) : undefined,

    async close () {
      await Promise.all(sources.map(async source => await source.close()))
    }
  }
}

function merge (listings: Listing[], branches: Entry[], limit: number): Listing {
  const byName = new Map<string, Entry>()
  for (const entry of [...listings.flatMap(listing => listing.entries), ...branches]) {
    if (!byName.has(entry.name)) byName.set(entry.name, entry)
  }
  const entries = [...byName.values()].toSorted((a, b) => a.name < b.name ? -1 : 1)
  return {
    entries: entries.slice(0, limit),
    truncated: entries.length > limit || listings.some(listing => listing.truncated)
  }
}
