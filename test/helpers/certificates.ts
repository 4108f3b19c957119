import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Certificates of these tests: `good` is for 127.0.0.1, ::1 and localhost, of the authority `ca`. */
export type CertificateName = 'ca' | 'good' | 'wrong-name' | 'self-signed' | 'expired' | 'client' | 'foreign-ca' | 'foreign-client'

/** A certificate and its key: the files, and what is in them (PEM). */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/** Why tests with certificates cannot run here; undefined where they can. */
export const noOpenssl = ['/usr/bin/openssl', '/usr/local/bin/openssl', '/bin/openssl', '/opt/homebrew/bin/openssl'].some(existsSync) ? undefined : 'openssl is not installed'

const here = 'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost'
const elsewhere = 'subjectAltName=DNS:elsewhere.example'

/** Authority that signs (none: itself), extensions, and a lifetime in days from now on where it is not one. */
const recipes: Record<CertificateName, { by?: CertificateName, extensions: readonly string[], days?: number }> = {
  ca: { extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'] },
  good: { by: 'ca', extensions: [here, 'extendedKeyUsage=serverAuth'] },
  'wrong-name': { by: 'ca', extensions: [elsewhere, 'extendedKeyUsage=serverAuth'] },
  'self-signed': { extensions: [here] },
  expired: { by: 'ca', extensions: [here, 'extendedKeyUsage=serverAuth'], days: -1 },
  client: { by: 'ca', extensions: ['extendedKeyUsage=clientAuth'] },
  'foreign-ca': { extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'] },
  'foreign-client': { by: 'foreign-ca', extensions: ['extendedKeyUsage=clientAuth'] }
}

let directory: string | undefined
const made = new Map<CertificateName, Certificate>()

/** The directory of this process for certificates, removed at its end. */
function place (): string {
  if (directory !== undefined) return directory
  const fresh = mkdtempSync(join(tmpdir(), 'fastify-media-certificates-'))
  process.once('exit', () => { rmSync(fresh, { recursive: true, force: true }) })
  directory = fresh
  return fresh
}

function openssl (parameters: readonly string[]): void {
  execFileSync('openssl', parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function make (name: CertificateName): Certificate {
  const { by, extensions, days = 1 } = recipes[name]
  const [certFile, keyFile, requestFile, extensionFile] = ['cert.pem', 'key.pem', 'csr.pem', 'ext'].map(end => join(place(), `${name}.${end}`)) as [string, string, string, string]
  openssl(['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', requestFile])
  writeFileSync(extensionFile, extensions.join('\n'))
  const signer = by === undefined ? ['-signkey', keyFile] : ['-CA', certificate(by).certFile, '-CAkey', certificate(by).keyFile, '-CAcreateserial']
  openssl(['x509', '-req', '-in', requestFile, '-days', String(days), '-extfile', extensionFile, ...signer, '-out', certFile])
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}

/** A certificate by its name, made by the openssl command when it is first asked for. */
export function certificate (name: CertificateName): Certificate {
  const known = made.get(name) ?? make(name)
  made.set(name, known)
  return known
}
