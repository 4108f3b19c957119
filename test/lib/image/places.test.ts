import t from 'tap'
import { placesOf, prefixAt } from '../../../lib/image/places.ts'

t.test('a mount has a second place where IPX looks for it, unless it is the root or reads no IPX', t => {
  const mount = (prefix: string, images: object = {}): never => ({ prefix, images: { mode: 'snapped', grammars: ['query', 'ipx'], ...images } }) as never
  const places = placesOf([mount('/'), mount('/photos'), mount('/off', { mode: 'off' }), mount('/query', { grammars: ['query'] })])
  t.strictSame(places.map(({ prefix }) => prefix), ['', '/photos', '/_ipx/:modifiers/photos', '/off', '/query'])
  t.strictSame(places.map(({ prefix }) => prefixAt(`/host${prefix}`)), ['/host', '/host/photos', '/host/photos', '/host/off', '/host/query'])
  t.end()
})
