/**
 * A signed URL is a permission that anybody can hold, pass on and change. Whoever has one tries what else it opens:
 * another file, the same one later, larger, in another mount, spelled so that the signature still holds and the file
 * is another. And it should not be found where URLs end up: in the log, at the origin, in what caches keep it by
 * (a kept answer would then be kept once for each signature, or be given to whoever asks without one).
 */
import { randomBytes } from 'node:crypto'
import sharp from 'sharp'
import t, { type Test as Tap } from 'tap'
import type { MediaOptions } from '../../app.ts'
import { signTarget, type SignOptions } from '../../lib/signing/signer.ts'
import { ask, raw, scratch, serveMedia, type Answer, type Served } from '../helpers/app.ts'
import { origin } from '../helpers/origin.ts'
import { eventually } from '../helpers/process.ts'

const keys = { old: { id: '2026-10', secret: randomBytes(32).toString('base64url') }, now: { id: '2026-11', secret: randomBytes(32).toString('base64url') }, lost: { id: 'lost', secret: randomBytes(32).toString('base64url') }, other: { id: '2026-11', secret: randomBytes(32).toString('base64url') } }
const strategies = {
  links: { driver: 'signed', keys: [keys.now, keys.old, { ...keys.lost, revoked: true }] },
  elsewhere: { driver: 'signed', keys: [keys.other] }
}
const sign = (target: string, options: SignOptions = {}, key = keys.now): string => signTarget(target, key, { expiresIn: 3600, ...options })
const seconds = (after: number): number => Math.floor(Date.now() / 1000) + after

const files = { 'cat.txt': 'the cat', 'dog.txt': 'the dog', 'my cat.txt': 'the spaced cat', 'my%20cat.txt': 'the odd cat', 'deep/cat.txt': 'the deep cat' }

async function protecting (t: Tap, mounts?: Array<Record<string, unknown>>, rest: Record<string, unknown> = {}): Promise<Served> {
  const root = await scratch(t, files)
  return await serveMedia(t, {
    sources: { files: { driver: 'file', root } },
    strategies,
    mounts: mounts ?? [{ prefix: '/private', source: 'files', access: { read: ['links'] } }, { prefix: '/other', source: 'files', access: { read: ['links'] } }, { prefix: '/foreign', source: 'files', access: { read: ['elsewhere'] } }],
    ...rest
  } as unknown as MediaOptions)
}

/** The bytes of a signature, in pieces. */
function notWrittenDown (t: Tap, text: string, url: string): void {
  const mac = url.slice(-43)
  for (const piece of [mac.slice(0, 14), mac.slice(14, 28), mac.slice(28)]) t.notOk(text.includes(piece), `no piece of the signature of ${url.slice(0, 40)}`)
}

/** Refused, and told why in the log alone. */
async function refused (t: Tap, served: Served, url: string, reason: string, options: Parameters<typeof ask>[2] = {}): Promise<void> {
  const before = served.logs.length
  const answer = await ask(served, url, options)
  t.match(answer, { status: 403, headers: { 'cache-control': 'no-store' } }, `${reason}: ${url.slice(0, 60)}`)
  t.notMatch(answer.text, /cat|dog|signature|expired|reason/)
  t.match(served.logs.slice(before).find(({ code }) => code === 'forbidden'), { level: 40, reason: `links: ${reason}` })
}

