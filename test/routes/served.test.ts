import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import t from 'tap'
import fastifyCors from '@fastify/cors'
import fastify from 'fastify'
import media from '../../app.ts'
import { eventually } from '../helpers/process.ts'
import { ask, oneMount, scratch, serve, serveMedia } from '../helpers/app.ts'

t.test('a mount sits below its prefix, and the longest prefix wins', async t => {
  const [root, photos, deep] = [await scratch(t, { 'a.txt': 'root', 'photos/b.txt': 'root photos' }), await scratch(t, { 'b.txt': 'photos', 'x/c.txt': 'photos x' }), await scratch(t, { 'c.txt': 'deep' })]
  const served = await serveMedia(t, {
    sources: { root: { driver: 'file', root }, photos: { driver: 'file', root: photos }, deep: { driver: 'file', root: deep } },
    mounts: [{ prefix: '/', source: 'root' }, { prefix: '/photos/', source: 'photos' }, { prefix: '/photos/x', source: 'deep' }]
  })
  t.equal((await ask(served, '/a.txt')).text, 'root')
  t.equal((await ask(served, '/photos/b.txt')).text, 'photos')
  t.equal((await ask(served, '/photos/x/c.txt')).text, 'deep')
  t.equal((await ask(served, '/photosx')).status, 404)
  t.equal((await ask(served, '/%70hotos/b.txt')).text, 'photos', 'a prefix is found however it is encoded')
  t.equal((await ask(served, `http://127.0.0.1:${served.port}/a.txt`)).text, 'root', 'in absolute form too')
})

t.test('in a host app, below a prefix, the app is the same, and the host keeps its own errors', async t => {
  const root = await scratch(t, { 'd/index.html': 'index', 'a.txt': 'a' })
  const app = fastify()
  t.teardown(async () => await app.close())
  app.setNotFoundHandler(async (_request, reply) => await reply.code(404).send('host'))
  app.get('/own', async () => 'own')
  app.register(media, { ...oneMount(root, { prefix: '/files' }), prefix: '/media' })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const served = { port: (app.server.address() as { port: number }).port }
  t.equal((await ask(served, '/media/files/a.txt')).text, 'a')
  t.equal((await ask(served, '/media/files/d')).headers.location, './d/')
  t.equal((await ask(served, '/media/files')).headers.location, './files/')
  t.equal((await ask(served, '/media/files/d/')).text, 'index')
  t.match(JSON.parse((await ask(served, '/media/nothing')).text), { code: 'not-found' })
  t.equal((await ask(served, '/media/health/live')).status, 200)
  t.equal((await ask(served, '/own')).text, 'own')
  t.equal((await ask(served, '/nothing')).text, 'host')
})

t.test('a host without a prefix for us keeps its own not-found handler, health and CORS', async t => {
  const root = await scratch(t, { 'a.txt': 'a' })
  const served = await serve(t, async app => {
    await app.register(fastifyCors, { origin: 'https://host.example' })
    app.setNotFoundHandler(async (_request, reply) => await reply.code(404).send('host'))
    app.get('/health/live', async () => 'host')
    app.register(media, oneMount(root, { prefix: '/files', cors: { origins: ['https://a.example'] } }))
    app.register(media, { ...oneMount(root, { prefix: '/more' }), prefix: '/again' })
  })
  t.match(await ask(served, '/files/a.txt', { headers: { origin: 'https://a.example' } }), { text: 'a', headers: { 'access-control-allow-origin': 'https://a.example' } })
  t.equal((await ask(served, '/again/more/a.txt')).text, 'a')
  t.equal((await ask(served, '/health/live')).text, 'host')
  t.equal((await ask(served, '/health/ready')).status, 200)
  t.equal((await ask(served, '/nothing')).text, 'host')
})

t.test('a root mount below a host prefix redirects the prefix itself', async t => {
  const root = await scratch(t, { 'index.html': 'hello' })
  const served = await serveMedia(t, oneMount(root), { prefix: '/media' })
  t.match(await ask(served, '/media?x=1'), { status: 301, headers: { location: './media/?x=1' } })
  t.equal((await ask(served, '/media/')).text, 'hello')
})

