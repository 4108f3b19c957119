import { createHash } from 'node:crypto'
import t from 'tap'
import { ask, raw, scratch, serveMedia, type Served, type Test } from '../helpers/app.ts'
import { picturesToServe } from '../helpers/images.ts'
import { content, file, origin, rawOrigin, type Origin } from '../helpers/origin.ts'

const { 'cat.jpg': cat = '', 'logo.png': logo = '' } = await picturesToServe()

/** An origin of some pictures with validators, that answers conditional requests. */
async function gallery (t: Test, fields: Record<string, string> = {}): Promise<Origin> {
  return await origin(t, (request, response) => {
    const bytes = request.url?.startsWith('/base/cat.jpg') === true ? cat : request.url === '/base/a%20b/logo.png' ? logo : undefined
    if (bytes === undefined) return response.writeHead(404).end('nothing')
    response.setHeader('etag', '"1"').setHeader('content-type', 'image/jpeg')
    for (const [name, value] of Object.entries(fields)) response.setHeader(name, value)
    if (request.headers['if-none-match'] === '"1"') return response.writeHead(304).end()
    return response.setHeader('content-length', String(bytes.length)).end(bytes)
  })
}

async function far (t: Test, url: string, source: Record<string, unknown> = {}, mount: Record<string, unknown> = {}): Promise<Served> {
  const directory = await scratch(t)
  return await serveMedia(t, {
    upstreams: { photos: { origins: [{ url }] } },
    sources: { far: { driver: 'http', upstream: 'photos', path: '/base', ...source } as never },
    images: { workers: 1, cache: { directory } },
    mounts: [{ prefix: '/far', source: 'far', ...mount }]
  })
}

/** Clients name the URL; only the origin is allowed. */
async function remote (t: Test, url: string, source: Record<string, unknown> = {}): Promise<Served> {
  const directory = await scratch(t)
  return await serveMedia(t, {
    sources: { any: { driver: 'remote', allow: [url], addresses: 'any', ...source } as never },
    images: { workers: 1, cache: { directory } },
    mounts: [{ prefix: '/remote', source: 'any' }]
  })
}

t.test('a file of an origin is served with its validators, by one request', async t => {
  const photos = await gallery(t)
  const served = await far(t, photos.url)
  const whole = await ask(served, '/far/cat.jpg')
  t.match([whole.status, whole.headers.etag, whole.headers['content-type']], [200, '"1"', 'image/jpeg'])
  t.same(whole.body, cat)
  t.equal(photos.requests.length, 1)
  t.match(photos.requests[0], { method: 'GET', url: '/base/cat.jpg' })
  t.match(await ask(served, '/far/cat.jpg', { headers: { 'if-none-match': '"1"' } }), { status: 304, text: '' })
  t.match(await ask(served, '/far/cat.jpg', { headers: { range: 'bytes=0-9' } }), { status: 206, headers: { 'content-range': `bytes 0-9/${cat.length}` } })
  t.match(await ask(served, '/far/cat.jpg', { method: 'HEAD' }), { status: 200, headers: { 'content-length': String(cat.length) } })
  t.equal((await ask(served, '/far/a%20b/logo.png')).status, 200)
  t.equal((await ask(served, '/far/none.jpg')).status, 404)
})

t.test('a picture of an origin is made into variants, each asked for once', async t => {
  const photos = await gallery(t, { 'cache-control': 'max-age=60' })
  const served = await far(t, photos.url)
  for (const path of ['/far/cat.jpg?w=64', '/far/cat.jpg?w=32', '/far/cat.jpg?w=64']) t.equal((await ask(served, path)).status, 200, path)
  t.equal(photos.requests.length, 1)
  t.equal((await ask(served, '/far/cat.jpg?w=64')).headers['x-cache'], 'hit-memory')
  t.equal((await ask(served, '/_ipx/w_64/far/cat.jpg')).status, 200)
})

t.test('what is no longer believed is asked for by one conditional request', async t => {
  const photos = await gallery(t)
  const served = await far(t, photos.url, { revalidateMs: 0 })
  await ask(served, '/far/cat.jpg')
  t.same((await ask(served, '/far/cat.jpg')).body, cat)
  t.match(photos.requests.map(({ headers }) => headers['if-none-match']), [undefined, '"1"'])
})

