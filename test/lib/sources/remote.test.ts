import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import type { MediaError } from '../../../lib/errors.ts'
import { encodeSegment, type Key } from '../../../lib/paths/request-path.ts'
import { remoteKey, remoteSource, type RemoteSourceOptions } from '../../../lib/sources/remote.ts'
import type { OriginSource } from '../../../lib/sources/http.ts'
import { remoteRules } from '../../../lib/upstream/remote-rules.ts'
import type { Sender } from '../../../lib/upstream/message.ts'
import { bytesOf, fileAt, sourceContract } from '../../contracts/source.ts'
import type { Test } from '../../helpers/app.ts'
import * as kit from '../../helpers/origin.ts'
import { eventually } from '../../helpers/process.ts'
import { answering, originOf, upstreamTo, type Stored } from './http/origins.ts'

const key = (text: string): Key => text as Key
const png = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'teal' } }).png().toBuffer()
const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>')

/** Allows these origins, wherever they are, and asks them. */
function sourceOf (t: Test, allow: string[], options: Partial<RemoteSourceOptions> = {}): OriginSource {
  const senders = new Map<string, Sender>()
  const senderOf = (url: URL): Sender => {
    let sender = senders.get(url.origin)
    if (sender === undefined) senders.set(url.origin, sender = upstreamTo(t, url.origin, url.hostname))
    return sender
  }
  const source = remoteSource({ senderOf, rules: remoteRules(allow, { addresses: 'any' }), revalidateMs: 0, wholeMs: 60_000, holdMs: 60_000, ...options })
  t.teardown(async () => await source.close())
  return source
}

const codeOf = async (action: () => unknown): Promise<unknown> => await Promise.resolve().then(action).then(() => 'done', (error: MediaError) => error.code ?? error.name)
const told = (body: Buffer | string, type?: string, more: Partial<Stored> = {}): Stored => ({ body: Buffer.from(body), fields: type === undefined ? {} : { 'content-type': type }, ...more })

t.test('the remote source keeps the contract, by URL', t => {
  sourceContract(t, async (t, files) => {
    const origin = await originOf(t, Object.fromEntries(Object.entries(files).map(([name, content], place) => [
      `/${name.split('/').map(encodeSegment).join('/')}`,
      { body: Buffer.from(content), etag: `"${place}"`, modified: Date.now() }
    ])))
    const source = sourceOf(t, [origin.url], { types: ['text/*'] })
    return { ...source, stat: name => source.stat(key(`${origin.url}/${name.split('/').map(encodeSegment).join('/')}`)) }
  }, { lists: false })
  t.end()
})

t.test('a key is a URL in its canonical form, however it was spelled', async t => {
  for (const spelled of ['https://img.example.com/a%20b.jpg%3Fid=5', 'https:/img.example.com/a%20b.jpg%3Fid=5', '/HTTPS://IMG.example.com:443/a%20b.jpg%3Fid=5', encodeURIComponent('https://img.example.com/a%20b.jpg?id=5'), Buffer.from('https://img.example.com/a%20b.jpg?id=5').toString('base64url')]) {
    t.equal(remoteKey(spelled), 'https://img.example.com/a%20b.jpg?id=5', spelled)
  }
  t.throws(() => remoteKey('ftp://img.example.com/'), { code: 'bad-remote-url' })
  const sender = answering(() => ({ body: png }))
  const source = remoteSource({ senderOf: () => sender, rules: { check () {} } })
  t.match(await source.stat(remoteKey('https://img.example.com/a%20b.jpg%3Fid=5')), { kind: 'file' })
  t.strictSame(sender.requests.map(({ method, path, headers }) => ({ method, path, headers })), [{ method: 'GET', path: '/a%20b.jpg?id=5', headers: { 'accept': '*/*', 'accept-encoding': 'identity', 'user-agent': 'fastify-media' } }])
  t.notOk(source.stat(remoteKey('https://img.example.com/a%20b.jpg%3Fid=5')) instanceof Promise, 'and known by it')
  for (const hostile of ['', 'a.jpg', '/etc/passwd', 'file:///etc/passwd', 'https://', 'https://user@img.example.com/', 'https://img.example.com\\@evil/', 'https://img.example.com/a b', 'javascript:alert(1)', `https://img.example.com/${'a'.repeat(5000)}`]) t.equal(await codeOf(() => source.stat(key(hostile))), 'bad-remote-url', hostile.slice(0, 50))
  t.equal(sender.requests.length, 1)
})

