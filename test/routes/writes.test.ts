// Files are written, replaced and removed over real sockets: by PUT, by forms, by DELETE.
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import { crc32, gzipSync } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import { keyHash } from '../../lib/access/api-keys.ts'
import { ask, raw, serveMedia, scratch } from '../helpers/app.ts'
import { eventually } from '../helpers/process.ts'
import { asWriter, digestOf, form, put, readerKey, serveWritable } from '../helpers/writable.ts'

/** Every name below a directory, without directories of our own. */
const namesIn = (root: string): string[] => (readdirSync(root, { recursive: true }) as string[]).filter(name => !name.startsWith('.')).toSorted()

t.test('PUT writes a file, replaces it, and tells its validators', async t => {
  const served = await serveWritable(t)
  const made = await put(served, '/files/a/b/note.txt', 'one', { 'content-type': 'text/plain' })
  t.match(made, { status: 201, headers: { 'location': '/files/a/b/note.txt', 'etag': /^"[^"]+"$/, 'last-modified': / GMT$/ }, text: '' })
  const read = await ask(served, '/files/a/b/note.txt')
  t.match(read, { status: 200, text: 'one', headers: { etag: made.headers.etag, 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' } })
  const again = await put(served, '/files/a/b/note.txt', 'two')
  t.match(again, { status: 204, headers: { 'content-location': '/files/a/b/note.txt' } })
  t.not(again.headers.etag, made.headers.etag)
  t.match(await ask(served, '/files/a/b/note.txt'), { text: 'two', headers: { etag: again.headers.etag } })
  t.same(namesIn(served.root), ['a', 'a/b', 'a/b/note.txt'])
})

t.test('where the public URL is known, Location is whole', async t => {
  const served = await serveWritable(t, { rest: { publicUrl: 'https://media.example.com/cdn' } })
  t.match(await put(served, '/files/ä b.txt'.replace('ä', '%C3%A4').replace(' ', '%20'), 'x'), { status: 201, headers: { location: 'https://media.example.com/cdn/files/%C3%A4%20b.txt' } })
})

t.test('DELETE removes a file, and the directories that it leaves empty', async t => {
  const served = await serveWritable(t, { files: { 'keep.txt': 'k' } })
  await put(served, '/files/a/b/note.txt', 'one')
  const remove = async (path: string, headers = {}): ReturnType<typeof ask> => await ask(served, path, { method: 'DELETE', headers: { ...asWriter, ...headers } })
  t.equal((await ask(served, '/files/a/b/note.txt')).status, 200)
  t.match(await remove('/files/a/b/note.txt'), { status: 204, text: '' })
  t.equal((await ask(served, '/files/a/b/note.txt')).status, 404)
  t.equal((await remove('/files/a/b/note.txt')).status, 404)
  t.same(namesIn(served.root), ['keep.txt'])
  for (const path of ['/files/', '/files']) t.equal((await remove(path)).status, 409, path)
  await put(served, '/files/d/x.txt', 'x')
  t.equal((await remove('/files/d')).status, 409, 'a directory')
  t.equal((await remove('/files/d/x.txt', { 'if-match': '"other"' })).status, 412)
  t.equal((await ask(served, '/files/d/x.txt')).status, 200)
})

t.test('preconditions keep an update from being lost', async t => {
  const served = await serveWritable(t)
  t.equal((await put(served, '/files/a.txt', '0', { 'if-match': '*' })).status, 412, 'nothing is there')
  t.equal((await put(served, '/files/a.txt', '0', { 'if-match': '"x"' })).status, 412)
  const { headers: { etag = '' } } = await put(served, '/files/a.txt', '1', { 'if-none-match': '*' })
  t.equal((await put(served, '/files/a.txt', '2', { 'if-none-match': '*' })).status, 412)
  t.equal((await put(served, '/files/a.txt', '3', { 'if-match': `W/${etag}` })).status, 412, 'a weak tag matches nothing')
  t.equal((await put(served, '/files/a.txt', '4', { 'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' })).status, 412)
  t.equal((await ask(served, '/files/a.txt')).text, '1')
  t.equal((await put(served, '/files/a.txt', '5', { 'if-match': `"x", ${etag}` })).status, 204)
  t.equal((await put(served, '/files/a.txt', '6', { 'if-match': etag })).status, 412)
  t.equal((await ask(served, '/files/a.txt')).text, '5')
})

t.test('of many writers with one tag, exactly one wins', async t => {
  const served = await serveWritable(t)
  for (let round = 0; round < 5; round++) {
    const { headers: { etag = '' } } = await ask(served, '/files/race.txt').then(async ({ status, headers }) => status === 200 ? { headers } : await put(served, '/files/race.txt', 'start'))
    const statuses = await Promise.all(Array.from({ length: 8 }, async (_, n) => (await put(served, '/files/race.txt', `writer ${round} ${n}`, { 'if-match': etag })).status))
    t.same(statuses.toSorted((a, b) => a - b), [204, ...Array.from({ length: 7 }, () => 412)])
    const winner = statuses.indexOf(204)
    t.equal((await ask(served, '/files/race.txt')).text, `writer ${round} ${winner}`)
  }
  const created = await Promise.all(Array.from({ length: 8 }, async (_, n) => (await put(served, '/files/new.txt', String(n), { 'if-none-match': '*' })).status))
  t.same(created.toSorted((a, b) => a - b), [201, ...Array.from({ length: 7 }, () => 412)])
})

t.test('what was promised of the content is held to it', async t => {
  const served = await serveWritable(t)
  t.equal((await put(served, '/files/a.txt', 'good', { 'content-digest': digestOf('good') })).status, 201)
  t.equal((await put(served, '/files/a.txt', 'good', { 'content-digest': digestOf('good', 'sha512') })).status, 204)
  t.match(JSON.parse((await put(served, '/files/b.txt', 'evil', { 'content-digest': digestOf('good') })).text), { status: 400, code: 'bad-digest' })
  t.match(JSON.parse((await put(served, '/files/b.txt', 'good', { 'content-digest': 'nonsense(' })).text), { status: 400, code: 'bad-request' })
  t.equal((await ask(served, '/files/b.txt')).status, 404)
  t.equal((await put(served, '/files/a.txt', 'part', { 'content-range': 'bytes 0-3/10' })).status, 400)
  t.equal((await put(served, '/files/a.txt', 'part', { 'content-encoding': 'gzip' })).status, 415)
  t.equal((await ask(served, '/files/a.txt')).text, 'good')
  t.same(namesIn(served.root), ['a.txt'])
})

t.test('only who may writes, and what is not known is refused by name', async t => {
  const served = await serveWritable(t)
  for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
    t.equal((await ask(served, '/files/a.txt', { method, body: 'x' })).status, 401, method)
    t.equal((await ask(served, '/files/a.txt', { method, body: 'x', headers: { 'x-api-key': readerKey } })).status, 403, method)
  }
  t.match(await ask(served, '/files/a.txt', { method: 'PROPFIND', headers: asWriter }), { status: 403 })
  const { headers } = await ask(served, '/files/a.txt', { method: 'OPTIONS' })
  t.match(headers, { 'allow': 'GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE', 'accept-post': 'multipart/form-data', 'tus-version': '1.0.0' })
  t.same(namesIn(served.root), [])
})

t.test('a mount that says nothing of who may write is only read', async t => {
  const served = await serveWritable(t, { files: { 'a.txt': 'a' }, mount: { access: undefined } })
  t.equal((await ask(served, '/files/a.txt')).status, 200)
  t.match(await put(served, '/files/b.txt', 'b'), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
  const root = await scratch(t, { 'a.txt': 'a' })
  const plain = await serveMedia(t, { sources: { files: { driver: 'file', root } }, mounts: [{ prefix: '/', source: 'files' }] })
  t.match(await ask(plain, '/b.txt', { method: 'PUT', body: 'b' }), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
})

t.test('every size comes out as it went in', async t => {
  const served = await serveWritable(t)
  for (const size of [0, 1, 4095, 4096, 65_536, 1_048_577, 20_000_003]) {
    const bytes = Buffer.alloc(size, 'abcdefghijk')
    t.equal((await put(served, `/files/${size}.txt`, bytes, { 'content-digest': digestOf(bytes) })).status, 201, String(size))
    t.ok((await ask(served, `/files/${size}.txt`)).body.equals(bytes), String(size))
    t.ok((await readFile(join(served.root, `${size}.txt`))).equals(bytes))
  }
  const chunked = await raw(served, `PUT /files/chunked.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n`)
  t.match(chunked, /^HTTP\/1\.1 201 /)
  const none = await raw(served, `PUT /files/none.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nConnection: close\r\n\r\n`)
  t.match(none, /^HTTP\/1\.1 201 /, 'no length is no body')
  t.equal((await ask(served, '/files/none.txt')).body.length, 0)
})

t.test('what is too large is refused, at its announcement or when it comes', async t => {
  const served = await serveWritable(t, { writing: { maxBytes: 100_000 } })
  t.match(JSON.parse((await put(served, '/files/a.txt', Buffer.alloc(100_001, 'a'))).text), { status: 413, code: 'body-too-large' })
  t.equal((await put(served, '/files/a.txt', Buffer.alloc(100_000, 'a'))).status, 201)
  const body = 'a'.repeat(60_000)
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
  t.match(await raw(served, `PUT /files/b.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}${chunk}0\r\n\r\n`), /^HTTP\/1\.1 413 /)
  // Announced, and never sent: the answer comes at once.
  t.match(await raw(served, `PUT /files/b.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nContent-Length: 5000000000\r\nConnection: close\r\n\r\nabc`), /^HTTP\/1\.1 413 /)
  t.same(namesIn(served.root), ['a.txt'])
})

t.test('an upload that breaks off, stalls or lies about its length leaves nothing', async t => {
  const served = await serveWritable(t, { rest: { uploads: { directory: await scratch(t), stallMs: 300 } } })
  const socket = connect(served.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`PUT /files/cut.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nContent-Length: 1000000\r\n\r\n${'a'.repeat(200_000)}`)
  t.ok(await eventually(() => readdirSync(served.root, { recursive: true, withFileTypes: true }).some(entry => entry.isFile())), 'it is being written aside')
  socket.destroy()
  t.ok(await eventually(() => readdirSync(served.root, { recursive: true, withFileTypes: true }).every(entry => entry.isDirectory())), 'and then it is gone')
  t.match(await raw(served, `PUT /files/slow.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nabc`), /^HTTP\/1\.1 408 /)
  // More than was announced is no part of the request: what comes behind it is no request either.
  t.match(await raw(served, `PUT /files/short.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nContent-Length: 3\r\n\r\nabcdefgh`), /^HTTP\/1\.1 201 [^]*HTTP\/1\.1 400 /)
  t.equal((await ask(served, '/files/short.txt')).text, 'abc')
  t.match(await raw(served, `PUT /files/both.txt HTTP/1.1\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`), /^HTTP\/1\.1 400 /)
  t.equal((await ask(served, '/files/both.txt')).status, 404)
})

t.test('type, name and content have to agree, and what runs is written only where it is allowed', async t => {
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
  const served = await serveWritable(t)
  t.equal((await put(served, '/files/a.png', png, { 'content-type': 'image/png' })).status, 201)
  for (const [name, body, type] of [['b.jpg', png], ['b.png', '<html><script>1</script>'], ['b.png', png, 'text/html'], ['b.html', '<html></html>'], ['b.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>'], ['b.txt', '<!doctype html><script>1</script>'], ['b.js', 'alert(1)'], ['b.exe', 'MZ'], ['b.png', '']] as const) {
    t.match(JSON.parse((await put(served, `/files/${name}`, body, type === undefined ? {} : { 'content-type': type })).text), { code: 'unsupported-media-type', status: 415 }, `${name} ${type}`)
  }
  t.same(namesIn(served.root), ['a.png'])
  const open = await serveWritable(t, { writing: { types: ['image/svg+xml', 'text/html'] } })
  t.equal((await put(open, '/files/b.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>')).status, 201)
  t.equal((await put(open, '/files/b.html', '<!doctype html><p>x')).status, 201)
  t.match((await ask(open, '/files/b.html')).headers['content-security-policy'], /sandbox/, 'and is sandboxed')
})

t.test('names are normalised: NFC and NFD are one file, whoever asks', async t => {
  const served = await serveWritable(t)
  const [nfc, nfd] = ['café.txt'.normalize('NFC'), 'café.txt'.normalize('NFD')].map(encodeURIComponent) as [string, string]
  t.match(await put(served, `/files/${nfd}`, 'one'), { status: 201, headers: { location: `/files/${nfc}` } })
  t.equal((await put(served, `/files/${nfc}`, 'two')).status, 204)
  for (const spelling of [nfc, nfd]) t.equal((await ask(served, `/files/${spelling}`)).text, 'two')
  t.same(namesIn(served.root), ['café.txt'.normalize('NFC')])
  t.equal((await ask(served, `/files/${nfd}`, { method: 'DELETE', headers: asWriter })).status, 204)
  t.same(namesIn(served.root), [])
  for (const name of ['con.txt', '%E2%80%AEgpj.txt', 'a%20.txt%20', '.env', '.uploads', 'x%7F.txt', 'a%E2%80%8Bb.txt', 'x'.repeat(300)]) {
    const { status } = await put(served, `/files/${name}`, 'x')
    t.ok(status >= 400 && status < 500, `${name.slice(0, 20)} ${status}`)
  }
  for (const path of ['/files/..%2fx.txt', '/files/../x.txt', '/files/a/../../x.txt', '/files/a%5Cb.txt', '/files/a//b.txt', '/files/%00.txt']) t.equal((await put(served, path, 'x')).status, 400, path)
  t.same(namesIn(served.root), [])
})

t.test('a form brings several files, and all of them or none', async t => {
  const served = await serveWritable(t)
  const post = async (path: string, { body, headers }: ReturnType<typeof form>): ReturnType<typeof ask> => await ask(served, path, { method: 'POST', body, headers: { ...headers, ...asWriter } })
  const both = await post('/files/in/', form([{ filename: 'one.txt', body: '1' }, { name: 'note', body: 'a field' }, { filename: 'two.txt', type: 'text/plain', body: '2'.repeat(300_000) }]))
  t.match(both, { status: 201, headers: { 'content-type': /^application\/json/ } })
  t.match(JSON.parse(both.text), { files: [{ path: '/files/in/one.txt', url: '/files/in/one.txt', size: 1, type: 'text/plain; charset=utf-8', entityTag: String }, { path: '/files/in/two.txt', size: 300_000 }] })
  t.equal((await ask(served, '/files/in/two.txt')).body.length, 300_000)
  const single = await post('/files', form([{ filename: 'three.txt', body: '3' }]))
  t.match(single, { status: 201, headers: { location: '/files/three.txt' } })
  t.match(JSON.parse((await post('/files/in', form([{ filename: 'new.txt', body: '1' }, { filename: 'one.txt', body: 'again' }]))).text), { code: 'conflict', status: 409 })
  t.match(JSON.parse((await post('/files/in', form([{ filename: 'new.txt', body: '1' }, { filename: 'b.html', body: '<html>' }]))).text), { code: 'unsupported-media-type' })
  t.same(namesIn(served.root), ['in', 'in/one.txt', 'in/two.txt', 'three.txt'])
  t.equal((await ask(served, '/files/in/one.txt')).text, '1')
})

t.test('forms that are none are 400, whatever is wrong with them', async t => {
  const served = await serveWritable(t, { writing: { maxFiles: 3, maxBytes: 1000 } })
  const good = form([{ filename: 'a.txt', body: 'aaa' }])
  const attempts: Array<[string, Buffer | string, Record<string, string>, number]> = [
    ['no boundary', good.body, { 'content-type': 'multipart/form-data' }, 400],
    ['another boundary', good.body, { 'content-type': 'multipart/form-data; boundary=other' }, 400],
    ['truncated', good.body.subarray(0, -12), good.headers, 400],
    ['cut in a head', good.body.subarray(0, 40), good.headers, 400],
    ['empty', '', good.headers, 400],
    ['no file', form([{ name: 'a', body: 'x' }]).body, good.headers, 400],
    ['no name', form([{ filename: '', body: 'x' }]).body, good.headers, 400],
    ['prototype', form([{ name: '__proto__', filename: 'a.txt', body: 'x' }]).body, good.headers, 400],
    ['up', form([{ filename: '../../etc/passwd.txt', body: 'x' }]).body, good.headers, 400],
    ['too many', form(Array.from({ length: 4 }, (_, n) => ({ filename: `${n}.txt`, body: 'x' }))).body, good.headers, 413],
    ['10,000 parts', form(Array.from({ length: 10_000 }, (_, n) => ({ name: `f${n}`, body: 'x' }))).body, good.headers, 413],
    ['too large', form([{ filename: 'a.txt', body: 'a'.repeat(1001) }]).body, good.headers, 413],
    ['another type', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['no type', 'a=b', {}, 415]
  ]
  for (const [what, body, headers, status] of attempts) {
    const answer = await ask(served, '/files/', { method: 'POST', body, headers: { ...headers, ...asWriter } })
    t.equal(answer.status, status, `${what}: ${answer.text}`)
    t.match(answer.headers['content-type'], /^application\/problem\+json/, what)
  }
  t.same(namesIn(served.root), [])
  t.notOk(served.logs.some(({ level }) => Number(level) >= 50), 'none of it is a fault of ours')
})

t.test('generated names: by content, by chance, by date', async t => {
  const names: Record<string, RegExp> = { uuid: /^\/files\/in\/[0-9a-f-]{36}\.txt$/, hash: /^\/files\/in\/[0-9a-f]{64}\.txt$/, date: /^\/files\/in\/\d{4}\/\d\d\/\d\d\/[0-9a-f-]{36}\.txt$/ }
  for (const [scheme, pattern] of Object.entries(names)) {
    const served = await serveWritable(t, { writing: { names: scheme } })
    const { body, headers } = form([{ filename: 'evil name.txt', body: 'content' }])
    const one = await ask(served, '/files/in/', { method: 'POST', body, headers: { ...headers, ...asWriter } })
    t.match(one.headers.location, pattern, scheme)
    t.equal((await ask(served, one.headers.location ?? '')).text, 'content')
    const two = await ask(served, '/files/in/', { method: 'POST', body, headers: { ...headers, ...asWriter } })
    if (scheme === 'hash') t.equal(two.headers.location, one.headers.location)
    else t.not(two.headers.location, one.headers.location)
  }
})

t.test('what was kept in memory is forgotten with a write, on every instance that shares the cache', async t => {
  const [root, state, cache] = [await scratch(t), await scratch(t), await scratch(t)]
  const rest = { images: { cache: { directory: cache } }, sources: { files: { driver: 'file', root } }, uploads: { directory: state }, hotFiles: { revalidateMs: 3_600_000 } }
  const [one, two] = [await serveWritable(t, { rest }), await serveWritable(t, { rest })]
  await put(one, '/files/a.txt', 'first')
  for (const served of [one, two, two]) t.equal((await ask(served, '/files/a.txt')).text, 'first')
  t.equal((await ask(two, '/files/a.txt')).headers['x-cache'] ?? 'none', (await ask(two, '/files/a.txt')).headers['x-cache'] ?? 'none')
  await put(one, '/files/a.txt', 'second')
  for (const served of [one, two]) t.equal((await ask(served, '/files/a.txt')).text, 'second')
  await ask(two, '/files/a.txt', { method: 'DELETE', headers: asWriter })
  for (const served of [one, two]) t.equal((await ask(served, '/files/a.txt')).status, 404)
})

const pixel = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')

t.test('of several endings none may be that of something that runs', async t => {
  const served = await serveWritable(t)
  const jpeg = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } }).jpeg().toBuffer()
  for (const [name, body] of [['a.php.jpg', jpeg], ['shell.jpg.php', 'a.php%20.jpg', jpeg], ['shell.jpg.pHp5', jpeg], ['a.html.png', pixel], ['a.svg.png', pixel], ['a.exe.png', pixel], ['a.png.html', pixel], ['a.php%00.jpg', jpeg], ['a.php%20.jpg', jpeg], ['a.php.', jpeg], ['a.%EF%BD%90hp.jpg', jpeg], ['page.html.gz', gzipSync('<html></html>')]] as const) {
    const { status, text } = await put(served, `/files/${name}`, body)
    t.match([status, JSON.parse(text)], [name === 'a.png.html' ? 415 : 400, { code: name === 'a.png.html' ? 'unsupported-media-type' : name.includes('%00') ? 'bad-path' : 'bad-name' }], name)
    const { body: sent, headers } = form([{ filename: decodeURIComponent(name), body }])
    const posted = await ask(served, '/files/', { method: 'POST', body: sent, headers: { ...headers, ...asWriter } })
    t.ok(posted.status === 400 || posted.status === 415, `${name} in a form: ${posted.status}`)
  }
  t.same(namesIn(served.root), [])
  t.equal((await put(served, '/files/x.tar.gz', gzipSync('tar'))).status, 201)
  t.equal((await put(served, '/files/www.example.jpg', jpeg)).status, 201)
})

t.test('a file that is two things is refused, or served as the one that its name says', async t => {
  const served = await serveWritable(t)
  const page = '<html><script>alert(document.domain)</script></html>'
  const jpeg = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } }).jpeg().toBuffer()
  const comment = Buffer.from(`<script>alert(1)</script>${'x'.repeat(200)}`)
  const inComment = Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0xff, 0xfe, 0, comment.length + 2]), comment, jpeg.subarray(2)])
  const gif = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } }).gif().toBuffer()
  const refused: Array<[string, Buffer]> = [
    ['a.gif', Buffer.from(`GIF89a/*${page}*/=1;alert(1)`)],
    ['b.gif', Buffer.from('GIF89a=1;alert(1);//')],
    ['c.gif', Buffer.concat([gif, Buffer.from(page)])],
    ['d.jpg', inComment],
    ['e.pdf', Buffer.from(`${page}\n%PDF-1.7\n%%EOF`)],
    ['f.html', Buffer.from(`%PDF-1.7\n${page}`)],
    ['g.png', Buffer.concat([pixel, Buffer.from(page)])],
    ['h.zip', Buffer.concat([pixel, zipOf('a.txt', 'x')])]
  ]
  for (const [name, body] of refused) t.match(JSON.parse((await put(served, `/files/${name}`, body)).text), { status: 415, code: 'unsupported-media-type' }, name)
  t.same(namesIn(served.root), [])
  const asThemselves: Array<[string, Buffer, string]> = [
    ['a.png', Buffer.concat([pixel, zipOf('a.txt', 'x')]), 'image/png'],
    ['b.pdf', Buffer.from(`%PDF-1.7\n${page}\n%%EOF`), 'application/pdf']
  ]
  for (const [name, body, type] of asThemselves) {
    t.equal((await put(served, `/files/${name}`, body)).status, 201, name)
    t.match(await ask(served, `/files/${name}`), { status: 200, body, headers: { 'content-type': type, 'x-content-type-options': 'nosniff' } }, name)
  }
})

