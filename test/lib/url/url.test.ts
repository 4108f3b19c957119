import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { build } from 'esbuild'
import t from 'tap'
import { packageRoot } from '../../../lib/package-root.ts'
import { decodePath } from '../../../lib/paths/request-path.ts'
import { parseIpx } from '../../../lib/transform/grammars/ipx.ts'
import { formatQuery, parseQuery } from '../../../lib/transform/grammars/query.ts'
import { placeOfSignature, withoutSignature } from '../../../lib/signing/signed-target.ts'
import { SignatureVerifier } from '../../../lib/signing/verifier.ts'
import { operationNames, operations, type Operation, type OperationName, type ValueOf } from '../../../lib/transform/operations.ts'
import { canonical, transformText, type Values } from '../../../lib/transform/transform.ts'
import { sign, url, type ImageUrl, type UrlOptions } from '../../../lib/url/index.ts'
import { order, spell } from '../../../lib/url/spelling.ts'
import { randomValue, randomValues, seeded } from '../../helpers/random-transforms.ts'

const strict = { unknown: 'refuse', ignored: [] } as const
const search = (built: ImageUrl | string): string => built.toString().split('?')[1] ?? ''

t.test('what a browser knows of the table is the table', async t => {
  t.strictSame(order, operationNames)
  const random = seeded(40)
  for (const name of operationNames) {
    for (let i = 0; i < 20; i++) {
      const value = randomValue(name, random)
      t.equal(spell(value as ValueOf<OperationName>), (operations[name] as unknown as Operation<unknown>).argument.write(value), name)
    }
  }
})

t.test('a URL says what it was told, in one spelling', async t => {
  t.equal(url('/photos/cat.jpg').toString(), '/photos/cat.jpg')
  t.equal(url('/photos/cat.jpg').resize({ width: 320 }).format('auto').toString(), '/photos/cat.jpg?w=320&f=auto')
  t.equal(String(url('/photos/cat.jpg').format('auto').resize({ width: 320 })), '/photos/cat.jpg?w=320&f=auto')
  t.equal(JSON.stringify({ src: url('a.jpg').quality('auto') }), '{"src":"/a.jpg?q=auto"}')
  t.equal(url('/a.jpg').resize({ width: 320, height: 200, aspectRatio: 1.6, fit: 'cover', position: 'top-left', focus: { x: 0.2, y: 0.3 }, zoom: 2, dpr: 2, kernel: 'cubic', enlarge: false }).toString(), '/a.jpg?w=320&h=200&ar=1.6&fit=cover&enlarge=0&position=top-left&fx=0.2&fy=0.3&zoom=2&dpr=2&kernel=cubic')
  t.equal(url('/a.jpg').crop({ left: 1, top: 2, width: 30, height: 40 }).rotate(90).flip('hv').blur(5).sharpen(30).greyscale().background('#ff8800').quality(75).toString(), '/a.jpg?rot=90&flip=hv&rect=1,2,30,40&blur=5&sharp=30&greyscale=1&bg=ff8800&q=75')
  t.equal(url('/a.jpg').set('bri', 20).set('txt', 'Meow & more').set('bri', undefined).toString(), '/a.jpg?txt=Meow%20%26%20more')
  t.equal(url('/a.jpg').preset('card').resize({ dpr: 2 }).download('my cat.jpg').toString(), '/a.jpg?dpr=2&preset=card&download=my%20cat.jpg')
  t.equal(url('/a.jpg').download().toString(), '/a.jpg?download=')
  t.equal(url('/a.jpg').resize({ width: 5 }).info(), '/a.jpg?info=1')
})

t.test('each call gives another URL, and leaves what it was called on', async t => {
  const small = url('/a.jpg').resize({ width: 100 })
  const both = small.resize({ height: 50 })
  t.equal(small.toString(), '/a.jpg?w=100')
  t.equal(both.toString(), '/a.jpg?w=100&h=50')
  t.equal(small.format('webp').preset('x').toString(), '/a.jpg?w=100&f=webp&preset=x')
  t.equal(small.toString(), '/a.jpg?w=100')
})