t.test('what is not allowed is not asked for, not even when it is known', async t => {
  const origin = await originOf(t, { '/a.png': told(png) })
  const source = sourceOf(t, ['https://*.example.com'])
  for (const url of [`${origin.url}/a.png`, 'http://169.254.169.254/latest/', 'http://localhost/', 'http://[::1]/', 'https://example.com.evil.example/', 'http://img.example.com/']) t.equal(await codeOf(() => source.stat(key(url))), 'remote-forbidden', url)
  t.equal(origin.requests.length, 0)
})

t.test('redirects are followed where each leads to what is allowed', async t => {
  const to = (location: string): kit.Handler => (_request, response) => { response.writeHead(302, { location }).end() }
  const inside = await originOf(t, { '/secret.png': told(png) })
  const cdn = await originOf(t, { '/a.png': told(png, 'image/png', { etag: '"a"' }), '/large.png': told(Buffer.concat([png, Buffer.alloc(2_000_000)]), 'image/png', { etag: '"large"' }) })
  const origin = await originOf(t, {
    '/cdn': to(`${cdn.url}/a.png`),
    '/large': to(`${cdn.url}/large.png`),
    '/inside': to(`${inside.url}/secret.png`),
    '/metadata': to('http://169.254.169.254/latest/meta-data/'),
    '/loop': to('/loop'),
    '/1': to('/2'),
    '/2': to('/3'),
    '/3': to('/4'),
    '/4': told(png)
  })
  const source = sourceOf(t, [origin.url, cdn.url], { maxRedirects: 2 })
  t.match(await source.stat(key(`${origin.url}/cdn`)), { kind: 'file', revision: '"a"' })
  await source.stat(key(`${origin.url}/cdn`))
  t.match(cdn.requests.at(-1)?.headers, { 'if-none-match': '"a"' }, 'a condition goes the whole way')
  for (const name of ['inside', 'metadata', 'loop', '1']) t.equal(await codeOf(async () => await source.stat(key(`${origin.url}/${name}`))), 'upstream-redirects', name)
  t.match(await source.stat(key(`${origin.url}/2`)), { kind: 'file' })
  t.equal(inside.requests.length, 0)
  const { representation } = await fileAt(t, source, `${origin.url}/large`)
  const before = origin.requests.length
  t.equal((await bytesOf(await representation.open({ start: 1_999_990, end: 1_999_999 }))).length, 10)
  t.equal(origin.requests.length, before, 'its parts are asked for where it is')
  t.match(cdn.requests.at(-1), { url: '/large.png', headers: { 'range': 'bytes=1999990-1999999', 'if-match': '"large"' } })
})

