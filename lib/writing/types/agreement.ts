import { supportedMimeTypes } from 'file-type'
import { essence, OCTET_STREAM } from '../../http/media-type.ts'
import type { Found } from './found.ts'
import { anyTag } from './markup.ts'
import { canonicalType, containerOf, isJson, isRunnable, isXml, isZipBased } from './media-types.ts'

/** Types that are recognised by their first bytes: bytes that are not are of another type. */
const recognisable: ReadonlySet<string> = new Set([...supportedMimeTypes, 'image/gif', 'image/avif', 'application/pdf'].filter(type => !type.startsWith('text/')).map(containerOf))

/** Pictures, films, sounds and fonts: each kind that is worth keeping has a beginning of its own. */
const media = /^(?:image|audio|video|font)\//

/** Lists of what to play are text, whatever their type says. */
const playlist = /^audio\/(?:x-)?(?:mpegurl|scpls)$/

const script = /(?:javascript|x-(?:sh|csh|perl|python|ruby|tcl|lua|script))$/

/** How JSON begins (RFC 8259 §2). */
const jsonStart = /^\ufeff?[ \t\n\r]*(?:[{["\d-]|true|false|null)/

/** Whether bytes are what a type says. Any may be of the type that says nothing. */
export function agrees (type: string, found: Found): boolean {
  const name = essence(type)
  if (name === OCTET_STREAM) return true
  if (found.kind === 'empty') return name.startsWith('text/')
  if (found.kind === 'known') return isKnownAs(name, found)
  if (found.kind === 'text') return isTextOf(name, found.text ?? '')
  return !media.test(name) && !name.startsWith('text/') && !isJson(name) && !isXml(name) && !isRecognisable(name)
}

function isRecognisable (name: string): boolean {
  return recognisable.has(containerOf(name)) || isZipBased(name)
}

function isKnownAs (name: string, { type, other, isFragment }: Found): boolean {
  if ([type, other].some(each => each !== undefined && containerOf(each) === containerOf(name))) return true
  if (type === 'application/xml') return isXml(name) && name !== 'image/svg+xml' && name !== 'application/xhtml+xml'
  if (type === 'application/zip') return isZipBased(name)
  if (type === 'text/x-script') return script.test(canonicalType(name))
  return isFragment === true && canonicalType(name) === 'text/markdown'
}

function isTextOf (name: string, text: string): boolean {
  if (isJson(name)) return jsonStart.test(text)
  if (isXml(name)) return anyTag.test(text) && name !== 'image/svg+xml'
  return media.test(name) ? playlist.test(name) : !isRecognisable(name)
}

/** What clients say that do not know. */
const saysNothing: ReadonlySet<string> = new Set(['', OCTET_STREAM, 'binary/octet-stream', 'application/x-www-form-urlencoded', 'application/unknown', 'application/x-download', 'application/force-download', '*/*'])

/** Whether a client says what type it sends. The exceptions are what `curl` and forms send by themselves. */
export function isDeclared (declared: string | undefined): declared is string {
  return declared !== undefined && !saysNothing.has(essence(declared))
}

/** Whether what a client says goes with the type of the name, and with what the bytes are. */
export function isDeclaredAs (declared: string, type: string, found: Found): boolean {
  const [told, name] = [essence(declared), essence(type)]
  if (name === OCTET_STREAM) return !isRunnable(told) && agrees(told, found)
  if (containerOf(told) === containerOf(name)) return true
  // A text of any kind is one; Windows says that tables are those of its own program.
  if (told === 'text/plain') return name.startsWith('text/') || isJson(name) || !(media.test(name) || isRecognisable(name))
  if (told === 'application/vnd.ms-excel') return name === 'text/csv'
  if (canonicalType(told) === 'application/xml') return isXml(name)
  if (told === 'application/json') return isJson(name)
  return canonicalType(told) === 'application/zip' && isZipBased(name)
}
