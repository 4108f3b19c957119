import type { Draft, HeaderFacts } from './facts.ts'

/** Characters of the root element's tag that are looked at. A file's author pushes against it. */
const MAX_TAG = 16 * 1024

/** Encodings that a declaration may name; all write the declaration itself as ASCII does. */
const ENCODINGS = /^(?:utf-8|us-ascii|iso-8859-\d{1,2}|windows-125\d|koi8-r|shift_jis|euc-jp|gb2312|gbk|big5)$/

/** Text of an XML file: UTF-16 where a mark or the zeros of ASCII in it say so, else as it declares (XML 1.0 appendix F). */
export function decodeXml (bytes: Uint8Array): string {
  const [first, second] = [bytes[0], bytes[1]]
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (first === 0xfe && second === 0xff) return decodeBigEndian(bytes)
  if (first === 0x3c && second === 0) return new TextDecoder('utf-16le').decode(bytes)
  if (first === 0 && second === 0x3c) return decodeBigEndian(bytes)
  const declared = /^<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([\w-]{1,40})["']/.exec(Buffer.from(bytes.subarray(0, 300)).toString('latin1'))?.[1]?.toLowerCase() ?? ''
  return new TextDecoder(ENCODINGS.test(declared) ? declared : 'utf-8').decode(bytes)
}

/** Node.js built without full ICU knows little-endian only. */
function decodeBigEndian (bytes: Uint8Array): string {
  const whole = bytes.subarray(0, bytes.length - bytes.length % 2)
  const swapped = Buffer.from(whole).swap16()
  return new TextDecoder('utf-16le').decode(swapped)
}

function skipSpace (text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n\ufeff'.includes(text.charAt(at))) at++
  return at
}

function after (text: string, end: string, from: number): number {
  const at = text.indexOf(end, from)
  return at === -1 ? text.length : at + end.length
}

/** After a document type declaration, whose internal subset has `>` of its own. */
function afterDoctype (text: string, from: number): number {
  const end = after(text, '>', from)
  return text.slice(from, end).includes('[') ? after(text, '>', after(text, ']', from)) : end
}

/** Of an SVG, whatever its prefix: that of a page is no way in. */
function isSvgDoctype (start: string): boolean {
  return /^<!DOCTYPE\s{1,10}(?:[\w.-]{1,40}:)?svg[\s>[]/.test(start)
}

/** Where the root element begins: behind prolog, comments and document type. Each character is passed once. */
function rootAt (text: string): number {
  let at = skipSpace(text, 0)
  let hasDoctype = false
  for (;;) {
    if (text.startsWith('<?', at)) at = after(text, '?>', at)
    else if (text.startsWith('<!--', at)) at = after(text, '-->', at + 4)
    else if (!hasDoctype && isSvgDoctype(text.slice(at, at + 100))) {
      hasDoctype = true
      at = afterDoctype(text, at)
    } else return at
    at = skipSpace(text, at)
  }
}

/** Recognises an SVG by its root element; compressed ones are not. */
export function sniffSvg (bytes: Uint8Array): HeaderFacts | undefined {
  if (bytes.length < 4 || !looksLikeMarkup(bytes)) return undefined
  const text = decodeXml(bytes)
  const start = rootAt(text)
  const tag = text.slice(start, Math.min(after(text, '>', start), start + MAX_TAG))
  if (!/^<(?:[\w.-]{1,64}:)?svg[\s/>]/.test(tag)) return undefined
  return { format: 'svg', alpha: true, frames: 1, channels: 4, bitDepth: 8, ...svgSize(name => attribute(tag, name)) }
}

/** Cheap: most files that come here are none. */
function looksLikeMarkup (bytes: Uint8Array): boolean {
  for (const byte of bytes.subarray(0, 1024)) {
    if (byte === 0x3c) return true
    if (!(byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0 || byte >= 0xbb)) return false
  }
  return false
}

function attribute (tag: string, name: string): string | undefined {
  for (const space of [' ', '\n', '\t', '\r']) {
    const at = tag.indexOf(`${space}${name}=`)
    if (at === -1) continue
    const start = at + name.length + 2
    const quote = tag.charAt(start)
    if (quote !== '"' && quote !== '\'') continue
    const end = tag.indexOf(quote, start + 1)
    if (end !== -1 && end - start < 200) return tag.slice(start + 1, end).trim()
  }
  return undefined
}

/** Pixels of a side, of the engine's coordinates. A file's author pushes against it. */
const MAX_SIDE = 10_000_000

/** Pixels of a length unit at 72 per inch, which is what the renderer is told. */
const UNITS: Readonly<Record<string, number>> = { '': 1, 'px': 1, 'pt': 1, 'pc': 12, 'in': 72, 'cm': 72 / 2.54, 'mm': 72 / 25.4 }

function lengthOf (value: string | undefined): number | undefined {
  const match = /^\+?(\d{1,9}(?:\.\d{0,12})?|\.\d{1,12})([a-z]{0,2})$/.exec(value ?? '')
  const unit = UNITS[match?.[2] ?? '?']
  const length = Number(match?.[1]) * (unit ?? Number.NaN)
  return length > 0 ? length : undefined
}

/**
 * The size at which an SVG is drawn at 72 pixels per inch: that of its lengths, else of its
 * view box. Nothing where it has neither, or where no engine can draw it: then what is drawn decides.
 *
 * @param get the root element's attributes by name
 */
function svgSize (get: (name: string) => string | undefined): Pick<Draft, 'width' | 'height'> {
  const [, , boxWidth = Number.NaN, boxHeight = Number.NaN] = (get('viewBox') ?? '').slice(0, 200).split(/[\s,]+/).map(Number)
  const [width, height] = [lengthOf(get('width')), lengthOf(get('height'))]
  const hasBox = boxWidth > 0 && boxHeight > 0
  const size = width !== undefined && height !== undefined
    ? [width, height]
    : !hasBox
        ? []
        : width !== undefined
          ? [width, width * boxHeight / boxWidth]
          : height !== undefined
            ? [height * boxWidth / boxHeight, height]
            : [boxWidth, boxHeight]
  const [across, down] = size.map(length => Math.max(1, Math.round(length)))
  if (across === undefined || down === undefined || !(across <= MAX_SIDE && down <= MAX_SIDE)) return {}
  return { width: across, height: down }
}