/** An archive of one file that is not compressed. */
function zipOf (name: string, content: string): Buffer {
  const fields = (...sizes: Array<[bytes: 2 | 4, value: number]>): Buffer => Buffer.concat(sizes.map(([bytes, value]) => { const field = Buffer.alloc(bytes); field.writeUIntLE(value, 0, bytes); return field }))
  const common: Array<[2 | 4, number]> = [[2, 20], [2, 0], [2, 0], [2, 0], [2, 0], [4, crc32(content)], [4, content.length], [4, content.length], [2, name.length], [2, 0]]
  const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), fields(...common), Buffer.from(name + content)])
  const central = Buffer.concat([Buffer.from('PK\u0001\u0002'), fields([2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, 0]), Buffer.from(name)])
  return Buffer.concat([local, central, Buffer.from('PK\u0005\u0006'), fields([2, 0], [2, 0], [2, 1], [2, 1], [4, central.length], [4, local.length], [2, 0])])
}

t.test('10,000 files in one form are too many, and none is kept', async t => {
  const served = await serveWritable(t)
  const { body, headers } = form(Array.from({ length: 10_000 }, (_, n) => ({ filename: `${n}.txt`, body: 'x' })))
  t.match(JSON.parse((await ask(served, '/files/in/', { method: 'POST', body, headers: { ...headers, ...asWriter } })).text), { status: 413, code: 'body-too-large' })
  t.ok(await eventually(() => readdirSync(served.root, { recursive: true, withFileTypes: true }).every(entry => entry.isDirectory())), 'nor anything aside')
  t.equal((await put(served, '/files/a.txt', 'x')).status, 201)
})

