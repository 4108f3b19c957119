import sharp from 'sharp'
import t from 'tap'
import { fileSource } from '../../lib/sources/file.ts'
import { openImages } from '../../lib/images.ts'
import client from '../../plugins/client.ts'
import conditional from '../../plugins/conditional.ts'
import errors from '../../plugins/errors.ts'
import imageVariants from '../../plugins/images.ts'
import staticFiles from '../../plugins/static.ts'
import { ask, scratch, serve } from '../helpers/app.ts'
import { picturesToServe } from '../helpers/images.ts'

t.test('a route of one\'s own serves variants of any source, with overlays of another', async t => {
  const files = await picturesToServe()
  const [photos, brand, base] = [await scratch(t, files), await scratch(t, { 'logo.png': files['logo.png'] ?? '' }), await scratch(t)]
  const images = await openImages({
    prefix: '/photos',
    source: await fileSource({ root: photos }),
    overlaySources: { brand: await fileSource({ root: brand }) },
    images: { mode: 'open', overlays: { logo: { source: 'brand', file: 'logo.png' } } },
    base
  })
  t.teardown(async () => await images.close())
  const served = await serve(t, async app => {
    for (const plugin of [errors, client, conditional, staticFiles, imageVariants]) await app.register(plugin as never, {})
    app.get('/photos/*', (_request, reply) => reply.serveImage(images.mount))
  })
  const first = await ask(served, '/photos/cat.jpg?w=123')
  t.match(await sharp(first.body).metadata(), { width: 123 })
  t.match(first.headers, { 'x-cache': 'made', 'cache-tag': '/photos/cat.jpg' })
  t.match(await ask(served, '/photos/cat.jpg?w=123'), { headers: { 'x-cache': 'hit-memory' } })
  const marked = await ask(served, '/photos/cat.jpg?w=123&mark=logo')
  t.equal(marked.status, 200)
  t.notOk(marked.body.equals(first.body))
  t.match(await ask(served, '/photos/notes.txt'), { text: 'no picture' })
  await images.purge('prefix:/photos')
  const again = await ask(served, '/photos/cat.jpg?w=123', { headers: { 'if-none-match': String(first.headers.etag) } })
  t.match(again, { status: 200, headers: { 'x-cache': 'made' } })
})

t.test('options that cannot hold are told', async t => {
  const source = await fileSource({ root: await scratch(t) })
  const base = await scratch(t)
  await t.rejects(openImages({ prefix: '', source, base, images: { mode: 'opne' as never } }), /mode/)
  await t.rejects(openImages({ prefix: '', source, base, images: { mode: 'off' } }), TypeError)
  await t.rejects(openImages({ prefix: '', source, base, images: { overlays: { logo: { source: 'none', file: 'x.png' } } } }), /none/)
})