t.test('a signed URL opens its own file, to who asks as it says, and without a signature it does not', async t => {
  const served = await protecting(t)
  for (const path of ['/private/cat.txt', '/private/cat.txt?download=1', '/private/cat.txt?', '/private/my%20cat.txt', '/other/cat.txt']) {
    t.match(await ask(served, sign(path)), { status: 200, text: /cat$/, headers: { 'cache-control': /^private/ } }, path)
    t.match(await ask(served, path), { status: 401, headers: { 'www-authenticate': 'SignedURL realm="fastify-media"' } })
  }
  t.equal((await ask(served, sign('/private/cat.txt'), { method: 'HEAD' })).status, 200)
  t.equal((await ask(served, sign('/private/cat.txt', {}, keys.old))).status, 200, 'by the key before this one')
  t.equal((await ask(served, sign('/private/cat.txt', { address: '127.0.0.1' }))).status, 200)
  t.equal((await ask(served, sign('/private/missing.txt'))).status, 404)
  t.match(await raw(served, `GET http://any.example${sign('/private/cat.txt')} HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 200 /, 'the host is not signed')
  t.match(await ask(served, sign('/private/deep')), { status: 301, headers: { location: './deep/' } }, 'a redirect does not pass a signature on that is not for where it leads')
})

t.test('a signature that was cut, emptied, added to or sent twice is none', async t => {
  const served = await protecting(t)
  const url = sign('/private/cat.txt')
  const [path = '', value = ''] = url.split('?sig=')
  for (let cut = 1; cut <= value.length; cut += 3) await refused(t, served, url.slice(0, -cut), 'malformed signature')
  for (const end of ['A', '=', '%3D', '%00', '&', '&x=1', '/', '.txt', '~', ',']) await refused(t, served, url + end, 'malformed signature')
  await refused(t, served, `${path}?sig=`, 'malformed signature')
  for (const twice of [`${path}?sig=${value}&sig=${value}`, `${path}?sig=&sig=${value}`, `${path}?%73ig=${value}&sig=${value}`]) await refused(t, served, twice, 'signature does not match')
  await refused(t, served, `${path}?sig=${value}&sig=`, 'malformed signature')
  const flipped = `${url.slice(0, -43)}${url.at(-43) === 'A' ? 'B' : 'A'}${url.slice(-42)}`
  await refused(t, served, flipped, 'signature does not match')
  await refused(t, served, url.slice(0, -43) + 'A'.repeat(43), 'signature does not match')
  for (const spelling of ['SIG', 'Sig', 'sig%5B%5D', '%73ig', 'signature', 'x-sig']) t.equal((await ask(served, `${path}?${spelling}=${value}`)).status, 401, `${spelling} is no signature`)
  notWrittenDown(t, JSON.stringify(served.logs), url)
})

t.test('a signature in the path, in a fragment or in a header is none', async t => {
  const served = await protecting(t)
  const value = sign('/private/cat.txt').split('?sig=')[1] as string
  for (const target of [`/private/sig=${value}/cat.txt`, `/private/cat.txt/sig=${value}`, `/private/cat.txt&sig=${value}`, `/private/cat.txt;sig=${value}`, `/private/cat.txt%3Fsig=${value}`, `/private/cat.txt%3Fsig%3D${value}`, `/private/cat.txt#?sig=${value}`, `/sig=${value}/private/cat.txt`, `/private/cat.txt/?x/../cat.txt`]) {
    const answer = await raw(served, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 (?:400|401|403|404) /, target)
    t.notMatch(answer, /the cat/)
  }
  for (const headers of [{ 'x-signature': value }, { cookie: `sig=${value}` }, { authorization: `SignedURL ${value}` }, { referer: `http://a/private/cat.txt?sig=${value}` }, { 'x-original-url': `/private/cat.txt?sig=${value}` }]) {
    t.equal((await ask(served, '/private/cat.txt', { headers: headers as unknown as Record<string, string> })).status, 401)
  }
})

t.test('it is for one path, in one spelling, of one mount', async t => {
  const served = await protecting(t)
  const url = sign('/private/cat.txt')
  for (const path of ['/private/dog.txt', '/private/deep/cat.txt', '/private/Cat.txt', '/private/c%61t.txt', '/private/cat.tx%74', '/private//cat.txt', '/private/./cat.txt', '/private/deep/../cat.txt', '/private/%2e/cat.txt', '/private/cat.txt/', '/private/cat.txt%00', '/private/', '/other/cat.txt', '/private/cat.txt%3f']) {
    await refused(t, served, url.replace('/private/cat.txt', path), 'signature does not match')
  }
  await refused(t, served, sign('/other/cat.txt').replace('/other', '/private'), 'signature does not match')
  for (const path of ['/foreign/cat.txt', '/private/cat.txt']) {
    const answers = [await ask(served, url.replace('/private/cat.txt', path)), await ask(served, sign('/private/cat.txt', {}, keys.other).replace('/private/cat.txt', path)), await ask(served, sign(path, {}, path.startsWith('/foreign') ? keys.now : keys.other))]
    t.same(answers.map(({ status }) => status), path.startsWith('/foreign') ? [403, 403, 403] : [200, 403, 403], `${path}: keys of another strategy with the same name are others`)
  }
})

t.test('an encoded path is what was signed, and not what it decodes to once more or once less', async t => {
  const served = await protecting(t)
  const [once, twice] = [sign('/private/my%20cat.txt'), sign('/private/my%2520cat.txt')]
  t.match([await ask(served, once), await ask(served, twice)], [{ text: 'the spaced cat' }, { text: 'the odd cat' }], 'two files')
  await refused(t, served, once.replace('%20', '%2520'), 'signature does not match')
  await refused(t, served, twice.replace('%2520', '%20'), 'signature does not match')
  await refused(t, served, once.replace('%20', '+'), 'signature does not match')
  await refused(t, served, sign('/private/%2e%2e%2fcat.txt'.replaceAll('%2e', '%252e').replace('%2f', '%252f')).replaceAll('%25', '%'), 'signature does not match')
  const climbing = sign('/private/deep%2F..%2Fcat.txt')
  t.match(await ask(served, climbing), { status: 400 }, 'what could be read as two paths is none, also when it is signed')
})

t.test('parameters that come, go or change places are not signed', async t => {
  const served = await protecting(t)
  const url = sign('/private/cat.txt?a=1&b=2')
  t.equal((await ask(served, url)).status, 200)
  for (const query of ['a=1', 'b=2&a=1', 'a=1&b=2&c=3', 'c=3&a=1&b=2', 'a=1&b=3', 'a=1&&b=2', 'a=1&b=2&', 'a=1&b=%32', 'A=1&b=2', 'a=1;b=2', '']) {
    await refused(t, served, url.replace('a=1&b=2', query), 'signature does not match')
  }
  await refused(t, served, sign('/private/cat.txt').replace('?', '?download=x&'), 'signature does not match')
  t.equal((await ask(served, sign('/private/cat.txt').replace('?', '??'))).status, 401, 'a parameter by the name ?sig is another')
})

t.test('an expiry that was moved, taken out or is over is none, nor is a method or an address', async t => {
  const served = await protecting(t)
  const end = seconds(100)
  const url = sign('/private/cat.txt', { expiresIn: undefined, expires: end })
  t.equal((await ask(served, url)).status, 200)
  for (const field of [`e${end + 1}`, `e${end + 100_000}`, `e0${end}`, '', `e${end}~a`, `e${end}~mPUT`, `e${end}~n1`, `e${end}e${end}`, `E${end}`, `e${end}~`, '~', 'e-1', 'e1e99']) {
    await refused(t, served, url.replace(`e${end}`, field), 'signature does not match')
  }
  // The server's own clock decides: these were made by a clock that is behind.
  const past = { now: Date.now() - 1_000_000, expiresIn: undefined }
  await refused(t, served, sign('/private/cat.txt', { ...past, expires: seconds(-10) }), 'expired')
  await refused(t, served, sign('/private/cat.txt', { expiresIn: undefined }), 'without an expiry')
  await refused(t, served, sign('/private/cat.txt', { expiresIn: 32_000_000 }), 'expires too far ahead')
  await refused(t, served, sign('/private/cat.txt', { notBefore: seconds(600) }), 'not valid yet')
  await refused(t, served, sign('/private/cat.txt', { method: 'PUT' }), 'for another method')
  await refused(t, served, sign('/private/cat.txt'), 'for another method', { method: 'PUT' })
  await refused(t, served, sign('/private/cat.txt', { address: '192.0.2.7' }), 'signature does not match', { headers: { 'x-forwarded-for': '192.0.2.7', 'forwarded': 'for=192.0.2.7', 'x-real-ip': '192.0.2.7' } })
})

t.test('a key that was revoked, and one that never was, are told alike', async t => {
  const served = await protecting(t)
  const answers: Answer[] = []
  for (const key of [keys.lost, { id: 'never', secret: keys.now.secret }, { id: '__proto__', secret: keys.now.secret }, { id: 'constructor', secret: keys.now.secret }]) {
    const url = sign('/private/cat.txt', {}, key)
    await refused(t, served, url, 'revoked or unknown key')
    answers.push(await ask(served, url))
    notWrittenDown(t, JSON.stringify(served.logs), url)
  }
  const alike = answers.map(({ text }) => Object.keys(JSON.parse(text) as object).join())
  t.equal(new Set(alike).size, 1)
  await refused(t, served, sign('/private/cat.txt', {}, keys.lost).replace('sig=lost', 'sig=2026-11'), 'signature does not match')
})

t.test('it ends here: neither an origin nor a log nor an answer has it', async t => {
  const far = await origin(t, (request, response) => { response.setHeader('cache-control', 'public, max-age=600').end(`far ${request.url}`) })
  const served = await protecting(t, ['proxy', 'gateway', 'redirect'].map(delivery => ({ prefix: `/${delivery}`, delivery, upstream: 'far', access: { read: ['links'] } })), { upstreams: { far: { origins: [{ url: far.url }] } } })
  for (const delivery of ['proxy', 'gateway', 'redirect']) {
    for (const path of [`/${delivery}/cat.txt`, `/${delivery}/cat.txt?a=1&b=%20`]) {
      const url = sign(path)
      const answer = await ask(served, url)
      t.equal(answer.status, delivery === 'redirect' ? 302 : 200, url)
      if (delivery === 'redirect') t.equal(answer.headers.location, far.url + path.replace('/redirect', ''))
      else t.equal(answer.text, `far ${path.replace(`/${delivery}`, '')}`)
      t.match(answer.headers['cache-control'], /^(?:private|no-)/)
      notWrittenDown(t, JSON.stringify([answer.headers, answer.text, served.logs, far.requests.map(({ url: asked, rawHeaders }) => [asked, rawHeaders])]), url)
      t.notMatch(JSON.stringify([answer.headers, far.requests.map(({ url: asked, rawHeaders }) => [asked, rawHeaders])]), /sig=/)
    }
    t.equal((await ask(served, `/${delivery}/cat.txt`)).status, 401)
  }
})

t.test('what is kept of an origin is kept once for all signatures, and for nobody without one', async t => {
  const far = await origin(t, (request, response) => { response.setHeader('cache-control', 'public, max-age=600').end(`far ${request.url}`) })
  const served = await protecting(t, [{ prefix: '/cdn', delivery: 'proxy', upstream: 'far', sharedCache: {}, access: { read: ['links'] } }], { upstreams: { far: { origins: [{ url: far.url }] } }, httpCache: { directory: await scratch(t) } })
  for (const path of ['/cdn/cat.txt', '/cdn/cat.txt?a=1']) {
    const before = far.requests.length
    const [first, second] = [sign(path, { expiresIn: 100 }), sign(path, { expiresIn: 200 })]
    t.not(first, second)
    t.match(await ask(served, first), { status: 200, headers: { 'cache-control': /^private/ } })
    t.match(await ask(served, second), { status: 200, headers: { 'cache-control': /^private/, 'cache-status': /hit/ } })
    t.match(await ask(served, sign(path, {}, keys.old)), { headers: { 'cache-status': /hit/ } })
    t.equal(far.requests.length, before + 1)
    t.equal((await ask(served, path)).status, 401, 'being kept opens it to nobody')
    for (const url of [`${first}x`, first.slice(0, -1), sign(path, {}, keys.lost), first.replace('cat.txt', 'dog.txt')]) t.equal((await ask(served, url)).status, 403)
    t.equal((await ask(served, path, { headers: { 'cache-control': 'only-if-cached' } })).status, 401)
    t.equal(far.requests.length, before + 1)
  }
})

t.test('who rolls signatures out is told who would be refused, and refuses nobody', async t => {
  const served = await protecting(t, [{ prefix: '/private', source: 'files', access: { read: ['trial'] } }], { strategies: { trial: { driver: 'signed', keys: [keys.now], mode: 'report-only' } } })
  const url = sign('/private/cat.txt')
  for (const [target, reason] of [['/private/cat.txt', 'no signature'], [url.slice(0, -1), 'malformed signature'], [url.replace('cat', 'dog'), 'signature does not match'], [sign('/private/cat.txt', {}, keys.old), 'revoked or unknown key'], [sign('/private/cat.txt', { expiresIn: undefined }), 'without an expiry']] as const) {
    t.match(await ask(served, target), { status: 200, text: /the (?:cat|dog)/ }, reason)
    t.match(served.logs.find(line => line.reason === reason), { level: 40, strategy: 'trial', count: 1, path: /^\/private\/(?:cat|dog)\.txt$/, msg: 'A signed URL would be refused' })
    if (reason !== 'no signature') notWrittenDown(t, JSON.stringify(served.logs), target)
  }
  const lines = served.logs.length
  t.equal((await ask(served, url)).status, 200)
  t.equal(served.logs.slice(lines).filter(({ msg }) => msg === 'A signed URL would be refused').length, 0)
  notWrittenDown(t, JSON.stringify(served.logs), url)
})

const pictures = async (t: Tap, mount: Record<string, unknown> = {}, more: Record<string, unknown> = {}): Promise<Served> => {
  const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#c33' } }).png().toBuffer()
  const root = await scratch(t, { 'cat.png': picture, 'dog.png': picture })
  return await serveMedia(t, {
    images: { workers: 1, cache: { directory: await scratch(t) } },
    sources: { files: { driver: 'file', root } },
    strategies: { ...strategies, ...more },
    mounts: [{ prefix: '/pics', source: 'files', images: { mode: 'signed', signedBy: 'links' }, ...mount }]
  } as unknown as MediaOptions)
}

/** A variant is sent before it is written. */
async function isKept (served: Served, url: string): Promise<void> {
  await eventually(async () => String((await ask(served, url)).headers['x-cache']).startsWith('hit'))
}

t.test('a variant is made for who signed, once for all signatures, and what is made opens to nobody else', async t => {
  const served = await pictures(t)
  t.match(await ask(served, '/pics/cat.png'), { status: 200, headers: { 'cache-control': /^(?!private)/ } }, 'the plain file is for everybody')
  for (const path of ['/pics/cat.png?w=16', '/pics/_ipx/w_17/cat.png', '/_ipx/w_18/pics/cat.png', '/pics/cat.png?w=19&f=webp']) {
    t.match(await ask(served, path), { status: 403, headers: { 'cache-control': 'no-store' } }, `${path} before it is made`)
    const first = await ask(served, sign(path, { expiresIn: 100 }))
    await isKept(served, sign(path, { expiresIn: 100 }))
    const second = await ask(served, sign(path, { expiresIn: 200 }))
    t.match(first, { status: 200, headers: { 'content-type': /^image\//, 'x-cache': 'made' } }, path)
    t.match(second, { status: 200, headers: { 'x-cache': /^hit/, 'etag': first.headers.etag } }, 'the other signature finds it')
    t.ok(first.body.equals(second.body))
    for (const headers of [{}, { 'if-none-match': String(first.headers.etag) }, { 'range': 'bytes=0-9' }] as Array<Record<string, string>>) {
      t.match(await ask(served, path, { headers }), { status: 403, headers: { etag: undefined } }, `${path} once it is there`)
    }
    t.equal((await ask(served, path, { method: 'HEAD' })).status, 403)
    notWrittenDown(t, JSON.stringify([first.headers, second.headers, served.logs]), sign(path, { expiresIn: 100 }))
  }
})

t.test('the signature of one variant makes no other', async t => {
  const served = await pictures(t)
  const [query, ipx, rooted, plain] = [sign('/pics/cat.png?w=16'), sign('/pics/_ipx/w_16/cat.png'), sign('/_ipx/w_16/pics/cat.png'), sign('/pics/cat.png')]
  t.match([await ask(served, query), await ask(served, ipx), await ask(served, rooted), await ask(served, plain)].map(({ status }) => status), [200, 200, 200, 200])
  const changed = [
    query.replace('w=16', 'w=17'), query.replace('w=16', 'w=16&h=16'), query.replace('w=16', 'h=9&w=16'), query.replace('w=16', 'w=016'), query.replace('w=16', 'w=%316'), query.replace('cat', 'dog'), query.replace('w=16&', ''), `${query}&w=17`, query.replace('/pics/cat.png?w=16&', '/pics/_ipx/w_16/cat.png?'),
    ipx.replace('w_16', 'w_17'), ipx.replace('w_16', 'w_16,h_9'), ipx.replace('w_16', 's_16x16'), ipx.replace('cat', 'dog'), ipx.replace('_ipx/w_16', '_ipx/_'), ipx.replace('/pics/_ipx/w_16/', '/_ipx/w_16/pics/'), ipx.replace('?', '?w=17&'),
    rooted.replace('w_16', 'w_17'), rooted.replace('/_ipx/w_16/pics/', '/pics/_ipx/w_16/'), plain.replace('?', '?w=16&'), `${plain}&w=16`, plain.replace('/pics/', '/pics/_ipx/w_16/')
  ]
  for (const url of changed) {
    const answer = await ask(served, url)
    t.ok([400, 403].includes(answer.status), `${answer.status} ${url.slice(0, 60)}`)
    t.notMatch(answer.headers['content-type'], /^image\//)
  }
  for (const key of [keys.lost, keys.other]) t.equal((await ask(served, sign('/pics/cat.png?w=16', {}, key))).status, 403)
  t.equal((await ask(served, sign('/pics/cat.png?w=16', { expires: seconds(-60), expiresIn: undefined, now: Date.now() - 1e6 }))).status, 403)
})

t.test('who may read the files is not who may have variants made', async t => {
  const own = await pictures(t, { access: { read: ['elsewhere'] } })
  t.equal((await ask(own, sign('/pics/cat.png', {}, keys.other))).status, 200)
  t.equal((await ask(own, sign('/pics/cat.png?w=16', {}, keys.other))).status, 403, 'signed by another than the one that counts for variants')
  t.equal((await ask(own, sign('/pics/cat.png?w=16'))).status, 403, 'and the one that counts for variants is none that may read')
  const local = await pictures(t, { access: { read: ['here'] } }, { here: { driver: 'ip', allow: ['127.0.0.0/8'] } })
  t.same([await ask(local, '/pics/cat.png'), await ask(local, '/pics/cat.png?w=16'), await ask(local, sign('/pics/cat.png?w=16')), await ask(local, sign('/pics/cat.png?w=16').replace('w=16', 'w=17'))].map(({ status }) => status), [200, 403, 200, 403])
  const both = await pictures(t, { access: { read: ['links'] } })
  t.same([await ask(both, '/pics/cat.png'), await ask(both, '/pics/cat.png?w=16'), await ask(both, sign('/pics/cat.png')), await ask(both, sign('/pics/cat.png?w=16'))].map(({ status }) => status), [401, 401, 200, 200])
})

t.test('while signatures are on trial, variants are made without', async t => {
  const served = await pictures(t, { images: { mode: 'signed', signedBy: 'trial' } }, { trial: { driver: 'signed', keys: [keys.now], mode: 'report-only' } })
  t.match(await ask(served, '/pics/cat.png?w=16'), { status: 200, headers: { 'x-cache': 'made' } })
  await isKept(served, '/pics/cat.png?w=16')
  t.match(await ask(served, sign('/pics/cat.png?w=16')), { status: 200, headers: { 'x-cache': /^hit/ } })
  t.match(await ask(served, `${sign('/pics/cat.png?w=16')}A`), { status: 200, headers: { 'x-cache': /^hit/ } })
  t.same([...new Set(served.logs.filter(({ msg }) => msg === 'A signed URL would be refused').map(({ reason }) => reason))], ['no signature', 'malformed signature'])
})
