import { join } from 'node:path'
import t from 'tap'
import { resolveConfig } from '../../../lib/config/resolve.ts'
import { scratch } from '../../helpers/app.ts'
import { files, mistakesIn } from './mistakes-in.ts'

t.test('an empty configuration gets every default', async t => {
  const { config } = await resolveConfig({}, { base: '/' })
  t.strictSame(config, {
    server: { host: 'localhost', port: 3000, idleTimeoutMs: 120_000, shutdownDelayMs: 1000, shutdownDeadlineMs: 30_000 },
    log: { level: 'info', requests: true, serverTiming: false },
    hotFiles: { maxFileBytes: 262_144, totalBytes: 67_108_864, maxFiles: 20_000, revalidateMs: 1000, staleMs: 0 },
    largeFiles: { poolBytes: 33_554_432, maxDescriptors: 256, descriptorIdleMs: 5000 },
    images: {
      workers: 0,
      deadlineMs: 10_000,
      workerBytes: 335_544_320,
      totalBytes: 402_653_184,
      idleMs: 60_000,
      hostileMs: 60_000,
      maxWaiting: 1000,
      maxWaitMs: 30_000,
      pixelsInFlight: 50_000_000,
      cacheHeader: true,
      tagHeaders: true,
      cache: { memoryBytes: 67_108_864, directory: '/.cache', diskBytes: 4_294_967_296 }
    },
    trustedProxies: [],
    httpCache: { memoryBytes: 67_108_864, diskBytes: 1_073_741_824, directory: '/.cache/http' },
    uploads: { directory: '/.uploads', maxConcurrent: 256, stallMs: 30_000, timeoutMs: 3_600_000, expiryMs: 86_400_000 },
    events: { webhooks: {} },
    rateLimits: { whenRedisFails: 'local', maxClients: 100_000 },
    strategies: {},
    plugins: {},
    upstreams: {},
    sources: {},
    mounts: []
  })
})

t.test('defaults stand inside the kinds of sources, the items of lists and what is nested in them', async t => {
  const { config } = await resolveConfig({
    sources: { ...files, all: { driver: 'tree', branches: [{ source: 'files' }] } },
    mounts: [{ source: 'files', cors: { origins: ['*'] }, fallback: { file: 'index.html' } }, { prefix: '/x', source: 'all', cache: { default: '1h' } }]
  }, { base: '/' })
  t.strictSame(config.sources, {
    files: { driver: 'file', root: '/', symlinks: 'inside', visibleDotNames: [], caseInsensitive: false },
    all: { driver: 'tree', branches: [{ path: '/', source: 'files' }] }
  })
  const rest = { permission: 'read', delivery: 'serve', upstreamPath: '/', live: false, digest: false, plugins: [], index: ['index.html'], listing: false, precompressed: true, resourcePolicy: 'cross-origin', trustActiveContent: false }
  t.strictSame(config.mounts.map(({ images: _images, rewrite: _rewrite, redirect: _redirect, writing: _writing, ...mount }) => mount), [
    {
      ...rest,
      prefix: '/',
      source: 'files',
      cors: { origins: ['*'], credentials: false, methods: ['GET', 'HEAD'], exposedHeaders: ['Accept-Ranges', 'Content-Encoding', 'Content-Length', 'Content-Range', 'ETag'], maxAgeSeconds: 7200, timingAllowOrigin: false },
      fallback: { file: 'index.html', except: ['/api/'] },
      cache: { default: 'no-cache', types: {} }
    },
    { ...rest, prefix: '/x', source: 'all', cache: { default: '1h', types: {} } }
  ])
})

t.test('pictures are made into variants unless a mount says otherwise, and only within bounds', async t => {
  const { config } = await resolveConfig({ sources: files, mounts: [{ source: 'files' }, { source: 'files', prefix: '/off', images: { mode: 'off' } }], images: { cache: { directory: 'kept' } } }, { base: '/base' })
  const [mount, off] = config.mounts
  t.match(mount?.images, { mode: 'snapped', grammars: ['query', 'ipx'], unknownParameters: 'refuse', info: true, gps: false, upgrade: false, limits: { inputPixels: 50_000_000, operations: 16 } })
  t.equal(off?.images.mode, 'off')
  t.match(config.images, { workers: 0, deadlineMs: 10_000, cache: { directory: '/base/kept' } })
})

