// Files are written, replaced and removed over real sockets: by PUT, by forms, by DELETE.
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import t from 'tap'
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
    t.same(statuses.toSorted(), [204, ...Array.from({ length: 7 }, () => 412)])
    const winner = statuses.indexOf(204)
    t.equal((await ask(served, '/files/race.txt')).text, `writer ${round} ${winner}`)
  }
  const created = await Promise.all(Array.from({ length: 8 }, async (_, n) => (await put(served, '/files/new.txt', String(n), { 'if-none-match': '*' })).status))
  t.same(created.toSorted(), [201, ...Array.from({ length: 7 }, () => 412)])
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
  t.equal((await put(served, '/files/b.txt', 'b')).status, 403)
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
