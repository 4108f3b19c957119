import { extname } from 'node:path/posix'
import { extension as registeredExtension } from 'mime-types'
import { MediaError } from '../errors.ts'
import { codingOf, essence, OCTET_STREAM, typeOf } from '../http/media-type.ts'
import { HEAD_BYTES } from '../image/sniff.ts'
import { agrees, isDeclared, isDeclaredAs } from './types/agreement.ts'
import { recognise, type Found } from './types/found.ts'
import { isAllowed, isRunnable } from './types/media-types.ts'

/** Bytes of a file that are looked at to tell what it is. What follows after them may be anything. */
export const SNIFF_BYTES = HEAD_BYTES

/** What is known of a file beside its first bytes. */
export interface TypeClaims {
  /** The name that it will have; undefined where it gets one by its type. */
  readonly name: string | undefined
  /** `Content-Type`, as the client says. */
  readonly declaredType: string | undefined
  /** Whether the first bytes are all. */
  readonly isWhole: boolean
  /** What may be written: types and ranges. Types that run are allowed only where they stand here exactly. */
  readonly types: readonly string[]
}

/**
 * The media type that a file will be served as, which is that of its name's ending: bytes, name and
 * `Content-Type` have to say the same, and it has to be allowed. Without a name it is what the bytes
 * are, and of a text, what the client says.
 *
 * Only the beginning is looked at: a picture with an archive behind it passes, and so does a text
 * that later becomes something else. What is served says its type and `nosniff`; where that is not
 * enough, pictures can be encoded anew (`writing.images.reencode`).
 *
 * @param head the first {@link SNIFF_BYTES}, or more
 * @throws {MediaError} `unsupported-media-type`; `bad-name` for an ending before the last that stands for a type that runs and may not be written
 */
export async function checkType (head: Buffer, { name, declaredType, isWhole, types }: TypeClaims): Promise<string> {
  const bytes = head.subarray(0, SNIFF_BYTES)
  const found = await recognise(bytes, isWhole && bytes.length === head.length)
  const type = name === undefined ? typeWithoutName(found, declaredType) : typeOf(name)
  if (name !== undefined) checkEndings(name, types)
  if (name !== undefined && codingOf(name) !== undefined) throw refusal('What is in a compressed drawing is not seen: send it as it is')
  if (!isAllowed(type, types)) throw refusal(`Files of the type ${essence(type)} may not be written here, only of ${types.join(', ')}`)
  if (!agrees(type, found)) throw refusal(`The file is ${wordsOf(found)}, and its name says ${essence(type)}`)
  // What runs is no less what it is under a type that says nothing. Anything else is only stored there.
  if (essence(type) === OCTET_STREAM && found.kind === 'known' && isRunnable(found.type) && !isAllowed(found.type, types)) throw refusal(`The file is ${wordsOf(found)}, which may not be written here`)
  if (isDeclared(declaredType) && !isDeclaredAs(declaredType, type, found)) throw refusal(`Content-Type says ${quoted(declaredType)}, and the file is of the type ${essence(type)}`)
  if (found.type.startsWith('image/') && found.text === undefined) refuseMarkup(bytes)
  return type
}

/** Endings by types, where the registry has one first that is seldom used. */
const usual: Readonly<Record<string, string>> = { 'audio/mpeg': 'mp3', 'audio/ogg': 'ogg', 'video/quicktime': 'mov', 'image/jpeg': 'jpg', 'text/plain': 'txt' }

/**
 * The ending, with its dot, of a file of a type: that of the name, where it stands for the type.
 *
 * @returns `''` where none is known
 */
export function extensionOf (type: string, name?: string): string {
  const own = extname(name ?? '').toLowerCase()
  if (/^\.[a-z0-9]{1,16}$/.test(own) && essence(typeOf(`x${own}`)) === essence(type)) return own
  const registered = usual[essence(type)] ?? registeredExtension(essence(type))
  return registered === false ? '' : `.${registered}`
}

function typeWithoutName (found: Found, declared: string | undefined): string {
  const type = isDeclared(declared) && agrees(declared, found) ? declared : found.type
  return typeOf(`x${extensionOf(type)}`)
}

/** Also `.com`: `www.example.com.jpg` is a picture of a page. Other endings of programs are refused with the name. */
const WINDOWS_PROGRAM = 'application/x-msdownload'

/**
 * A name may have several endings, of which the last counts. Web servers and programs that go by
 * another than we do, and files that are offered as the compressed form of `page.html` because they
 * are called `page.html.gz`, are why the others are looked at.
 */
function checkEndings (name: string, types: readonly string[]): void {
  for (const ending of name.split('.').slice(1, -1)) {
    const type = typeOf(`x.${ending.trim()}`)
    if (essence(type) === WINDOWS_PROGRAM || !isRunnable(type) || isAllowed(type, types)) continue
    throw new MediaError('bad-name', { detail: `A name may not have an ending before its last that stands for ${essence(type)}, which may not be written here` })
  }
}

/** What makes a page of bytes that are also a picture. In compressed pixels it comes about once in a million files. */
const markupInside = /<(?:script|html|head|body|iframe|svg|object|embed|!doctype\s+html)[\s>/]|<\?php\s/i

/** @throws {MediaError} for a picture that is a page or a program as well. Metadata of pictures are XML, and pass. */
function refuseMarkup (bytes: Buffer): void {
  if (markupInside.test(bytes.toString('latin1'))) throw refusal('The file is a picture with markup or a script in it')
}

function wordsOf ({ kind, type }: Found): string {
  return { empty: 'empty', text: 'a text', known: `of the type ${type}`, unknown: 'of no type that is recognised' }[kind]
}

/** What a client says, in no more than a log line's worth. */
function quoted (text: string): string {
  return text.slice(0, 100).replace(/[^\x20-\x7e]/g, '?')
}

function refusal (detail: string): MediaError {
  return new MediaError('unsupported-media-type', { detail })
}