t.test('a tree of sources is served as one', async t => {
  const served = await serveMedia(t, {
    sources: {
      all: { driver: 'tree', branches: [{ source: 'new' }, { path: '/old', source: 'nested' }] },
      nested: { driver: 'tree', branches: [{ path: '/years/2001', source: 'old' }] },
      new: { driver: 'file', root: await scratch(t, { 'a.txt': 'new' }) },
      old: { driver: 'file', root: await scratch(t, { 'b.txt': 'old' }) }
    },
    mounts: [{ source: 'all', listing: true }]
  })
  t.equal((await ask(served, '/a.txt')).text, 'new')
  t.equal((await ask(served, '/old/years/2001/b.txt')).text, 'old')
  t.equal((await ask(served, '/old')).headers.location, './old/')
  t.match(JSON.parse((await ask(served, '/', { headers: { accept: 'application/json' } })).text), { entries: [{ name: 'a.txt' }, { name: 'old', kind: 'directory' }] })
})

t.test('directories: index file, redirect to the slash, else nothing', async t => {
  const root = await scratch(t, { 'a/index.html': 'html', 'b/default.htm': 'htm', 'c/x.txt': 'x', 'weird:name é/index.html': 'w', 'index.html': 'root' })
  await mkdir(join(root, 'd/index.html'), { recursive: true })
  const served = await serveMedia(t, oneMount(root, { index: ['index.html', 'default.htm'] }))
  t.equal((await ask(served, '/')).text, 'root')
  t.equal((await ask(served, '/a/')).text, 'html')
  t.equal((await ask(served, '/b/')).text, 'htm')
  t.equal((await ask(served, '/c/')).status, 404)
  t.equal((await ask(served, '/d/')).status, 404, 'a directory is no index file')
  t.match(await ask(served, '/a?x=1&y'), { status: 301, headers: { location: './a/?x=1&y' } })
  t.equal((await ask(served, '/weird%3Aname%20%C3%A9')).headers.location, './weird%3Aname%20%C3%A9/', 'a colon makes no scheme')
  t.equal((await ask(served, '/a/index.html/')).status, 404, 'a file is no directory')
  t.match((await ask(served, '/a', { method: 'HEAD' })).headers, { location: './a/' })
})

t.test('a single-page app: missing pages are its page, missing files and the API are not', async t => {
  const root = await scratch(t, { 'index.html': 'app', 'assets/app.js': 'js', 'empty/x.txt': '' })
  const served = await serveMedia(t, oneMount(root, { prefix: '/app', fallback: { file: 'index.html', except: ['/api/', '/app/private'] } }))
  for (const page of ['/app/users/7', '/app/deep/link/', '/app/john.doe', '/app/users/jo@example.com', '/app/empty/']) t.match(await ask(served, page), { status: 200, text: 'app', headers: { 'content-type': 'text/html; charset=utf-8' } }, page)
  for (const missing of ['/app/assets/gone.js', '/app/logo.png', '/app/api/users', '/app/api', '/app/private/x']) t.equal((await ask(served, missing)).status, 404, missing)
  t.equal((await ask(served, '/app/users/7', { method: 'POST' })).status, 405)
  const rootMount = await serveMedia(t, oneMount(root, { fallback: { file: 'index.html' } }))
  t.equal((await ask(rootMount, '/api/users')).status, 404)
  t.equal((await ask(rootMount, '/apix')).text, 'app')
  const missing = await serveMedia(t, oneMount(root, { fallback: { file: 'gone.html' } }))
  t.equal((await ask(missing, '/x')).status, 404)
})