t.test('presets, overlays and modes of pictures that cannot hold are mistakes', async t => {
  const images = { mode: 'presets', presets: { card: 'w=320&wdith=1', empty: '' }, overlays: { logo: { source: 'fils', file: 'logo.png' }, up: { source: 'files', file: '../x' } }, fallback: '/etc/passwd', widths: [0], formats: ['bmp'] }
  const error = await resolveConfig({ sources: files, mounts: [{ source: 'files', images }, { source: 'files', prefix: '/b', images: { mode: 'presets' } }] }, { base: '/' }).then(() => t.fail(), (reason: Error) => reason) as Error
  for (const part of ['mounts[0].images.presets.card', 'wdith', 'mounts[0].images.presets.empty', 'overlays.logo.source', 'Did you mean files?', 'overlays.up.file', 'images.fallback', 'images.widths[0]', 'images.formats[0]', 'mounts[1].images.presets']) t.ok(error.message.includes(part), part)
})

t.test('presets and widths that could never be made are mistakes', async t => {
  const images = { presets: { large: 'w=16000&h=16000', marked: 'w=100&mark=nolo', fine: 'w=100&mark=logo' }, overlays: { logo: { source: 'files', file: 'logo.png' } }, widths: [9000], limits: { dimension: 8192 } }
  const error = await resolveConfig({ sources: files, mounts: [{ source: 'files', images }] }, { base: '/' }).then(() => t.fail(), (reason: Error) => reason) as Error
  for (const part of ['3 mistakes', 'presets.large: w: 16000 pixels are more than the 8192', 'presets.marked: mark: unknown overlay "nolo". Did you mean logo?', 'images.widths: Expected a width that limits.dimension allows']) t.ok(error.message.includes(part), `${part} in ${error.message}`)
})

t.test('the input stays as it is, and the result cannot be changed at any depth', async t => {
  const input = { sources: { files: { driver: 'file', root: '.' } }, mounts: [{ source: 'files', prefix: '/a/', cache: {} }], log: { file: 'x.log' } }
  const before = structuredClone(input)
  const { config } = await resolveConfig(input, { base: '/' })
  t.strictSame(input, before)
  t.equal(config.mounts[0]?.prefix, '/a')
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    t.ok(Object.isFrozen(value))
    Object.values(value).forEach(visit)
  }
  visit(config)
  const again = await resolveConfig(config, { base: '/' })
  t.strictSame(again.config, config, 'what was resolved resolves to itself')
  const other = await resolveConfig({}, { base: '/' })
  t.not(other.config.hotFiles, (await resolveConfig({}, { base: '/' })).config.hotFiles, 'defaults are not shared')
})

t.test('relative paths start from the base', async t => {
  const base = await scratch(t, { 'pictures/a.txt': '' })
  const { config } = await resolveConfig({ sources: { a: { driver: 'file', root: 'pictures' } }, log: { file: 'logs/a.log' } }, { base })
  t.match(config.sources, { a: { root: join(base, 'pictures') } })
  t.equal(config.log.file, join(base, 'logs/a.log'))
})

