import { isAskable, type Key } from '../../paths/request-path.ts'
import type { Entry, Listing } from '../source.ts'
import type { ListedPage, S3Client } from './client.ts'
import { isHidden, type ObjectNames } from './names.ts'

/** Names of one page, at the least: hidden ones are among them. */
const MIN_PAGE = 100
/** Names of one page, at the most: stores tell no more. */
const MAX_PAGE = 1000
/** Pages that one listing reads at the most: whoever fills a directory with what is not shown pushes against it. */
const MAX_PAGES = 100

/**
 * The members of a directory in order of name; undefined where nothing is below it. Of a directory that is
 * larger than the limit these are the first as the store orders them, where a directory's name ends in a slash.
 */
export async function membersOf ({ client, names }: { readonly client: S3Client, readonly names: ObjectNames }, key: Key, limit: number): Promise<Listing | undefined> {
  const prefix = names.below(key)
  if (prefix === undefined) return undefined
  const members = new Map<string, Entry>()
  let isThere = key === ''
  let from: string | undefined
  for (let pages = 0; pages < MAX_PAGES && members.size <= limit; pages++) {
    const page = await client.list({ prefix, delimiter: '/', limit: Math.max(MIN_PAGE, Math.min(MAX_PAGE, limit + 1)), from })
    isThere ||= page.objects.length > 0 || page.prefixes.length > 0
    gather(page, { prefix, key, members })
    from = page.next
    if (from === undefined) break
  }
  if (!isThere) return undefined
  const entries = [...members.values()].toSorted((a, b) => a.name < b.name ? -1 : 1)
  return { entries: entries.slice(0, limit), truncated: from !== undefined || entries.length > limit }
}

/** A file that has the name of a directory stands before it, as it does where a key is looked up. */
function gather ({ objects, prefixes }: ListedPage, { prefix, key, members }: { prefix: string, key: Key, members: Map<string, Entry> }): void {
  const isShown = (name: string): boolean => name !== '' && !isHidden(name) && !name.includes('\uFFFD') && isAskable(key, name)
  for (const path of prefixes) {
    const name = path.slice(prefix.length, -1)
    if (path.startsWith(prefix) && isShown(name) && !members.has(name)) members.set(name, { name, kind: 'directory' })
  }
  for (const object of objects) {
    const name = object.name.slice(prefix.length)
    if (object.name.startsWith(prefix) && isShown(name)) members.set(name, { name, kind: 'file', size: object.size, ...(Number.isNaN(object.lastModified) ? {} : { lastModified: object.lastModified }) })
  }
}
