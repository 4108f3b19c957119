/*
 * The text of signed URLs: where a signature stands, and what it is of. Needs nothing, so that
 * it runs wherever URLs are written.
 *
 *     /private/cat.jpg?w=320&sig=2026-11.e1767225600~a.5uRRtq0ZrAb…
 *                                └ key   └ fields      └ HMAC-SHA256 of all before it
 */

/** Stands before everything that is signed: a key that signs something else as well signs no URL by it. */
const PURPOSE = 'fastify-media/url/1'

/** Characters of 32 bytes in base64url without padding (RFC 4648 §5). */
const MAC_LENGTH = 43

/** How a URL names a key. */
export const keyId = /^[A-Za-z0-9_-]{1,32}$/

/** What a signature allows. */
export interface SignedFields {
  /** From when on it is refused, in seconds since 1970. */
  readonly expires?: number | undefined
  /** Until when it is refused, in seconds since 1970. */
  readonly notBefore?: number | undefined
  /** Without it: GET, HEAD and OPTIONS. `GET` is HEAD too. */
  readonly method?: string | undefined
  /** Whether it is for clients of one network alone. */
  readonly isBound: boolean
}

/** A signature as it was sent. Nothing of it is known to hold. */
export interface SentSignature {
  /** The name of the key. */
  readonly id: string
  readonly fields: string
  /** Base64url in the one spelling that its 32 bytes have. */
  readonly mac: string
  /** What was signed, if it was. */
  readonly signed: string
}

/** What can be told of a signature before it is known to hold. The last character has two bits that have to be zero. */
const signature = /^sig=([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9~-]{0,64})\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

/** Each at most once, in this order. Twelve digits reach beyond the year 30000. */
const fieldList = /^(?:e([1-9]\d{0,11})(?:~(?!$)|$))?(?:n([1-9]\d{0,11})(?:~(?!$)|$))?(?:m([A-Z-]{1,24})(?:~(?!$)|$))?(a)?$/

/** The parameter's name in every spelling that decodes to it. */
const named = /(?:^\?|&)(?:s|%73)(?:i|%69)(?:g|%67)(?:=|&|$)/

/** Scheme and authority of a target in absolute form (RFC 9112 §3.2.2). */
const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i

/** The place of the `?` or `&` before the last parameter `sig` of a target, or -1. Very cheap where there is none. */
export function placeOfSignature (target: string): number {
  if (!target.includes('sig=')) return -1
  const query = target.indexOf('?')
  if (query === -1) return -1
  const place = target.lastIndexOf('&sig=')
  if (place > query) return place
  return target.startsWith('sig=', query + 1) ? query : -1
}

/** Whether a target has a parameter `sig`. */
export function hasSignature (target: string): boolean {
  return placeOfSignature(target) !== -1
}

/** A target, or a part of one, in which no signature stands: whoever reads one can use it, also where it came into the path of a broken link. */
export function maskSignatures (text: string): string {
  return /sig/i.test(text) ? text.replaceAll(/((?:[?&/;]|%3f|%26)sig(?:=|%3d))[^&#/;]+/gi, '$1redacted') : text
}

/** A target without its last parameter `sig`, and otherwise as it is. */
export function withoutSignature (target: string): string {
  const place = placeOfSignature(target)
  if (place === -1) return target
  const next = target.indexOf('&', place + 1)
  return next === -1 ? target.slice(0, place) : target.slice(0, place + 1) + target.slice(next + 1)
}

/** Whether what comes before the signature names the parameter already: one who reads the first and one who reads the last would differ. */
export function hasOtherSignature (target: string, place = target.length): boolean {
  const query = target.indexOf('?')
  return query !== -1 && query < place && named.test(target.slice(query, place))
}

/**
 * Reads a signature, and believes nothing of it.
 *
 * @param place as {@link placeOfSignature} gives it
 * @returns undefined where it is malformed, or not the last of the target
 */
export function readSignature (target: string, place: number): SentSignature | undefined {
  const match = signature.exec(target.slice(place + 1))
  if (match === null) return undefined
  const [, id = '', fields = '', mac = ''] = match
  return { id, fields, mac, signed: originForm(target.slice(0, -MAC_LENGTH)) }
}

/** Path and query: of an absolute form, scheme and authority are left out. */
function originForm (target: string): string {
  return target.startsWith('/') ? target : target.slice(authority.exec(target)?.[0].length ?? 0)
}

/** Whether fields bind to an address. It is in what is signed, so that it is asked before anything is known to hold. */
export function bindsAddress (fields: string): boolean {
  return fields === 'a' || fields.endsWith('~a')
}

/** The fields of a signature that holds; undefined where they are malformed. */
export function readFields (text: string): SignedFields | undefined {
  const match = fieldList.exec(text)
  if (match === null) return undefined
  const [, expires, notBefore, method, bound] = match
  return { expires: secondsOf(expires), notBefore: secondsOf(notBefore), method, isBound: bound !== undefined }
}

function secondsOf (digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits)
}

/** The one spelling of fields. */
export function writeFields ({ expires, notBefore, method, isBound }: SignedFields): string {
  return [
    ...expires === undefined ? [] : [`e${expires}`],
    ...notBefore === undefined ? [] : [`n${notBefore}`],
    ...method === undefined ? [] : [`m${method}`],
    ...isBound ? ['a'] : []
  ].join('~')
}

/**
 * What HMAC-SHA256 is worked out of.
 *
 * @param network that of the client, as `networkOf` writes it, where the fields bind to it; `''` otherwise
 * @param signed path and query from their first character to the dot before the signature's own bytes
 */
export function messageOf (network: string, signed: string): string {
  return `${PURPOSE}\n${network}\n${signed}`
}
