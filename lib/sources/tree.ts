import { pathBelow, type Key } from '../paths/request-path.ts'
import type { Entry, Found, Listing, Source } from './source.ts'

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
 * their given order; the first that has it wins. Listings show the members of all.
 */
export function treeSource (branches: readonly Branch[]): Source {
  const ordered = branches
    .map(branch => ({ source: branch.source, at: branch.path.replace(/^\/+|\/+$/g, '') as Key }))
    .toSorted((a, b) => b.at.length - a.at.length)

  /** The branches a key may be found in, with the key each knows it by. */
  function candidates (key: Key): Array<{ source: Source, key: Key, at: Key }> {
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

  return {
    async stat (key) {
      for (const candidate of candidates(key)) {
        const found = await candidate.source.stat(candidate.key)
        if (found !== undefined) return inTree(found, candidate.at)
      }
      return key === '' || branchNames(key).length > 0 ? directory : undefined
    },

    async list (key, limit) {
      const listings = await Promise.all(candidates(key).map(async candidate => await candidate.source.list(candidate.key, limit)))
      const found = listings.filter(listing => listing !== undefined)
      const branchEntries = branchNames(key).map(name => ({ name, kind: 'directory' as const }))
      if (found.length === 0 && branchEntries.length === 0) return undefined
      return merge(found, branchEntries, limit)
    },

    async close () {
      await Promise.all(branches.map(async branch => await branch.source.close()))
    }
  }
}

/** The same, by the name that it has in the tree. */
function inTree (found: Found, at: Key): Found {
  return found.kind === 'directory' || found.canonical === undefined || at === '' ? found : { ...found, canonical: `${at}/${found.canonical}` }
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
