import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import vm from 'node:vm'
import { build } from 'esbuild'
import t from 'tap'
import { packageRoot } from '../../../lib/package-root.ts'
import { signer, signTarget, type SignOptions } from '../../../lib/signing/signer.ts'

const secret = 'the walrus keeps 12 secrets of the sea'
const key = { id: '2026-11', secret }
const now = Date.parse('2026-01-01T00:00:00Z') - 3600_000

t.test('a signature is what others work out by the same rule', async t => {
  // By Python's hmac and hashlib.
  t.equal(signTarget('/private/cat.jpg?w=320&f=auto', key, { expires: 1767225600, now }), '/private/cat.jpg?w=320&f=auto&sig=2026-11.e1767225600.0PVT75XKIZW_QIMgnHXgwozVdf2BKLuJMpoqNpXmqME')
  t.equal(signTarget('/private/cat.jpg', key, { expiresIn: 3600, notBefore: 1767222000, method: 'PUT', address: '2001:db8:0:1::7', now }), '/private/cat.jpg?sig=2026-11.e1767225600~n1767222000~mPUT~a.FMrwWZOCkYz-BSXh8s60H0r2FmmuflPHnzMFiM66_3k')
  const signed = '/a?sig=2026-11..'
  t.equal(signTarget('/a', key), signed + createHmac('sha256', secret).update(`fastify-media/url/1\n\n${signed}`).digest('base64url'))
})

t.test('times are dates, seconds since 1970, or seconds from now', async t => {
  const fields = (options: SignOptions): string => signTarget('/a', key, { now, ...options }).split('.')[1] ?? ''
  t.equal(fields({ expires: new Date('2026-01-01T00:00:00.900Z') }), 'e1767225600')
  t.equal(fields({ expires: 1767225600 }), 'e1767225600')
  t.equal(fields({ expiresIn: 3600 }), 'e1767225600')
  t.equal(fields({ expiresIn: 0.5 }), 'e1767222001', 'rounded up to what a URL can say')
  t.equal(fields({ notBefore: new Date(now) }), 'n1767222000')
  t.equal(fields({}), '')
  const before = Math.floor(Date.now() / 1000)
  const told = Number(/e(\d+)/.exec(signTarget('/a', key, { expiresIn: 60 }))?.[1])
  t.ok(told >= before + 60 && told <= before + 120, 'by the clock')
})

t.test('of a URL the origin stays in front and is not signed', async t => {
  const [, signed] = signTarget('/a.jpg?w=1', key).split('/a.jpg')
  for (const origin of ['https://cdn.example.com', 'http://127.0.0.1:8080', '//cdn.example.com', 'HTTPS://h']) t.equal(signTarget(`${origin}/a.jpg?w=1`, key), `${origin}/a.jpg${signed}`, origin)
})

t.test('an address is bound by its network, and does not stand in the URL', async t => {
  const bound = (address: string): string => signTarget('/a', key, { address })
  t.equal(bound('2001:db8::7'), bound('2001:0DB8:0:0:ffff::'))
  t.not(bound('2001:db8::7'), bound('2001:db8:0:1::7'))
  t.equal(bound('::ffff:192.0.2.7'), bound('192.0.2.7'))
  t.notMatch(bound('192.0.2.7'), /192|\.2\.7/)
})

t.test('many targets are signed by one signer as each alone', async t => {
  const sign = signer(key, { expires: 1767225600, now })
  for (const target of ['/a', '/b?w=1', 'https://h/c']) t.equal(sign(target), signTarget(target, key, { expires: 1767225600, now }))
})

t.test('what clients would send otherwise is not signed: it would never match', async t => {
  for (const [target, message] of [
    ['/a b.jpg', /Expected \/a%20b\.jpg, as clients send it/],
    ['/é.jpg', /%C3%A9/],
    ['/a/../b', /Expected \/b, as/],
    ['/a/%2e%2e/b', /Expected \/b, as/],
    ['/a\\b', /Expected \/a\/b, as/],
    ['/a?x="', /%22/],
    ['/a\n', /Expected \/a, as/],
    ['/a\0b', /%00/],
    ['/a#top', /no fragment/],
    ['https://h/a#top', /no fragment/],
    ['a.jpg', /begins with a slash/],
    ['', /begins with a slash/],
    ['https://h', /begins with a slash/],
    ['https://h?w=1', /begins with a slash/],
    ['ftp://h/a', /begins with a slash/],
    ['//', /begins with a slash/],
    ['///a', /begins with a slash/],
    ['http:///a', /begins with a slash/]
  ] as const) t.throws(() => signTarget(target, key), { name: 'TypeError', message }, JSON.stringify(target))
  for (const target of ['/a?', '/a?w=1&', '/a%20b', '/a+b?c=d+e', '/a,b:c;d=e@f!$&\'()*', '/a?b=?c/d', '/%2F%2e%2e%2F']) t.ok(signTarget(target, key).startsWith(target), target)
})

