import t from 'tap'
import { placesOf, prefixAt } from '../../../lib/image/places.ts'

t.test('a mount has a second place where IPX looks for it, unless it is the root, reads no IPX or is that of an upstream', t => {
  const mount = (prefix: string, images: object = {}): never => ({ prefix, delivery: 'serve', images: { mode: 'snapped', grammars: ['query', 'ipx'], ...images } }) as never
  const places = placesOf([mount('/'), mount('/photos'), mount('/off', { mode: 'off' }), mount('/query', { grammars: ['query'] }), { ...mount('/cdn') as object, delivery: 'proxy' } as never])
  t.strictSame(places.map(({ prefix }) => prefix), ['', '/photos', '/_ipx/:modifiers/photos', '/off', '/query', '/cdn'])
  t.strictSame(places.map(({ prefix }) => prefixAt(`/host${prefix}`)), ['/host', '/host/photos', '/host/photos', '/host/off', '/host/query', '/host/cdn'])
  t.end()
})
