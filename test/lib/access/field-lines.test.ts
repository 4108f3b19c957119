import t from 'tap'
import { isRepeated } from '../../../lib/access/field-lines.ts'

t.test('a field in two lines is repeated, whatever its letter case', async t => {
  t.equal(isRepeated(['Host', 'a', 'X-API-Key', 'one', 'x-api-key', 'two'], 'x-api-key'), true)
  t.equal(isRepeated(['X-API-Key', 'same', 'X-API-Key', 'same'], 'x-api-key'), true)
})

t.test('one line is not, and neither are values and other names of that length', async t => {
  t.equal(isRepeated(['X-API-Key', 'x-api-key', 'X-API-Kez', 'x-api-key'], 'x-api-key'), false)
  t.equal(isRepeated([], 'x-api-key'), false)
})
