import t from 'tap'
import { ifChanged, ifSame, mayBeSame, validatorsOf } from '../../../../lib/sources/http/validators.ts'

const date = 'Fri, 20 Nov 2026 12:00:00 GMT'
const older = 'Fri, 20 Nov 2026 11:59:59 GMT'
const lastModified = Date.parse(older)

t.test('tags are taken as they are, or not at all', t => {
  for (const etag of ['"a"', 'W/"a"', '""', '"\xe9"']) t.equal(validatorsOf({ etag }).entityTag, etag)
  for (const etag of ['a', '"a', 'w/"a"', '"a" "b"', '"a", "b"', '"a",', '*', '', '"a\u007f"', '"a b"']) t.equal(validatorsOf({ etag }).entityTag, undefined, etag)
  t.equal(validatorsOf({ etag: ['"a"', '"b"'] }).entityTag, undefined, 'two that differ')
  t.equal(validatorsOf({ etag: ['"a"', '"a"'] }).entityTag, '"a"')
  t.end()
})

t.test('a date tells where it was old enough by the clock of the origin', t => {
  t.match(validatorsOf({ date, 'last-modified': older }), { lastModified, isSure: true })
  t.match(validatorsOf({ date: older, 'last-modified': older }), { lastModified, isSure: false })
  t.match(validatorsOf({ 'last-modified': older }, lastModified + 999), { isSure: false })
  t.match(validatorsOf({ 'last-modified': older }, lastModified + 1000), { isSure: true })
  t.match(validatorsOf({ date, 'last-modified': 'yesterday' }), { lastModified: undefined, isSure: false })
  t.match(validatorsOf({ 'date': older, 'last-modified': older, 'etag': 'W/"a"' }), { isSure: false }, 'a weak tag is no better than the date beside it')
  t.match(validatorsOf({ 'date': older, 'last-modified': older, 'etag': '"a"' }), { isSure: true })
  t.match(validatorsOf({ etag: 'W/"a"' }), { isSure: true })
  t.end()
})

t.test('conditions are made of what tells', t => {
  const of = (headers: Record<string, string>): unknown[] => [ifChanged(validatorsOf({ date, ...headers })), ifSame(validatorsOf({ date, ...headers }))]
  t.strictSame(of({ etag: '"a"' }), [{ 'if-none-match': '"a"' }, { 'if-match': '"a"' }])
  t.strictSame(of({ 'etag': '"a"', 'last-modified': older }), [{ 'if-none-match': '"a"', 'if-modified-since': older }, { 'if-match': '"a"' }])
  t.strictSame(of({ etag: 'W/"a"' }), [{ 'if-none-match': 'W/"a"' }, {}])
  t.strictSame(of({ 'etag': 'W/"a"', 'last-modified': older }), [{ 'if-none-match': 'W/"a"', 'if-modified-since': older }, { 'if-unmodified-since': older }])
  t.strictSame(of({ 'last-modified': older }), [{ 'if-modified-since': older }, { 'if-unmodified-since': older }])
  t.strictSame(of({ 'last-modified': date }), [undefined, {}])
  t.strictSame(of({}), [undefined, {}])
  t.end()
})

t.test('an answer is of the same content, or may be', t => {
  const described = validatorsOf({ 'etag': '"a"', 'last-modified': older })
  t.ok(mayBeSame(described, { etag: '"a"' }))
  t.notOk(mayBeSame(described, { etag: '"b"', 'last-modified': older }))
  t.notOk(mayBeSame(described, { etag: 'W/"a"' }), 'what was strong has to stay so')
  t.ok(mayBeSame(described, { 'last-modified': older }))
  t.notOk(mayBeSame(described, { 'last-modified': date }))
  t.ok(mayBeSame(described, {}))
  t.ok(mayBeSame(validatorsOf({ etag: 'W/"a"' }), { etag: '"a"' }))
  t.notOk(mayBeSame(validatorsOf({ etag: 'W/"a"' }), { etag: 'W/"b"' }))
  t.ok(mayBeSame(validatorsOf({}), { etag: '"a"', 'last-modified': older }))
  t.end()
})