t.test('large files come whole and in parts, also where their origin dies', async t => {
  const film = content(3_000_000)
  const dying = await rawOrigin(t, file(film, { etag: '"f"', dies: [1_000_000] }))
  const served = await far(t, dying.url)
  t.equal(createHash('sha256').update((await ask(served, '/far/film.mp4')).body).digest('hex'), film.hash)
  const part = await ask(served, '/far/film.mp4', { headers: { range: 'bytes=2000000-2000999' } })
  t.equal(part.status, 206)
  t.same(part.body, film.bytes(2_000_000, 2_001_000))
})

t.test('a failing origin is a problem that names the upstream', async t => {
  const failing = await origin(t, (_request, response) => response.writeHead(500, { 'cache-control': 'max-age=9', etag: '"e"' }).end('secret'))
  const { status, headers, text } = await ask(await far(t, failing.url), '/far/cat.jpg')
  t.match([status, headers['cache-control'], headers.etag], [502, 'no-store', undefined])
  t.match(text, /"code":"upstream-status"/)
  t.notMatch(text, /secret|127\.0\.0\.1/)
})

t.test('a client names a URL in any of its spellings, and variants of it', async t => {
  const photos = await gallery(t)
  const served = await remote(t, photos.url)
  const url = `${photos.url}/base/cat.jpg`
  for (const spelled of [url, url.replace('//', '/'), encodeURIComponent(url), `${url}%3Fid=5`, Buffer.from(url).toString('base64url')]) {
    const original = await ask(served, `/remote/${spelled}`)
    t.equal(original.status, 200, spelled)
    t.same(original.body, cat)
    t.match(await ask(served, `/remote/${spelled}?w=32`), { status: 200, headers: { 'content-type': 'image/jpeg' } }, spelled)
  }
  t.equal((await ask(served, `/_ipx/w_32/remote/${url}`)).status, 200)
  t.same([...new Set(photos.requests.map(({ url }) => url))], ['/base/cat.jpg', '/base/cat.jpg?id=5'], 'two files, whatever the spelling')
  t.match(await ask(served, `/remote/${url}?id=5`), { status: 400 }, 'what follows the question mark is ours')
})

t.test('what is not allowed is refused before anything is asked', async t => {
  const photos = await gallery(t)
  const other = await gallery(t)
  const served = await remote(t, photos.url)
  for (const [spelled, status] of [
    [`${other.url}/base/cat.jpg`, 403], [photos.url.replace('127.0.0.1', 'localhost'), 403], ['https://example.com/x', 403],
    [`http://user@${photos.url.slice(7)}/base/cat.jpg`, 400], ['ftp://example.com/x', 400], ['file:///etc/passwd', 400], ['', 400], ['cat.jpg', 400], ['https://', 400], ['%00', 400]
  ] as const) {
    t.equal((await ask(served, `/remote/${spelled}`)).status, status, spelled)
    t.equal((await ask(served, `/remote/${spelled}?w=32`)).status, status, `${spelled}?w=32`)
  }
  t.match(await raw(served, 'GET /remote HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 4/)
  t.equal(photos.requests.length + other.requests.length, 0)
})

t.test('redirects are followed by the rules, and bytes decide what is passed on', async t => {
  const inner = await gallery(t)
  const photos = await origin(t, (request, response) => {
    if (request.url === '/page.jpg') return response.setHeader('content-type', 'image/jpeg').end('<html><script>alert(1)</script></html>')
    if (request.url === '/real') return response.end(cat)
    if (request.url === '/there') return response.writeHead(302, { location: '/real' }).end()
    return response.writeHead(302, { location: `${inner.url}/base/cat.jpg` }).end()
  })
  const served = await remote(t, photos.url)
  t.match(await ask(served, `/remote/${photos.url}/there`), { status: 200, headers: { 'content-type': 'image/jpeg' } })
  t.match(await ask(served, `/remote/${photos.url}/away`), { status: /^(?:403|502)$/ })
  t.match(await ask(served, `/remote/${photos.url}/page.jpg`), { status: 502, text: /upstream-content/ })
  t.equal(inner.requests.length, 0)
})

t.test('no more is read than allowed, whatever the origin says of its length', async t => {
  const large = await origin(t, (request, response) => {
    if (request.url === '/told') response.setHeader('content-length', '200000')
    response.write(cat)
    response.end(Buffer.alloc(200_000 - cat.length))
  })
  const served = await remote(t, large.url, { maxBytes: 100_000 })
  t.match(await ask(served, `/remote/${large.url}/told`), { status: 502, text: /upstream-too-large/ })
  await ask(served, `/remote/${large.url}/untold`).then(({ status }) => t.equal(status, 502), error => t.match(error, { code: 'ECONNRESET' }))
})
