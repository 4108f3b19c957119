import { X509Certificate } from 'node:crypto'
import t from 'tap'
import type { AccessRequest } from '../../../lib/access/access.ts'
import { certificateMistakes, CertificateStrategy } from '../../../lib/access/client-certificate.ts'
import type { MtlsConfig } from '../../../lib/config/access-schema.ts'
import { noOpenssl } from '../../helpers/certificates.ts'
import { asked, judging } from './judging.ts'
import { madeCertificate } from './made-certificate.ts'

// The attacks: the field with a certificate sent by a client itself, twice, not verified, broken,
// too long; the proxy's own certificate in the client's place; certificates of other subjects
// and names that read like the right ones, and expired ones.

const openssl = { skip: noOpenssl ?? false }
const pem = noOpenssl === undefined ? madeCertificate('/CN=reader/O=Example', ['DNS.1=reader.example', 'URI.1=spiffe://example.com/reader', 'IP.1=2001:db8::1']) : ''
const sly = noOpenssl === undefined ? madeCertificate('/CN=reader,O=Example', ['DNS.1=x, DNS:reader.example']) : ''
const field = (text: string) => `:${derOf(text).toString('base64')}:`

function derOf (text: string): Buffer {
  return new X509Certificate(text).raw
}

function strategyOf (config: Partial<MtlsConfig> = {}, now?: () => number): CertificateStrategy {
  return new CertificateStrategy({ name: 'partners', config: { driver: 'mtls', subjects: [], names: [], fingerprints: [], ...config }, ...now === undefined ? {} : { now } })
}

const granted = { kind: 'granted', principal: { strategy: 'partners', name: 'CN=reader,O=Example' } }
const absent = { kind: 'absent' }
const broken = { kind: 'invalid', reason: 'broken certificate' }
const behindProxy: Partial<AccessRequest> = { isFromTrustedProxy: true }

t.test('without lists every certificate that was verified is let in, under its subject', openssl, async t => {
  const strategy = strategyOf()
  t.same(strategy.judge(asked([], { certificate: derOf(pem) })), granted)
  t.same(strategy.judge(asked([], { certificate: derOf(pem) })), granted, 'and again, as it is remembered')
  t.match(strategy.judge(asked([], { certificate: derOf(sly) })), { principal: { name: 'CN=reader\\,O=Example' } })
  t.same(strategy.judge(asked()), absent)
  t.same(strategy.judge(asked([], { certificate: Buffer.from('no certificate') })), broken)
})

t.test('any of the lists lets in, and what is on none of them is known but not let in', openssl, async t => {
  const { fingerprint256 } = new X509Certificate(pem)
  const judge = (config: Partial<MtlsConfig>, text = pem) => strategyOf(config).judge(asked([], { certificate: derOf(text) })).kind
  t.equal(judge({ subjects: ['CN=other', 'CN=reader,O=Example'] }), 'granted')
  t.equal(judge({ names: ['URI:spiffe://example.com/reader'] }), 'granted')
  t.equal(judge({ names: ['IP Address:2001:db8:0::1'] }), 'granted', 'an address in any spelling')
  t.equal(judge({ fingerprints: [fingerprint256.replaceAll(':', '').toLowerCase()] }), 'granted')
  t.equal(judge({ subjects: ['CN=other'], names: ['DNS:reader.example'], fingerprints: ['0'.repeat(64)] }), 'granted')
  t.same(strategyOf({ subjects: ['CN=reader'] }).judge(asked([], { certificate: derOf(pem) })), { kind: 'forbidden', reason: 'certificate of CN=reader,O=Example is not let in' })
  for (const config of [{ subjects: ['O=Example,CN=reader'] }, { subjects: ['cn=reader,O=Example'] }, { names: ['DNS:example'] }, { names: ['DNS:Reader.example'] }, { names: ['URI:reader.example'] }, { names: ['DNS:*.example'] }, { fingerprints: ['0'.repeat(64)] }]) {
    t.equal(judge(config), 'forbidden', JSON.stringify(config))
  }
})