t.test('the bytes decide what is passed on, and as what', async t => {
  const page = '<!doctype html><script>alert(1)</script>'
  const cases: Array<[name: string, stored: Stored, types: string[] | undefined, outcome: string]> = [
    ['a picture that is called a page', told(png, 'text/html'), undefined, 'image/png'],
    ['a picture without a type', told(png), undefined, 'image/png'],
    ['a drawing', told(svg, 'text/plain'), undefined, 'image/svg+xml'],
    ['a page that is called a picture', told(page, 'image/png'), undefined, 'upstream-content'],
    ['a page that is called a picture, where text is passed on', told(page, 'image/png'), ['image/*', 'text/*'], 'upstream-content'],
    ['a page that is called one', told(page, 'text/html'), ['text/html'], 'text/html; charset=utf-8'],
    ['a page without a type', told(page), ['text/*'], 'text/html; charset=utf-8'],
    ['text that is called a picture', told('GIF or not', 'image/gif'), undefined, 'upstream-content'],
    ['unknown bytes that are called a picture', told(Buffer.from([1, 2, 3, 0, 255]), 'image/png'), undefined, 'upstream-content'],
    ['nothing at all', told('', 'image/png'), undefined, 'upstream-content'],
    ['another picture than is passed on', told(png, 'image/gif'), ['image/gif'], 'upstream-content'],
    ['a PDF', told('%PDF-1.7\n', 'image/png'), ['image/*', 'application/pdf'], 'application/pdf'],
    ['a style sheet', told('a { color: red }', 'text/css'), ['text/css'], 'text/css; charset=utf-8'],
    ['a script that is called a style sheet', told('alert(1)', 'text/javascript'), ['text/css', 'text/javascript'], 'upstream-content'],
    ['a picture in a coding', told(gzipSync(png), 'image/png', { fields: { 'content-encoding': 'gzip' } }), undefined, 'image/png'],
    ['a page in a coding', told(gzipSync(page), 'image/png', { fields: { 'content-type': 'image/png', 'content-encoding': 'gzip' } }), undefined, 'upstream-content']
  ]
  for (const [name, stored, types, outcome] of cases) {
    const origin = await originOf(t, { '/a': stored })
    const source = sourceOf(t, [origin.url], types === undefined ? {} : { types })
    const type = await Promise.resolve(source.stat(key(`${origin.url}/a`))).then(found => found?.kind === 'file' ? found.representation.type : found?.kind, (error: MediaError) => error.code)
    t.equal(type, outcome, name)
  }
})

t.test('no more than the bound is read, and what is refused is given up', async t => {
  const endless: kit.Script = async ({ socket }) => {
    socket.write(kit.head(200, { 'Content-Type': 'image/png', 'Transfer-Encoding': 'chunked' }))
    socket.write(kit.chunk(png))
    while (await kit.write(socket, kit.chunk(Buffer.alloc(65_536))));
  }
  for (const [script, code] of [[endless, 'upstream-too-large'], [kit.endless(), 'upstream-content'], [kit.gzipBomb(), /upstream-/], [kit.lyingLength(10, 3_000_000), /upstream-/], [kit.whole(kit.content(3_000_000)), 'upstream-too-large']] as const) {
    const origin = await kit.rawOrigin(t, script)
    const source = sourceOf(t, [origin.url], { maxBytes: 2_000_000 })
    t.match(await codeOf(async () => await bytesOf(await (await fileAt(t, source, `${origin.url}/a.png`)).representation.open())), code)
    t.equal(source.holds.bodies, 0)
    if (script === endless) t.ok(await eventually(() => origin.requests[0]?.closed === true))
  }
})

t.test('one request describes a picture, tells its kind, and brings it', async t => {
  const large = Buffer.concat([png, kit.content(2_000_000).bytes()])
  const origin = await originOf(t, { '/a.png': told(large, 'image/png', { etag: '"a"', fields: { 'cache-control': 'max-age=60' } }) })
  const source = sourceOf(t, [origin.url])
  const { representation } = await fileAt(t, source, `${origin.url}/a.png`)
  t.match(representation, { type: 'image/png', size: large.length, bytes: undefined })
  t.ok((await bytesOf(await representation.open())).equals(large))
  t.equal(origin.requests.length, 1)
  source.forget(key(`${origin.url}/a.png`))
  await source.stat(key(`${origin.url}/a.png`))
  t.equal(origin.requests.length, 2)
  source.doubt()
  await source.stat(key(`${origin.url}/a.png`))
  t.equal(origin.requests.at(-1)?.headers['if-none-match'], '"a"')
})
