import t, { type Test } from 'tap'
import { formatHttpDate } from '../../../lib/http/http-date.ts'
import { evaluatePreconditions, rangeApplies, type ConditionalFields, type PreconditionOutcome } from '../../../lib/http/preconditions.ts'

const lastModified = Date.UTC(2024, 0, 2, 3, 4, 5, 678)
const same = formatHttpDate(lastModified)
const earlier = formatHttpDate(lastModified - 1000)
const later = formatHttpDate(lastModified + 1000)
const validators = { entityTag: '"a"', lastModified }

type Row = [fields: ConditionalFields, get: PreconditionOutcome, put: PreconditionOutcome]

function check (t: Test, rows: Row[], known: Parameters<typeof evaluatePreconditions>[2] = validators): void {
  for (const [fields, get, put] of rows) {
    t.equal(evaluatePreconditions('GET', fields, known), get, `GET ${JSON.stringify(fields)}`)
    t.equal(evaluatePreconditions('HEAD', fields, known), get, `HEAD ${JSON.stringify(fields)}`)
    t.equal(evaluatePreconditions('PUT', fields, known), put, `PUT ${JSON.stringify(fields)}`)
    t.equal(evaluatePreconditions('DELETE', fields, known), put, `DELETE ${JSON.stringify(fields)}`)
  }
}

t.test('without conditional fields everything proceeds', async t => {
  check(t, [[{}, 'proceed', 'proceed']])
  check(t, [[{}, 'proceed', 'proceed']], {})
})

t.test('If-None-Match with a list matches any member', async t => {
  check(t, [
    [{ 'if-none-match': '"a"' }, 304, 412],
    [{ 'if-none-match': '"x", "a", "y"' }, 304, 412],
    [{ 'if-none-match': ', "x" ,"a"' }, 304, 412],
    [{ 'if-none-match': '"x", "y"' }, 'proceed', 'proceed'],
    [{ 'if-none-match': '' }, 'proceed', 'proceed']
  ])
})

t.test('If-None-Match compares weakly', async t => {
  check(t, [[{ 'if-none-match': 'W/"a"' }, 304, 412], [{ 'if-none-match': '"x", W/"a"' }, 304, 412]])
  check(t, [[{ 'if-none-match': '"a"' }, 304, 412], [{ 'if-none-match': 'W/"a"' }, 304, 412]], { entityTag: 'W/"a"' })
})

t.test('If-None-Match: * matches whatever exists', async t => {
  check(t, [[{ 'if-none-match': '*' }, 304, 412]])
  check(t, [[{ 'if-none-match': '*' }, 304, 412]], {})
})

t.test('a malformed If-None-Match matches nothing', async t => {
  check(t, [[{ 'if-none-match': 'a' }, 'proceed', 'proceed'], [{ 'if-none-match': '"a", b' }, 'proceed', 'proceed'], [{ 'if-none-match': '"a", *' }, 'proceed', 'proceed']])
})

t.test('If-Match lets a member of its list through, by strong comparison', async t => {
  check(t, [
    [{ 'if-match': '"a"' }, 'proceed', 'proceed'],
    [{ 'if-match': '"x", "a"' }, 'proceed', 'proceed'],
    [{ 'if-match': '*' }, 'proceed', 'proceed'],
    [{ 'if-match': '"x"' }, 412, 412],
    [{ 'if-match': 'W/"a"' }, 412, 412],
    [{ 'if-match': '' }, 412, 412]
  ])
  check(t, [[{ 'if-match': 'W/"a"' }, 412, 412], [{ 'if-match': '"a"' }, 412, 412], [{ 'if-match': '*' }, 'proceed', 'proceed']], { entityTag: 'W/"a"' })
  check(t, [[{ 'if-match': '"a"' }, 412, 412], [{ 'if-match': '*' }, 'proceed', 'proceed']], { lastModified })
})

t.test('a malformed If-Match is false', async t => {
  check(t, [[{ 'if-match': 'a' }, 412, 412], [{ 'if-match': '"a", b' }, 412, 412]])
})

