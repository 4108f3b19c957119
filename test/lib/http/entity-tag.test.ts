import t from 'tap'
import { isWeak, parseEntityTags, strongEqual, weakEqual } from '../../../lib/http/entity-tag.ts'

t.test('a list of tags is read as it stands', async t => {
  const rows: Array<[string, string[] | '*']> = [
    ['"a"', ['"a"']],
    ['W/"a"', ['W/"a"']],
    ['"a","b"', ['"a"', '"b"']],
    ['  "a" \t,\t W/"b"  ', ['"a"', 'W/"b"']],
    ['"a,b", "c"', ['"a,b"', '"c"']],
    ['""', ['""']],
    ['"\\"', ['"\\"']],
    ['*', '*'],
    [' * ', '*'],
    ['"*"', ['"*"']],
    ['', []],
    [',, "a" ,,', ['"a"']],
    [',', []],
    ['"\u00e9\u00ff"', ['"\u00e9\u00ff"']]
  ]
  for (const [field, tags] of rows) t.strictSame(parseEntityTags(field), tags, JSON.stringify(field))
})

t.test('a malformed list is undefined', async t => {
  for (const field of ['abc', '"a b"', '"a, b"', '"a', 'a"', '"a" "b"', 'w/"a"', 'W/a', '"a", *', '*, "a"', '**', '"a";q=1', '"a\u0000"', '"a\u007f"', '"a\u0100"', "'a'", 'W/ "a"', '"a""b"']) {
    t.equal(parseEntityTags(field), undefined, JSON.stringify(field))
  }
})

t.test('comparison follows the table of RFC 9110 §8.8.3.2', async t => {
  const rows: Array<[string, string, boolean, boolean]> = [
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', 'W/"1"', false, true],
    ['"1"', '"1"', true, true],
    ['"a"', '"A"', false, false]
  ]
  for (const [a, b, strong, weak] of rows) {
    t.equal(strongEqual(a, b), strong, `${a} ${b} strongly`)
    t.equal(weakEqual(a, b), weak, `${a} ${b} weakly`)
  }
})

t.test('only a capital W makes a tag weak', async t => {
  t.equal(isWeak('W/"a"'), true)
  t.equal(isWeak('"W/a"'), false)
  t.equal(isWeak('w/"a"'), false)
})

t.test('long fields are read in linear time', async t => {
  const started = performance.now()
  t.equal(parseEntityTags('"a", '.repeat(13_000))?.length, 13_000)
  for (const field of [`${' '.repeat(60_000)}x`, `"a"${' '.repeat(60_000)}x`, `"${'a'.repeat(60_000)}`, `"a"${' '.repeat(60_000)}"`, ','.repeat(60_000), 'W/'.repeat(30_000), `${', '.repeat(30_000)}x`]) parseEntityTags(field)
  t.ok(performance.now() - started < 500)
})
