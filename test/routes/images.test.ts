import { rename, utimes, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { ask, oneMount, raw, serveMedia } from '../helpers/app.ts'
import { picturesToServe, serveImages } from '../helpers/images.ts'
import { drawn } from '../helpers/pictures.ts'
import { eventually } from '../helpers/process.ts'
import { childrenOf } from '../helpers/process-tree.ts'
import { isCalm } from '../helpers/siege.ts'

t.setTimeout(120_000)

/** For all that do not care what others asked: their variants are of their own. */
const served = await serveImages(t, {}, { files: { ...await picturesToServe(), 'named.png': 'no picture' } })
const chromium = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8'

t.test('a picture comes in the size and format that its URL asks for', async t => {
  for (const [query, format, width, height] of [['w=160', 'jpeg', 160, 120], ['w=200&h=200&fit=cover', 'jpeg', 200, 200], ['w=160&f=webp', 'webp', 160, 120], ['h=150&fm=png', 'png', 200, 150], ['w=100&f=avif', 'heif', 100, 75]] as const) {
    const answer = await ask(served, `/cat.jpg?${query}`)
    t.match(answer, { status: 200, headers: { 'content-type': `image/${format === 'heif' ? 'avif' : format}`, 'content-length': String(answer.body.length), 'accept-ranges': 'bytes', 'etag': /^"[\w-]{27}"$/, 'x-cache': 'made', 'cache-tag': '/cat.jpg', 'surrogate-key': '/cat.jpg' } }, query)
    t.match(await sharp(answer.body).metadata(), { format, width, height }, query)
    t.equal(answer.headers.vary, undefined)
  }
})

t.test('without operations a file is sent as it is', async t => {
  const files = await picturesToServe()
  for (const path of ['/cat.jpg', '/notes.txt?v=1', '/notes.txt?download', '/cat.jpg?download']) {
    const answer = await ask(served, path)
    t.match(answer, { status: 200, headers: { 'x-cache': undefined } }, path)
    t.ok(answer.body.equals(Buffer.from(files[path.slice(1).split('?')[0] ?? ''] ?? '')), path)
  }
})

t.test('f=auto follows Accept, and says so on 200 and 304', async t => {
  for (const [path, accept, type] of [['/cat.jpg', chromium, 'image/avif'], ['/cat.jpg', 'image/webp', 'image/webp'], ['/cat.jpg', '*/*', 'image/jpeg'], ['/logo.png', '*/*', 'image/png'], ['/film.gif', chromium, 'image/webp'], ['/film.gif', '*/*', 'image/gif'], ['/drawing.svg', '*/*', 'image/png'], ['/cat.jpg', undefined, 'image/jpeg']] as const) {
    const headers = accept === undefined ? {} : { accept }
    const answer = await ask(served, `${path}?w=64&f=auto`, { headers })
    t.match(answer, { status: 200, headers: { 'content-type': type, 'vary': 'Accept' } }, `${path} ${accept}`)
    const again = await ask(served, `${path}?w=64&f=auto`, { headers: { ...headers, 'if-none-match': String(answer.headers.etag) } })
    t.match(again, { status: 304, headers: { etag: answer.headers.etag, vary: 'Accept' }, body: { length: 0 } })
  }
})

t.test('a variant is made once, then kept in memory and on disk', async t => {
  const one = await serveImages(t)
  const first = await ask(one, '/cat.jpg?w=320&f=webp')
  const second = await ask(one, '/cat.jpg?f=webp&w=320')
  t.match([first, second], [{ headers: { 'x-cache': 'made' } }, { headers: { 'x-cache': 'hit-memory', 'etag': first.headers.etag } }], 'whatever the order of its parameters')
  t.ok(first.body.equals(second.body))
  await one.app.close()

  const before = childrenOf(process.pid)
  const two = await serveMedia(t, oneMount(one.root, {}, {}, { images: { cache: { directory: one.cache } } }))
  const third = await ask(two, '/cat.jpg?w=320&f=webp')
  t.match(third, { status: 200, headers: { 'x-cache': 'hit-disk', 'etag': first.headers.etag } }, 'after a restart')
  t.ok(third.body.equals(first.body))
  t.match(await ask(two, '/cat.jpg?w=320&f=webp'), { headers: { 'x-cache': 'hit-memory' } })
  t.match(await ask(two, '/cat.jpg?w=320&f=webp', { method: 'HEAD' }), { status: 200, headers: { 'content-length': String(first.body.length) } })
  t.strictSame(childrenOf(process.pid).filter(pid => !before.includes(pid)), [], 'and no worker is started for it')
  await two.app.close()

  const three = await serveImages(t, {}, { cache: one.cache, files: {} })
  await rename(join(one.root, 'cat.jpg'), join(three.root, 'cat.jpg'))
  t.match((await ask(three, '/cat.jpg?w=320&f=webp')).headers, { 'x-cache': 'made', 'etag': first.headers.etag }, 'on another machine the same original has the same tag')
})

t.test('304, HEAD and 412 of a variant that nobody made decode nothing', async t => {
  const before = childrenOf(process.pid)
  const started = (): number[] => childrenOf(process.pid).filter(pid => !before.includes(pid))
  const fresh = await serveImages(t)
  const head = await ask(fresh, '/cat.jpg?w=320', { method: 'HEAD' })
  const { etag } = head.headers
  t.match(head, { status: 200, headers: { 'etag': /^"[\w-]{27}"$/, 'content-type': 'image/jpeg' }, body: { length: 0 } })
  t.match(await ask(fresh, '/cat.jpg?w=320', { headers: { 'if-none-match': String(etag) } }), { status: 304, headers: { etag } })
  t.match(await ask(fresh, '/cat.jpg?w=320', { headers: { 'if-match': '"other"' } }), { status: 412 })
  t.strictSame(started(), [], 'no worker was ever started')
  t.match(await ask(fresh, '/cat.jpg?w=320'), { status: 200, headers: { etag, 'x-cache': 'made' } })
  t.equal(started().length, 1, 'which would have been seen')
})

t.test('ranges of variants are bytes of the whole, cold and warm', async t => {
  const cold = await ask(served, '/cat.jpg?w=240', { headers: { range: 'bytes=10-19' } })
  const whole = await ask(served, '/cat.jpg?w=240')
  t.match(cold, { status: 206, headers: { 'content-range': `bytes 10-19/${whole.body.length}`, 'x-cache': 'made' } })
  t.ok(cold.body.equals(whole.body.subarray(10, 20)))
  const { etag } = whole.headers
  t.match(await ask(served, '/cat.jpg?w=240', { headers: { 'range': 'bytes=-5', 'if-range': String(etag) } }), { status: 206, body: whole.body.subarray(-5) })
  t.match(await ask(served, '/cat.jpg?w=240', { headers: { 'range': 'bytes=0-4', 'if-range': '"other"' } }), { status: 200 })
  t.match(await ask(served, '/cat.jpg?w=240', { headers: { range: `bytes=${whole.body.length}-` } }), { status: 416, headers: { 'content-range': `bytes */${whole.body.length}` } })
  const several = await ask(served, '/cat.jpg?w=240', { headers: { range: 'bytes=0-1,4-5' } })
  t.match(several, { status: 206, headers: { 'content-type': /^multipart\/byteranges/ } })
})

t.test('a hundred who ask for one cold variant at once share one decode', async t => {
  const narrow = await serveImages(t, {}, { work: { workers: 1, maxWaiting: 1 } })
  const answers = await Promise.all(Array.from({ length: 100 }, async () => await ask(narrow, '/cat.jpg?w=640&f=webp')))
  t.ok(answers.every(answer => answer.status === 200 && answer.body.equals(answers[0]?.body ?? Buffer.alloc(0))))
  t.equal((await ask(narrow, '/cat.jpg?w=640&f=webp')).headers['x-cache'], 'hit-memory')
  const others = await Promise.all(Array.from({ length: 20 }, async (_, n) => await ask(narrow, `/cat.jpg?w=${[640, 600, 540, 500][n % 4]}&q=${50 + n}&f=avif`)))
  t.ok(others.some(({ status }) => status === 503), 'there is room for one and one that waits: two decodes more would have been refused')
})

t.test('a changed original never gives an old variant', async t => {
  const fresh = await serveImages(t, {}, { rest: { hotFiles: { revalidateMs: 0 } } })
  const path = join(fresh.root, 'cat.jpg')
  const before = await ask(fresh, '/cat.jpg?w=100&f=png')
  const plain = async (background: string): Promise<Buffer> => {
    const bytes = await sharp({ create: { width: 800, height: 600, channels: 3, background } }).jpeg().toBuffer()
    return Buffer.concat([bytes, Buffer.alloc(20_000 - bytes.length)]) // of one size
  }
  const when = new Date(1_700_000_000_000)
  await writeFile(path, await plain('red'))
  await utimes(path, when, when)
  const red = await ask(fresh, '/cat.jpg?w=100&f=png', { headers: { 'if-none-match': String(before.headers.etag) } })
  t.match(red, { status: 200, headers: { 'x-cache': 'made' } })
  t.not(red.headers.etag, before.headers.etag)
  t.match(await sharp(red.body).stats(), { dominant: { r: 248 } })
  // The same size and time, other bytes: only the file system knows.
  await writeFile(path, await plain('blue'))
  await utimes(path, when, when)
  const blue = await ask(fresh, '/cat.jpg?w=100&f=png')
  t.match(blue, { status: 200, headers: { 'x-cache': 'made' } })
  t.match(await sharp(blue.body).stats(), { dominant: { b: 248 } })
})

t.test('what is wrong with a query is named, and nothing is made', async t => {
  for (const [path, detail] of [['/cat.jpg?wdith=300', /wdith/], ['/cat.jpg?w=300&w=200', /\bw\b/], ['/cat.jpg?w=300&width=200', /w/], ['/cat.jpg?w=-1', /\bw\b/], ['/cat.jpg?fit=banana', /fit/], ['/cat.jpg?w=1&utm_source=x', /utm_source/], ['/cat.jpg?w=%zz', /./], ['/cat.jpg?__proto__=1', /__proto__/], ['/_ipx/w_banana/cat.jpg', /./]] as const) {
    const answer = await ask(served, path)
    t.match(answer, { status: 400, headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'etag': undefined } }, path)
    t.match(JSON.parse(answer.text), { code: 'bad-transform', detail }, path)
  }
})

