import t from 'tap'
import { rateKey } from '../../../lib/rate/keys.ts'

t.test('a key is readable where its parts are', t => {
  t.equal(rateKey('principals', '/photos', 'jwt', 'auth0|ada@example.com'), 'principals:/photos:jwt:auth0|ada@example.com')
  t.equal(rateKey('addresses', '/', '203.0.113.7'), 'addresses:/:203.0.113.7')
  t.end()
})

t.test('different parts make different keys, whatever is in them', t => {
  const hash = rateKey('s', 'b:c').slice(2)
  const parts = [['a', 'b:c'], ['a:b', 'c'], ['a', 'b', 'c'], ['a:b:c'], ['a', ''], ['', 'a'], ['a'], ['', '', 'a'], ['s', hash], ['s', 'b:c'], ['a', ' '], ['a', '\n'], ['a', '\0'], ['a', 'é'], ['a', 'e\u0301'], ['a', 'x'.repeat(100)], ['a', 'x'.repeat(101)], ['a', 'x'.repeat(102)]]
  t.equal(new Set(parts.map(names => rateKey(...names))).size, parts.length)
  t.end()
})

t.test('a key is bounded and visible', t => {
  for (const part of ['x'.repeat(1_000_000), '\r\nDEL *', '\u{1f600}', 'a b']) t.match(rateKey('principals', part), /^principals:#[0-9a-f]{64}$/)
  t.end()
})
