import { Recent } from '../cache/recent.ts'
import type { MtlsConfig } from '../config/access-schema.ts'
import { list, type Loose } from '../config/loose.ts'
import { show, type Mistake } from '../config/mistakes.ts'
import { isAddress } from '../http/ip-address.ts'
import type { AccessRequest, Strategy, Verdict } from './access.ts'
import { plainName, readCertificate, type CertificateFacts } from './certificate.ts'
import { isRepeated } from './field-lines.ts'

/** The longest field with a certificate, in bytes: trusted proxies push against it. */
const MAX_FIELD_BYTES = 16 * 1024
/** Certificates of connections, and of fields, that are remembered, in each of two generations: clients with many push against it. */
const MAX_REMEMBERED = 256
/** How much of a subject the log shows, in characters: who issues certificates could fill it. */
const MAX_SHOWN = 256

/** What a certificate is worth while it is valid. */
interface Read {
  readonly verdict: Verdict
  /** Milliseconds since 1970; of what cannot be read, always. */
  readonly validFrom: number
  readonly validTo: number
}

/** What is right for one strategy. */
export interface CertificateOptions {
  /** As the configuration has it. */
  readonly name: string
  readonly config: MtlsConfig
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const absent: Verdict = { kind: 'absent' }
const repeated: Verdict = { kind: 'invalid', reason: 'more than one line with a certificate' }
const tooLong: Verdict = { kind: 'invalid', reason: 'certificate too long' }
const unverified: Verdict = { kind: 'invalid', reason: 'certificate that the proxy did not verify' }
const broken: Read = { verdict: { kind: 'invalid', reason: 'broken certificate' }, validFrom: -Infinity, validTo: Infinity }
const expired: Verdict = { kind: 'invalid', reason: 'expired or not yet valid certificate' }

/**
 * Who has the private key of a certificate that was verified: by the TLS server of this
 * process, or by a trusted proxy that tells it in a field (RFC 9440, or PEM that is
 * percent-encoded, nginx's `$ssl_client_escaped_cert`). The field of anybody else is not
 * looked at. Behind a trusted proxy the field alone counts, where one is configured: the
 * certificate of that connection is the proxy's own. Where none is configured, a trusted proxy
 * with a certificate is a client like any other, and so is everybody behind it.
 *
 * A trusted proxy has to set or remove the field, and the one that says it verified: what it
 * passes on from a client would be believed (RFC 9440 §4).
 *
 * Not covered: revocation, which is for who verifies; chains in `Client-Cert-Chain`.
 */
export class CertificateStrategy implements Strategy {
  readonly name: string
  readonly fields: readonly string[]
  readonly credentials: readonly string[]
  readonly #header: string | undefined
  readonly #verifiedHeader: string | undefined
  readonly #subjects: ReadonlySet<string>
  readonly #names: ReadonlySet<string>
  readonly #fingerprints: ReadonlySet<string>
  readonly #now: () => number
  readonly #ofConnections = new Recent<string, Read>(MAX_REMEMBERED)
  readonly #ofFields = new Recent<string, Read>(MAX_REMEMBERED)

  constructor ({ name, config, now = Date.now }: CertificateOptions) {
    const { header, verifiedHeader, subjects, names, fingerprints } = config
    this.name = name
    this.fields = [header, verifiedHeader].filter(field => field !== undefined)
    this.credentials = this.fields.map(field => field.toLowerCase())
    this.#header = header?.toLowerCase()
    this.#verifiedHeader = verifiedHeader?.toLowerCase()
    this.#subjects = new Set(subjects)
    this.#names = new Set(names.map(plainName))
    this.#fingerprints = new Set(fingerprints)
    this.#now = now
  }

