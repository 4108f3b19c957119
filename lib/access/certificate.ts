import { X509Certificate } from 'node:crypto'
import { plainAddress } from '../http/ip-address.ts'

/** What of a certificate decides about access. */
export interface CertificateFacts {
  /** `CN=reader,O=Example`: the attributes in the certificate's own order, values escaped as in RFC 4514 §2.4; `''` where it has none. */
  readonly subject: string
  /** `DNS:example.com`, `URI:spiffe://example.com/reader`, `email:…`, `IP Address:…` and others. */
  readonly names: readonly string[]
  /** SHA-256 of its DER, in lower-case hexadecimal. */
  readonly fingerprint: string
  /** Milliseconds since 1970. */
  readonly validFrom: number
  /** Milliseconds since 1970. */
  readonly validTo: number
}

/**
 * Reads a certificate. Whether it is to be trusted, somebody else has checked.
 *
 * @param text DER or PEM
 * @returns undefined where it is none
 */
export function readCertificate (text: Buffer | string): CertificateFacts | undefined {
  try {
    const { subject, subjectAltName, fingerprint256, validFrom, validTo } = new X509Certificate(text)
    return {
      subject: oneLine(subject),
      names: alternativeNames(subjectAltName ?? ''),
      fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
      validFrom: Date.parse(validFrom),
      validTo: Date.parse(validTo)
    }
  } catch {
    return undefined
  }
}

/**
 * Node.js gives a line for each relative name, with its values escaped as in RFC 2253: a line
 * break in one is `\0A`, a plus sign `\+`. Attributes of one relative name stand in one line
 * with ` + ` between them; here it is `+`, as in RFC 4514 §2.2. Without any it gives undefined.
 */
function oneLine (subject: string | undefined): string {
  return subject?.replaceAll('\n', ',').replaceAll(' + ', '+') ?? ''
}

/** One name, and what is behind it: Node.js puts values that could be misread in quotes, as JSON does. */
const alternativeName = /([^:",]+):(?:("(?:[^"\\]|\\.)*")|([^",]*))(?:, |$)/y

/**
 * The names of subjectAltName, each on its own: of `DNS:"a\u002c DNS:b"` there is one, which
 * is `DNS:a, DNS:b` (CVE-2021-44532).
 *
 * @throws {SyntaxError} where one of them cannot be read
 */
export function alternativeNames (text: string): string[] {
  const names: string[] = []
  const reader = new RegExp(alternativeName)
  while (reader.lastIndex < text.length) {
    const [, kind, quoted, plain] = reader.exec(text) ?? []
    if (kind === undefined) throw new SyntaxError('Expected names as Node.js writes them')
    names.push(plainName(`${kind}:${quoted === undefined ? plain : JSON.parse(quoted) as string}`))
  }
  return names
}

const addressKind = 'IP Address:'

/** Addresses have more than one spelling; of all other names each is what it is, in its own letter case. */
export function plainName (name: string): string {
  return name.startsWith(addressKind) ? addressKind + plainAddress(name.slice(addressKind.length)) : name
}
