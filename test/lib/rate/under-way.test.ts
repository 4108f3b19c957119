import t from 'tap'
import { UnderWay } from '../../../lib/rate/under-way.ts'

t.test('each client has its places, and gets them back', t => {
  const underWay = new UnderWay(2)
  t.same([underWay.begin('a'), underWay.begin('a'), underWay.begin('a'), underWay.begin('b')], [true, true, false, true])
  underWay.end('a')
  t.equal(underWay.begin('a'), true)
  t.equal(underWay.begin('a'), false)
  t.equal(underWay.size, 2)
  for (const key of ['a', 'a', 'b']) underWay.end(key)
  t.equal(underWay.size, 0, 'who has nothing under way is not kept')
  t.end()
})
