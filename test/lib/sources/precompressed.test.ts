import t from 'tap'
import { MediaError } from '../../../lib/errors.ts'
import type { Key } from '../../../lib/paths/request-path.ts'
import { fileSource } from '../../../lib/sources/file.ts'
import { LargeFiles } from '../../../lib/sources/large-files.ts'
import { precompressed } from '../../../lib/sources/precompressed.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { fileAt, sourceContract } from '../../contracts/source.ts'
import { scratch, type Test } from '../../helpers/app.ts'

async function directory (t: Test, files: Record<string, string | Buffer>): Promise<Source> {
  const largeFiles = new LargeFiles({ poolBytes: 4 * 1024 * 1024, maxDescriptors: 4, descriptorIdleMs: 50 })
  t.teardown(async () => await largeFiles.close())
  return await fileSource({ root: await scratch(t, files), symlinks: 'inside', visibleDotNames: [], caseInsensitive: false }, largeFiles)
}

t.test('a source with siblings keeps the source contract', t => {
  sourceContract(t, async (t, files) => precompressed(await directory(t, files)))
  t.end()
})

t.test('smaller siblings of compressible files are codings of them', async t => {
  const source = precompressed(await directory(t, { 'app.css': 'x'.repeat(100), 'app.css.br': 'br', 'app.css.zst': 'zst!', 'app.css.gz': 'y'.repeat(100), 'cat.png': 'p'.repeat(100), 'cat.png.gz': 'g', 'app.css.gz.br': 'z' }))
  const found = await fileAt(t, source, 'app.css')
  t.same(Object.keys(found.encoded ?? {}), ['br', 'zstd'], 'a sibling that is not smaller gains nothing')
  t.match(found.encoded?.br, { type: 'text/css; charset=utf-8', size: 2, encoding: 'br', entityTag: /^"[^"]+-br"$/, vary: 'Accept-Encoding' })
  t.not(found.encoded?.br?.entityTag, found.representation.entityTag)
  t.equal(found.representation.vary, 'Accept-Encoding', 'caches must know, whichever was sent')
  t.equal((await fileAt(t, source, 'cat.png')).encoded, undefined, 'pictures do not compress')
  t.match((await fileAt(t, source, 'app.css.br')).representation, { size: 2 }, 'by its own name it is a file')
  t.equal((await fileAt(t, source, 'app.css.br')).representation.encoding, undefined)
})

t.test('a file that has no siblings is as it was', async t => {
  const source = precompressed(await directory(t, { 'a.css': 'x' }))
  const found = await fileAt(t, source, 'a.css')
  t.equal(found.encoded, undefined)
  t.equal(found.representation.vary, undefined)
})

t.test('a sibling that cannot be read is not offered, and the revision tells which were there', async t => {
  const inner = await directory(t, { 'a.css': 'x'.repeat(50), 'a.css.gz': 'z' })
  const refusing: Source = { ...inner, stat: async key => { if (key.endsWith('.br')) throw new MediaError('forbidden'); return await inner.stat(key) } }
  const found = await fileAt(t, precompressed(refusing), 'a.css')
  t.same(Object.keys(found.encoded ?? {}), ['gzip'])
  t.not(found.revision, (await fileAt(t, inner, 'a.css')).revision)
})

t.test('sources that know no size or tag are taken at their word', async t => {
  const inner: Source = {
    stat: key => ({ kind: 'file', revision: key, changed: 0, representation: { type: 'text/css', size: key === 'a.css' ? 9 : undefined, open: () => Buffer.from('x') } }),
    list: async () => undefined,
    close: async () => {}
  }
  t.match(await precompressed(inner).stat('a.css' as Key), { encoded: { br: { encoding: 'br', entityTag: undefined } } })
})
