import { execFileSync } from 'node:child_process'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { scratch, type Test } from '../../helpers/app.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { mistakesIn } from './mistakes-in.ts'

const openssl = { skip: noOpenssl ?? false }
const hash = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='

async function ofTls (base: string, tls: object): Promise<string[]> {
  return await mistakesIn({ upstreams: { vault: { origins: [{ url: 'https://127.0.0.1' }], tls } } }, { base })
}

async function ofPromises (t: Test, integrity: object, texts: Record<string, string> = {}): Promise<string[]> {
  return await mistakesIn({
    upstreams: { assets: { origins: [{ url: 'http://127.0.0.1' }] } },
    mounts: [{ delivery: 'proxy', upstream: 'assets', integrity }]
  }, { base: await scratch(t, texts) })
}

t.test('PEM files that cannot be read are mistakes', async t => {
  const base = await scratch(t, { 'a.txt': 'a', 'large.pem': '' })
  await truncate(join(base, 'large.pem'), 16 * 1024 * 1024 + 1)
  const start = 'upstreams.vault.tls.ca: Expected a file that can be read but'
  t.strictSame(await ofTls('/nowhere', { ca: 'ca.pem' }), [`${start} "/nowhere/ca.pem" does not exist`])
  for (const [file, pattern] of [['a.txt/b', / does not exist$/], ['.', / is no file$/], ['large.pem', / is larger than 16777216 bytes$/], ['x'.repeat(300), / fails with ENAMETOOLONG$/]] as const) {
    const [told = '', ...others] = await ofTls(base, { ca: file })
    t.ok(told.startsWith(start) && pattern.test(told) && others.length === 0, told)
  }
  t.match((await ofTls(base, { ca: 'a\0b' }))[0], / fails with ERR_INVALID_ARG_VALUE$/)
  t.strictSame(await ofTls(base, { ca: 'a.txt' }), ['upstreams.vault.tls.ca: Expected a PEM file with a certificate (-----BEGIN CERTIFICATE-----) but there is none in it'])
})

t.test('each certificate of a PEM file is read', openssl, async t => {
  const { cert } = certificate('ca')
  const broken = cert.replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA')
  const base = await scratch(t, { 'two.pem': `Some words\n${cert}\n${certificate('good').cert}`, 'broken.pem': cert + broken, 'cut.pem': cert + cert.slice(0, 100), 'key.pem': certificate('ca').key })
  t.strictSame(await ofTls(base, { ca: 'two.pem' }), [])
  t.match(await ofTls(base, { ca: 'broken.pem' }), [/^upstreams\.vault\.tls\.ca: Expected certificates, but number 2 of the file cannot be read: [^:]+$/])
  t.match(await ofTls(base, { ca: 'cut.pem' }), [/^upstreams\.vault\.tls\.ca: Expected certificates, but number 2 of the file cannot be read: [^:]+$/])
  t.match(await ofTls(base, { ca: 'key.pem' }), [/^upstreams\.vault\.tls\.ca: Expected a PEM file with a certificate /])
  t.match(await ofTls(base, { cert: 'key.pem', key: 'key.pem' }), [/^upstreams\.vault\.tls\.cert: Expected a PEM file with a certificate /])
})

t.test('a certificate and its key belong together', openssl, async t => {
  const { certFile: cert, keyFile } = certificate('client')
  const base = await scratch(t, { 'none.key': 'hello' })
  execFileSync('openssl', ['ec', '-in', keyFile, '-aes128', '-passout', 'pass:secret', '-out', join(base, 'locked.key')], { stdio: 'ignore' })
  const start = 'upstreams.vault.tls.key: Expected the key of the certificate, in PEM and without a passphrase, but it'
  t.strictSame(await ofTls(base, { cert, key: keyFile }), [])
  t.strictSame(await ofTls(base, { cert, key: certificate('foreign-client').keyFile }), [`${start} is that of another`])
  for (const key of ['none.key', 'locked.key']) {
    const [told = '', ...others] = await ofTls(base, { cert, key })
    t.ok(told.startsWith(`${start} cannot be read: `) && others.length === 0, told)
  }
})

t.test('each hash of a mount is read', async t => {
  t.strictSame(await ofPromises(t, { files: { a: hash, 'b.mp4': `${hash} ${hash}` } }), [])
  t.match(await ofPromises(t, { files: { 'film.mp4': 'sha256-AAAA', b: 'sha512-AAAA' } }), [
    /^mounts\[0\]\.integrity\.files\["film\.mp4"\]: Expected a hash of 32 bytes for sha256 but received one of 3: "sha256-AAAA"$/,
    /^mounts\[0\]\.integrity\.files\.b: Expected a hash of 64 bytes for sha512 /
  ])
  t.match(await ofPromises(t, { files: { a: 'md5-AAAA' } }), [/^mounts\[0\]\.integrity\.files\.a: Expected something like "sha256-/], 'told once, by the schema')
  t.match(await ofPromises(t, { files: { a: hash, '/a': `sha256-${'A'.repeat(43)}=` } }), [/^mounts\[0\]\.integrity\.files\["\/a"\]: Expected one promise for a but received another under another spelling$/])
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, number) => [`f${number}`, 'sha256-AAAA']))
  const told = await ofPromises(t, { files: many })
  t.equal(told.length, 21)
  t.equal(told.at(-1), 'mounts[0].integrity.files: … and 5 more')
})

t.test('a manifest that is missing or wrong is a mistake', async t => {
  const texts = { 'good.json': JSON.stringify({ a: hash }), 'list.json': '[]', 'text.json': '{', 'wrong.json': JSON.stringify({ 'film.mp4': 'sha256-AAAA', b: 5 }) }
  const of = async (manifest: string): Promise<string[]> => await ofPromises(t, { manifest }, texts)
  t.strictSame(await of('good.json'), [])
  t.match(await of('gone.json'), [/^mounts\[0\]\.integrity\.manifest: It cannot be read: ENOENT/])
  t.match(await of('text.json'), [/^mounts\[0\]\.integrity\.manifest: It cannot be read: /])
  t.strictSame(await of('list.json'), ['mounts[0].integrity.manifest: It cannot be read: Expected an object of hashes by path'])
  t.match(await of('wrong.json'), [
    /^mounts\[0\]\.integrity\.manifest: "film\.mp4": Expected a hash of 32 bytes for sha256 /,
    'mounts[0].integrity.manifest: "b": Expected a text with hashes but received 5'
  ])
})