t.test('parameters that others add are ignored where the mount says so', async t => {
  const some = await serveImages(t, { ignoredParameters: ['utm_*', 'fbclid'] })
  t.match(await ask(some, '/cat.jpg?w=64&utm_source=x&fbclid=y'), { status: 200, headers: { 'content-type': 'image/jpeg' } })
  t.match(await ask(some, '/cat.jpg?utm_source=x'), { status: 200, headers: { 'x-cache': undefined } })
  t.match(await ask(some, '/cat.jpg?w=64&other=1'), { status: 400 })
  const all = await serveImages(t, { unknownParameters: 'ignore' })
  t.match(await ask(all, '/cat.jpg?w=64&other=1'), { status: 200 })
})

t.test('IPX URLs name the same variants', async t => {
  const query = await ask(served, '/cat.jpg?w=360&f=webp')
  const ipx = await ask(served, '/_ipx/w_360,f_webp/cat.jpg')
  t.match(ipx, { status: 200, headers: { 'etag': query.headers.etag, 'x-cache': 'hit-memory', 'cache-tag': '/cat.jpg' } })
  t.match(await sharp((await ask(served, '/_ipx/s_100x100/cat.jpg')).body).metadata(), { width: 100, height: 100 })
  t.match(await ask(served, '/_ipx/w_320/missing.jpg'), { status: 404 })
  t.match(await ask(served, '/_ipx/w_320'), { status: 400 })
})