t.test('other methods are 405 with Allow, whatever they carry; OPTIONS tells', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'a.txt': 'a' }), { prefix: '/files', permission: 'read-write' }))
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'MKCOL', 'TRACE', 'PURGE']) {
    const answer = await ask(served, '/files/a.txt', { method, headers: { 'content-type': 'application/x-unheard-of' }, ...(method === 'TRACE' ? {} : { body: 'x'.repeat(2_000_000) }) }).catch((error: NodeJS.ErrnoException) => error)
    if ('status' in answer) t.match(answer, { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } }, method)
    else t.match(answer.code, /ECONNRESET|EPIPE/, method)
  }
  t.match(await ask(served, '/files/a.txt', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{broken' }), { status: 405 })
  t.match(await ask(served, '/files', { method: 'DELETE' }), { status: 405 })
  t.match(await ask(served, '/files/a.txt', { method: 'POST', headers: { 'content-type': ';;' }, body: 'x' }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } }, 'also where the body is malformed')
  t.match(await ask(served, '/files/a.txt', { method: 'OPTIONS' }), { status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } })
})

t.test('stored codings are sent to those who accept them', async t => {
  const css = 'body { color: red }\n'.repeat(50)
  const root = await scratch(t, { 'a.css': css, 'a.css.br': brotliCompressSync(css), 'a.css.gz': gzipSync(css), 'logo.svgz': gzipSync('<svg/>'), 'b.css': css })
  const served = await serveMedia(t, oneMount(root))
  const plain = await ask(served, '/a.css')
  t.match(plain, { text: css, headers: { vary: 'Accept-Encoding', 'content-encoding': undefined } })
  const br = await ask(served, '/a.css', { headers: { 'accept-encoding': 'gzip, deflate, br' } })
  t.match(br.headers, { 'content-encoding': 'br', 'content-type': 'text/css; charset=utf-8', vary: 'Accept-Encoding' })
  t.ok(br.body.equals(brotliCompressSync(css)))
  t.match((await ask(served, '/a.css', { headers: { 'accept-encoding': 'gzip' } })).headers, { 'content-encoding': 'gzip' })
  t.not(br.headers.etag, plain.headers.etag)
  t.match(await ask(served, '/a.css', { headers: { 'accept-encoding': 'br', 'if-none-match': br.headers.etag as string } }), { status: 304, headers: { vary: 'Accept-Encoding' } })
  t.equal((await ask(served, '/a.css', { headers: { 'accept-encoding': 'br', 'if-none-match': plain.headers.etag as string } })).status, 200)
  t.match((await ask(served, '/a.css', { headers: { 'accept-encoding': 'br', range: 'bytes=0-4' } })).headers, { 'content-encoding': 'br', 'content-range': /^bytes 0-4\// }, 'one range is of the stored coding')
  t.match((await ask(served, '/a.css', { headers: { 'accept-encoding': 'br', range: 'bytes=0-4,9-9' } })).headers, { 'content-encoding': 'br', 'content-type': 'text/css; charset=utf-8', 'content-range': undefined }, 'several are the whole of it')
  t.match((await ask(served, '/logo.svgz')).headers, { 'content-type': 'image/svg+xml', 'content-encoding': 'gzip' })
  t.equal((await ask(served, '/b.css', { headers: { 'accept-encoding': 'br' } })).headers['content-encoding'], undefined)
  const off = await serveMedia(t, oneMount(root, { precompressed: false }))
  t.equal((await ask(off, '/a.css', { headers: { 'accept-encoding': 'br' } })).headers['content-encoding'], undefined)
})

t.test('?download saves the file, under its own name or another', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'd/cat.txt': 'meow' })))
  t.equal((await ask(served, '/d/cat.txt?download')).headers['content-disposition'], 'attachment; filename=cat.txt')
  t.equal((await ask(served, '/d/cat.txt?download=Katze%20%22%0d%0aX:1.txt')).headers['content-disposition']?.includes('\n'), false)
  t.equal((await ask(served, '/d/cat.txt?download=a.txt&download=b.txt')).headers['content-disposition'], 'attachment; filename=cat.txt')
  t.equal((await ask(served, '/d/cat.txt?other=1')).headers['content-disposition'], undefined)
  t.equal((await ask(served, '/d/cat.txt?download=../../etc/passwd')).headers['content-disposition'], 'attachment; filename=passwd')
})