  judge (request: AccessRequest): Verdict {
    if (this.#header !== undefined && request.isFromTrustedProxy) return this.#judgeField(this.#header, request)
    const { certificate } = request
    return certificate === undefined ? absent : this.#judgeText(certificate.toString('latin1'), this.#ofConnections, () => certificate)
  }

  #judgeField (header: string, { headers, rawHeaders }: AccessRequest): Verdict {
    const text = headers[header]
    if (text === undefined || text === '') return absent
    if (typeof text !== 'string' || isRepeated(rawHeaders, header)) return repeated
    if (text.length > MAX_FIELD_BYTES) return tooLong
    if (this.#verifiedHeader !== undefined && (headers[this.#verifiedHeader] !== 'SUCCESS' || isRepeated(rawHeaders, this.#verifiedHeader))) return unverified
    return this.#judgeText(text, this.#ofFields, certificateIn)
  }

  #judgeText (text: string, recent: Recent<string, Read>, decode: (text: string) => Buffer | string | undefined): Verdict {
    let read = recent.get(text)
    if (read === undefined) {
      const certificate = decode(text)
      const facts = certificate === undefined ? undefined : readCertificate(certificate)
      read = facts === undefined ? broken : { verdict: this.#verdictOn(facts), validFrom: facts.validFrom, validTo: facts.validTo }
      recent.set(text, read)
    }
    const now = this.#now()
    return now >= read.validFrom && now <= read.validTo ? read.verdict : expired
  }

  #verdictOn (facts: CertificateFacts): Verdict {
    const { subject } = facts
    if (this.#letsIn(facts)) return Object.freeze({ kind: 'granted', principal: Object.freeze({ strategy: this.name, name: subject }) })
    return { kind: 'forbidden', reason: `certificate of ${subject === '' ? 'no subject' : subject.slice(0, MAX_SHOWN)} is not let in` }
  }

  #letsIn ({ subject, names, fingerprint }: CertificateFacts): boolean {
    if (this.#subjects.size + this.#names.size + this.#fingerprints.size === 0) return true
    return this.#subjects.has(subject) || names.some(name => this.#names.has(name)) || this.#fingerprints.has(fingerprint)
  }
}

/** RFC 9440 §2.2: a byte sequence of RFC 8941 §3.3.5. PEM has line breaks, and so comes percent-encoded. */
function certificateIn (text: string): Buffer | string | undefined {
  const [, base64] = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(text) ?? []
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  if (!text.startsWith('-----BEGIN')) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Relative names with commas between them, no space around, and values escaped as in RFC 4514 §2.4. */
const subjectForm = /^(?:[A-Za-z0-9.-]+=(?! )(?:[^,+"\\<>;]|\\.)*(?<!(?<!\\) )(?:[,+](?!$)|$))+$/

/**
 * What no schema can say of client certificates.
 *
 * @param config of the strategy, which may be wrong anywhere
 * @returns with paths from the strategy on: `names[3]`
 */
export function certificateMistakes (config: Loose): Mistake[] {
  const { header, verifiedHeader } = config
  const mistakes: Mistake[] = []
  if (verifiedHeader !== undefined && header === undefined) {
    mistakes.push({ path: 'verifiedHeader', message: 'Expected `header` beside it: alone it proves nothing' })
  }
  if (typeof header === 'string' && typeof verifiedHeader === 'string' && header.toLowerCase() === verifiedHeader.toLowerCase()) {
    mistakes.push({ path: 'verifiedHeader', message: 'Expected another field than `header`' })
  }
  for (const [place, subject] of list(config.subjects).entries()) {
    if (typeof subject !== 'string' || subjectForm.test(subject)) continue
    mistakes.push({ path: `subjects[${place}]`, message: `Expected a subject such as CN=reader,O=Example, without spaces around its commas and equals signs, but received ${show(subject)}` })
  }
  for (const [place, name] of list(config.names).entries()) {
    if (typeof name !== 'string' || !name.startsWith('IP Address:') || isAddress(name.slice('IP Address:'.length))) continue
    mistakes.push({ path: `names[${place}]`, message: `Expected an IP address but received ${show(name)}` })
  }
  return mistakes
}
