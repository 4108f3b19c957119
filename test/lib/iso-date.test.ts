import t from 'tap'
import { isoDate } from '../../lib/iso-date.ts'

t.test('a time is told as ISO 8601 has it, and what no calendar has is none', t => {
  t.equal(isoDate(0), '1970-01-01T00:00:00.000Z')
  t.equal(isoDate(1_795_215_277_425), '2026-11-20T22:54:37.425Z')
  for (const none of [undefined, NaN, Infinity, 8.64e15 + 1, -1e300]) t.equal(isoDate(none), undefined, String(none))
  t.end()
})