t.test('sizes are rounded up to the list, so that nobody can fill the cache by counting', async t => {
  t.match(await sharp((await ask(served, '/cat.jpg?w=301')).body).metadata(), { width: 315 })
  const tags = new Set<unknown>()
  for (let width = 301; width <= 315; width++) tags.add((await ask(served, `/cat.jpg?w=${width}`, { method: 'HEAD' })).headers.etag)
  t.equal(tags.size, 1)
  const open = await serveImages(t, { mode: 'open' })
  t.match(await sharp((await ask(open, '/cat.jpg?w=301')).body).metadata(), { width: 301 })
})

t.test('modes: presets makes presets alone, signed nothing without a signature, off nothing at all', async t => {
  const presets = await serveImages(t, { mode: 'presets', presets: { card: 'w=120&h=80&fit=cover&f=auto' } })
  t.match(await ask(presets, '/cat.jpg?preset=card', { headers: { accept: 'image/webp' } }), { status: 200, headers: { 'content-type': 'image/webp', 'vary': 'Accept' } })
  t.match(await ask(presets, '/cat.jpg?w=120'), { status: 400 })
  t.match(await ask(presets, '/cat.jpg?preset=crad'), { status: 400, text: /card/ })
  const signed = await serveImages(t, { mode: 'signed' })
  t.match(await ask(signed, '/cat.jpg?w=120'), { status: 403 })
  t.match(await ask(signed, '/cat.jpg'), { status: 200 })
  const off = await serveImages(t, { mode: 'off' })
  t.match(await ask(off, '/cat.jpg?w=120'), { status: 200, headers: { 'x-cache': undefined, 'content-length': String((await picturesToServe())['cat.jpg']?.length) } })
})

