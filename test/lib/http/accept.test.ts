import t from 'tap'
import { acceptance } from '../../../lib/http/accept.ts'

t.test('the most specific range decides (RFC 9110 §12.5.1)', t => {
  const accepts = acceptance('image/*;q=0.8, image/webp, */*;q=0.1')
  t.same(accepts('image/webp'), { weight: 1, named: true })
  t.same(accepts('image/png'), { weight: 0.8, named: false })
  t.same(accepts('text/plain'), { weight: 0.1, named: false })
  t.end()
})

t.test('a type that no range covers is not acceptable', t => {
  t.same(acceptance('image/webp')('image/png'), { weight: 0, named: false })
  t.same(acceptance('image/avif;q=0')('image/avif'), { weight: 0, named: true })
  t.end()
})

t.test('without the field everything is acceptable, and nothing is named', t => {
  for (const field of [undefined, '', '  ']) t.same(acceptance(field)('image/avif'), { weight: 1, named: false })
  t.end()
})

t.test('hostile fields are read without harm', t => {
  for (const field of [';;;,,,', 'image/avif;q=NaN', '__proto__', 'image/'.repeat(5000), ','.repeat(50_000)]) {
    t.type(acceptance(field)('image/avif').weight, 'number', field.slice(0, 20))
  }
  t.equal(acceptance('constructor')('constructor').weight, 1)
  t.equal(acceptance('image/avif;q=2')('image/avif').weight, 1)
  t.end()
})
