import { essence, OCTET_STREAM } from '../../http/media-type.ts'
import { mediaTypes } from '../../image/format.ts'
import { sniff } from '../../image/sniff.ts'

/** First bytes by which a type is known that is no picture we read; a tuple's number is where they stand. */
const signatures: readonly (readonly [at: number, signature: string, type: string])[] = [
  [0, '%PDF-', 'application/pdf'],
  [0, 'PK\x03\x04', 'application/zip'],
  [0, '\x1f\x8b', 'application/gzip'],
  [0, '\x28\xb5\x2f\xfd', 'application/zstd'],
  [0, '\0asm', 'application/wasm'],
  [0, '\x1a\x45\xdf\xa3', 'video/webm'],
  [0, 'OggS', 'application/ogg'],
  [0, 'FLV\x01', 'video/x-flv'],
  [0, 'fLaC', 'audio/flac'],
  [0, 'ID3', 'audio/mpeg'],
  [0, '\xff\xfb', 'audio/mpeg'],
  [0, '\xff\xf3', 'audio/mpeg'],
  [0, '\xff\xf1', 'audio/aac'],
  [0, 'wOF2', 'font/woff2'],
  [0, 'wOFF', 'font/woff'],
  [0, 'OTTO', 'font/otf'],
  [0, '\0\x01\0\0\0', 'font/ttf'],
  [0, '\xff\x0a', 'image/jxl'],
  [0, '\0\0\0\x0cJXL \r\n\x87\n', 'image/jxl'],
  [0, '\0\0\0\x0cjP  \r\n\x87\n', 'image/jp2'],
  [0, '8BPS', 'image/vnd.adobe.photoshop'],
  [0, '\0\0\x01\0', 'image/x-icon'],
  [0, 'BM', 'image/bmp'],
  [8, 'WAVEfmt ', 'audio/wav'],
  [8, 'AVI LIST', 'video/x-msvideo'],
  [4, 'ftypqt', 'video/quicktime'],
  [4, 'ftypM4A', 'audio/mp4'],
  [4, 'ftyp', 'video/mp4']
]

/** Types of text that are believed of a server: nothing of them runs where it is opened. */
const plainText = /^(?:text\/(?!html|xml|xsl|javascript|ecmascript|x-)[a-z0-9.+-]+|application\/(?:json|ld\+json|manifest\+json|geo\+json|yaml|vnd\.apple\.mpegurl|x-ndjson))$/

/**
 * The type of a file by its first bytes. Markup that is no SVG counts as a page. What its server
 * says is believed in one thing alone: which kind of text it is that is no markup.
 *
 * @param beginning as much as `HEAD_BYTES`
 * @param told `Content-Type`, where there is one
 */
export function sniffedType (beginning: Buffer, told: string | undefined): string {
  const facts = sniff(beginning)
  if (facts?.format !== undefined) return mediaTypes[facts.format]
  const start = beginning.toString('latin1', 0, 64)
  const known = signatures.find(([at, signature]) => start.startsWith(signature, at))
  if (known !== undefined) return known[2]
  if (!isText(beginning)) return OCTET_STREAM
  const [, markup] = /^\uFEFF?\s*(<\??)/.exec(beginning.toString('utf8')) ?? []
  if (markup !== undefined) return markup === '<' ? 'text/html; charset=utf-8' : 'application/xml'
  const type = essence(told ?? '')
  return plainText.test(type) ? `${type}; charset=utf-8` : 'text/plain; charset=utf-8'
}

/** UTF-8 without control characters, but perhaps for a letter that is cut at the end. */
function isText (bytes: Buffer): boolean {
  const text = new TextDecoder('utf-8').decode(bytes, { stream: true })
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return !/[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/.test(text)
}

/**
 * Compiles types such as `image/png` and `image/*` into a test.
 *
 * @param patterns in lower case
 */
export function typeMatcher (patterns: readonly string[]): (type: string) => boolean {
  const exact = new Set(patterns)
  return type => {
    const name = essence(type)
    return exact.has(name) || exact.has(`${name.split('/', 1)[0]}/*`)
  }
}
