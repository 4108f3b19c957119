import { parseWeights } from './http/accept-encoding.ts'
import { typeOf } from './http/media-type.ts'
import { encodeSegment } from './paths/request-path.ts'
import type { Entry, Listing } from './sources/source.ts'

/** A directory as a page shows it. */
export interface ListingView {
  /** The decoded path in the URL, with a slash at both ends. */
  readonly path: string
  /** Whether this is the top of its mount: there is then nothing above to go to. */
  readonly isRoot: boolean
  readonly listing: Listing
  /** Where the page finds its style and script, relative to itself; ends in a slash. */
  readonly assets: string
  /** The directory's own absolute URL; ends in a slash. */
  readonly url: string
}

/** The form a client asks a listing in, by `Accept` (RFC 9110 §12.5.1): HTML unless JSON weighs more. */
export function listingFormat (accept: string | undefined): 'html' | 'json' {
  const weights = parseWeights(accept ?? '')
  return (weights.get('application/json') ?? 0) > (weights.get('text/html') ?? 0) ? 'json' : 'html'
}

/** A member of a directory in JSON. */
export interface ListedEntry {
  name: string
  kind: 'file' | 'directory'
  url: string
  type?: string
  /** Bytes. */
  size?: number
  /** ISO 8601. */
  lastModified?: string
}

/** A listing in JSON: the same facts as the page. */
export function listingJson (view: ListingView): { path: string, url: string, truncated: boolean, entries: ListedEntry[] } {
  return {
    path: view.path,
    url: view.url,
    truncated: view.listing.truncated,
    entries: view.listing.entries.map(entry => listedEntry(entry, view.url))
  }
}

function listedEntry (entry: Entry, base: string): ListedEntry {
  return {
    name: entry.name,
    kind: entry.kind,
    url: base + hrefOf(entry),
    ...(entry.kind === 'file' ? { type: typeOf(entry.name) } : {}),
    ...(entry.size === undefined ? {} : { size: entry.size }),
    ...(entry.lastModified === undefined ? {} : { lastModified: new Date(entry.lastModified).toISOString() })
  }
}

function hrefOf (entry: Entry): string {
  return encodeSegment(entry.name) + (entry.kind === 'directory' ? '/' : '')
}

/** A listing as a page. Every link in it is relative, so that it works below any proxy's prefix. */
export function listingPage (view: ListingView): string {
  const rows = view.listing.entries.map(entry => `<li><a href="./${hrefOf(entry)}">${escapeHtml(entry.name)}</a></li>`)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(view.path)}</title><link rel="stylesheet" href="${view.assets}listing.css"><ul>${view.isRoot ? '' : '<li><a href="../">../</a></li>'}${rows.join('')}</ul></html>`
}

function escapeHtml (text: string): string {
  return text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
