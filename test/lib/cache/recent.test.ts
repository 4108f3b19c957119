import t from 'tap'
import { Recent } from '../../../lib/cache/recent.ts'

t.test('what was looked up lately stays, what was not goes', t => {
  const recent = new Recent<number, string>(10)
  recent.set(0, 'kept')
  for (let key = 1; key < 1000; key++) {
    recent.set(key, `value ${key}`)
    t.equal(recent.get(0), 'kept') // each look makes it young again
  }
  t.equal(recent.get(999), 'value 999')
  t.equal(recent.get(1), undefined)
  t.end()
})

t.test('never more than two generations are kept', t => {
  const recent = new Recent<number, number>(10)
  for (let key = 0; key < 1000; key++) recent.set(key, key)
  const kept = Array.from({ length: 1000 }, (_, key) => recent.get(key)).filter(value => value !== undefined)
  t.ok(kept.length <= 20, `${kept.length} kept`)
  t.end()
})

t.test('what is deleted or cleared is gone from both generations', t => {
  const recent = new Recent<string, number>(2)
  recent.set('old', 1)
  recent.set('filler', 2) // a generation ends
  recent.set('young', 3)
  recent.delete('old')
  recent.delete('young')
  t.equal(recent.get('old'), undefined)
  t.equal(recent.get('young'), undefined)
  t.equal(recent.get('filler'), 2)
  recent.clear()
  t.equal(recent.get('filler'), undefined)
  t.end()
})
