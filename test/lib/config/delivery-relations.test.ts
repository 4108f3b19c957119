import t from 'tap'
import { mistakesIn } from './mistakes-in.ts'

const around = {
  upstreams: { assets: { origins: [{ url: 'http://127.0.0.1:8080' }] } },
  sources: { files: { driver: 'file', root: '/' }, far: { driver: 'http', upstream: 'assets' }, any: { driver: 'remote', allow: ['https://example.com'] }, bucket: { driver: 's3', bucket: 'pictures' } }
}

/** The mistakes of one mount. */
async function of (delivery: string, rest: object): Promise<string[]> {
  return await mistakesIn({ ...around, mounts: [{ delivery, ...(delivery === 'serve' ? { source: 'files' } : { upstream: 'assets' }), ...rest }] })
}

const hash = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
const upstreamOnly = '"proxy", "gateway" and "auto"'

/** A value of each key that is not its default, whom it is for, and how that is told. */
const keys: ReadonlyArray<readonly [key: string, value: unknown, deliveries: readonly string[], words: string]> = [
  ['upstreamPath', '/a', ['proxy', 'gateway', 'redirect', 'auto'], '"proxy", "gateway", "redirect" and "auto"'],
  ['live', true, ['proxy', 'gateway', 'auto'], upstreamOnly],
  ['sharedCache', {}, ['proxy', 'gateway', 'auto'], upstreamOnly],
  ['rewrite', { urls: true }, ['proxy', 'gateway', 'auto'], upstreamOnly],
  ['redirect', { base: 'https://cdn.example.com' }, ['redirect', 'auto'], '"redirect" and "auto"'],
  ['integrity', { files: { a: hash } }, ['proxy', 'auto'], '"proxy" and "auto"'],
  ['digest', true, ['serve'], '"serve"'],
  ['images', { limits: { dimension: 100 } }, ['serve'], '"serve"'],
  ['index', ['a.html'], ['serve'], '"serve"'],
  ['listing', true, ['serve'], '"serve"'],
  ['fallback', { file: 'index.html' }, ['serve'], '"serve"'],
  ['precompressed', false, ['serve'], '"serve"']
]

t.test('a key that means nothing for the delivery is a mistake', async t => {
  for (const [key, value, deliveries, words] of keys) {
    for (const delivery of ['serve', 'proxy', 'gateway', 'redirect', 'auto']) {
      const hint = key === 'sharedCache' && delivery === 'serve' ? ': write it at the source' : ''
      t.strictSame(await of(delivery, { [key]: value }), deliveries.includes(delivery) ? [] : [`mounts[0].${key}: Expected none, because delivery is "${delivery}": it is for ${words}${hint}`], `${key} of ${delivery}`)
    }
  }
})

t.test('a key at its default is no mistake, written or not', async t => {
  const upstream = { upstreamPath: '/', live: false, rewrite: { urls: false, replace: [] }, redirect: {}, digest: false }
  const served = { images: { limits: {} }, index: ['index.html'], listing: false, precompressed: true }
  for (const delivery of ['serve', 'proxy', 'gateway', 'redirect', 'auto']) t.strictSame(await of(delivery, { ...upstream, ...served }), [], delivery)
})

t.test('a delivery that is none is the only mistake of its mount', async t => {
  t.strictSame(await of('proxi', { listing: true, redirect: { status: 307 } }), ['mounts[0].delivery: Expected one of serve, proxy, gateway, redirect, auto but received "proxi". Did you mean proxy?'])
})

t.test('a value of a wrong type is told once', async t => {
  t.strictSame(await of('serve', { rewrite: 5, live: 'yes' }), ['mounts[0].live: Expected true or false but received "yes"', 'mounts[0].rewrite: Expected an object but received 5'])
})

t.test('a body without an end is neither kept nor hashed', async t => {
  t.strictSame(await of('proxy', { live: true, sharedCache: {}, integrity: { files: { a: hash } } }), [
    'mounts[0].sharedCache: Expected none, because of "live": a body without an end is never kept',
    'mounts[0].integrity: Expected none, because of "live": a body without an end has no hash'
  ])
})