t.test('a listing as page and as JSON, tagged', async t => {
  const root = await scratch(t, { 'd/a.txt': 'a', 'd/b c.txt': 'bb', 'd/sub/x.txt': '' })
  const served = await serveMedia(t, oneMount(root, { prefix: '/files', listing: true }))
  const page = await ask(served, '/files/d/')
  t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': /default-src 'none'/, vary: 'Accept' } })
  t.match(page.text, /href="\.\/b%20c\.txt"/)
  const asset = /href="([^"]+listing\.css)"/.exec(page.text)?.[1] as string
  t.match(await ask(served, new URL(asset, `${served.url}/files/d/`).pathname), { status: 200, headers: { 'content-type': /^text\/css/ } })
  const json = await ask(served, '/files/d/', { headers: { accept: 'application/json' } })
  t.match(JSON.parse(json.text), { path: '/files/d/', url: `${served.url}/files/d/`, entries: [{ name: 'a.txt', kind: 'file', size: 1, type: 'text/plain; charset=utf-8', url: `${served.url}/files/d/a.txt` }, { name: 'b c.txt', url: `${served.url}/files/d/b%20c.txt` }, { name: 'sub', kind: 'directory', url: `${served.url}/files/d/sub/` }] })
  t.match(await ask(served, '/files/d/', { headers: { accept: 'application/json', 'if-none-match': `"x", ${json.headers.etag as string}` } }), { status: 304, text: '' })
  t.equal((await ask(served, '/files/d/', { headers: { 'if-none-match': '"x"' } })).status, 200)
  t.equal((await ask(served, '/files/none/', { headers: { 'if-none-match': '*' } })).status, 404, 'an error is no 304')
  t.equal((await ask(served, '/files/none/')).headers.etag, undefined)
  const head = await ask(served, '/files/d/', { method: 'HEAD' })
  t.same({ ...head.headers, date: '' }, { ...page.headers, date: '' })
})

t.test('links of a listing are right behind a proxy that told its URL', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'd/a.txt': 'a' }), { listing: true }, {}, { trustedProxies: ['127.0.0.0/8'] }))
  const headers = { accept: 'application/json', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'pics.example', 'x-forwarded-prefix': '/media' }
  t.match(JSON.parse((await ask(served, '/d/', { headers })).text), { entries: [{ url: 'https://pics.example/media/d/a.txt' }] })
  t.equal((await ask(served, '/d', { headers })).headers.location, 'https://pics.example/media/d/')
  t.equal((await ask(served, '/d', { headers: { forwarded: 'for=192.0.2.1;proto=https;host=pics.example' } })).headers.location, 'https://pics.example/d/')
})

t.test('nobody else is believed about the URL', async t => {
  const root = await scratch(t, { 'd/a.txt': 'a' })
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-prefix': '/evil' }
  const served = await serveMedia(t, oneMount(root, {}, {}, { trustedProxies: ['192.0.2.0/24'] }))
  t.equal((await ask(served, '/d', { headers })).headers.location, './d/')
  const configured = await serveMedia(t, oneMount(root, {}, {}, { publicUrl: 'https://pics.example/media/' }))
  t.equal((await ask(configured, '/d', { headers })).headers.location, 'https://pics.example/media/d/')
})

t.test('a file that changes between two looks is sent as it is now', async t => {
  const root = await scratch(t, { 'a.txt': 'one', 'large.bin': Buffer.alloc(600_000, 'a') })
  const served = await serveMedia(t, oneMount(root, {}, {}, { hotFiles: { maxFileBytes: 0 } }))
  for (const name of ['a.txt', 'large.bin']) {
    await ask(served, `/${name}`, { method: 'HEAD' })
    await writeFile(join(root, name), name === 'a.txt' ? 'another' : Buffer.alloc(700_000, 'b'))
    const answer = await ask(served, `/${name}`)
    t.equal(answer.status, 200)
    t.equal(answer.body.length, name === 'a.txt' ? 7 : 700_000, 'headers and bytes are of one file')
    t.equal(Number(answer.headers['content-length']), answer.body.length)
    await ask(served, `/${name}`, { method: 'HEAD' })
    await rm(join(root, name))
    t.ok(await eventually(async () => (await ask(served, `/${name}`)).status === 404), 'and gone when it is gone')
  }
})

