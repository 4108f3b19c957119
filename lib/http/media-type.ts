import { extname } from 'node:path/posix'
import { contentType } from 'mime-types'
import type { ContentCoding } from '../representation.ts'

/** What an unknown name is sent as (RFC 9110 §8.3 leaves the guess to the recipient; nosniff forbids it). */
export const OCTET_STREAM = 'application/octet-stream'

/** Endings that mime-types 3 does not know, or gives a type that a browser will not take. */
const corrections: Record<string, string> = {
  '.cjs': 'text/javascript; charset=utf-8',
  '.flac': 'audio/flac',
  '.jfif': 'image/jpeg',
  '.zst': 'application/zstd'
}

/** The media type that a name's ending stands for, `charset=utf-8` added to text; undefined where it stands for none. */
function registeredType (name: string): string | undefined {
  const extension = extname(name).toLowerCase()
  if (extension === '') return undefined
  return corrections[extension] ?? (contentType(extension) || undefined)
}

/** The media type of a file by its name's ending. */
export function typeOf (name: string): string {
  return registeredType(name) ?? OCTET_STREAM
}

const assetTypes = /^(?:(?:audio|font|image|model|text|video)\/.*|application\/(?:dash\+xml|gzip|json|manifest\+json|pdf|vnd\.apple\.mpegurl|wasm|xml|zip))$/

/**
 * Whether a name ends like what a page loads or links to: a missing one is then no page of an
 * app. `.com`, `.org` or `.rs` stand for types too, but rather end a name in a page's URL.
 */
export function isAssetName (name: string): boolean {
  const type = registeredType(name)
  return type !== undefined && assetTypes.test(essence(type))
}

/** The coding a name's ending implies: `.svgz` is SVG, gzipped. */
export function codingOf (name: string): ContentCoding | undefined {
  return /\.svgz$/i.test(name) ? 'gzip' : undefined
}

/** The type without parameters, in lower case. */
export function essence (type: string): string {
  const end = type.indexOf(';')
  return (end === -1 ? type : type.slice(0, end)).trim().toLowerCase()
}

const compressibleTypes = /^(?:text\/.*|.*\+(?:json|xml|text)|application\/(?:json|xml|javascript|wasm|manifest|rtf|x-sh|sql|toml|yaml|x-ndjson|vnd\.apple\.mpegurl|vnd\.ms-fontobject)|font\/(?:ttf|otf)|image\/(?:bmp|x-icon|vnd\.microsoft\.icon|vnd\.adobe\.photoshop|x-ms-bmp)|model\/.*)$/

/** Whether compressing the type gains anything: only then are compressed siblings looked for. */
export function isCompressible (type: string): boolean {
  return compressibleTypes.test(essence(type))
}

const activeTypes = /^(?:text\/html|application\/pdf|text\/xml|application\/xml|text\/xsl|application\/xhtml\+xml|.*\+xml|multipart\/.*|message\/rfc822|application\/x-shockwave-flash)$/

/** Whether a browser that opens the type as a document may run or load what it contains. */
export function isActive (type: string): boolean {
  return activeTypes.test(essence(type))
}
