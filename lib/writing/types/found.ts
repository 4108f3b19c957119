import { fileTypeFromBuffer } from 'file-type'
import { OCTET_STREAM } from '../../http/media-type.ts'
import { mediaTypes } from '../../image/format.ts'
import { sniff } from '../../image/sniff.ts'
import { markupOf, type Markup } from './markup.ts'

/** What the first bytes of a file are. */
export interface Found {
  /** `text` has no kind of its own, `unknown` is what nobody recognises. */
  readonly kind: 'empty' | 'text' | 'known' | 'unknown'
  /** Media type without parameters. */
  readonly type: string
  /** Another type that the same bytes may go by. */
  readonly other?: string | undefined
  /** How a text begins. */
  readonly text?: string | undefined
  /** Whether a page may be a text that only begins with a tag. */
  readonly isFragment?: boolean | undefined
}

/** Bytes that the library looks at. It unpacks what it finds in zip archives: whoever uploads pushes against this. */
const LIBRARY_BYTES = 16 * 1024

/**
 * Recognises a file by its beginning.
 *
 * @param isWhole whether that is all of it
 */
export async function recognise (head: Buffer, isWhole: boolean): Promise<Found> {
  if (head.length === 0) return { kind: 'empty', type: OCTET_STREAM }
  const text = textOf(head, isWhole)
  if (text !== undefined) return ofText(text, head)
  const facts = sniff(head)
  // Unpacked by the library it would be, to see whether an archive is in it.
  const library = head[0] === 0x1f && head[1] === 0x8b ? 'application/gzip' : await libraryType(head)
  if (facts?.format !== undefined) return { kind: 'known', type: mediaTypes[facts.format], other: library }
  // What follows a tag that holds a cover is too far for the library.
  if (library === undefined && head.toString('latin1', 0, 3) === 'ID3') return { kind: 'known', type: 'audio/mpeg' }
  // Browsers do not ask for valid UTF-8 before they take bytes for a page.
  const markup = markupOf(head.toString('latin1'))
  if (markup !== undefined) return known(markup)
  return library === undefined ? { kind: 'unknown', type: OCTET_STREAM } : { kind: 'known', type: library }
}

/** No picture is text, whatever it begins with: what claims so is read as text. */
function ofText (text: string, head: Buffer): Found {
  if (sniff(head)?.format === 'svg') return { kind: 'known', type: mediaTypes.svg, text }
  const markup = markupOf(text)
  return markup === undefined ? { kind: 'text', type: 'text/plain', text } : { ...known(markup), text }
}

function known ({ type, isFragment }: Markup): Found {
  return { kind: 'known', type, isFragment }
}

async function libraryType (head: Buffer): Promise<string | undefined> {
  try {
    const found = await fileTypeFromBuffer(head.subarray(0, LIBRARY_BYTES))
    return found?.mime.split(';', 1)[0]?.toLowerCase()
  /* c8 ignore next 3 -- it has thrown at hostile bytes in earlier versions; the tests know none for this one */
  } catch {
    return undefined
  }
}

/**
 * The text that bytes are, in UTF-8, or in UTF-16 with its mark; undefined where they are none. Bytes
 * of control that no text has are those of WHATWG MIME Sniffing §3 ("binary data byte").
 */
function textOf (head: Buffer, isWhole: boolean): string | undefined {
  const isBig = head[0] === 0xfe && head[1] === 0xff
  const isWide = isBig || (head[0] === 0xff && head[1] === 0xfe)
  const bytes = isBig ? Buffer.from(head.subarray(0, head.length - head.length % 2)).swap16() : head
  try {
    // A letter may be cut at the end.
    const text = new TextDecoder(isWide ? 'utf-16le' : 'utf-8', { fatal: true }).decode(bytes, { stream: !isWhole })
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    return /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f]/.test(text) ? undefined : text
  } catch {
    return undefined
  }
}