t.test('a subject or name that reads like two is not let in for the second', openssl, async t => {
  const strategy = strategyOf({ subjects: ['CN=reader,O=Example', 'O=Example'], names: ['DNS:reader.example', 'DNS:x'] })
  t.match(strategy.judge(asked([], { certificate: derOf(sly) })), { kind: 'forbidden' })
  t.match(strategy.judge(asked([], { certificate: derOf(madeCertificate('/', ['DNS.1=other'])) })), { kind: 'forbidden', reason: 'certificate of no subject is not let in' })
})

t.test('a certificate before its first and after its last day is refused, though it is remembered', openssl, async t => {
  const { validFrom, validTo } = new X509Certificate(pem)
  let now = Date.parse(validFrom)
  const strategy = strategyOf({}, () => now)
  const judge = () => strategy.judge(asked([], { certificate: derOf(pem) }))
  t.same(judge(), granted)
  now--
  t.same(judge(), { kind: 'invalid', reason: 'expired or not yet valid certificate' })
  now = Date.parse(validTo)
  t.same(judge(), granted)
  now++
  t.match(judge(), { kind: 'invalid' })
})

t.test('a trusted proxy tells the certificate as RFC 9440 says, or in PEM that is percent-encoded', openssl, async t => {
  const server = await judging(t, strategyOf({ header: 'Client-Cert', subjects: ['CN=reader,O=Example'] }), behindProxy)
  t.same(await server.ask({ 'client-cert': field(pem) }), granted)
  t.same(await server.ask({ 'client-cert': encodeURIComponent(pem) }), granted)
  t.match(await server.ask({ 'client-cert': field(sly) }), { kind: 'forbidden' })
  t.same(await server.ask({}), absent)
  t.same(await server.ask({ 'client-cert': '' }), absent, 'proxies that knew none may say so')
})

t.test('the field of anybody else is not looked at', openssl, async t => {
  const strategy = strategyOf({ header: 'Client-Cert', verifiedHeader: 'X-Verify' })
  const server = await judging(t, strategy)
  t.same(await server.ask({ 'client-cert': field(pem), 'x-verify': 'SUCCESS' }), absent)
  t.same(await server.ask({ 'client-cert': 'nonsense' }), absent)
  t.match(strategy.judge(asked([['Client-Cert', field(pem)], ['X-Verify', 'SUCCESS']], { certificate: derOf(sly) })), { principal: { name: 'CN=reader\\,O=Example' } }, 'its own certificate counts')
  t.same(strategyOf().judge(asked([['Client-Cert', field(pem)]], behindProxy)), absent, 'nor is one that is not configured')
})

t.test('the certificate of a trusted proxy itself does not stand for its clients', openssl, async t => {
  const strategy = strategyOf({ header: 'Client-Cert' })
  t.same(strategy.judge(asked([], { ...behindProxy, certificate: derOf(pem) })), absent)
  t.match(strategy.judge(asked([['Client-Cert', field(sly)]], { ...behindProxy, certificate: derOf(pem) })), { principal: { name: 'CN=reader\\,O=Example' } })
})

t.test('two lines with a certificate are refused, whichever is the good one', openssl, async t => {
  const server = await judging(t, strategyOf({ header: 'Client-Cert' }), behindProxy)
  for (const values of [[field(pem), field(sly)], [field(pem), field(pem)], [field(pem), ''], ['', field(pem)]]) {
    t.same(await server.ask({ 'client-cert': values }), { kind: 'invalid', reason: 'more than one line with a certificate' })
  }
})

t.test('a certificate that the proxy did not verify is refused', openssl, async t => {
  const server = await judging(t, strategyOf({ header: 'Client-Cert', verifiedHeader: 'X-Verify' }), behindProxy)
  const unverified = { kind: 'invalid', reason: 'certificate that the proxy did not verify' }
  t.same(await server.ask({ 'client-cert': field(pem), 'x-verify': 'SUCCESS' }), granted)
  for (const verify of ['FAILED:self-signed certificate', 'NONE', '', 'success', 'SUCCESS, SUCCESS', ['SUCCESS', 'SUCCESS'], ['SUCCESS', 'FAILED'], ['FAILED', 'SUCCESS']]) {
    t.same(await server.ask({ 'client-cert': field(pem), 'x-verify': verify }), unverified, JSON.stringify(verify))
  }
  t.same(await server.ask({ 'client-cert': field(pem) }), unverified)
  t.same(await server.ask({ 'x-verify': 'NONE' }), absent)
  t.same(await server.ask({ 'x-verify': 'SUCCESS' }), absent, 'that word alone proves nothing')
})