t.test('nobody writes to an upstream by permission', async t => {
  for (const delivery of ['proxy', 'gateway', 'redirect', 'auto']) {
    t.strictSame(await of(delivery, { permission: 'read-write' }), ['mounts[0].permission: Expected "read", because this server writes nothing to an upstream: what a "gateway" passes on is for its origins to decide'], delivery)
  }
  t.strictSame(await of('serve', { permission: 'read-write' }), [])
})

t.test('user-agent in proxyFor and the texts of userAgents need each other', async t => {
  t.strictSame(await of('auto', { redirect: { proxyFor: ['user-agent'] } }), ['mounts[0].redirect.userAgents: Expected at least one text, because proxyFor holds "user-agent"'])
  t.strictSame(await of('auto', { redirect: { userAgents: ['Roku'] } }), ['mounts[0].redirect.proxyFor: Expected "user-agent" among them, because there are userAgents'])
  t.strictSame(await of('auto', { redirect: { proxyFor: ['range', 'user-agent'], userAgents: ['Roku'] } }), [])
})

t.test('integrity that is mandatory needs hashes', async t => {
  t.strictSame(await of('proxy', { integrity: { mandatory: true } }), ['mounts[0].integrity.mandatory: Expected files or a manifest beside it: without a hash every file is refused'])
  t.strictSame(await of('proxy', { integrity: { mandatory: true, files: { a: hash } } }), [])
  t.strictSame(await of('proxy', { integrity: {} }), [])
})

t.test('a source that cannot tell its members has no listing', async t => {
  t.strictSame(await of('serve', { source: 'far', listing: true }), ['mounts[0].listing: Expected false, because a source of driver "http" cannot tell what a directory holds'])
  t.strictSame(await of('serve', { source: 'any', listing: true }), ['mounts[0].listing: Expected false, because a source of driver "remote" cannot tell what a directory holds'])
  t.strictSame(await of('serve', { listing: true }), [])
})

t.test('where clients are sent is checked', async t => {
  t.match(await of('redirect', { redirect: { base: 'https://me:secret@example.com/a', cache: 'public private' } }), [/^mounts\[0\]\.redirect\.base: /, 'mounts[0].redirect.cache: Expected either public or private'])
  t.match(await of('redirect', { redirect: { base: 'https://example.com/a/../b' } }), ['mounts[0].redirect.base: Expected a URL without dot segments'])
  t.match(await of('redirect', { redirect: { template: '/../{path}' } }), [/^mounts\[0\]\.redirect\.template: /])
})

t.test('clients are sent to the bucket of a source, and what is about upstreams means nothing there', async t => {
  const sent = async (mount: object): Promise<string[]> => await mistakesIn({ ...around, mounts: [mount] })
  const reason = 'because clients are sent to the bucket of the source'
  t.strictSame(await sent({ delivery: 'redirect', source: 'bucket', redirect: { status: 307 } }), [])
  t.strictSame(await sent({ delivery: 'redirect', source: 'bucket', upstream: 'assets' }), [`mounts[0].upstream: Expected none, ${reason}`])
  for (const [source, driver] of [['files', 'file'], ['far', 'http'], ['any', 'remote']]) {
    t.strictSame(await sent({ delivery: 'redirect', source }), [`mounts[0].source: Expected a source of driver "s3", because delivery is "redirect": clients cannot be sent to one of driver "${driver}"`])
  }
  const idle = { base: 'https://cdn.example.com', template: '/x{path}', query: 'drop', cache: '1h' }
  t.strictSame((await sent({ delivery: 'redirect', source: 'bucket', upstreamPath: '/a', redirect: idle })).toSorted(), ['redirect.base', 'redirect.cache', 'redirect.query', 'redirect.template', 'upstreamPath'].map(key => `mounts[0].${key}: Expected none, ${reason}: it is for an upstream`))
  t.match(await sent({ delivery: 'auto', source: 'bucket' }), ['mounts[0].upstream: Expected the name of an upstream, because delivery is "auto"', 'mounts[0].source: Expected none, because delivery is "auto": clients are sent to a bucket by "redirect", and get its files by "serve"'])
})
