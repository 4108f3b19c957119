import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate that signed itself, as PEM: of a subject as openssl takes it (`/CN=a/O=b`), with lines of subjectAltName (`DNS.1=a`). */
export function madeCertificate (subject: string, names: readonly string[] = []): string {
  const directory = mkdtempSync(join(tmpdir(), 'fastify-media-certificate-'))
  try {
    const [config, cert] = [join(directory, 'config'), join(directory, 'cert.pem')]
    const extensions = names.length === 0 ? [] : ['[extensions]', 'subjectAltName=@names', '[names]', ...names]
    writeFileSync(config, ['[req]', 'distinguished_name=subject', ...names.length === 0 ? [] : ['x509_extensions=extensions'], '[subject]', ...extensions, ''].join('\n'))
    execFileSync('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-utf8', '-multivalue-rdn',
      '-config', config, '-subj', subject, '-keyout', join(directory, 'key.pem'), '-out', cert
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    return readFileSync(cert, 'utf8')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
