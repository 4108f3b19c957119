import t from 'tap'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import { mistakesIn } from './mistakes-in.ts'

t.test('variables are put in where the configuration says so, and a mistake names its variable', async t => {
  const environment = { ROOT: '/', PORT: 'http', TRUSTED_PROXIES: '::1,x', SIZE: '5000', ALL: 'TRUE', PROXIES: '::1, 10.0.0.1', API_KEY: 'hunter2' }
  const input = {
    sources: { a: { driver: 'file', root: '${ROOT}' } },
    hotFiles: { maxFileBytes: '${SIZE}', maxFiles: '${API_KEY}', totalBytes: '1${SIZE}' },
    mounts: [{ source: '${API_KEY}', listing: '${ALL}', cache: { default: '${MISSING}', types: { 'image/*': 'no${API_KEY}' } } }]
  }
  t.strictSame(await mistakesIn(input, { environment, interpolates: true }), [
    'mounts[0].cache.default: Expected the environment variable MISSING to be set',
    'server.port: Expected a whole number but received "http" (from PORT)',
    'hotFiles.totalBytes: Expected a whole number but received "15000"',
    'hotFiles.maxFiles: Expected a whole number but received "[redacted]" (from API_KEY)',
    'mounts[0].cache.types["image/*"]: Expected something like "30d immutable" but received "[redacted]"',
    'trustedProxies[1]: Expected a CIDR range such as 10.0.0.0/8 but received x (from TRUSTED_PROXIES)',
    'mounts[0].source: Expected the name of a source but received "[redacted]" (from API_KEY)'
  ])

  const { config, secrets } = await resolveConfig({
    sources: { a: { driver: 'file', root: '${ROOT}' } },
    trustedProxies: '${PROXIES}',
    hotFiles: { maxFileBytes: '${SIZE}' },
    mounts: [{ source: 'a', listing: '${ALL}', cache: { types: { 'image/*': '${RULE}' } } }]
  }, { base: '/', environment: { ...environment, PORT: '0', TRUSTED_PROXIES: '', RULE: '1h' }, interpolates: true })
  t.match(config, { server: { port: 0 }, trustedProxies: ['::1', '10.0.0.1'], hotFiles: { maxFileBytes: 5000 }, mounts: [{ listing: true, cache: { types: { 'image/*': '1h' } } }] })
  t.strictSame([...secrets], [])
})

t.test('without that, texts are what they are', async t => {
  t.match(await mistakesIn({ sources: { a: { driver: 'file', root: '/${ROOT}' } } }, { environment: { ROOT: '' } }), [/received "\/\$\{ROOT\}", which does not exist$/])
})

t.test('a mistake never shows a secret, wherever its words come from', async t => {
  const environment = { PROXY_TOKEN: 'hunter2, 10.0.0.1', URL_TOKEN: `https://user:${'x'.repeat(80)}@h?` }
  t.strictSame(await mistakesIn({ trustedProxies: ['${PROXY_TOKEN}'], publicUrl: '${URL_TOKEN}', log: { level: 'https://user:pass@host' } }, { environment, interpolates: true }), [
    'publicUrl: Expected something like "https://media.example.com" but received "[redacted]" (from URL_TOKEN)',
    'log.level: Expected one of fatal, error, warn, info, debug, trace, silent but received "https://[redacted]@host"',
    'trustedProxies[0]: Expected a CIDR range such as 10.0.0.0/8 but received [redacted] (from PROXY_TOKEN)'
  ])
})
