import { randomBytes } from 'node:crypto'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { openImages } from '../../lib/images.ts'
import { fileSource } from '../../lib/sources/file.ts'
import client from '../../plugins/client.ts'
import conditional from '../../plugins/conditional.ts'
import errors from '../../plugins/errors.ts'
import imageVariants from '../../plugins/images.ts'
import staticFiles from '../../plugins/static.ts'
import { ask, scratch, serve, serveMedia } from '../helpers/app.ts'
import { picturesToServe, serveImages } from '../helpers/images.ts'

t.test('Nuxt finds every mount below one /_ipx, each by its own rules', async t => {
  const [photos, site, cache] = [await scratch(t, await picturesToServe()), await scratch(t, { 'cat.jpg': 'no picture' }), join(await scratch(t), 'cache')]
  const configuration = {
    sources: { photos: { driver: 'file' as const, root: photos }, site: { driver: 'file' as const, root: site } },
    mounts: [
      { source: 'site' },
      { prefix: '/photos', source: 'photos', cors: { origins: ['https://example.com'] }, cache: { default: '1h' } },
      { prefix: '/photos/off', source: 'photos', images: { mode: 'off' as const } }
    ],
    images: { cache: { directory: cache } }
  }
  const served = await serveMedia(t, configuration)
  const direct = await ask(served, '/photos/cat.jpg?w=64&f=webp')
  const headers = { origin: 'https://example.com' }
  const nuxt = await ask(served, '/_ipx/w_64,f_webp/photos/cat.jpg', { headers })
  t.match(nuxt, { status: 200, headers: { 'x-cache': 'hit-memory', 'etag': direct.headers.etag, 'access-control-allow-origin': 'https://example.com', 'cache-control': 'public, max-age=3600', 'cache-tag': '/photos/cat.jpg' } })
  t.match(await ask(served, '/photos/_ipx/w_64,f_webp/cat.jpg'), { status: 200, headers: { etag: direct.headers.etag } })
  t.match(await ask(served, '/_ipx/w_64/cat.jpg'), { status: 415 }, 'the root is a mount too')
  t.match(await ask(served, '/_ipx/w_64/photos/missing.jpg'), { status: 404 })
  t.match(await ask(served, '/_ipx/w_64/photos'), { status: 404 })
  t.match(await ask(served, '/_ipx/w_64/photos/cat.jpg', { method: 'DELETE' }), { status: 405 })
  t.match(await ask(served, '/_ipx/w_64/photos/cat.jpg', { method: 'OPTIONS', headers: { ...headers, 'access-control-request-method': 'GET' } }), { status: 204, headers: { 'access-control-allow-origin': 'https://example.com' } })
  t.match(await ask(served, '/_ipx/w_banana/photos/cat.jpg'), { status: 400, text: /bad-transform/ })
  t.match(await ask(served, `/_ipx/w_64,${'q_80,'.repeat(1)}f_webp,blur_3,bri_10,sat_10,hue_15,con_10,sharp_20,pad_5,bg_ff8800,radius_5,fit_inside,h_64/photos/cat.jpg`), { status: 200 }, 'longer than a parameter usually is')
  t.match(await ask(served, '/_ipx/w_64/photos/../cat.jpg'), { status: 400 })

  const hosted = await serveMedia(t, configuration, { prefix: '/media' })
  t.match(await ask(hosted, '/media/_ipx/w_64,f_webp/photos/cat.jpg'), { status: 200, headers: { 'cache-tag': '/media/photos/cat.jpg' } })
})

t.test('what is no picture keeps its queries, and an app its paths', async t => {
  const served = await serveImages(t, {}, { files: { ...await picturesToServe(), 'index.html': 'the app', 'page.html': 'a page', 'README': 'read me' }, mount: { fallback: { file: 'index.html' } } })
  for (const path of ['/search?q=cats', '/search?page=2', '/photos/42?w=1']) t.match(await ask(served, path), { status: 200, text: 'the app' }, path)
  t.match(await ask(served, '/page.html?page=2'), { status: 200, text: 'a page' })
  t.match(await ask(served, '/notes.txt?w=100'), { status: 200, text: 'no picture' })
  t.match(await ask(served, '/nothing.js?q=x'), { status: 404 })
  t.match(await ask(served, '/README?w=100'), { status: 415 }, 'a file of no known type may be a picture, and is not')
  t.match(await ask(served, '/README?q=cats'), { status: 400 })
})

t.test('a picture is known by its content, whatever its name', async t => {
  const jpeg = (await picturesToServe())['cat.jpg'] ?? ''
  const served = await serveImages(t, {}, { files: { 'nameless': jpeg, 'wrong.png': jpeg, 'odd.xyz123': jpeg } })
  for (const name of ['nameless', 'wrong.png', 'odd.xyz123']) {
    const answer = await ask(served, `/${name}?w=64`)
    t.match(answer, { status: 200, headers: { 'content-type': 'image/jpeg' } }, name)
    t.match(await sharp(answer.body).metadata(), { format: 'jpeg', width: 64 })
  }
})