t.test('what is no picture, or a broken one, is told; the fallback stands for it', async t => {
  t.match(await ask(served, '/named.png?w=100'), { status: 415, headers: { 'content-type': 'application/problem+json' }, text: /unsupported-image/ })
  t.match(await ask(served, '/broken.jpg?w=100'), { status: 422, text: /broken-image/ })
  t.match(await ask(served, '/missing.jpg?w=100'), { status: 404 })
  const forgiving = await serveImages(t, { fallback: 'logo.png' }, { files: { ...await picturesToServe(), 'named.png': 'no picture' } })
  for (const path of ['/named.png?w=100', '/broken.jpg?w=100']) {
    const answer = await ask(forgiving, path)
    t.match(answer, { status: 200, headers: { 'content-type': 'image/png', 'cache-control': 'max-age=60' } }, path)
    t.match(await sharp(answer.body).metadata(), { format: 'png', width: 100 })
  }
  t.match(await ask(forgiving, '/missing.jpg?w=100'), { status: 404 }, 'what is missing stays missing')
  t.match(await ask(forgiving, '/broken.jpg?info'), { status: 422 }, 'and facts are not made up')
})

t.test('?info tells what a picture is, conditionally', async t => {
  const answer = await ask(served, '/cat.jpg?info')
  t.match(answer, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8', 'etag': /^"/ } })
  t.match(JSON.parse(answer.text), { format: 'jpeg', width: 800, height: 600 })
  t.match(await ask(served, '/cat.jpg?info', { headers: { 'if-none-match': String(answer.headers.etag) } }), { status: 304 })
  t.match(await ask(served, '/cat.jpg?info'), { headers: { 'x-cache': 'hit-memory' } })
  t.match(await ask(await serveImages(t, { info: false }), '/cat.jpg?info'), { status: 403 })
})

t.test('with upgrade the first gets a quick format for a short time, the next the AVIF', async t => {
  const upgrading = await serveImages(t, { upgrade: true }, { mount: { cache: { default: '30d immutable' } } })
  const headers = { accept: chromium }
  const first = await ask(upgrading, '/cat.jpg?w=320&f=auto', { headers })
  t.match(first, { status: 200, headers: { 'content-type': 'image/webp', 'cache-control': 'public, max-age=60', 'vary': 'Accept' } })
  let next = first
  await eventually(async () => {
    next = await ask(upgrading, '/cat.jpg?w=320&f=auto', { headers })
    return next.headers['content-type'] === 'image/avif'
  })
  t.match(next, { status: 200, headers: { 'content-type': 'image/avif', 'cache-control': 'public, max-age=2592000, immutable' } })
  t.match(await ask(upgrading, '/cat.jpg?w=320&f=avif'), { headers: { 'content-type': 'image/avif', 'x-cache': 'hit-memory' } })
})

t.test('client hints choose the size where the mount allows it', async t => {
  const hinted = await serveImages(t, { clientHints: true })
  const answer = await ask(hinted, '/cat.jpg?w=100&f=png', { headers: { dpr: '2' } })
  t.match(answer.headers, { 'vary': /DPR.*Width.*Save-Data/, 'accept-ch': /Sec-CH-DPR/ })
  t.match(await sharp(answer.body).metadata(), { width: 200 })
  t.match(await sharp((await ask(hinted, '/cat.jpg?f=png', { headers: { 'sec-ch-width': '333' } })).body).metadata(), { width: 360 })
  const saved = await ask(hinted, '/cat.jpg?w=320', { headers: { 'save-data': 'on' } })
  t.ok(saved.body.length < (await ask(hinted, '/cat.jpg?w=320')).body.length)
  t.match(await sharp((await ask(served, '/cat.jpg?w=100&f=png', { headers: { dpr: '2' } })).body).metadata(), { width: 100 })
})

t.test('a variant may be downloaded under its name', async t => {
  t.match((await ask(served, '/cat.jpg?w=100&download')).headers, { 'content-disposition': 'attachment; filename=cat.jpg' })
  t.match((await ask(served, '/cat.jpg?w=100&f=webp&download=my.webp')).headers, { 'content-disposition': 'attachment; filename=my.webp' })
})

t.test('pipelined requests for variants are answered in their order', async t => {
  const head = 'Host: x\r\n'
  const text = await raw(served, `GET /cat.jpg?w=64&f=avif HTTP/1.1\r\n${head}\r\nGET /notes.txt HTTP/1.1\r\n${head}\r\nGET /cat.jpg?w=64&f=png HTTP/1.1\r\n${head}Connection: close\r\n\r\n`)
  t.match(text, /image\/avif[^]*no picture[^]*image\/png/)
})

t.test('who leaves stops the work', async t => {
  const large = await drawn(1600, 1200).png({ compressionLevel: 1 }).toBuffer()
  const narrow = await serveImages(t, { mode: 'open' }, { files: { 'large.png': large }, work: { workers: 1, maxWaiting: 4, deadlineMs: 120_000 } })
  t.equal((await ask(narrow, '/large.png?w=32')).status, 200)
  let arrived = 0
  narrow.app.server.on('request', () => { arrived++ })
  const sockets = Array.from({ length: 5 }, (_, place) => {
    const socket = connect(narrow.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`GET /large.png?w=${1500 + place}&f=avif&effort=6&lossless HTTP/1.1\r\nHost: x\r\n\r\n`)
    return socket
  })
  await eventually(() => arrived === 5)
  t.match(await ask(narrow, '/large.png?w=64'), { status: 503 }, 'one is made and four wait: there is room for no more')
  for (const socket of sockets) socket.destroy()
  t.ok(await isCalm({ pid: process.pid }), 'the worker is idle before five such pictures could be made')
  t.match(await ask(narrow, '/large.png?w=65'), { status: 200 })
  t.equal(narrow.logs.filter(line => line.level === 50).length, 0, 'and none of it is an error')
})

t.test('below a prefix of a mount and of a host, tags are the paths that clients know', async t => {
  const below = await serveImages(t, {}, { mount: { prefix: '/photos' } })
  t.match(await ask(below, '/photos/cat.jpg?w=64'), { status: 200, headers: { 'cache-tag': '/photos/cat.jpg' } })
  t.match(await ask(below, '/photos/_ipx/w_64/cat.jpg'), { status: 200, headers: { 'x-cache': 'hit-memory' } })
  t.match(await ask(below, '/_ipx/w_64/photos/cat.jpg'), { status: 200, headers: { 'x-cache': 'hit-memory', 'cache-tag': '/photos/cat.jpg' } })
})