t.test('every mistake is told at once, each with its path, what was expected and what was received', async t => {
  const input = {
    server: { prot: 1, port: '80', host: '', shutdownDelayMs: -1, idleTimeoutMs: 1e300 },
    hotFile: {},
    log: null,
    trustedProxies: ['10.0.0.0/8', 'nowhere'],
    sources: {
      '9': { driver: 'file', root: '/' },
      files: { driver: 'file', rot: '/srv', symlinks: 'insid' },
      gone: { driver: 'file', root: '/does/not/exist' },
      no: { root: '/' },
      disk: { driver: 'flie', root: '/' },
      number: { driver: 5 },
      tree: { driver: 'tree', branches: [] },
      loop: { driver: 'tree', branches: [{ source: 'loop', path: 'x' }, { source: 'gnoe' }] }
    },
    mounts: [
      { sorce: 'files', listing: 'yes', cors: { origins: ['https://example.com/', '*', 'https://a:99999'], credentials: true }, cache: { default: '30 days', types: { png: '1d' } } },
      { source: 'file', prefix: 'photos', permission: 'read-write', trustActiveContent: true },
      { source: 'gone', prefix: '/x', cache: { default: 'public private', types: { 'image/*': 'no-store 1d' } } },
      { source: 'gone', prefix: '/x/' },
      7
    ]
  }
  t.strictSame((await mistakesIn(input)).toSorted(), [
    'hotFile: Unknown key. Did you mean hotFiles?',
    'log: Expected an object but received null',
    'mounts[0].cache.default: Expected something like "30d immutable" but received "30 days"',
    'mounts[0].cache.types.png: Expected a name such as image/* but received "png"',
    'mounts[0].cors.credentials: Expected false, because origins holds "*": credentials need exact origins',
    'mounts[0].cors.origins[0]: Expected something like "https://example.com" but received "https://example.com/"',
    'mounts[0].cors.origins[2]: Expected an origin such as https://example.com or https://*.example.com but received https://a:99999',
    'mounts[0].listing: Expected true or false but received "yes"',
    'mounts[0].sorce: Unknown key. Did you mean source?',
    'mounts[0].source: Expected the name of a source, because delivery is "serve"',
    'mounts[1].prefix: Expected something like "/photos" but received "photos"',
    'mounts[1].source: Expected the name of a source but received "file". Did you mean files?',
    'mounts[1].trustActiveContent: Expected false, because clients may write to this mount',
    'mounts[2].cache.default: Expected either public or private',
    'mounts[2].cache.types["image/*"]: Expected no-store to stand alone',
    'mounts[3].prefix: Expected a prefix of its own, but /x is that of mounts[2]',
    'mounts[4]: Expected an object but received 7',
    'server.host: Expected a text that is not empty but received ""',
    'server.idleTimeoutMs: Expected at most 2147483647 but received 1e+300',
    'server.port: Expected a whole number but received "80"',
    'server.prot: Unknown key. Did you mean port?',
    'server.shutdownDelayMs: Expected at least 0 but received -1',
    'sources.disk.driver: Expected one of file, tree, http, remote, s3 but received "flie". Did you mean file?',
    'sources.files.root: Expected a text, but it is missing',
    'sources.files.rot: Unknown key. Did you mean root?',
    'sources.files.symlinks: Expected one of inside, deny, follow but received "insid". Did you mean inside?',
    'sources.gone.root: Expected a directory but received "/does/not/exist", which does not exist',
    'sources.loop.branches: Expected no branch that leads back to the tree itself',
    'sources.loop.branches[0].path: Expected something like "/photos" but received "x"',
    'sources.loop.branches[1].source: Expected the name of a source but received "gnoe". Did you mean gone?',
    'sources.no.driver: Expected one of file, tree, http, remote, s3, but it is missing',
    'sources.number.driver: Expected one of file, tree, http, remote, s3 but received 5',
    'sources.tree.branches: Expected a list of at least 1 but received []',
    'sources[9]: Expected a name such as files but received "9"',
    'trustedProxies[1]: Expected a CIDR range such as 10.0.0.0/8 but received nowhere'
  ].toSorted())
})

t.test('a key that resembles none is answered with those there are', async t => {
  t.strictSame(await mistakesIn({ log: { destination: 'x' } }), ['log.destination: Unknown key. Expected one of level, file, requests, serverTiming'])
})

