import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import type { Test } from '../app.ts'
import { certificate, type CertificateName } from '../certificates.ts'
import { recorder, withRequests, type Handler, type Origin } from './polite.ts'
import { watched } from './watch.ts'

/** How an origin proves who it is, and what it asks for. */
export interface TlsChoices {
  /** Its certificate: `good` where nothing is said. */
  certificate?: Extract<CertificateName, 'good' | 'wrong-name' | 'self-signed' | 'expired'>
  /** Whether clients must show a certificate of the authority `ca`. */
  clientCertificate?: boolean
  /** Whether it offers HTTP/2, beside HTTP/1.1. */
  http2?: boolean
  /** Whether bodies are gathered before the handler is called. */
  gather?: boolean
}

/**
 * An origin with TLS on loopback, closed after the test. Whoever should trust it is given
 * `certificate('ca').certFile` (for `self-signed`, its own).
 */
export async function tlsOrigin (t: Test, handler: Handler, choices: TlsChoices = {}): Promise<Origin> {
  const { cert, key } = certificate(choices.certificate ?? 'good')
  const tls = { cert, key, ...(choices.clientCertificate === true ? { ca: certificate('ca').cert, requestCert: true, rejectUnauthorized: true } : {}) }
  const seen = recorder(handler, choices.gather)
  const server = choices.http2 === true
    ? createSecureServer({ ...tls, allowHTTP1: true }, seen.listener as unknown as Parameters<typeof createSecureServer>[1])
    : createServer(tls, seen.listener)
  server.on('tlsClientError', () => {}) // who does not trust this origin says so by leaving
  return withRequests(await watched(t, server, { scheme: 'https', events: seen.events }), seen)
}
