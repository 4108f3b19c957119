import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { ask, scratch, serveMedia } from '../helpers/app.ts'
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
