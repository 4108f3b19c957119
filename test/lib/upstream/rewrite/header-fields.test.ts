import t from 'tap'
import { mapFields } from '../../../../lib/upstream/rewrite/header-fields.ts'
import { referenceMapper } from '../../../../lib/upstream/rewrite/references.ts'
import { cpuMs } from '../../../helpers/process.ts'

const map = referenceMapper({ origins: [new URL('http://origin:8080/base/')], mountPrefix: '/cdn' })
const link = (value: string): unknown => mapFields({ link: value }, map).link
const refresh = (value: string): unknown => mapFields({ refresh: value }, map).refresh

t.test('Location and Content-Location lead to the mount', async t => {
  t.same(mapFields({ location: 'http://origin:8080/base/a', 'content-location': '/base/b', etag: '"http://origin:8080/base/"' }, map), { location: '/cdn/a', 'content-location': '/cdn/b', etag: '"http://origin:8080/base/"' })
  t.same(mapFields({ location: ['/base/a', 'https://other/'] }, map), { location: ['/cdn/a', 'https://other/'] })
})

t.test('fields without references are the same', async t => {
  const fields = { 'content-type': 'text/html' }
  t.equal(mapFields(fields, map), fields)
  const before = { location: '/base/x' }
  mapFields(before, map)
  t.same(before, { location: '/base/x' }, 'and what comes in is not changed')
})

t.test('targets of links lead to the mount, and nothing else in them', async t => {
  const rows: Array<[string, string]> = [
    ['</base/a.css>; rel=preload; as=style', '</cdn/a.css>; rel=preload; as=style'],
    ['<http://origin:8080/base/2>; rel="next", <https://other/>; rel=me , </base/1>;rel=prev', '</cdn/2>; rel="next", <https://other/>; rel=me , </cdn/1>;rel=prev'],
    ['<relative>; title="</base/x>"', '<relative>; title="</base/x>"'],
    ['<x>; title="a \\" </base/x>", </base/y>', '<x>; title="a \\" </base/x>", </cdn/y>'],
    ['<x>; anchor="/base/c"; rel=a; anchor = "#part"', '<x>; anchor="/cdn/c"; rel=a; anchor = "#part"'],
    ['<x>; title="/base/x"; anchor=/base/x', '<x>; title="/base/x"; anchor=/base/x'],
    ['</base/a', '</base/a'],
    ['<</base/a>', '<</cdn/a>'],
    ['<x>; title="never ends </base/a>', '<x>; title="never ends </base/a>'],
    ['<x>; title="\\', '<x>; title="\\'],
    ['', '']
  ]
  for (const [value, expected] of rows) t.equal(link(value), expected, value)
  t.same(mapFields({ link: ['</base/a>', '</b>'] }, map), { link: ['</cdn/a>', '</b>'] })
})

t.test('Refresh leads to the mount, as browsers read it', async t => {
  const rows: Array<[string, string]> = [
    ['5; url=http://origin:8080/base/x', '5; url=/cdn/x'],
    ['0;URL = "/base/x"', '0;URL = "/cdn/x"'],
    ['1.5, \'/base/x\' more', '1.5, \'/cdn/x\' more'],
    ['5; /base/x', '5; /cdn/x'],
    ['5', '5'],
    ['5; url=https://other/base/x', '5; url=https://other/base/x'],
    ['', '']
  ]
  for (const [value, expected] of rows) t.equal(refresh(value), expected, value)
})

t.test('hostile fields take no time', async t => {
  const hostile = '<";\\, \t5=u/'.split('').flatMap(character => [character.repeat(60_000), `${character}"`.repeat(30_000), `<${character}`.repeat(30_000), `"\\"${character}`.repeat(20_000), `;anchor=${character}`.repeat(7000), `5;url${character.repeat(60_000)}`])
  const took = cpuMs(() => {
    for (const value of hostile) mapFields({ link: value, refresh: value, location: value }, map)
  })
  t.ok(took < 10_000, `${Math.round(took)} ms for ${hostile.length} fields of 60 KB`)
})