t.test('a file without bytes is one where its type has no beginning of its own', async t => {
  const served = await serveWritable(t)
  for (const [name, status] of [['a.txt', 201], ['a.csv', 201], ['a.jpg', 415], ['a.png', 415], ['a.pdf', 415], ['a.zip', 415]] as const) {
    const { body, headers } = form([{ filename: name, body: '' }])
    t.equal((await ask(served, '/files/', { method: 'POST', body, headers: { ...headers, ...asWriter } })).status, status, name)
    t.equal((await put(served, `/files/put-${name}`, '')).status, status, `PUT ${name}`)
  }
  t.equal((await ask(served, '/files/a.txt')).body.length, 0)
  t.same(namesIn(served.root), ['a.csv', 'a.txt', 'put-a.csv', 'put-a.txt'])
})

t.test('who sends a byte now and then never stalls, and is still too slow', async t => {
  const served = await serveWritable(t, { rest: { uploads: { directory: await scratch(t), stallMs: 10_000, timeoutMs: 600 } } })
  const trickle = async (head: string, start: string): Promise<string> => {
    const socket = connect(served.port, '127.0.0.1')
    await once(socket, 'connect')
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined)
    socket.write(`${head}\r\nHost: x\r\nX-API-Key: ${asWriter['x-api-key']}\r\nContent-Length: 100000\r\n\r\n${start}`)
    const drip = setInterval(() => socket.write('a'), 50)
    try {
      await eventually(() => chunks.length > 0)
      return Buffer.concat(chunks).toString()
    } finally {
      clearInterval(drip)
      socket.destroy()
    }
  }
  t.match(await trickle('PUT /files/slow.txt HTTP/1.1', 'a'), /^HTTP\/1\.1 408 /)
  t.match(await trickle('POST /files/ HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=X', '--X\r\nContent-Disposition: form-data; name="file"; filename="slow.txt"\r\n\r\na'), /^HTTP\/1\.1 408 /)
  t.ok(await eventually(() => readdirSync(served.root, { recursive: true, withFileTypes: true }).every(entry => entry.isDirectory())), 'nothing stays')
})

