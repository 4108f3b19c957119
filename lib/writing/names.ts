import { randomUUID } from 'node:crypto'
import { MediaError } from '../errors.ts'
import { childKey, rootKey, type Key } from '../paths/request-path.ts'

/*
 * Names that clients choose. What is refused here is what two readers could take for two names, what
 * nobody sees, and what means something else to a system that the file may come to: a Windows share, an
 * object store, a web server beside this one. Names that differ in case alone are two names, and one
 * file where the file system says so.
 */

/** Bytes of one segment, in UTF-8: what file systems take. Whoever uploads pushes against this, and against the next three. */
export const MAX_SEGMENT_BYTES = 255
/** Bytes of a whole key, in UTF-8: what S3 takes. */
export const MAX_KEY_BYTES = 1024
/** Segments of a key. */
export const MAX_SEGMENTS = 32
/** Characters that are looked at: before it is composed, a name may be three times as long. */
const MAX_SPELLED = 4 * MAX_KEY_BYTES

/** Scripts in which a joiner, or a non-joiner, between two letters is spelling (RFC 5892 appendix A). */
const joining = ['Arabic', 'Syriac', 'Mongolian', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Khmer', 'Myanmar'].map(script => `\\p{Script_Extensions=${script}}`).join('')

/** Invisible characters where they are a part of what is seen: joiners in such words and between emoji, variants of emoji and of Chinese and Mongolian letters. */
const spelling = new RegExp([
  `(?<=[${joining}])[\\u200C\\u200D](?=[${joining}])`,
  '(?<=\\p{Extended_Pictographic}[\\uFE0F\\p{Emoji_Modifier}]?)\\u200D(?=\\p{Extended_Pictographic})',
  '(?<=\\p{Extended_Pictographic})[\\uFE0E\\uFE0F]',
  '(?<=[0-9#*])\\uFE0F(?=\\u20E3)',
  '(?<=\\p{Script=Han})[\\uFE00-\\uFE02\\u{E0100}-\\u{E01EF}]',
  '(?<=\\p{Script=Mongolian})[\\u180B-\\u180D\\u180F]'
].join('|'), 'gu')

/** What Windows takes for a device, in any directory and whatever its ending. */
const device = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)\d) *(?:\.|$)/i

/** What a web server that came upon the file would run: it needs no right to be executed for that. */
const serverPages = /^(?:php\d?|phps|phtml?|pht|phar|aspx?|asa|asax|ascx|ashx|asmx|cfm|cfc|jspx?|jspf|jhtml|shtml?|stm|f?cgi)$/i

/** What a system would run, were it not for the ending behind it, which some hide. */
const programs = /^(?:exe|dll|scr|pif|cpl|bat|cmd|msi|msp|vb[es]|ws[fh]|hta|ps1|lnk|reg|sh|bash|jar|apk|swf)$/i