t.test('a whole that is no object is one mistake', async t => {
  for (const [input, shown] of [[null, 'null'], [[], '[]'], ['text', '"text"'], [5, '5'], [true, 'true'], [undefined, 'nothing']] as const) {
    t.strictSame(await mistakesIn(input), [`: Expected an object but received ${shown}`])
  }
  t.strictSame(await mistakesIn(() => ({})), [': Expected plain data but received a function'])
})

t.test('a wrong type is named at every level', async t => {
  for (const wrong of [null, [], 'text', 5, true]) {
    const shown = JSON.stringify(wrong)
    for (const section of ['server', 'log', 'hotFiles', 'largeFiles', 'sources']) {
      t.strictSame(await mistakesIn({ [section]: wrong }), [`${section}: Expected an object but received ${shown}`])
    }
    t.strictSame(await mistakesIn({ sources: { a: wrong } }), [`sources.a: Expected an object but received ${shown}`])
    t.strictSame(await mistakesIn({ sources: files, mounts: [{ source: 'files', cors: wrong }] }), [`mounts[0].cors: Expected an object but received ${shown}`])
    t.strictSame(await mistakesIn({ sources: files, mounts: [{ source: 'files', cache: wrong }] }), [`mounts[0].cache: Expected an object but received ${shown}`])
  }
  for (const wrong of [null, {}, 'text', 5, true]) {
    const shown = JSON.stringify(wrong)
    t.strictSame(await mistakesIn({ mounts: wrong }), [`mounts: Expected a list but received ${shown}`])
    t.strictSame(await mistakesIn({ sources: { a: { driver: 'tree', branches: wrong } } }), [`sources.a.branches: Expected a list but received ${shown}`])
    t.strictSame(await mistakesIn({ trustedProxies: wrong }), [`trustedProxies: Expected a list but received ${shown}`])
  }
  t.strictSame(await mistakesIn({ sources: { a: { driver: 'file', root: 5 } } }), ['sources.a.root: Expected a text but received 5'])
  t.strictSame(await mistakesIn({ sources: { a: { driver: 'tree', branches: [{ source: {} }] } } }), ['sources.a.branches[0].source: Expected a text but received {}'])
})

t.test('numbers that are none, or too great, are refused', async t => {
  for (const [number, sentence] of [
    [NaN, 'Expected a whole number but received NaN'],
    [Infinity, 'Expected at most 9007199254740991 but received Infinity'],
    [-Infinity, 'Expected at least 0 but received -Infinity'],
    [1.5, 'Expected a whole number but received 1.5'],
    [2 ** 53, 'Expected at most 9007199254740991 but received 9007199254740992'],
    ['5', 'Expected a whole number but received "5"']
  ] as const) {
    t.strictSame(await mistakesIn({ hotFiles: { totalBytes: number } }), [`hotFiles.totalBytes: ${sentence}`])
  }
})

t.test('keys that mean something to JavaScript are unknown keys', async t => {
  const hostile = JSON.parse('{"__proto__": {"listing": true}, "constructor": 1, "sources": {"__proto__": {"driver": "file", "root": "/"}}, "mounts": [{"source": "toString", "__proto__": {"listing": true}, "cache": {"types": {"__proto__": "1d"}}}]}') as unknown
  t.strictSame((await mistakesIn(hostile)).map(line => line.split('.').slice(0, 4).join('.').slice(0, 70)).toSorted(), [
    '__proto__: Unknown key. Expected one of $schema, server, publicUrl, tr'.slice(0, 70),
    'constructor: Unknown key. Expected one of $schema, server, publicUrl, '.slice(0, 70),
    'mounts[0].__proto__: Unknown key. Expected one of prefix, source, perm'.slice(0, 70),
    'mounts[0].cache.types.__proto__: Expected a name such as image/* but received "__proto__"'.split('.').slice(0, 4).join('.').slice(0, 70),
    'mounts[0].source: Expected the name of a source but received "toString'.slice(0, 70),
    'sources.__proto__: Expected a name such as files but received "__proto'.slice(0, 70)
  ].toSorted())
  t.equal(({} as { listing?: boolean }).listing, undefined)
})
