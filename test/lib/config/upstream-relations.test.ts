import { join } from 'node:path'
import t from 'tap'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import { scratch } from '../../helpers/app.ts'
import { certificate, noOpenssl } from '../../helpers/certificates.ts'
import { files, mistakesIn } from './mistakes-in.ts'

const upstreams = { assets: { origins: [{ url: 'http://127.0.0.1:8080/base' }] } }
const vault = { origins: [{ url: 'https://127.0.0.1:8443' }] }
const openssl = { skip: noOpenssl ?? false }

t.test('upstreams, and what refers to them, are checked together', async t => {
  t.strictSame((await mistakesIn({
    upstreams: {
      ...upstreams,
      user: { origins: [{ url: 'http://me:secret@127.0.0.1' }] },
      path: { origins: [{ url: 'http://127.0.0.1/a/../b' }, { url: 'http://127.0.0.1/a/%2e%2e/b' }, { url: 'http://[::1' }] },
      tls: { origins: [{ url: 'https://127.0.0.1' }], tls: { cert: '/nowhere/a.pem' } },
      none: { origins: [] },
      scheme: { origins: [{ url: 'ftp://127.0.0.1' }], connections: 0, healthCheck: {} }
    },
    sources: { ...files, far: { driver: 'http', upstream: 'asets' }, any: { driver: 'remote', allow: ['https://*'] } },
    mounts: [
      { prefix: '/a', delivery: 'proxy', upstream: 'asset' },
      { prefix: '/b', delivery: 'redirect' },
      { prefix: '/c', delivery: 'gateway', source: 'files', upstream: 'assets' },
      { prefix: '/d', source: 'files', upstream: 'assets' },
      { prefix: '/e', delivery: 'proxy', upstream: 'assets', upstreamPath: '/../x' }
    ]
  })).filter(text => !text.startsWith('upstreams.user.origins')).toSorted(), [
    'mounts[0].upstream: Expected the name of an upstream but received "asset". Did you mean assets?',
    'mounts[1].upstream: Expected the name of an upstream, because delivery is "redirect"',
    'mounts[2].source: Expected none, because delivery is "gateway"',
    'mounts[3].upstream: Expected none, because delivery is "serve"',
    'mounts[4].upstreamPath: Expected something like "/assets" but received "/../x"',
    'sources.any.allow[0]: Expected something like "https://*.example.com" but received "https://*"',
    'sources.far.upstream: Expected the name of an upstream but received "asets". Did you mean assets?',
    'upstreams.none.origins: Expected a list of at least 1 but received []',
    'upstreams.path.origins[0].url: Expected a URL without dot segments',
    'upstreams.path.origins[1].url: Expected a URL without dot segments',
    'upstreams.path.origins[2].url: Expected a URL such as http://10.0.0.5:8080/assets',
    'upstreams.scheme.connections: Expected at least 1 but received 0',
    'upstreams.scheme.healthCheck.path: Expected a text, but it is missing',
    'upstreams.scheme.origins[0].url: Expected something like "http://10.0.0.5:8080/assets" but received "ftp://127.0.0.1"',
    'upstreams.tls.tls.cert: Expected a file that can be read but "/nowhere/a.pem" does not exist',
    'upstreams.tls.tls: Expected cert and key together'
  ])
})

t.test('files that an upstream and a mount name start from the configuration\'s own directory', openssl, async t => {
  const base = await scratch(t, { 'ca.pem': certificate('ca').cert, 'k.pem': certificate('client').key, 'sri.json': '{}' })
  const { config } = await resolveConfig({
    upstreams: { vault: { ...vault, tls: { ca: 'ca.pem', cert: certificate('client').certFile, key: 'k.pem' } } },
    mounts: [{ delivery: 'proxy', upstream: 'vault', integrity: { manifest: 'sri.json' } }]
  }, { base })
  t.match(config.upstreams.vault?.tls, { ca: join(base, 'ca.pem'), cert: certificate('client').certFile, key: join(base, 'k.pem') })
  t.equal(config.mounts[0]?.integrity?.manifest, join(base, 'sri.json'))
})

t.test('an origin stands once, and TLS is for an origin with https:', async t => {
  const plain = { origins: [{ url: 'http://127.0.0.1:1' }, { url: 'http://127.0.0.1:2' }] }
  const message = 'Expected none, because no origin has a URL with https:'
  t.strictSame(await mistakesIn({ upstreams: { a: { ...plain, tls: { servername: 'a' }, http2: true } } }), [`upstreams.a.tls: ${message}`, `upstreams.a.http2: ${message}`])
  t.strictSame(await mistakesIn({ upstreams: { a: { origins: [plain.origins[0], ...vault.origins], tls: { servername: 'a' }, http2: true } } }), [], 'one of them')
  t.strictSame(await mistakesIn({ upstreams: { a: { origins: ['http://a.test/x', 'http://a.test:81/x', 'http://a.test/X', 'http://A.test:80/x/', 'https://a.test/x'].map(url => ({ url })) } } }), [
    'upstreams.a.origins[3].url: Expected a server of its own, but it is that of origins[0]: "weight" gives one a larger share'
  ])
})