/** Each rule with what is wrong where it does not hold. In this order: the first that is broken is told. */
const rules: readonly (readonly [isBroken: (segment: string, plain: string) => boolean, why: string])[] = [
  [segment => segment === '', 'may not be empty'],
  [(_, plain) => /^\.+$/.test(plain), 'may not consist of dots'],
  [segment => /[\p{Cc}\p{Zl}\p{Zp}]/u.test(segment), 'may not hold control characters'],
  // What is not assigned has no normal form yet (UAX #15 §3), and halves of a character have no UTF-8.
  [segment => /[\p{Cs}\p{Co}\p{Cn}]/u.test(segment), 'may hold only characters of Unicode that are assigned'],
  [segment => /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(segment.replace(spelling, '')), 'may not hold characters that are not seen, or that turn the direction of text'],
  [segment => /[<>:"|?*\\/]/.test(segment), 'may not hold any of < > : " | ? * \\ /'],
  [(segment, plain) => /[/\\]/.test(plain) || /[\u2044\u2215\u2216\u29f5\u29f8\u29f9]/.test(segment), 'may not hold what looks like a slash'],
  // What is decoded once too often by somebody else: dot, slash, backslash, percent, control characters.
  [segment => /%(?:2e|2f|5c|25|[01][0-9a-f]|7f)/i.test(segment), 'may not hold percent-encoded dots, slashes and control characters'],
  [(_, plain) => plain.startsWith('.'), 'may not begin with a dot'],
  [segment => /^[\p{Zs}\p{M}]/u.test(segment), 'may not begin with a space or a mark'],
  [segment => /[.\p{Zs}]$/u.test(segment), 'may not end in a dot or a space'],
  [(_, plain) => device.test(plain), 'is the name of a device in Windows'],
  [segment => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES, `may not be longer than ${MAX_SEGMENT_BYTES} bytes`],
  [(_, plain) => plain.split('.').slice(1).some(ending => serverPages.test(ending.trim())), 'may not have an ending that web servers run'],
  [(_, plain) => plain.split('.').slice(1, -1).some(ending => programs.test(ending.trim())), 'may not have the ending of a program before another one']
]

function refusal (why: string): MediaError {
  return new MediaError('bad-name', { detail: `A name ${why}` })
}

/** @throws {MediaError} `bad-name` */
function normalSegment (spelled: string): string {
  const segment = spelled.normalize('NFC')
  const plain = segment.normalize('NFKC') // as somebody else may read it
  for (const [isBroken, why] of rules) if (isBroken(segment, plain)) throw refusal(why)
  return segment
}

/**
 * The key under which a file is written that a client named: each segment in normal form C
 * (UAX #15), so that `é` is the same name however it was typed.
 *
 * @throws {MediaError} `bad-name`; the detail tells the rule and nothing of the name
 */
export function normalKey (key: Key): Key {
  if (key.length > MAX_SPELLED) throw refusal(`may not be longer than ${MAX_KEY_BYTES} bytes`)
  const segments = key.split('/')
  if (segments.length > MAX_SEGMENTS) throw refusal(`may not have more than ${MAX_SEGMENTS} segments`)
  const normal = segments.map(normalSegment).reduce<Key>((above, segment) => childKey(above, segment), rootKey)
  if (Buffer.byteLength(normal) > MAX_KEY_BYTES) throw refusal(`may not be longer than ${MAX_KEY_BYTES} bytes`)
  return normal
}

/**
 * The name in what a form's `filename` or a resumable upload's metadata says. Directories in it are
 * not used (RFC 7578 §4.2, RFC 2183 §2.3): browsers send those of a whole directory, old ones a drive
 * too. Where they climb, or begin at a root, no browser sent them: that is refused, rather than mended.
 *
 * @throws {MediaError} `bad-name`
 */
export function givenName (fileName: string): string {
  if (fileName.length > MAX_SPELLED) throw refusal(`may not be longer than ${MAX_SEGMENT_BYTES} bytes`)
  const segments = fileName.replace(/^[A-Za-z]:\\/, '').split(/[\\/]/)
  const directories = segments.slice(0, -1)
  if (directories.some(segment => /^[. ]*$/.test(segment.normalize('NFKC')))) throw refusal('may not lead out of its directory')
  return normalSegment(segments.at(-1) ?? '')
}

/** What a name is made of. */
export interface NamedBy {
  /** With its dot, such as `.jpg`; `''` for none. */
  readonly extension: string
  /** SHA-256 of the content, in hexadecimal. Only `hash` needs it. */
  readonly sha256?: string | undefined
  readonly now: Date
}

/**
 * The name that a mount gives to a file, below the directory that it goes to: a random UUID (version 4:
 * it tells nothing, and cannot be guessed), the hash of its content, or the date in UTC as directories
 * and a UUID in them.
 */
export function generatedName (scheme: 'uuid' | 'hash' | 'date', { extension, sha256, now }: NamedBy): string {
  if (scheme === 'hash') {
    if (sha256 === undefined) throw new TypeError('Expected the hash of the content')
    return sha256 + extension
  }
  const name = randomUUID() + extension
  return scheme === 'uuid' ? name : `${now.toISOString().slice(0, 10).replaceAll('-', '/')}/${name}`
}