t.test('a second look leaves nothing of the first in the headers', async t => {
  const root = await scratch(t, { 'z.css': 'body{}'.repeat(20), 'z.css.gz': 'zip', 'large.bin': Buffer.alloc(600_000) })
  const served = await serveMedia(t, oneMount(root))
  await ask(served, '/z.css', { method: 'HEAD', headers: { 'accept-encoding': 'gzip' } })
  await rm(join(root, 'z.css.gz'))
  t.match(await ask(served, '/z.css', { headers: { 'accept-encoding': 'gzip' } }), { status: 200, text: 'body{}'.repeat(20), headers: { 'content-encoding': undefined, 'content-length': '120' } })
  await ask(served, '/large.bin', { method: 'HEAD' })
  await rm(join(root, 'large.bin'))
  await mkdir(join(root, 'large.bin'))
  t.match(await ask(served, '/large.bin'), { status: 301, headers: { etag: undefined, 'content-type': undefined, 'accept-ranges': undefined, 'cache-control': 'no-cache' } })
})

t.test('a file that was written to since it was opened is looked at anew', async t => {
  const root = await scratch(t, { 'large.bin': Buffer.alloc(1_500_000, 'a') })
  const served = await serveMedia(t, oneMount(root))
  const first = await ask(served, '/large.bin', { headers: { range: 'bytes=0-9' } })
  await writeFile(join(root, 'large.bin'), Buffer.alloc(1_500_000, 'b'))
  const second = await ask(served, '/large.bin')
  t.equal(second.status, 200)
  t.ok(second.body.equals(Buffer.alloc(1_500_000, 'b')))
  t.not(second.headers.etag, first.headers.etag)
  await truncate(join(root, 'large.bin'), 1000)
  t.equal((await ask(served, '/large.bin', { headers: { range: 'bytes=1000000-1000009' } })).status, 416, 'nor is a shrunk one a fault of ours')
})

t.test('a redirect is asked for anew, and its HEAD agrees with it', async t => {
  const served = await serveMedia(t, oneMount(await scratch(t, { 'd/index.html': '' }), { cache: { default: '30d immutable' } }))
  const [get, head] = [await ask(served, '/d'), await ask(served, '/d', { method: 'HEAD' })]
  t.match(get, { status: 301, headers: { 'cache-control': 'no-cache', 'content-length': '0' } })
  t.same({ ...head.headers, date: '' }, { ...get.headers, date: '' })
})

t.test('a prefix with parameters is refused at the start', async t => {
  const root = await scratch(t)
  const app = fastify()
  app.register(media, { ...oneMount(root), prefix: '/:tenant' })
  await t.rejects(async () => await app.ready(), /Expected a prefix without parameters/)
})

t.test('a file that shrinks while it is sent ends in a broken connection', async t => {
  const root = await scratch(t, { 'large.bin': Buffer.alloc(64_000_000, 'a') })
  const served = await serveMedia(t, oneMount(root))
  const socket = connect(served.port, '127.0.0.1')
  socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n')
  const [head] = await once(socket, 'data') as [Buffer]
  socket.pause()
  t.match(head.toString('latin1'), /content-length: 64000000/)
  await truncate(join(root, 'large.bin'), 1000)
  let bytes = head.length
  socket.on('data', (chunk: Buffer) => { bytes += chunk.length })
  socket.on('error', () => {})
  socket.resume()
  await once(socket, 'close')
  t.ok(bytes < 64_000_000, 'the server closed before the end')
})
