import { MediaError } from '../errors.ts'
import type { Key } from '../paths/request-path.ts'
import type { Entry, Source } from '../sources/source.ts'

/** Members of a directory that are looked at for one page: whoever fills a directory pushes against it. Sources bound it as well. */
export const MAX_MEMBERS = 100_000

/** Characters of a cursor: a name has 255 bytes at most on file systems, and 1024 in object stores. */
export const MAX_CURSOR = 4096

/** Where a page begins. */
export interface Cursor {
  /** The name before it. */
  readonly after: string
  /** How many members stood up to there: about as many are there still. */
  readonly seen: number
}

/** Some members of a directory, and where the next begin. */
export interface ListingPage {
  readonly entries: readonly Entry[]
  /** Undefined with the last. */
  readonly next: Cursor | undefined
  /** Whether there are more than are ever looked at. */
  readonly truncated: boolean
}

/** Opaque to clients. It names a member, not a place: files that come and go move nothing. */
export function writeCursor ({ after, seen }: Cursor): string {
  return Buffer.from(`${seen}/${after}`).toString('base64url')
}

/** @throws {MediaError} `bad-request` */
export function readCursor (text: string): Cursor {
  const decoded = Buffer.from(text, 'base64url').toString()
  const [, seen, after] = /^(0|[1-9]\d{0,5})\/([^/]+)$/s.exec(decoded) ?? []
  if (seen === undefined || after === undefined || Buffer.from(decoded).toString('base64url') !== text) throw new MediaError('bad-request', { detail: 'cursor: Expected one that a listing gave' })
  return { after, seen: Number(seen) }
}

/** A page of a directory, in the order of its source; undefined where the key names none. @throws as `Source.list` */
export async function listingPage (source: Source, key: Key, { limit, cursor }: { readonly limit: number, readonly cursor: Cursor | undefined }): Promise<ListingPage | undefined> {
  let wanted = (cursor?.seen ?? 0) + limit + 1
  for (;;) {
    wanted = Math.min(wanted, MAX_MEMBERS)
    const listing = await source.list(key, wanted)
    if (listing === undefined) return undefined
    const { entries, truncated } = listing
    const rest = cursor === undefined ? entries : following(entries, cursor.after)
    // Files that came before the cursor, and members that cannot be read, leave less than was asked for.
    if (rest.length > limit || !truncated || wanted === MAX_MEMBERS) return cut(rest, { limit, before: entries.length - rest.length, truncated })
    wanted *= 2
  }
}

function cut (rest: readonly Entry[], { limit, before, truncated }: { readonly limit: number, readonly before: number, readonly truncated: boolean }): ListingPage {
  const entries = rest.slice(0, limit)
  const last = entries.at(-1)
  if (rest.length <= limit || last === undefined) return { entries, next: undefined, truncated }
  return { entries, next: { after: last.name, seen: before + limit }, truncated: false }
}

/** What stands behind a name; where it has gone, behind where it would stand. */
function following (entries: readonly Entry[], after: string): readonly Entry[] {
  const place = entries.findIndex(({ name }) => name === after)
  return place === -1 ? entries.filter(({ name }) => name > after) : entries.slice(place + 1)
}
