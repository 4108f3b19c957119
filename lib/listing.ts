import { parseWeights } from './http/accept-encoding.ts'
import { essence, typeOf } from './http/media-type.ts'
import { isoDate } from './iso-date.ts'
import { encodeSegment } from './paths/request-path.ts'
import type { Entry, Listing } from './sources/source.ts'

/** A directory as a page shows it. */
export interface ListingView {
  /** The decoded path in the URL, with a slash at both ends. */
  readonly path: string
  /** How many directories below its mount's top it is: the top itself, 0, has nothing above to go to. */
  readonly depth: number
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
  const lastModified = isoDate(entry.lastModified)
  return {
    name: entry.name,
    kind: entry.kind,
    url: base + hrefOf(entry),
    ...(entry.kind === 'file' ? { type: typeOf(entry.name) } : {}),
    ...(entry.size === undefined ? {} : { size: entry.size }),
    ...(lastModified === undefined ? {} : { lastModified })
  }
}

const hrefOf = (entry: Entry): string => encodeSegment(entry.name) + (entry.kind === 'directory' ? '/' : '')

/** Text that is safe in a page: only {@link html} makes it. */
interface Markup {
  readonly text: string
}

type Value = Markup | Markup[] | string | number

/** Markup from a template. Every name in a directory is hostile: values are escaped unless they are markup themselves. */
function html (fixed: TemplateStringsArray, ...values: Value[]): Markup {
  return { text: values.reduce<string>((text, value, place) => text + escaped(value) + fixed[place + 1], String(fixed[0])) }
}