t.test('what is signed already is not signed again, and is not shown', async t => {
  const once = signTarget('/a?w=1', key)
  for (const target of [once, `${once}&h=1`, `${once}#x`, `https://h${once}`, once.slice(1), '/a?%73ig=1&w=1', '/a?sig']) {
    t.throws(() => signTarget(target, key), { name: 'TypeError', message: 'Expected a URL without the parameter sig: it is signed already' }, target)
  }
  t.ok(signTarget('/sig=1?x=sig=1', key))
})

t.test('keys and options that mean nothing are refused in a sentence that holds no secret', async t => {
  const text = 'hunter2-hunter2'
  for (const [its, options, error] of [
    [{ id: '', secret }, {}, { name: 'TypeError', message: /id of a key to be 1 to 32/ }],
    [{ id: 'a.b', secret }, {}, { name: 'TypeError', message: /id of a key/ }],
    [{ id: 'a\n', secret }, {}, { name: 'TypeError', message: /id of a key/ }],
    [{ id: 'k'.repeat(33), secret }, {}, { name: 'TypeError', message: /id of a key/ }],
    [{ id: undefined as never, secret }, {}, { name: 'TypeError', message: /id of a key/ }],
    [{ id: 'a', secret: text }, {}, { name: 'RangeError', message: 'Expected a secret of at least 32 bytes but received 15' }],
    [{ id: 'a', secret: undefined as never }, {}, { name: 'TypeError', message: 'Expected the secret of a key to be a text' }],
    [key, { expires: now / 1000 - 1 }, { name: 'RangeError', message: /in the future but received 2025-12-31T22:59:59/ }],
    [key, { expires: now / 1000 }, { name: 'RangeError', message: /in the future/ }],
    [key, { expires: new Date('never') }, { name: 'RangeError', message: /Expected expires to be a date/ }],
    [key, { expires: now + 3600_000 }, { name: 'RangeError', message: /whole seconds since 1970, but received 1767225600000/ }],
    [key, { expires: 1767225600.5 }, { name: 'RangeError', message: /whole seconds/ }],
    [key, { expires: 1767225600, expiresIn: 5 }, { name: 'TypeError', message: /either expires or expiresIn/ }],
    [key, { expiresIn: 0 }, { name: 'RangeError', message: /above 0/ }],
    [key, { expiresIn: Number.NaN }, { name: 'RangeError', message: /above 0/ }],
    [key, { expiresIn: Infinity }, { name: 'RangeError', message: /Expected expires/ }],
    [key, { notBefore: 0 }, { name: 'RangeError', message: /Expected notBefore/ }],
    [key, { notBefore: 1767225600, expires: 1767225600 }, { name: 'RangeError', message: /later than notBefore/ }],
    [key, { method: 'put' }, { name: 'TypeError', message: /capital letters/ }],
    [key, { method: '' }, { name: 'TypeError', message: /capital letters/ }],
    [key, { address: 'localhost' }, { name: 'TypeError', message: 'Expected an IP address but received localhost' }],
    [key, { address: '' }, { name: 'TypeError', message: /IP address/ }]
  ] as const) {
    t.throws(() => signTarget('/a', its, { now, ...options }), error)
    try { signTarget('/a', its, { now, ...options }) } catch (error) { t.notMatch((error as Error).message, text) }
  }
  t.ok(signTarget('/a', { id: 'a', secret: 'é'.repeat(16) }), '32 bytes of 16 characters')
})

t.test('where there is no server there is no signing, and the reason is told', async t => {
  const { outputFiles: [file] } = await build({ entryPoints: [`${packageRoot}/lib/signing/signer.ts`], bundle: true, write: false, format: 'iife', globalName: 'signing', platform: 'browser' })
  const page = { URL, TextEncoder, process: undefined as unknown }
  for (const process of [undefined, {}, { getBuiltinModule: () => undefined }]) {
    const context = vm.createContext({ ...page, process })
    t.throws(() => vm.runInContext(`${file?.text}; signing.signTarget('/a', { id: 'a', secret: 'x'.repeat(40) })`, context), { message: /^Expected to sign on a server.*a key in a page is no secret$/ })
  }
  const served = vm.createContext({ ...page, process })
  t.equal(vm.runInContext(`${file?.text}; signing.signTarget('/a', ${JSON.stringify(key)})`, served), signTarget('/a', key), 'the same text on a server')
})

t.test('nothing but the signer and the verifier knows a key, and the verifier compares in constant time', async t => {
  const text = async (name: string): Promise<string> => await readFile(`${packageRoot}/lib/signing/${name}.ts`, 'utf8')
  for (const name of ['signed-target', 'client-network']) t.notMatch(await text(name), /^import|process\.|node:/m, name)
  t.notMatch(await text('signer'), /from 'node:/)
  t.match(await text('verifier'), /import \{[^}]*\btimingSafeEqual\b[^}]*\} from 'node:crypto'/)
  t.notMatch(await text('verifier'), /\bmac\b\s*[!=]==?|[!=]==?\s*\bmac\b|\bexpected\b\s*[!=]==|mac\.equals|localeCompare/)
})