t.test('paths are encoded so that the server reads them as they are named', async t => {
  for (const path of ['/old maps/100 %.jpg', '/a#b?c&d=e+f;g.jpg', '/é/😀.jpg', '/it\'s "so" <here>.jpg', '/%2e%2e/x.jpg', '/_ipx/,&_.jpg', '/a..b/...jpg']) {
    const [raw = ''] = url(path).resize({ width: 1 }).toString().split('?')
    t.equal(decodePath(raw), path)
    t.notMatch(raw, /[\s#"'<>]/)
    const ipx = url(path, { grammar: 'ipx' }).resize({ width: 1 }).toString()
    t.equal(decodePath(`/${parseIpx(ipx.slice('/_ipx/'.length)).path}`), path)
  }
  for (const path of ['/../a.jpg', '..', '/a/./b.jpg', '/a/..']) t.throws(() => url(path), TypeError, path)
  t.throws(() => url('/\ud800.jpg').toString(), URIError)
})

t.test('hosts, prefixes and the other grammar are options', async t => {
  t.equal(url('/a.jpg', { base: 'https://cdn.example.com/media/' }).resize({ width: 5 }).toString(), 'https://cdn.example.com/media/a.jpg?w=5')
  t.equal(url('a.jpg', { base: '/media', grammar: 'ipx' }).resize({ width: 5 }).toString(), '/media/_ipx/w_5/a.jpg')
  t.equal(url('a.jpg', { grammar: 'ipx', ipxPrefix: '/img' }).toString(), '/img/_/a.jpg')
  const options = { base: '/one' }
  const built = url('/a.jpg', options)
  options.base = '/two'
  t.equal(built.toString(), '/one/a.jpg')
})

t.test('srcset names each width, or each pixel density', async t => {
  t.equal(url('/a.jpg').format('webp').srcset([320, 640]), '/a.jpg?w=320&f=webp 320w, /a.jpg?w=640&f=webp 640w')
  t.equal(url('/a.jpg').resize({ width: 300, height: 200 }).srcset([150, 600]), '/a.jpg?w=150&h=100 150w, /a.jpg?w=600&h=400 600w', 'in proportion')
  t.equal(url('/a.jpg').resize({ width: 300 }).srcset({ densities: [1, 1.5, 2] }), '/a.jpg?w=300&dpr=1 1x, /a.jpg?w=300&dpr=1.5 1.5x, /a.jpg?w=300&dpr=2 2x')
  t.equal(url('/a, b.jpg').srcset([5]).includes(' b'), false, 'no space but before the descriptor')
})

t.test('a picture has a source for each format, and an image for the rest', async t => {
  t.strictSame(url('/a.jpg').sources({ widths: [320, 640], formats: ['avif', 'webp'], sizes: '100vw' }), {
    sources: [
      { type: 'image/avif', srcset: '/a.jpg?w=320&f=avif 320w, /a.jpg?w=640&f=avif 640w', sizes: '100vw' },
      { type: 'image/webp', srcset: '/a.jpg?w=320&f=webp 320w, /a.jpg?w=640&f=webp 640w', sizes: '100vw' }
    ],
    img: { src: '/a.jpg?w=640', srcset: '/a.jpg?w=320 320w, /a.jpg?w=640 640w', sizes: '100vw' }
  })
  t.strictSame(url('/a.jpg').sources({ widths: [], formats: [] }), { sources: [], img: { src: '/a.jpg', srcset: '' } })
})

function built (values: Values, grammar: 'query' | 'ipx'): ImageUrl {
  let picture = url('/some dir/cat.jpg', { grammar })
  for (const [name, value] of Object.entries(values)) picture = picture.set(name as OperationName, value as never)
  return picture
}

t.test('what was built is read as it was meant, in both grammars, four thousand times', async t => {
  const random = seeded(41)
  for (let i = 0; i < 2000; i++) {
    const values = randomValues(random)
    const meant = transformText(canonical(values))
    const asQuery = built(values, 'query')
    if (transformText(canonical(parseQuery(search(asQuery), strict).values)) !== meant) t.fail(`${search(asQuery)}: ${meant}`)
    if (search(asQuery) !== formatQuery(parseQuery(search(asQuery), strict))) t.fail(`not canonical: ${search(asQuery)}`)
    const asIpx = built(values, 'ipx')
    const { asked, path } = parseIpx(asIpx.toString().slice('/_ipx/'.length))
    if (transformText(canonical(asked.values)) !== meant || path !== 'some%20dir/cat.jpg') t.fail(`${asIpx.toString()}: ${meant}`)
  }
  t.pass()
})

t.test('methods mean the operations they are named after', async t => {
  const same: Array<[ImageUrl, string]> = [
    [url('/a').resize({ width: 1, height: 2, aspectRatio: 3, focus: { x: 0.1, y: 0.2 } }), 'w=1&h=2&ar=3&fx=0.1&fy=0.2'],
    [url('/a').sharpen(5), 'sharp=5'], [url('/a').background('#fff'), 'bg=white'], [url('/a').format('jpeg'), 'fm=jpg']
  ]
  for (const [built, text] of same) t.strictSame(parseQuery(search(built), strict), parseQuery(text, strict), text)
})

t.test('a browser gets it small, with nothing of the server in it', async t => {
  const { outputFiles: [file], metafile } = await build({ entryPoints: [join(packageRoot, 'lib/url/index.ts')], bundle: true, minify: true, write: false, format: 'esm', platform: 'browser', metafile: true })
  const signing = ['client-network', 'signed-target', 'signer'].map(name => `lib/signing/${name}.ts`)
  t.strictSame(Object.keys(metafile.inputs).toSorted(), [...signing, ...['index', 'ipx', 'query', 'spelling', 'write'].map(name => `lib/url/${name}.ts`)])
  t.ok((file?.text.length ?? Infinity) < 9000, `${file?.text.length} bytes`)
  for (const input of Object.keys(metafile.inputs)) {
    const text = await readFile(join(packageRoot, input), 'utf8')
    // The signer asks for the server's own once somebody signs.
    t.notMatch(input.endsWith('/signer.ts') ? text.replace(/globalThis\.process\?\.getBuiltinModule\?\.\('node:crypto'\)|typeof import\('node:crypto'\)/g, '') : text, /Buffer|process\b|node:/, input)
  }
})

const key = { id: '2026-11', secret: 'the walrus keeps 12 secrets of the sea' }
const now = Date.parse('2026-01-01T00:00:00Z')

t.test('a signed URL is what it was with a signature of all of it at its end, whatever is set after', async t => {
  const cat = url('/private/my cat.jpg').resize({ width: 320 })
  const signed = cat.signed(key, { expiresIn: 3600, now })
  t.equal(signed.toString(), sign('/private/my%20cat.jpg?w=320', key, { expiresIn: 3600, now }))
  t.match(signed.toString(), /^\/private\/my%20cat\.jpg\?w=320&sig=2026-11\.e1767229200\.[\w-]{43}$/)
  t.equal(signed.format('auto').toString(), sign('/private/my%20cat.jpg?w=320&f=auto', key, { expiresIn: 3600, now }))
  t.equal(cat.toString(), '/private/my%20cat.jpg?w=320', 'the other stays as it is')
  t.equal(JSON.stringify({ src: signed }), JSON.stringify({ src: signed.toString() }))
  t.equal(url('/a.jpg').signed(key).toString(), sign('/a.jpg', key), 'for good')
  t.equal(signed.info(), sign('/private/my%20cat.jpg?info=1', key, { expiresIn: 3600, now }))
  t.notMatch(inspect(signed, { depth: 9, showHidden: true }), 'walrus', 'a log shows no key')
})

t.test('each URL of a srcset and of a picture is signed for itself', async t => {
  const signed = url('/a.jpg').signed(key, { expires: 1767229200, now })
  const each = (query: string): string => sign(`/a.jpg?${query}`, key, { expires: 1767229200, now })
  t.equal(signed.srcset([320, 640]), `${each('w=320')} 320w, ${each('w=640')} 640w`)
  t.equal(signed.srcset({ densities: [1, 2] }), `${each('dpr=1')} 1x, ${each('dpr=2')} 2x`)
  t.strictSame(signed.sources({ widths: [320], formats: ['avif'] }), {
    sources: [{ type: 'image/avif', srcset: `${each('w=320&f=avif')} 320w` }],
    img: { src: each('w=320'), srcset: `${each('w=320')} 320w` }
  })
})

t.test('what is signed is what the server receives: path and query, with the base unless a proxy takes it off', async t => {
  const built = (options: UrlOptions): string => url('/a.jpg', options).resize({ width: 5 }).signed(key).toString()
  const signed = (target: string): string => sign(target, key)
  t.equal(built({ base: 'https://cdn.example.com/media/' }), `https://cdn.example.com${signed('/media/a.jpg?w=5')}`)
  t.equal(built({ base: '//cdn.example.com' }), `//cdn.example.com${signed('/a.jpg?w=5')}`)
  t.equal(built({ base: '/media', grammar: 'ipx' }), signed('/media/_ipx/w_5/a.jpg'))
  t.equal(built({ base: 'https://cdn.example.com/media', signedBase: '' }), `https://cdn.example.com/media${signed('/a.jpg?w=5')}`)
  t.equal(built({ base: 'https://cdn.example.com/media', signedBase: '/internal/' }), `https://cdn.example.com/media${signed('/internal/a.jpg?w=5').slice('/internal'.length)}`)
  t.equal(built({ base: '/media', signedBase: '/' }), `/media${signed('/a.jpg?w=5')}`)
  t.equal(url('/a.jpg', { base: '/media', signedBase: '/x' }).toString(), '/media/a.jpg', 'which means nothing where nothing is signed')
  t.throws(() => built({ base: 'media' }), TypeError)
})

t.test('what cannot sign is told where it is given', async t => {
  t.throws(() => url('/a').signed({ id: 'a.b', secret: key.secret }), TypeError)
  t.throws(() => url('/a').signed({ id: 'a', secret: 'short' }), RangeError)
  t.throws(() => url('/a').signed(key, { expiresIn: -1 }), RangeError)
})

t.test('of whatever can be asked for, the server sees what was meant, and that it was', async t => {
  const verifier = new SignatureVerifier([{ ...key, revoked: false }], { requireExpiry: false, maxLifetimeSeconds: 1, leewaySeconds: 0 })
  const random = seeded(42)
  for (let i = 0; i < 500; i++) {
    for (const grammar of ['query', 'ipx'] as const) {
      const plain = built(randomValues(random), grammar)
      const target = plain.signed(key).toString()
      const told = verifier.verify({ target, method: 'GET', address: '' }, placeOfSignature(target), now)
      if (!('id' in told) || withoutSignature(target) !== plain.toString()) t.fail(target)
    }
  }
  t.pass()
})