t.test('names that look alike in compatible forms are names of their own', async t => {
  const served = await serveWritable(t)
  const names = ['\ufb01le.txt', 'file.txt', '\u2460.txt', '1.txt', '\uff11.txt', '\u00b9.txt', '\u212b.txt', 'A\u030a.txt', '\u00c5.txt', 'caf\u00e9.txt', 'cafe\u0301.txt', '\u1e9b\u0323.txt', '\u1e69.txt']
  const keys = new Map<string, string>()
  for (const name of names) {
    const answer = await put(served, `/files/${encodeURIComponent(name)}`, name)
    const normal = name.normalize('NFC')
    t.equal(answer.status, keys.has(normal) ? 204 : 201, name)
    keys.set(normal, name)
  }
  for (const name of names) t.equal((await ask(served, `/files/${encodeURIComponent(name)}`)).text, keys.get(name.normalize('NFC')), name)
  t.same(namesIn(served.root), [...keys.keys()].toSorted())
  for (const name of ['a\uff0fb.txt', '\uff0e\uff0e', '\u2024\u2024', '\u2025', 'a\uff3cb.txt', '\uff0ehidden.txt', '\uff23\uff2f\uff2e.txt', 'a.\uff50\uff48\uff50', 'a\u2044b.txt']) {
    t.match(JSON.parse((await put(served, `/files/${encodeURIComponent(name)}`, 'x')).text), { status: 400, code: 'bad-name' }, name)
  }
})

