import { createHash, X509Certificate } from 'node:crypto'
import t from 'tap'
import { alternativeNames, plainName, readCertificate } from '../../../lib/access/certificate.ts'
import { noOpenssl } from '../../helpers/certificates.ts'
import { madeCertificate } from './made-certificate.ts'

const openssl = { skip: noOpenssl ?? false }

t.test('of a certificate in PEM or DER: subject, names, fingerprint and dates', openssl, async t => {
  const pem = madeCertificate('/CN=reader/O=Example', ['DNS.1=a.example', 'URI.1=spiffe://example.com/reader', 'IP.1=2001:db8::1', 'IP.2=192.0.2.1', 'email.1=a@example.com'])
  const { raw, validFrom, validTo } = new X509Certificate(pem)
  const facts = {
    subject: 'CN=reader,O=Example',
    names: ['DNS:a.example', 'URI:spiffe://example.com/reader', 'IP Address:2001:db8::1', 'IP Address:192.0.2.1', 'email:a@example.com'],
    fingerprint: createHash('sha256').update(raw).digest('hex'),
    validFrom: Date.parse(validFrom),
    validTo: Date.parse(validTo)
  }
  t.same(readCertificate(pem), facts)
  t.same(readCertificate(raw), facts)
  t.equal(facts.validTo - facts.validFrom, 2 * 86_400_000)
})

t.test('a subject cannot pretend to have another attribute', openssl, async t => {
  const subjectOf = (subject: string) => readCertificate(madeCertificate(subject))?.subject
  t.equal(subjectOf('/CN=a,O=b'), 'CN=a\\,O=b')
  t.equal(subjectOf('/CN=a\nO=b'), 'CN=a\\0AO=b')
  t.equal(subjectOf('/CN=a\\+O=b'), 'CN=a\\+O=b', 'one attribute with a plus sign')
  t.equal(subjectOf('/CN=a+O=b'), 'CN=a+O=b', 'two attributes of one relative name')
  t.equal(subjectOf('/CN=a \\+ O=b'), 'CN=a \\+ O=b')
  t.equal(subjectOf('/CN=back\\\\slash"quote;<>'), 'CN=back\\\\slash\\"quote\\;\\<\\>')
  t.equal(subjectOf('/CN=#a/OU= b /O=ü'), 'CN=\\#a,OU=\\ b\\ ,O=ü')
})

t.test('a certificate without a subject has an empty one', openssl, async t => {
  t.match(readCertificate(madeCertificate('/', ['DNS.1=a'])), { subject: '', names: ['DNS:a'] })
})

t.test('one name with a comma in it is not two (CVE-2021-44532)', openssl, async t => {
  const pem = madeCertificate('/CN=a', ['DNS.1=a, DNS:b', 'DNS.2=q\\"x', 'DNS.3=back\\\\slash', 'URI.1=http://h/a\\, URI:x', 'dirName.1=dir', 'RID.1=1.2.3.4', 'otherName.1=1.2.3.4;UTF8:DNS:b', 'DNS.4=good', '[dir]', 'CN=x, DNS:b'])
  const { names } = readCertificate(pem) ?? {}
  t.match(names, ['DNS:a, DNS:b', 'DNS:q"x', 'DNS:back\\slash', 'URI:http://h/a, URI:x'])
  t.ok(names?.includes('DNS:good'))
  t.notOk(names?.includes('DNS:b') === true || names?.includes('URI:x') === true)
})

t.test('names as Node.js writes them', async t => {
  t.same(alternativeNames(''), [])
  t.same(alternativeNames('DNS:a, DNS:b'), ['DNS:a', 'DNS:b'])
  t.same(alternativeNames('DNS:"a\\u002c DNS:b", DNS:c'), ['DNS:a, DNS:b', 'DNS:c'])
  t.same(alternativeNames('DNS:"a, DNS:b"'), ['DNS:a, DNS:b'], 'a comma in quotes')
  t.same(alternativeNames('DNS:"a\\", DNS:b"'), ['DNS:a", DNS:b'], 'a quote in quotes')
  t.same(alternativeNames('IP Address:<invalid length=5>, othername:<unsupported>'), ['IP Address:<invalid length=5>', 'othername:<unsupported>'])
})

t.test('of what is written otherwise no name is taken', async t => {
  for (const text of ['DNS', 'DNS:a,DNS:b', 'DNS:a"b"', 'DNS:"a"b', 'DNS:"a', 'DNS:"\\x"', ', DNS:a', 'DNS:a, DNS']) {
    t.throws(() => alternativeNames(text), { name: 'SyntaxError' }, text)
  }
})

t.test('an address is the same in each spelling, other names in one alone', async t => {
  t.equal(plainName('IP Address:2001:DB8:0:0:0:0:0:1'), plainName('IP Address:2001:db8::1'))
  t.equal(plainName('IP Address:elsewhere'), 'IP Address:elsewhere')
  t.equal(plainName('DNS:Example.com'), 'DNS:Example.com')
})

t.test('what is no certificate gives nothing', async t => {
  for (const text of ['', 'a', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', Buffer.alloc(0), Buffer.from('3003020100', 'hex')]) {
    t.equal(readCertificate(text), undefined)
  }
})