t.test('a certificate that is broken, cut or too long is refused', openssl, async t => {
  const strategy = strategyOf({ header: 'Client-Cert' })
  const base64 = derOf(pem).toString('base64')
  const judge = (text: string) => strategy.judge(asked([['Client-Cert', text]], behindProxy))
  for (const text of [base64, `:${base64}`, `${base64}:`, `:${base64.slice(0, 200)}:`, ':AAAA:', '::', `:${base64}:;a=1`, `:${base64}:, :${base64}:`, ':not base64:', encodeURIComponent(pem.slice(0, 200)), '-----BEGIN%ZZ', derOf(pem).toString('latin1')]) {
    t.same(judge(text), broken, text.slice(0, 40))
  }
  t.same(judge(`:${'A'.repeat(16 * 1024)}:`), { kind: 'invalid', reason: 'certificate too long' })
})

t.test('a text that stands for a certificate of a connection is none in a field', openssl, async t => {
  const strategy = strategyOf({ header: 'Client-Cert' })
  t.same(strategy.judge(asked([], { certificate: derOf(pem) })), granted)
  t.same(strategy.judge(asked([['Client-Cert', derOf(pem).toString('latin1')]], behindProxy)), broken)
})

t.test('a long subject is cut in the log', openssl, async t => {
  const long = madeCertificate(`/${Array.from({ length: 10 }, () => `OU=${'a'.repeat(60)}`).join('/')}`)
  const verdict = strategyOf({ subjects: ['CN=reader'] }).judge(asked([], { certificate: derOf(long) })) as { reason: string }
  t.ok(verdict.reason.length < 320, String(verdict.reason.length))
})

t.test('what it varies with and keeps from upstreams', async t => {
  t.match(strategyOf({ header: 'Client-Cert', verifiedHeader: 'X-Verify' }), { name: 'partners', fields: ['Client-Cert', 'X-Verify'], credentials: ['client-cert', 'x-verify'] })
  t.same(strategyOf().fields, [])
  t.equal((strategyOf() as { challenge?: string }).challenge, undefined)
})

t.test('mistakes that no schema can tell', async t => {
  t.match(certificateMistakes({ verifiedHeader: 'X-Verify' }), [{ path: 'verifiedHeader', message: /^Expected `header` beside it/ }])
  t.match(certificateMistakes({ header: 'Client-Cert', verifiedHeader: 'client-cert' }), [{ path: 'verifiedHeader', message: /^Expected another field/ }])
  t.match(certificateMistakes({ names: ['DNS:a', 'IP Address:10.1'] }), [{ path: 'names[1]', message: /^Expected an IP address but received "IP Address:10\.1"$/ }])
  for (const subject of ['CN = reader, O = Example', 'CN=reader, O=Example', '/CN=reader/O=Example', 'reader', 'CN=a,', 'CN=a,b', 'CN=a + O=b', 'CN= a', 'CN=a;b', 'CN="a"']) {
    t.match(certificateMistakes({ subjects: ['CN=reader,O=Example', subject] }), [{ path: 'subjects[1]' }], subject)
  }
  const good = ['CN=reader,O=Example', 'CN=a\\, b,O=\\ c\\ ', 'CN=a+OU=b', '1.2.3.4=x', 'CN=', 'CN=a=b', 'CN=a\\0AO=b', 'CN=Jürgen Müller']
  t.same(certificateMistakes({ header: 'Client-Cert', verifiedHeader: 'X-Verify', subjects: good, names: ['IP Address:::1', 'URI:spiffe://a/b'] }), [])
  t.same(certificateMistakes({ subjects: [5], names: [5], header: 5, verifiedHeader: 5 }), [])
})