t.test('If-Modified-Since counts for GET and HEAD, in whole seconds', async t => {
  check(t, [
    [{ 'if-modified-since': same }, 304, 'proceed'],
    [{ 'if-modified-since': later }, 304, 'proceed'],
    [{ 'if-modified-since': earlier }, 'proceed', 'proceed'],
    [{ 'if-modified-since': 'yesterday' }, 'proceed', 'proceed'],
    [{ 'if-modified-since': `${same}, ${same}` }, 'proceed', 'proceed']
  ])
  check(t, [[{ 'if-modified-since': same }, 'proceed', 'proceed']], { entityTag: '"a"' })
})

t.test('If-Unmodified-Since counts for every method', async t => {
  check(t, [
    [{ 'if-unmodified-since': same }, 'proceed', 'proceed'],
    [{ 'if-unmodified-since': later }, 'proceed', 'proceed'],
    [{ 'if-unmodified-since': earlier }, 412, 412],
    [{ 'if-unmodified-since': 'yesterday' }, 'proceed', 'proceed']
  ])
  check(t, [[{ 'if-unmodified-since': earlier }, 'proceed', 'proceed']], { entityTag: '"a"' })
})

t.test('tags go before dates, and If-Match before If-None-Match (RFC 9110 §13.2.2)', async t => {
  check(t, [
    [{ 'if-none-match': '"x"', 'if-modified-since': same }, 'proceed', 'proceed'],
    [{ 'if-none-match': 'malformed', 'if-modified-since': same }, 'proceed', 'proceed'],
    [{ 'if-none-match': '"a"', 'if-modified-since': earlier }, 304, 412],
    [{ 'if-match': '"a"', 'if-unmodified-since': earlier }, 'proceed', 'proceed'],
    [{ 'if-match': '"x"', 'if-unmodified-since': same }, 412, 412],
    [{ 'if-match': '"x"', 'if-none-match': '"a"' }, 412, 412],
    [{ 'if-match': '"a"', 'if-none-match': '"a"' }, 304, 412],
    [{ 'if-match': '"a"', 'if-modified-since': same }, 304, 'proceed'],
    [{ 'if-unmodified-since': earlier, 'if-none-match': '"a"' }, 412, 412],
    [{ 'if-unmodified-since': same, 'if-modified-since': same }, 304, 'proceed']
  ])
})

t.test('methods that select no representation ignore preconditions (RFC 9110 §13.2.1)', async t => {
  for (const method of ['OPTIONS', 'TRACE', 'CONNECT']) {
    t.equal(evaluatePreconditions(method, { 'if-match': '"x"', 'if-none-match': '*', 'if-unmodified-since': earlier }, validators), 'proceed', method)
  }
})

t.test('If-Range lets ranges through by a strong tag or an exact date', async t => {
  const rows: Array<[string | string[] | undefined, boolean]> = [
    [undefined, true],
    ['"a"', true],
    ['"b"', false],
    ['W/"a"', false],
    ['"a", "b"', false],
    ['*', false],
    ['a', false],
    ['', false],
    [['"a"', '"a"'], false],
    [same, true],
    [earlier, false],
    [later, false],
    ['Tuesday, 02-Jan-24 03:04:05 GMT', true]
  ]
  for (const [field, applies] of rows) t.equal(rangeApplies({ 'if-range': field }, validators), applies, JSON.stringify(field))
})

t.test('If-Range never holds for a weak tag, nor without the validator it names', async t => {
  t.equal(rangeApplies({ 'if-range': 'W/"a"' }, { entityTag: 'W/"a"' }), false)
  t.equal(rangeApplies({ 'if-range': '"a"' }, { entityTag: 'W/"a"' }), false)
  t.equal(rangeApplies({ 'if-range': '"a"' }, { lastModified }), false)
  t.equal(rangeApplies({ 'if-range': same }, { entityTag: '"a"' }), false)
  t.equal(rangeApplies({ 'if-range': 'nonsense' }, {}), false)
})

t.test('If-Range takes a date only once it is a second old (RFC 9110 §8.8.2.2)', async t => {
  const whole = Math.floor(lastModified / 1000) * 1000
  for (const [age, applies] of [[-5000, false], [0, false], [999, false], [1000, true], [60_000, true]] as const) {
    t.equal(rangeApplies({ 'if-range': same }, { lastModified }, whole + age), applies, `${age} ms`)
  }
})