t.test('quotas are of each who writes in bytes, and of the mount in files', async t => {
  const [ann, ben] = ['ann', 'ben'].map(() => `fm_${randomBytes(32).toString('base64url')}`) as [string, string]
  const methods = ['GET', 'PUT', 'POST', 'DELETE']
  const served = await serveWritable(t, {
    files: { 'old.txt': 'x'.repeat(5000) },
    writing: { quotas: { mount: { files: 5 }, principal: { bytes: 1000 } } },
    rest: { strategies: { keys: { driver: 'apiKey', keys: [{ name: 'ann', hash: keyHash(ann), methods }, { name: 'ben', hash: keyHash(ben), methods }] } } }
  })
  const by = async (key: string, path: string, bytes: number): Promise<number> => (await put(served, path, 'x'.repeat(bytes), { 'x-api-key': key })).status
  t.equal(await by(ann, '/files/a.txt', 1001), 507)
  t.equal(await by(ann, '/files/a.txt', 600), 201)
  t.equal(await by(ann, '/files/b.txt', 401), 507)
  t.equal(await by(ann, '/files/b.txt', 400), 201)
  t.equal(await by(ben, '/files/c.txt', 1000), 201, 'what one has written takes nothing from the other')
  t.equal(await by(ann, '/files/c.txt', 1), 507, 'and what is replaced was not of this one')
  t.equal(await by(ann, '/files/a.txt', 1), 204)
  t.equal(await by(ann, '/files/d.txt', 500), 201)
  t.equal(await by(ben, '/files/e.txt', 0), 507, 'the mount is full, of files')
  const { body, headers } = form([{ filename: 'f.txt', body: 'x' }, { filename: 'g.txt', body: 'x' }])
  const post = async (key: string): Promise<number> => (await ask(served, '/files/', { method: 'POST', body, headers: { ...headers, 'x-api-key': key } })).status
  t.equal(await post(ann), 507)
  const remove = async (key: string, path: string): Promise<number> => (await ask(served, path, { method: 'DELETE', headers: { 'x-api-key': key } })).status
  t.equal(await remove(ben, '/files/old.txt'), 204)
  t.equal(await post(ann), 507, 'all of a form or none')
  t.equal(await remove(ben, '/files/d.txt'), 204)
  t.equal(await post(ann), 201)
  t.equal(await by(ann, '/files/a.txt', 598), 204, 'what ben removed of ann\'s is given back to ann')
  t.equal(await by(ann, '/files/a.txt', 599), 507)
  t.same(namesIn(served.root), ['a.txt', 'b.txt', 'c.txt', 'f.txt', 'g.txt'])
  t.equal((await Promise.all(['f', 'g'].map(async name => await remove(ann, `/files/${name}.txt`)))).join(), '204,204')
  const race = await Promise.all(Array.from({ length: 12 }, async (_, n) => await by(n % 2 === 0 ? ann : ben, `/files/race-${n}.txt`, 0)))
  t.equal(race.filter(status => status === 201).length, 2, 'of many at once no more than there is room for')
  t.same([...new Set(race)].toSorted((a, b) => a - b), [201, 507])
})