t.test('no spelling gets past the modes presets and signed', async t => {
  const presets = await serveImages(t, { mode: 'presets', presets: { card: 'w=120&f=png' } })
  for (const path of ['/_ipx/_/cat.jpg', '/_ipx/w_64/cat.jpg', '/_ipx/preset_card,w_64/cat.jpg', '/cat.jpg?w=64', '/cat.jpg?preset=card&w=64']) t.match(await ask(presets, path), { status: 400 }, path)
  t.match(await ask(presets, '/_ipx/preset_card/cat.jpg'), { status: 200 })
  t.match(await ask(presets, '/cat.jpg?info'), { status: 200 })
  const signed = await serveImages(t, { mode: 'signed' })
  for (const path of ['/_ipx/_/cat.jpg', '/_ipx/w_64/cat.jpg', '/cat.jpg?w=64', '/cat.jpg?info']) t.match(await ask(signed, path), { status: 403 }, path)
})

t.test('a mount may have a deadline of its own', async t => {
  const served = await serveImages(t, { limits: { deadlineMs: 1 } })
  t.match(await ask(served, '/cat.jpg?w=320&f=avif'), { status: 422, text: /image-too-costly/ })
})

t.test('what another mount holds is reached through that mount alone, however it is spelled', async t => {
  const [root, other, cache] = [await scratch(t, { 'photos/cat.jpg': (await picturesToServe())['cat.jpg'] ?? '', 'free/cat.jpg': (await picturesToServe())['cat.jpg'] ?? '' }), await scratch(t, {}), join(await scratch(t), 'cache')]
  const served = await serveMedia(t, {
    sources: { all: { driver: 'file', root }, other: { driver: 'file', root: other } },
    mounts: [{ source: 'all' }, { prefix: '/photos', source: 'other', images: { mode: 'off' } }],
    images: { cache: { directory: cache } }
  })
  t.match(await ask(served, '/photos/cat.jpg?w=64'), { status: 404 })
  t.match(await ask(served, '/_ipx/w_64/photos/cat.jpg'), { status: 404 })
  t.match(await ask(served, '/_ipx/w_64/ph%6ftos/cat.jpg'), { status: 404 })
  t.match(await ask(served, '/_ipx/w_64/free/cat.jpg'), { status: 200 })
})

t.test('client hints add to what a preset says, and change none of it', async t => {
  const served = await serveImages(t, { clientHints: true, presets: { card: 'w=120&h=80&fit=cover&q=90&f=jpeg', bare: 'f=png' } })
  const headers = { 'width': '320', 'save-data': 'on' }
  const plain = await ask(served, '/cat.jpg?preset=card')
  t.ok((await ask(served, '/cat.jpg?preset=card', { headers })).body.equals(plain.body))
  t.match(await sharp((await ask(served, '/cat.jpg?preset=bare', { headers })).body).metadata(), { width: 320 })
})

t.test('a purge by the name of the file reaches every spelling that led to it', async t => {
  const files = await picturesToServe()
  const root = await scratch(t, { 'Cat.jpg': files['cat.jpg'] ?? '' })
  await symlink('Cat.jpg', join(root, 'link.jpg'))
  const source = await fileSource({ root, caseInsensitive: true })
  const images = await openImages({ prefix: '', source, base: await scratch(t) })
  t.teardown(async () => await images.close())
  const served = await serve(t, async app => {
    for (const plugin of [errors, client, conditional, staticFiles, imageVariants]) await app.register(plugin as never, {})
    app.get('/*', (_request, reply) => reply.serveImage(images.mount))
  })
  const paths = ['/Cat.jpg?w=64', '/CAT.JPG?w=64', '/link.jpg?w=64']
  for (const path of paths) t.match(await ask(served, path), { status: 200, headers: { 'x-cache': 'made' } }, path)
  await images.purge('original:/Cat.jpg')
  for (const path of paths) t.match(await ask(served, path), { status: 200, headers: { 'x-cache': 'made' } }, `${path}, again`)
})

t.test('an original that changed since it was looked at is looked at again, also by who first reads its head', async t => {
  // Too large to be kept whole, so that only its description is hot.
  const large = await sharp(randomBytes(500 * 400 * 3), { raw: { width: 500, height: 400, channels: 3 } }).png().toBuffer()
  const served = await serveImages(t, {}, { files: { 'cat.png': large } })
  t.match(await ask(served, '/cat.png', { method: 'HEAD' }), { status: 200 })
  await writeFile(join(served.root, 'cat.png'), await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } }).png().toBuffer())
  const answer = await ask(served, '/cat.png?w=640')
  t.equal(answer.status, 200)
  t.match(await sharp(answer.body).metadata(), { width: 40 })
})

t.test('a large variant is read from where it is kept, with its size and its ranges', async t => {
  const pixels = randomBytes(900 * 700 * 3)
  const served = await serveImages(t, { mode: 'open' }, { files: { 'noise.png': await sharp(pixels, { raw: { width: 900, height: 700, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer() } })
  const whole = await ask(served, '/noise.png?w=890&f=png')
  t.match(whole, { status: 200, headers: { 'x-cache': 'made', 'content-length': String(whole.body.length) } })
  t.ok(whole.body.length > 1_100_000)
  t.match(await sharp(whole.body).metadata(), { width: 890 })
  const part = await ask(served, '/noise.png?w=880&f=png', { headers: { range: 'bytes=1000000-1000009' } })
  t.match(part, { status: 206, headers: { 'x-cache': 'made' } })
  t.ok((await ask(served, '/noise.png?w=880&f=png')).body.subarray(1_000_000, 1_000_010).equals(part.body))
})