function escaped (value: Value): string {
  if (Array.isArray(value)) return value.map(escaped).join('')
  if (typeof value === 'object') return value.text
  return String(value).replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** Controls that would turn a name's letters round (Unicode UAX #9) or break its line are shown as what they are: strangers. */
const visible = (name: string): string => name.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')

const NOTHING = html``

/** Pictures that browsers of today show by themselves. */
const shownImages = /^image\/(?:apng|avif|bmp|gif|jpeg|pjpeg|png|svg\+xml|vnd\.microsoft\.icon|webp|x-icon)$/
const playedMedia = /^(?:audio\/(?:aac|flac|mp4|mpeg|ogg|wav|webm|x-flac)|video\/(?:mp4|ogg|quicktime|webm|x-m4v))$/

/** Bytes of the largest picture that stands as its own thumbnail: whoever opens a page of large ones loads them all. */
const MAX_THUMBNAIL_BYTES = 8 * 1024 * 1024

/** Which icon a file has where it has no thumbnail: the first pattern that fits its type. */
const icons: ReadonlyArray<readonly [RegExp, string]> = [
  [/^image\//, 'image'],
  [/^video\/|mpegurl$/, 'video'],
  [/^audio\//, 'audio'],
  [/^font\//, 'font'],
  [/zip|[-.](?:tar|rar|xz|zstd|7z-compressed)$/, 'archive'],
  [/^application\/(?:pdf|msword|rtf|vnd\.(?:oasis|openxml|ms-)|epub)/, 'document'],
  [/html|xml|json|javascript|css$|yaml|toml|sql$|x-sh$|wasm/, 'code'],
  [/^text\//, 'text']
]

function row (entry: Entry): Markup {
  const href = `./${hrefOf(entry)}`
  const type = entry.kind === 'directory' ? 'folder' : essence(typeOf(entry.name))
  const icon = entry.kind === 'directory' ? 'folder' : icons.find(([pattern]) => pattern.test(type))?.[1] ?? 'file'
  const isShown = shownImages.test(type)
  const preview = isShown ? html` data-preview="image"` : playedMedia.test(type) ? html` data-preview="${icon}"` : NOTHING
  const thumbnail = isShown && (entry.size ?? 0) <= MAX_THUMBNAIL_BYTES ? html`<img src="${href}" alt="" loading="lazy" decoding="async" width="160" height="120">` : NOTHING
  const name = html`<a href="${href}"${preview}><span class="icon ${icon}">${thumbnail}</span><span class="label"><bdi>${visible(entry.name)}</bdi>${entry.kind === 'directory' ? '/' : ''}</span></a>`
  return html`<tr><th scope="row">${name}</th><td class="size">${sizeCell(entry.size)}</td><td class="date">${dateCell(entry.lastModified)}</td></tr>\n`
}

function sizeCell (bytes: number | undefined): Markup {
  return bytes === undefined ? NOTHING : html`<data value="${bytes}" title="${counted(bytes, 'byte')}">${humanSize(bytes)}</data>`
}

function dateCell (milliseconds: number | undefined): Markup {
  const iso = isoDate(milliseconds)
  return iso === undefined ? NOTHING : html`<time datetime="${iso}">${iso.slice(0, -8).replace('T', ' ')}</time>`
}

/** Bytes in binary units (IEC 80000-13), with two figures or more. */
export function humanSize (bytes: number): string {
  let value = bytes
  let unit = 'B'
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']) {
    if (value < 1023.5) break // what would be rounded to 1024 is one of the next unit
    value /= 1024
    unit = next
  }
  return `${unit === 'B' || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${unit}`
}

const counted = (count: number, noun: string): string => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`

/** The directories above, up to the mount's top. */
function breadcrumbs (names: readonly string[]): Markup {
  if (names.length === 0) return NOTHING
  const items = names.map((name, place) => html`<li><a href="${'../'.repeat(names.length - place)}"><bdi>${visible(name)}</bdi></a></li>`)
  return html`<nav aria-label="Breadcrumb"><a class="glyph up" href="../" title="Up"><span>Up to the parent folder</span></a><ol>${items}</ol></nav>`
}

/** The names of the directories from the mount's top to this one. The top of a mount at the root of a host goes by the host's name. */
function trail (view: ListingView): string[] {
  const host = /^[a-z]+:\/\/([^/]+)/.exec(view.url)?.[1] ?? 'Files'
  const names = [host, ...view.path.split('/').slice(1, -1)]
  return names.slice(-1 - view.depth)
}

const { compare } = new Intl.Collator('en', { numeric: true })
const membersOf = (listing: Listing, kind: Entry['kind']): Entry[] => listing.entries.filter(entry => entry.kind === kind).toSorted((first, second) => compare(first.name, second.name))

const empty = html`<p class="empty">This folder is empty.</p>`

function table (groups: ReadonlyArray<readonly [kind: string, entries: Entry[]]>): Markup {
  const bodies = groups.filter(([, entries]) => entries.length > 0).map(([kind, entries]) => html`<tbody class="${kind}">\n${entries.map(row)}</tbody>\n`)
  return html`<table id="members"><caption>Members of this folder</caption>
<thead><tr><th scope="col" aria-sort="ascending">Name</th><th scope="col" class="size">Size</th><th scope="col" class="date">Modified (UTC)</th></tr></thead>
${bodies}</table>`
}

/** A listing as a page. Every link in it is relative, so that it works below any proxy's prefix; what needs a script, the script adds. */
export function listingPage (view: ListingView): string {
  const { entries, truncated } = view.listing
  const [folders, files] = [membersOf(view.listing, 'directory'), membersOf(view.listing, 'file')]
  const pictures = files.filter(({ name }) => shownImages.test(essence(typeOf(name)))).length
  const bytes = files.reduce((sum, file) => sum + (file.size ?? 0), 0)
  const facts = [counted(folders.length, 'folder'), counted(files.length, 'file'), humanSize(bytes)].filter(fact => !fact.startsWith('0 '))
  const names = trail(view)
  return html`<!doctype html>
<html lang="en" data-view="${pictures > 0 && pictures * 2 >= files.length ? 'grid' : 'table'}">
<head>
<meta charset="utf-8">
<title>${view.path}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" type="image/svg+xml" href="${view.assets}mark.svg">
${['listing', 'gallery', 'preview'].map(name => html`<link rel="stylesheet" href="${view.assets}${name}.css">`)}
<script src="${view.assets}listing.js"></script>
<script src="${view.assets}preview.js" type="module"></script>
</head>
<body>
<header>${breadcrumbs(names.slice(0, -1))}
<div class="bar"><div class="title"><h1><bdi>${visible(names.slice(-1).join(''))}</bdi></h1><p>${facts.join(' · ')}</p></div></div></header>
<main>
${entries.length === 0 ? empty : table([['folders', folders], ['files', files]])}
${truncated ? html`<p class="notice">Only the first ${counted(entries.length, 'name')} of this folder are shown. Whatever else is in it can still be opened by its address.</p>` : NOTHING}
</main>
</body>
</html>
`.text
}
